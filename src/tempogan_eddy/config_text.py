"""The text of configurations: YAML to read, their problems, and the meaning and bounds of each key."""

import difflib
import json
import re
import reprlib
from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

__all__ = ["describe_config", "describe_problems", "keys_named", "parse_yaml"]

MOST_PROBLEMS = 20  # that are listed
LONGEST = 80  # characters of a value or key that are shown
DEEPEST = 32  # levels of YAML
BRIEF = reprlib.Repr()
BRIEF.maxlevel = BRIEF.maxdict = 2

BOUNDS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def describe_config(config: BaseModel) -> str:
    """Return every key with its value, its meaning and the values that it allows, one line a key.

    ``training.precision = "auto"  # auto: bf16 where ..., else fp32 [auto | fp32 | bf16 | fp16]``
    """
    return "\n".join(_describe(config, ""))


def describe_problems(error: ValidationError, model: type[BaseModel], name: str, overrides: Sequence[str] = ()) -> str:
    """Return every problem of a configuration with its file or override: one sentence, or a count and a line for each.

    The model suggests similar keys in place of unknown ones. The overrides are the ``section.key=value`` texts that
    were applied to the file of this name.
    """
    found = error.errors()
    problems = [_problem(details, model, name, overrides) for details in found[:MOST_PROBLEMS]]
    if len(found) == 1:
        return problems[0]
    if len(found) > MOST_PROBLEMS:
        problems.append(f"and {len(found) - MOST_PROBLEMS} more.")
    return "\n  ".join([f"The configuration has {len(found)} problems:", *problems])


def _problem(details: Any, model: type[BaseModel], name: str, overrides: Sequence[str]) -> str:
    where = _cut(".".join(str(part) for part in details["loc"] if part != "[key]"))
    if details["type"] == "model_type":
        message = f"{where} should be a section, {{...}} (given: {_short(details['input'])})"
    elif details["type"] == "extra_forbidden":
        message = f"unknown key '{where}'{_suggestion(details['loc'], model)}; see `tempogan-eddy config` for all keys"
    else:
        given = "" if details["type"] == "value_error" else f" (given: {_short(details['input'])})"
        message = f"{where + ': ' if where else ''}{_cut(details['msg'].removeprefix('Value error, '), 300)}{given}"
    return f"{_origin(where, message, name, overrides)}: {message}."


def _short(value: Any) -> str:
    """Return a value as JSON; shorten a large one, or one that JSON does not know."""
    if isinstance(value, str | int | float | None):
        return _cut(json.dumps(value))
    if isinstance(value, list | tuple) and len(value) <= 4 and all(isinstance(v, str | int | float) for v in value):
        return f"[{', '.join(map(_short, value))}]"
    return BRIEF.repr(value)


def _cut(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else f"{text[:longest]}..."


def _origin(where: str, message: str, name: str, overrides: Sequence[str]) -> str:
    """Return the last override that can cause a problem, else the file."""
    for text in reversed(overrides):
        key = text.partition("=")[0].strip()
        # The location of a rule about several values is their section; its message names them.
        section = f"{where}." if where else ""
        words = rf"\b{re.escape(key.rsplit('.', 1)[-1])}\b|unknown key"
        named = key.startswith(section) and re.search(words, message)
        if f"{where}.".startswith(f"{key}.") or named:
            return f"--set {text}"
    return name


def _suggestion(location: tuple[int | str, ...], model: type[BaseModel]) -> str:
    section = model
    for part in location[:-1]:
        annotation = section.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ""
        section = annotation
    name = str(location[-1])
    close = keys_named(name, model) or difflib.get_close_matches(name, list(section.model_fields), n=1)
    return f", did you mean '{close[0]}'?" if close else ""


def keys_named(name: str, model: type[BaseModel], prefix: str = "") -> list[str]:
    """Return the keys that have a name in any section: ``training.epochs`` for ``epochs``."""
    found = []
    for key, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found += keys_named(name, field.annotation, f"{prefix}{key}.")
        elif key == name:
            found.append(f"{prefix}{key}")
    return found


def _describe(section: BaseModel, prefix: str) -> list[str]:
    lines = []
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        if isinstance(value, BaseModel):
            lines += _describe(value, f"{prefix}{key}.")
        else:
            comment = " ".join(filter(None, (field.description, _allowed(field))))
            lines.append(f"{prefix}{key} = {json.dumps(value)}{f'  # {comment}' if comment else ''}")
    return lines


def _allowed(field: FieldInfo) -> str:
    """Return the choices or the bounds of a key, in brackets."""
    if choices := field.examples or _choices(field.annotation):
        return f"[{' | '.join(choices)}]"
    bounds = [
        f"{sign} {getattr(rule, name):g}"
        for rule in field.metadata
        for name, sign in BOUNDS.items()
        if getattr(rule, name, None) is not None
    ]
    return f"[{', '.join(bounds)}]" if bounds else ""


def _choices(annotation: Any) -> list[str]:
    parts = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    choices = [str(choice) for part in parts if get_origin(part) is Literal for choice in get_args(part)]
    return [*choices, "null"] if choices and NoneType in parts else choices


class _PlainLoader(yaml.SafeLoader):
    """Refuse anchors, tags and deep nesting: ten lines of aliases of aliases can stand for a billion values."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()
        if getattr(event, "anchor", None) or getattr(event, "tag", None):
            raise ValueError(f"line {event.start_mark.line + 1} has an anchor, an alias or a tag")
        self.depth += 1
        if self.depth > DEEPEST:
            raise ValueError(f"line {event.start_mark.line + 1} is nested more than {DEEPEST} deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def parse_yaml(text: str) -> Any:
    """Return the value of a text in YAML, which includes JSON.

    Raise `yaml.YAMLError` if it is not YAML, and ValueError if it has anchors, aliases or tags, is nested more than 32
    deep, or has an invalid number, date or text.
    """
    try:
        value = yaml.load(text, _PlainLoader)
        if "\\ud" in text.lower():  # half of a surrogate pair, which can be neither printed nor written
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except (LookupError, AttributeError, TypeError, RecursionError) as error:  # odd scalars
        raise ValueError(f"{type(error).__name__} in the YAML library") from None
