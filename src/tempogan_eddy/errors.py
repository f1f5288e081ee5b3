"""The errors that a user can cause and repair."""

__all__ = ["InputError", "TrainingError"]


class InputError(Exception):
    """An input of the user is not usable.

    The message is one sentence that names the file, key or value and says what to do.
    The command line prints it without a traceback and exits with code 2.
    """


class TrainingError(Exception):
    """Training cannot continue, such as after a loss that is not finite; the message says what to try."""
