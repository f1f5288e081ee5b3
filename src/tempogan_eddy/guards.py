"""Guards: warn in one sentence if an input differs from what a model or a score expects."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.io.grids.spacing import grid_spacing
from tempogan_eddy.io.messages import Teller
from tempogan_eddy.io.times.cadence import DUPLICATE
from tempogan_eddy.io.values.texture import Texture, texture_of
from tempogan_eddy.io.variables.channel import OTHER, channel_of
from tempogan_eddy.io.writing.history import MADE
from tempogan_eddy.released import is_released

if TYPE_CHECKING:
    from tempogan_eddy.dataset.sensor import SensorModel
    from tempogan_eddy.weights import Model

__all__ = ["ValueGuard", "warn_of_channels", "warn_of_input", "warn_of_truth", "warn_of_turned"]

log = logging.getLogger(__name__)

RELEASED_KM = (16.0, 22.0)  # grid spacing of the released models' training: 4x4 area means of 4 to 5 km
FAR = 2.0  # times finer or coarser than that
OUTSIDE_SHARE = 0.05  # share of pixels beyond a model's kelvin range that deserves a warning
COUNTS_MISSING = 0.2  # counts from 0 to 255 that are called kelvin lose those below 160

FITS, CLEARLY = 0.8, 0.2  # correlations that tell a turned frame

# An assumed sensor is compared with the first frame, and again with so many frames or lowres pixels: one small frame
# shows less than half of the wrong ones (experiments/results/estimate.md).
FRAMES = 8
PIXELS = FRAMES * 128**2

# Threads that compute frames of one sequence share its guard, which other processes get a copy of.
_COMPARING = threading.Lock()

WORSE = "expect a worse result"
COARSEN = f"coarsen it first (tempogan-eddy coarsen) or {WORSE}"
STATE = "state the sensor if footprints are wider than pixels (`tempogan-eddy sensor` estimates it)"
TRAINED = "the model was trained on {:g} to {:g} km".format(*RELEASED_KM)


def warn_of_input(sequence: xr.DataArray, model: Model, tell: Teller = log, *, stated: bool = False) -> ValueGuard:
    """Warn where coordinates and attributes of an input differ from a model's training.

    Return the guard of its values: call it with frames (T, y, x) once they are computed. `tell` logs.
    """
    is_made = any(str(key).startswith(MADE) for key in sequence.attrs)
    if is_made:
        tell.warning("The input is a reconstruction, whose detail was not measured; %s", WORSE)
    sensor = model.sensor
    adapted = model.specification.network.projection
    is_other = "sensor_model" in sequence.attrs and not adapted
    for key, trained in (sensor.attributes() if is_other else {}).items():
        seen = sequence.attrs.get(key)
        if key != "sensor_model_text" and seen is not None and seen != trained:  # other keys say the same
            tell.warning("The input says %s = %s, but the model was trained with %s; %s", key, seen, trained, WORSE)
    repeated = int((np.diff(sequence["time"].values.astype("datetime64[ns]")) <= DUPLICATE).sum())
    if repeated:
        tell.warning("Frames of the input at the time of the one before: %d; keep one of each time", repeated)
    may_be_fine = False
    if is_released(model.name):
        spacing = grid_spacing(sequence)
        _warn_of_channel(sequence, tell)
        _warn_of_spacing(spacing, tell)
        may_be_fine = spacing is None and "sensor_model" not in sequence.attrs
    # A sensor with a wider footprint leaves little detail, rightly.
    guard = ValueGuard(model.specification.kelvin_range, not sensor.margin, may_be_fine, tell)
    if adapted and not stated and "sensor_model" not in sequence.attrs and not is_made:
        guard.assume(sensor, len(sequence))
    guard.done = is_made  # its texture is the model's
    return guard


def warn_of_channels(truth: xr.DataArray, reconstructed: Mapping[str, xr.DataArray]) -> None:
    """Warn where a truth and what is scored against it are known to be of different channels."""
    measured = channel_of(truth.name, truth.attrs, truth.coords)
    for name, da in reconstructed.items():
        other = channel_of(da.name, da.attrs, da.coords)
        if measured.kind and other.kind and measured.kind != other.kind:
            log.warning("The truth is of the channel %s, but %s is of the channel %s", measured, name, other)


def warn_of_truth(frame: NDArray[np.floating]) -> None:
    """Warn where a frame (y, x) of a truth was not measured on its grid, so its fine detail is not real."""
    texture = texture_of(frame)
    if texture and texture.repeats:
        log.warning("The truth was enlarged, its rows and columns repeat; scores of its fine detail mean nothing")
    elif texture and texture.is_interpolated:
        log.warning("The truth has almost no fine detail (it looks interpolated or blurred); its scores mean little")


def warn_of_turned(truth: NDArray[np.floating], reconstructed: Mapping[str, NDArray[np.floating]]) -> None:
    """Warn where a frame ([member, ]y, x) fits the truth (y, x) upside down or mirrored, but not as it lies.

    Without coordinates, as of most PNG frames, nothing else tells.
    """
    for name, frame in reconstructed.items():
        frame = frame if frame.ndim == 2 else frame[0]
        as_is, *turned = (_fit(truth, frame[::rows, ::columns]) for rows in (1, -1) for columns in (1, -1))
        if max(turned) > max(FITS, as_is + CLEARLY):
            how = ("mirrored", "upside down", "upside down and mirrored")[turned.index(max(turned))]
            log.warning("%s fits the truth %s, but not as it lies; turn one, or give both with coordinates", name, how)


def _fit(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return the correlation of two frames, 0 if it is not known."""
    known = np.isfinite(first) & np.isfinite(second)
    left, right = (frame[known] - frame[known].mean() if known.any() else np.zeros(1) for frame in (first, second))
    size = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(left @ right) / size if size else 0.0


