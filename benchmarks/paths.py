"""Where benchmarks and experiments find this checkout and the real frames."""

import os
from pathlib import Path

__all__ = ["DATA", "ROOT"]

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("TEMPOGAN_EDDY_DATA") or ROOT.parent / "shared" / "data")
