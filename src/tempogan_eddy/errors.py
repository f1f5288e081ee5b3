"""The errors that a user can cause and repair."""

__all__ = ["InputError", "TrainingError", "is_out_of_memory"]

# How torch and its engines report exhausted memory in a RuntimeError, on the CPU and on devices.
NO_MEMORY = ("out of memory", "not enough memory", "allocate memory")


class InputError(Exception):
    """An input of the user is not usable.

    The message is one sentence that names the file, key or value and says what to do.
    The command line prints it without a traceback and exits with code 2.
    """


class TrainingError(Exception):
    """Training cannot continue, such as after a loss that is not finite; the message says what to try."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory ran out, of the machine or of a device."""
    if isinstance(error, RuntimeError):
        return any(words in str(error) for words in NO_MEMORY)
    return isinstance(error, MemoryError)
