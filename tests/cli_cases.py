"""A command as a person gives it, run inside the test."""

import pytest

from tempogan_eddy.cli import main


def exit_code(*words):
    """Run a command and return its exit status."""
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in words])
        raise SystemExit(0)
    return stopped.value.code or 0


def run(capsys, *words):
    """Exit status, standard output and standard error of a command."""
    code, output = exit_code(*words), capsys.readouterr()
    return code, output.out, output.err
