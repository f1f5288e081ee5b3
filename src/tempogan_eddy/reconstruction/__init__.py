"""Lowres sequences to highres ones: engines, tiles, the refined grid, provenance."""

from tempogan_eddy.reconstruction.reconstruct import reconstruct
from tempogan_eddy.reconstruction.reconstructor import Reconstructor

__all__ = ["Reconstructor", "reconstruct"]
