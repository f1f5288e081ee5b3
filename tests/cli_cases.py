"""A command as a person gives it, run inside the test."""

import pytest

from tempogan_eddy.cli import main


def run(capsys, *words):
    """Exit status, standard output and standard error of a command."""
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in words])
        raise SystemExit(0)
    output = capsys.readouterr()
    return stopped.value.code or 0, output.out, output.err
