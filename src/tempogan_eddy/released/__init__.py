"""The models that come with the package."""

from pathlib import Path

__all__ = ["RELEASED", "RELEASES"]

RELEASED = ("faithful", "eddy")
RELEASES = Path(__file__).parent
