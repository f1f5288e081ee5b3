"""A separable sensor along one axis: its kernel, its matrix, and the eigenvectors that its projection needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

__all__ = ["FWHM", "Axis", "Kernel", "axis_of", "correction", "footprint", "matrix_of", "modulation", "stack_axes"]

Kernel = tuple[float, ...]
"""Weights of ``scale`` + 2 k highres pixels around the centre of a lowres pixel, sum 1."""

FWHM = 2 * math.sqrt(2 * math.log(2))
"""Full width at half maximum of a gaussian of unit standard deviation."""

# A gaussian is cut off at so many standard deviations.
CUT = 4.0

# Standard deviation, in highres pixels, below which a gaussian is a point: no pixel beside the nearest has weight.
POINT = 0.05


def footprint(scale: int, width: float, sigma: float = 0.0, phase: float = 0.0) -> Kernel:
    """Return the convolution of a box and a gaussian around the centre of a lowres pixel.

    Parameters
    ----------
    scale
        Highres pixels along a lowres pixel.
    width, sigma
        Width of the box and standard deviation of the gaussian, in highres pixels; 0 for none.
    phase
        How far the centre of the footprint lies after that of the lowres pixel, in highres pixels.
    """
    taps = math.ceil(CUT * sigma - 1e-9)
    if not width and sigma >= POINT:
        offsets = _offsets(scale, CUT * sigma + abs(phase))
        return _normalised(torch.exp(-0.5 * ((offsets - phase) / sigma) ** 2))
    # A box as narrow as a point weighs the pixels that it touches.
    half = max(width / 2, 1e-6)
    centres = _offsets(scale, half + abs(phase)) - phase
    box = (centres + 0.5).clamp(-half, half) - (centres - 0.5).clamp(-half, half)
    if not sigma:
        return _normalised(box)
    blur = torch.exp(-0.5 * (torch.arange(-taps, taps + 1, dtype=torch.float64) / sigma) ** 2)
    return _normalised(functional.conv1d(box[None, None], blur[None, None], padding=2 * taps)[0, 0])


def _offsets(scale: int, reach: float) -> Tensor:
    """Return the centres of ``scale`` + 2 k pixels, of which those within ``reach`` of the middle have weight."""
    beyond = max(math.ceil(reach - scale / 2 - 1e-9), 0)
    count = scale + 2 * beyond
    return torch.arange(count, dtype=torch.float64) - (count - 1) / 2


def _normalised(weights: Tensor) -> Kernel:
    return tuple((weights / weights.sum()).tolist())


def modulation(kernel: Kernel, scale: int, frequencies: Tensor) -> Tensor:
    """Return the transfer function of a kernel at frequencies in cycles per lowres pixel: complex, 1 at zero."""
    offsets = (torch.arange(len(kernel), dtype=torch.float64) - (len(kernel) - 1) / 2) / scale
    waves = torch.exp(2j * math.pi * frequencies.double()[:, None] * offsets)
    return waves @ torch.tensor(kernel, dtype=torch.complex128)


class Axis(NamedTuple):
    """A along one axis, for ``n`` lowres pixels, as the projection needs it; float32, with any leading dimensions.

    Attributes
    ----------
    matrix : (n, n * scale)
        A; rows at the ends are scaled to sum 1.
    values, vectors : (n,) and (n, n)
        Eigenvalues and eigenvectors (in columns) of A A^T.
    spread : (n * scale, n)
        A^T times the eigenvectors.
    """

    matrix: Tensor
    values: Tensor
    vectors: Tensor
    spread: Tensor

    def map(self, change: Callable[[Tensor], Tensor]) -> Axis:
        """Return the same with every tensor changed."""
        return Axis(*map(change, self))


def stack_axes(kernels: Sequence[Kernel], scale: int, size: int) -> Axis:
    """Return A of several kernels as one axis, with a dimension in front."""
    return Axis(*map(torch.stack, zip(*(axis_of(kernel, scale, size) for kernel in kernels), strict=True)))


def correction(highres: Tensor, lowres: Tensor, rows: Axis, columns: Axis, regularisation: Tensor | float) -> Tensor:
    """Return A^T (A A^T + lambda)^-1 (y - A x) for x (..., H, W) and y (..., h, w).

    A is the product of its matrices along y and x, so in their eigenvectors A A^T is diagonal: no more is needed than
    two products of the size of x.
    """
    # ONNX has no mT.
    across, along = rows.vectors.transpose(-2, -1), rows.spread.transpose(-2, -1)
    error = across @ lowres @ columns.vectors - along @ highres @ columns.spread
    gains = rows.values[..., :, None] * columns.values[..., None, :] + regularisation
    return rows.spread @ (error / gains) @ columns.spread.transpose(-2, -1)


@lru_cache(1 << 13)
def axis_of(kernel: Kernel, scale: int, size: int) -> Axis:
    """Return A along an axis of ``size`` lowres pixels."""
    matrix = matrix_of(kernel, scale, size, 0)
    values, vectors = np.linalg.eigh(matrix @ matrix.T)
    parts = (matrix, values.clip(min=0), vectors, matrix.T @ vectors)
    with torch.inference_mode(False):  # so that a later training may use them too
        return Axis(*(torch.from_numpy(part.astype(np.float32)) for part in parts))


def matrix_of(kernel: Kernel, scale: int, size: int, margin: int) -> NDArray[np.float64]:
    """Return A (size, size * scale + 2 * margin), where ``margin`` highres pixels lie beyond each end."""
    length, overhang = len(kernel), max((len(kernel) - scale) // 2 - margin, 0)
    start = margin + overhang - (length - scale) // 2
    matrix = np.zeros((size, size * scale + 2 * (margin + overhang)))
    rows = np.arange(size)[:, None]
    matrix[rows, start + scale * rows + np.arange(length)] = kernel
    matrix = matrix[:, overhang : matrix.shape[1] - overhang]
    whole: NDArray[np.float64] = matrix / matrix.sum(axis=1, keepdims=True)
    return whole