@dataclass(eq=False)
class ValueGuard:
    """Warns once, of the first computed frame that has enough valid pixels, so that nothing is computed for it alone.

    It compares an assumed sensor with the first frame and, if that does not contradict it, with the first few together.

    `kelvin_range` is that of the model's training. `is_sharp` tells whether its sensor keeps detail in the finest
    octave. `may_be_fine` tells whether only the values can show that the input is already fine: for a released model,
    whose grid is known, if neither the grid spacing of the input nor its sensor model is. `tell` logs.
    """

    kelvin_range: tuple[float, float]
    is_sharp: bool
    may_be_fine: bool
    tell: Teller = log
    assumed: SensorModel | None = None
    coming: int = 0  # frames that were not compared with it yet
    compared: list[NDArray[np.float32]] = field(default_factory=list)
    done: bool = False

    def assume(self, sensor: SensorModel, frames: int) -> None:
        """Compare an assumed sensor with the first of so many frames."""
        self.assumed, self.coming = sensor, frames

    def __call__(self, frames: NDArray[np.float32]) -> None:
        """Check the first of some frames (T, y, x), if none was checked before, and compare them with the sensor."""
        if not len(frames) or (self.done and self.assumed is None):
            return
        with _COMPARING:  # what the first frame shows decides whether others are compared
            if not self.done:
                self.done = self._check(frames[0])
            if self.assumed is not None:
                self._compare(self.assumed, frames)

    def _check(self, frame: NDArray[np.float32]) -> bool:
        valid = frame[np.isfinite(frame)]
        if not valid.size:
            return False
        if valid.max() <= 255 and valid.size < (1 - COUNTS_MISSING) * frame.size and not (valid % 1).any():
            self.tell.warning("The input holds whole numbers up to 255: are these counts of an image and not kelvin?")
            self.assumed = None
            return True
        low, high = self.kelvin_range
        outside = float(((valid < low) | (valid > high)).mean())
        if outside > OUTSIDE_SHARE:
            share, trained = f"{100 * outside:.0f} % of the first frame", f"{low:g} to {high:g} K"
            self.tell.warning("%s lie outside the %s that the model was trained on; %s", share, trained, WORSE)
        texture = texture_of(frame)
        if texture is None:
            # A later frame may have more valid pixels.
            return outside > OUTSIDE_SHARE or 2 * valid.size >= frame.size
        told = self._tell(texture)
        if told:
            self.tell.warning("%s", told)
            self.assumed = None  # the spectrum of such frames shows no sensor
        return True

    def _tell(self, texture: Texture) -> str:
        """Return the warning about a texture, if any."""
        if texture.repeats:
            return "The input was enlarged: rows and columns repeat; give the original frames"
        if self.is_sharp and texture.is_interpolated:
            told = "The input has almost no detail in its finest octave; give the original frames if it was resampled"
            return f"{told}, or {STATE}"
        if self.is_sharp and self.may_be_fine and texture.is_fine:
            return f"The input looks already fine, like frames of about 5 km, but {TRAINED}; {COARSEN}, or {STATE}"
        return ""

    def _compare(self, assumed: SensorModel, frames: NDArray[np.float32]) -> None:
        """Compare the assumed sensor with frames (T, y, x) and those before them: the first time, and the last."""
        from tempogan_eddy.dataset.sensor_comparison import compare_sensor  # imports torch, which is slow
        from tempogan_eddy.dataset.sensor_estimate import estimate_sensor

        first, frames = not self.compared, frames[: FRAMES - len(self.compared)].copy()
        self.compared += list(frames)
        self.coming -= len(frames)
        last = self.coming <= 0 or len(self.compared) == FRAMES or len(self.compared) * frames[0].size >= PIXELS
        if not (first or last):
            return
        found = compare_sensor(assumed, estimate_sensor(np.stack(self.compared), assumed.scale), "assumed")
        if found.verdict == "wrong":
            self.tell.warning("%s", found.message)
        if last or found.verdict == "wrong":
            self.assumed, self.compared = None, []


def _warn_of_channel(sequence: xr.DataArray, tell: Teller) -> None:
    channel = channel_of(sequence.name, sequence.attrs, sequence.coords)
    if channel.kind not in (None, OTHER) and not channel.is_window:
        trained = "the model was trained on the infrared window (about 11 um)"
        tell.warning("The input is of the channel %s, but %s; %s", channel, trained, WORSE)


def _warn_of_spacing(spacing: float | None, tell: Teller) -> None:
    low, high = RELEASED_KM
    if spacing is not None and spacing * FAR < low:
        tell.warning("The input is already fine: its grid spacing is %.3g km, but %s; %s", spacing, TRAINED, COARSEN)
    elif spacing is not None and spacing > FAR * high:
        tell.warning("The grid spacing is %.3g km, but %s; %s", spacing, TRAINED, WORSE)
