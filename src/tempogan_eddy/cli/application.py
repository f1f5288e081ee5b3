"""The commands as one application, its logging and its warnings."""

import io
import logging
import re
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tempogan_eddy import __version__
from tempogan_eddy.cli import (
    check_command,
    data_commands,
    display_commands,
    evaluate_command,
    model_commands,
    sensor_commands,
)
from tempogan_eddy.cli.files import WORDS
from tempogan_eddy.errors import with_urls
from tempogan_eddy.terminal import messages, printable
from tempogan_eddy.wording import listed

__all__ = ["Repeats", "app", "run"]

log = logging.getLogger(__name__)

NAMED = 3  # storms in the line at the end


class Stopped(Exception):
    """Carries an exception to `run`, because typer would end the program by itself."""


class _Commands(TyperGroup):
    def invoke(self, context: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(context)
        except (KeyboardInterrupt, EOFError, OSError) as error:
            raise Stopped from error
        except Exception as error:
            if hasattr(error, "possibilities"):  # an unknown option
                error.possibilities = _settings_named(error) or error.possibilities
            raise


def _settings_named(error: Any) -> list[str]:
    """Return how to set the keys of the configuration with the name of an unknown option, such as ``--epochs``."""
    if not any(parameter.name == "overrides" for parameter in error.ctx.command.params):
        return []
    from tempogan_eddy.config import Config
    from tempogan_eddy.config_text import keys_named

    name = error.option_name.lstrip("-").replace("-", "_")
    return [f"--set {key}=..." for key in keys_named(name, Config)]


app = typer.Typer(
    cls=_Commands,
    name="tempogan-eddy",
    help="Rebuild the fine detail of typhoon infrared image sequences with a temporally coherent GAN, in kelvin.",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich would double the time of --help
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
app.command()(model_commands.train)
app.command()(model_commands.reconstruct)
app.command()(evaluate_command.evaluate)
app.command()(display_commands.view)
app.command()(display_commands.animate)
app.command()(model_commands.export)
app.command()(data_commands.coarsen)
app.command()(sensor_commands.sensors)
app.command()(data_commands.pack)
app.command()(data_commands.split)
app.command()(data_commands.synthesize)
app.command()(data_commands.info)
app.command()(check_command.check)
app.command()(sensor_commands.sensor)
app.command()(data_commands.config)


def _version(asked: bool) -> None:
    if asked:
        print(f"tempogan-eddy {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print more.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    logger = logging.getLogger("tempogan_eddy")
    logger.handlers = [_handler()]
    repeats = Repeats()
    logger.handlers[0].addFilter(repeats)
    logger.handlers[0].addFilter(_make_printable)
    context.call_on_close(lambda: repeats.tell(logger, str(sys.exception() or "")))
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    logger.propagate = False
    if not verbose:  # the handler of loggers of libraries
        logging.lastResort = logging.NullHandler()


def _make_printable(record: logging.LogRecord) -> bool:
    record.msg, record.args = printable(with_urls(record.getMessage())), None
    return True


def _handler() -> logging.Handler:
    """Coloured lines beside progress bars on a terminal, whole plain lines elsewhere."""
    if messages().is_terminal:
        from rich.highlighter import NullHighlighter
        from rich.logging import RichHandler

        return RichHandler(
            console=messages(), show_path=False, show_level=False, markup=False, highlighter=NullHighlighter()
        )
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    return handler


class Repeats(logging.Filter):
    """Passes the first of the messages of a command that say the same, and keeps of which storms the others are."""

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[str, dict[str, None]] = {}  # of the storms, by what is said

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a message is new."""
        said = getattr(record, "same", "") or record.getMessage()
        is_new = said not in self._names
        names = self._names.setdefault(said, {})
        if name := getattr(record, "about", ""):
            names[name] = None
        return is_new

    def tell(self, log: logging.Logger, error: str = "") -> None:
        """Log, at the end of a command, of which storms what was said once is true, unless its error says it anyway."""
        for said, names in list(self._names.items()):  # what is logged here is noted too
            if len(names) > 1 and said not in error:
                start = re.split(r"[;(] ?", said)[0].strip(" :.")
                log.info("True of %d (%s): %s", len(names), listed(names, NAMED), start)


def run(words: Sequence[str]) -> None:
    """Run a command line; raise what the command raises, and SystemExit at its end."""
    WORDS.set(words)
    _print_any_character()
    try:
        with warnings.catch_warnings():  # noqa: TID251, the command line is the process
            warnings.showwarning = _log_warning
            try:
                app(args=words)
            finally:
                sys.stdout.flush()
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # raised within rich
            raise ended.__context__ from None
        raise
    except Stopped as stopped:
        raise stopped.__cause__ or stopped from None


def _print_any_character() -> None:
    """Print characters that the encoding of the terminal lacks as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _log_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: Any = None
) -> None:
    """Log a warning of a library, which concerns our code and not the user's files."""
    log.debug("%s: %s (%s:%d)", category.__name__, str(message).partition("\n")[0], filename, lineno)
