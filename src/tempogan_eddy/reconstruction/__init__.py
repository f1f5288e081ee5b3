"""Coarse sequences to fine ones: tiles, stitching, the refined grid, provenance."""

from tempogan_eddy.reconstruction.reconstruct import reconstruct

__all__ = ["reconstruct"]
