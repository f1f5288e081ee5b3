"""The command line: parses and calls, nothing else. Heavy imports wait until a command runs."""

from tempogan_eddy.cli.main import main

__all__ = ["main"]
