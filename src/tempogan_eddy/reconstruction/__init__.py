"""Lowres sequences to highres ones: engines, tiles, the refined grid, provenance."""

from tempogan_eddy.reconstruction.reconstructor import Reconstructor
from tempogan_eddy.reconstruction.sequences import reconstruct

__all__ = ["Reconstructor", "reconstruct"]
