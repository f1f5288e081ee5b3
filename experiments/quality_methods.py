"""What the quality study compares: interpolation, a regression network, and the detail of the released models."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.dataset.missing import fill_missing
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation.baselines import restore_missing
from tempogan_eddy.io import refine_grid
from tempogan_eddy.rapsd import radial_power, wavenumbers
from tempogan_eddy.reconstruction import reconstruct
from tempogan_eddy.weights import Model, load_model

__all__ = [
    "DETAILS",
    "EDDY",
    "FAITHFUL",
    "LANCZOS",
    "REGRESSION",
    "SHARPENED",
    "Detail",
    "Networks",
    "interpolated",
    "lanczos",
    "load_detail",
    "load_networks",
    "order",
    "sharpened",
]

FAITHFUL, EDDY, LANCZOS, REGRESSION = "faithful", "eddy", "Lanczos", "regression network"
SHARPENED = "sharpened faithful"
DETAILS = (0.25, 0.5, 0.75, 1.0)
DEFAULT_DETAIL = 0.5  # of a file that states none
MARGIN = 32  # pixels by which a frame is extended before it is filtered

Interpolation = Callable[[NDArray[np.floating], int], NDArray[np.floating]]


@dataclass(frozen=True)
class Detail:
    """`faithful`, and `eddy` with its mean and sharp frame and the interpolation weight between them by default."""

    faithful: Model
    full: Model
    default: float

    def at(self, detail: float) -> Model:
        """Return the model at a detail from 0 (the mean frame) to 1 (the sharp one)."""
        return replace(self.full, metadata=self.full.metadata | {"detail": detail})


@dataclass(frozen=True)
class Networks:
    """The networks to score.

    Parameters
    ----------
    models
        By name.
    details
        Their interpolation weights, from faithful on.
    device
        Where they run.
    """

    models: dict[str, Model]
    details: dict[str, float]
    device: str

    @property
    def faithful(self) -> Model:
        """The model without adversarial detail, whose scale and sensor all others share."""
        return self.models[FAITHFUL]

    def rebuild(self, lowres: xr.DataArray, name: str) -> xr.DataArray:
        """Reconstruct in full precision, lazily."""
        return reconstruct(lowres, self.models[name], device=self.device, precision="fp32")


def load_detail(faithful: Path | None, eddy: Path | None, detail: float | None) -> Detail:
    """The released models, or files in their place.

    Parameters
    ----------
    detail
        The default of `eddy`; what its file says if None.
    """
    plain = load_model(faithful or FAITHFUL)
    full = load_model(eddy) if eddy else load_model(EDDY, detail=1.0)
    stated = full if eddy else load_model(EDDY)
    default = stated.metadata.get("detail", DEFAULT_DETAIL) if detail is None else detail
    if not 0 < default <= 1:
        raise InputError(f"The detail of eddy must lie above 0 (that is its mean frame) and up to 1, not at {default}.")
    if full.specification.network.tails != 2:
        raise InputError(f"{full.name} makes one frame, without a choice of detail; give a model with two tails.")
    return Detail(plain, full, float(default))


def load_networks(choice: Detail, regression: Path | None, device: str) -> Networks:
    """The regression network, where there is one, and `eddy` at its default detail and at some others."""
    models = {REGRESSION: load_model(regression)} if regression else {}
    details = {FAITHFUL: 0.0}
    details |= {
        EDDY if detail == choice.default else f"{EDDY} {detail:g}": detail
        for detail in sorted({*DETAILS, choice.default})
    }
    at = {name: choice.at(detail) if detail else choice.faithful for name, detail in details.items()}
    return Networks(models | at, details, device)


def lanczos(lowres: NDArray[np.floating], scale: int) -> NDArray[np.floating]:
    """Interpolate a frame with OpenCV's `INTER_LANCZOS4`; missing pixels are treated as the other baselines do.

    Parameters
    ----------
    lowres : (h, w) array
        Kelvin, NaN where missing.
    scale : int
        Refinement of the grid.

    Returns
    -------
    (h * scale, w * scale) array
    """
    import cv2

    filled = fill_missing(lowres.astype(np.float32))
    smooth = cv2.resize(filled, None, fx=scale, fy=scale, interpolation=cv2.INTER_LANCZOS4)
    return restore_missing(smooth, lowres, scale)


def interpolated(lowres: xr.DataArray, scale: int, method: Interpolation) -> xr.DataArray:
    """Interpolate a sequence frame by frame."""
    highres = np.stack([method(frame, scale) for frame in lowres.values])
    return xr.DataArray(highres, refine_grid(lowres, scale), lowres.dims, attrs={**lowres.attrs, "scale": scale})


def sharpened(regression: xr.DataArray, truth: xr.DataArray, lowres: xr.DataArray, sensor: SensorModel) -> xr.DataArray:
    """Return a regression with the mean spectrum of the truth: a gain by wavenumber, then the projection, three times.

    A baseline that knows the truth's spectrum and nothing else of its detail. The gain filters frames that reflection
    extends: a periodic filter would take the jump from one border to the opposite for detail.
    """
    import torch

    shape, scale = regression.shape[1:], regression.shape[1] // lowres.shape[1]
    expected = fill_missing(truth.values[:, : shape[0], : shape[1]].astype(np.float32))
    frames, measured = (
        torch.from_numpy(fill_missing(da.values.astype(np.float32)).astype(np.float64)) for da in (regression, lowres)
    )
    margin = min(MARGIN, *(side // 2 for side in shape))
    extended = [side + 2 * margin for side in shape]
    frequency = np.hypot(np.fft.fftfreq(extended[0])[:, None], np.fft.rfftfreq(extended[1])[None])
    rings, target = wavenumbers(shape), radial_power(expected).mean(axis=0)
    for _ in range(3):
        gain = np.sqrt(target / radial_power(frames.numpy()).mean(axis=0))
        response = np.interp(min(shape) * frequency, rings, gain)
        for number, frame in enumerate(frames.numpy()):
            modes = np.fft.rfft2(np.pad(frame, margin, mode="reflect"))
            whole = np.fft.irfft2(modes * response, s=extended)
            frames[number] = torch.from_numpy(whole[margin : margin + shape[0], margin : margin + shape[1]])
        frames = sensor.project(frames, measured)
    pairs = zip(frames.numpy().astype(np.float32), lowres.values, strict=True)
    return regression.copy(data=np.stack([restore_missing(frame, seen, scale) for frame, seen in pairs]))


def order(methods: Iterable[str]) -> list[str]:
    """Names of methods from the plainest to the sharpest."""
    plain = ["nearest", "bicubic", LANCZOS, "back-projected bicubic", "Wiener filter"]
    return [*plain, *(name for name in methods if name not in plain)]
