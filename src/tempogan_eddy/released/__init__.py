"""The models that come with the package."""

from pathlib import Path

__all__ = ["RELEASED", "RELEASES", "is_released"]

RELEASED = ("faithful", "eddy")
RELEASES = Path(__file__).parent


def is_released(name: str | Path) -> bool:
    """Return whether a name means a released model; a file of that name comes first."""
    return str(name) in RELEASED and not Path(name).is_file()
