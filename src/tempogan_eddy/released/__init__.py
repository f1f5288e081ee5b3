"""The models that come with the package."""

from pathlib import Path

__all__ = ["RELEASED", "RELEASES", "is_released", "model_file"]

RELEASED = ("faithful", "eddy", "ensemble", "faithful-2x")
RELEASES = Path(__file__).parent


def is_released(name: str | Path) -> bool:
    """Return whether a name means a released model; a file of that name comes first."""
    return str(name) in RELEASED and not Path(name).is_file()


def model_file(name: str) -> Path | None:
    """Return the file of a model as the command line names it, released or not; None if it does not exist."""
    path = Path(name)
    if is_released(name):
        path = RELEASES / f"{name}.safetensors"
    return path if path.is_file() else None
