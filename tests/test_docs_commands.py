"""The commands and programs of README and docs: each is understood, and what can run here runs, page by page."""

import importlib.util
import re
import shlex
import shutil
import sys
import tomllib
import types
from pathlib import Path

import pytest
from typer.main import get_command

import docs_cases
from cli_cases import exit_code
from docs_cases import PAGES, ROOT, blocks, make_stage, readers_names, spans, write_settings
from tempogan_eddy.cli.application import app
from tempogan_eddy.cli.options import settings
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.evaluation.metrics import choose_metrics
from tempogan_eddy.registry import FORMATS, SENSORS

COMMANDS = get_command(app).commands
SHELL = ("bash", "sh", "console")
PROGRAMS = ("python", "json")

# Programs that are not ours and do not run here; their words are checked where we can.
OTHERS = {
    "git": "needs a network",
    "cd": "another folder",
    "make": "sets up a virtual environment; the target must exist",
    "pip": "installs; the extras must exist",
    "python": "runs for minutes; the module and its options must exist",
    "torchrun": "starts processes: tests/test_distributed.py",
    "srun": "needs Slurm",
    "tensorboard": "serves until it is stopped",
    "export": "sets a variable",
    "node0=$(scontrol": "needs Slurm",
}

# Commands of ours that are only parsed.
PARSED = {
    "--dask local:8": "starts eight processes: tests/test_parts.py",
}

# Blocks of Python of which only the imports run.
IMPORTED = {
    "%timeit": "runs in IPython",
    "trainer.train(resume_from=": "needs a checkpoint: tests/test_training.py",
    "content=my_loss": "the page on extending runs such a training",
}


def everything(*languages):
    """Blocks of all pages."""
    return [block for page in PAGES for block in blocks(page, *languages)]


def understand(words):
    """Parse a command of ours with the real parser and check the values that the parser leaves to the command."""
    name, *rest = words
    context = COMMANDS[name].make_context(name, list(rest))
    values = context.params
    given = {key: values[key] for key in ("lowres", "sensor") if name in {"train", "pack"} and values.get(key)}
    settings(None, values.get("overrides") or [], **given)
    if values.get("sensor"):
        SensorModel.parse(values["sensor"])
    if values.get("chosen"):
        choose_metrics(part for text in values["chosen"] for part in text.split(","))


def understand_other(words):
    """Check a command of another program as far as it concerns this repository."""
    program, *rest = words
    if program == "make":
        makefile = (ROOT / "Makefile").read_text()
        names = [f"{word.partition('=')[0]} ?=" if "=" in word else f"{word}:" for word in rest]
        assert all(re.search(rf"^{re.escape(name)}", makefile, re.MULTILINE) for name in names)
    elif program == "pip" and "[" in rest[-1] + rest[1]:
        extras = re.search(r"\[(.*)\]", " ".join(rest))[1].split(",")
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert set(extras) <= set(project["optional-dependencies"])
    elif program == "python":
        source = importlib.util.find_spec(rest[1]).origin if rest[0] == "-m" else ROOT / rest[0]
        text = Path(source).read_text()
        assert all(f'"{word}"' in text for word in rest if word.startswith("--"))
    elif program in {"torchrun", "srun"} and "train.py" in rest:
        understand(["train", *rest[rest.index("train.py") + 1 :]])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_understood(page, monkeypatch):
    for module in ("options", "evaluate_command", "model_commands"):  # the files of the pages are not here
        monkeypatch.setattr(f"tempogan_eddy.cli.{module}.refuse_missing", lambda *_: None)
    for block in blocks(page, *SHELL):
        for words in block.commands:
            try:
                if words[0] == "tempogan-eddy":
                    understand(words[1:])
                else:
                    assert words[0] in OTHERS, f"{words[0]} is not known"
                    understand_other(words)
            except Exception as error:
                raise AssertionError(f"{block.place}: {' '.join(words)}") from error


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_text_exist(page):
    for text in spans(page):
        program, *words = shlex.split(text)
        if program != "tempogan-eddy":
            understand_other([program, *words])
            continue
        command = COMMANDS.get(words[0])
        assert command or words[0].startswith("-") or "..." in text, text
        if command:
            known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
            used = {word.partition("=")[0] for word in words if re.match(r"--?\w", word)}
            assert used <= known | {"--help", "-h"}, text


def test_what_is_not_run_still_stands_in_the_pages():
    commands = [words for block in everything(*SHELL) for words in block.commands]
    commands += [shlex.split(text) for page in PAGES for text in spans(page)]
    assert set(OTHERS) == {words[0] for words in commands} - {"tempogan-eddy"}
    lines = [" ".join(words) for words in commands]
    assert all(any(text in line for line in lines) for text in PARSED)
    programs = [block.text for block in everything("python")]
    assert all(any(text in program for program in programs) for text in IMPORTED)
    whole = " ".join(lines + programs)
    assert all(name in whole for names in docs_cases.FRAMES.values() for name in names)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stage")
    make_stage(folder)
    return folder


def run(words):
    """Run a command of ours."""
    small = {"synthesize": ["--storms", "2", "--frames", "4", "--size", "64"]}
    if "--crop" in words:
        words[words.index("--crop") + 1] = "8,8,32,32"
    if "training.start_from=eddy" in words:  # the small configuration has another network
        small["train"] = ["--set", "model.n_residual_blocks=8", "--set", "model.discriminator_channels=16"]
    if any(text in " ".join(words) for text in PARSED):
        return
    if words[1] == "train" and "--resume" not in words:  # a page shows several trainings of which a reader runs one
        shutil.rmtree("checkpoints", ignore_errors=True)
    assert exit_code(*words[1:], *small.get(words[1], [])) == 0


def run_python(block, names):
    """Run a block of Python, or the imports of one that is not run."""
    if any(text in block.text for text in IMPORTED):
        lines = [line for line in block.text.splitlines() if re.match(r"(import|from) ", line)]
        exec("\n".join(lines), dict(names))
    else:
        exec(compile(block.program, str(block.page), "exec"), names)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, *SHELL, *PROGRAMS)], ids=lambda page: page.name
)
def test_a_page_runs_from_top_to_bottom(page, stage, tmp_path, monkeypatch):
    folder = shutil.copytree(stage, tmp_path / "here")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(ROOT)
    monkeypatch.setattr("tempogan_eddy.viewer.server.serve", lambda *_, **__: None)
    module = types.ModuleType("page")
    module.__dict__.update(readers_names())
    monkeypatch.setitem(sys.modules, "page", module)
    monkeypatch.setitem(sys.modules, "satpy", module.satpy)
    try:
        for block in blocks(page, *SHELL, *PROGRAMS):
            try:
                if block.language == "json":
                    write_settings(block)
                elif block.language == "python":
                    run_python(block, module.__dict__)
                else:
                    for words in block.commands:
                        if words[0] == "tempogan-eddy":
                            run(words)
            except Exception as error:
                raise AssertionError(block.place) from error
    finally:
        FORMATS._parts.pop("toy", None)
        SENSORS._parts.pop("slab", None)
