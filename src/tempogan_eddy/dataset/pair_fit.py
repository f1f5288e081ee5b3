"""What is fitted to a pair of archives, storm by storm: offset, calibration line, and the sensor that it suggests."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.config import PairsConfig
from tempogan_eddy.dataset.blocks import split_blocks
from tempogan_eddy.dataset.pair_footprint import fit_sensor, sensor_text
from tempogan_eddy.dataset.registration import (
    MAD,
    Frame,
    Offset,
    Vector,
    estimate_offset,
    see_displaced,
    split_offset,
)
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.errors import InputError
from tempogan_eddy.spread import spread_evenly
from tempogan_eddy.wording import count

__all__ = ["PairFit", "fit_line", "fit_pair"]

log = logging.getLogger(__name__)

# Frames, spread evenly over a storm, that offset and line are estimated from; and those for the sensor.
FRAMES, SENSOR_FRAMES = 16, 4
# Lowres pixels: an offset above this is unusual; a spread over frames above this means that none is common to them.
LARGE, INCONSISTENT = 1.0, 0.5
# Side, in lowres pixels, of the blocks whose means give the line: footprints and times differ little there.
BLOCK = 4
# Residuals above so many standard deviations do not count.
OUTLIER = 4.0
# Correlation below which two frames show different scenes, and below which they are worth a look: real frames half an
# hour apart have 0.97, an hour apart 0.91 to 0.96, two hours apart 0.78 to 0.89.
ALIKE, CLOSE = 0.5, 0.9
REFERENCE = 250.0  # K
# Micrometres: of an instrument that is not known to average kelvins.
WAVELENGTH = 10.8


@dataclass(frozen=True)
class PairFit:
    """How the lowres frames of one storm differ from its highres ones.

    Attributes
    ----------
    offset
        (y, x), how far the footprints lie below and to the right of where their grid says, in lowres pixels.
    offset_error
        Standard error of both; 0 where the offset was given.
    whole
        The part of it, in highres pixels, by which the highres frames were moved.
    phase
        The rest, in lowres pixels, which the sensor has as its phase.
    intercept, slope
        lowres = intercept + slope x highres, in kelvin; the highres frames were put on this calibration.
    residual
        Standard deviation of the lowres frames from the highres frames seen by the sensor, K.
    suggested
        The sensor that fits the pair best, as text.
    suggested_residual
        The same standard deviation for it, K.
    frames
        Frames that these come from.
    sensor_known
        Whether the sensor of the lowres frames was stated.
    """

    offset: Vector = (0.0, 0.0)
    offset_error: Vector = (0.0, 0.0)
    whole: tuple[int, int] = (0, 0)
    phase: Vector = (0.0, 0.0)
    intercept: float = 0.0
    slope: float = 1.0
    residual: float = 0.0
    suggested: str = ""
    suggested_residual: float = 0.0
    frames: int = 0
    sensor_known: bool = False

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the fit of a text by `as_json`."""
        values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in json.loads(text).items()}
        return cls(**values)

    def as_json(self) -> str:
        """Return the fit as JSON."""
        return json.dumps(asdict(self))

    def __str__(self) -> str:
        """Return one line for people."""
        (y, x), (dy, dx) = self.offset, self.offset_error
        bias = self.intercept + (self.slope - 1) * REFERENCE
        return (
            f"offset {y:+.3f} ± {dy:.3f} down, {x:+.3f} ± {dx:.3f} right (lowres pixels); "
            f"lowres = {self.intercept:+.2f} K + {self.slope:.4f} highres ({bias:+.2f} K at 250 K); "
            f"residual {self.residual:.2f} K; the pair suggests {self.suggested} ({self.suggested_residual:.2f} K)"
        )


def fit_pair(
    highres: xr.DataArray, lowres: xr.DataArray, sensor: SensorModel, settings: PairsConfig, name: str
) -> PairFit:
    """Estimate offset and calibration of one storm, and the sensor that its frames suggest.

    Parameters
    ----------
    highres, lowres
        Frames of the same times, (time, H, W) and (time, h, w).
    sensor
        Of the lowres frames, if ``settings.sensor_known``; else only its scale counts.
    settings
        What to estimate.
    name
        Of the storm, for messages.

    Raises
    ------
    InputError
        The frames show different scenes, or no offset is common to them.
    """
    highs, lows = _sample(highres, lowres, name)
    known = settings.sensor_known
    sensor = sensor if known else SensorModel("area", sensor.scale)
    wavelengths = (sensor.wavelength,) if known else (0.0, WAVELENGTH)
    given = Offset(settings.offset) if isinstance(settings.offset, tuple) else None
    offset = given or estimate_offset(highs, lows, sensor)
    suggested = fit_sensor(highs[:SENSOR_FRAMES], lows[:SENSOR_FRAMES], sensor.scale, wavelengths, offset.value)
    if not known:
        # The offset is sharper with footprints of the right size.
        sensor = suggested
        offset = given or estimate_offset(highs, lows, sensor)
    _check_offset(offset, name)
    value = offset.value
    whole, phase = split_offset(value, sensor.scale)
    residuals = {}
    for which, model in (("stated", sensor), ("suggested", suggested)):
        expected = [see_displaced(high, model, value) for high in highs]
        *line, correlation = fit_line(expected, lows, name) if settings.calibrate else (0.0, 1.0, 1.0)
        residuals[which] = line, _spread(np.stack(lows) - line[0] - line[1] * np.stack(expected))
    if correlation < CLOSE:
        log.warning(
            "%s: the frames of both archives are only roughly alike (correlation %.2f); check that they show the same "
            "scenes at the same times", name, correlation,
        )  # fmt: skip
    (intercept, slope), residual = residuals["stated"]
    noise = residuals["suggested"][1]
    return PairFit(
        offset=value,
        offset_error=offset.error,
        whole=whole,
        phase=phase,
        intercept=intercept,
        slope=slope,
        residual=residual,
        suggested=f"{sensor_text(suggested)},noise={noise:.2f}",
        suggested_residual=noise,
        frames=len(lows),
        sensor_known=known,
    )


def _sample(highres: xr.DataArray, lowres: xr.DataArray, name: str) -> tuple[list[Frame], list[Frame]]:
    """Return frames spread evenly over the times, of which at least half was seen by both."""
    spread = spread_evenly(lowres.sizes["time"], FRAMES)
    # In an order in which the first few are spread over the storm too.
    step = max(len(spread) // SENSOR_FRAMES, 1)
    pairs = [
        tuple(np.asarray(part.isel(time=number).values, np.float32) for part in (highres, lowres))
        for start in range(step)
        for number in spread[start::step]
    ]
    pairs = [pair for pair in pairs if all(np.isfinite(frame).mean() >= 0.5 for frame in pair)]
    if not pairs:
        raise InputError(
            f"{name} has no time at which both archives show at least half of the frame; check the units, because what "
            "no temperature can be is missing, or leave it out."
        )
    highs, lows = zip(*pairs, strict=True)
    return list(highs), list(lows)


def _check_offset(offset: Offset, name: str) -> None:
    """Warn of a large offset; refuse one that is not common to the frames."""
    if max(offset.spread) > INCONSISTENT:
        raise InputError(
            f"The frames of {name} have no common offset (it varies by {max(offset.spread):.2f} lowres pixels over "
            f"{count(offset.frames, 'frame')}); check that both archives show the same scenes at the same times, "
            "or give data.pairs.offset."
        )
    if max(map(abs, offset.value)) > LARGE:
        log.warning(
            "%s: the offset is %+.2f, %+.2f lowres pixels (down, right), more than a pixel; check the coordinates of "
            "both archives", name, *offset.value,
        )  # fmt: skip


def fit_line(expected: Sequence[Frame], seen: Sequence[Frame], name: str = "the pair") -> tuple[float, float, float]:
    """Fit seen = a + b expected over means of blocks of pixels: (a, b), and their correlation.

    The slope is the ratio of the standard deviations (the reduced major axis), which errors of equal size on both
    sides, such as those of a difference in time, leave unbiased. Outliers do not count.

    Raises
    ------
    InputError
        The frames are not alike.
    """
    x, y = (np.concatenate([_block_means(frame).ravel() for frame in frames]) for frames in (expected, seen))
    both = np.isfinite(x) & np.isfinite(y)
    slope, correlation = 1.0, 0.0
    for _ in range(5):
        residual = y - slope * x
        intercept = float(np.median(residual[both])) if both.any() else 0.0
        kept = both & (np.abs(residual - intercept) <= OUTLIER * max(_spread(residual[both]), 1e-3))
        x_kept, y_kept = x[kept], y[kept]
        if len(x_kept) < 3 or not (deviation := float(x_kept.std())):
            raise InputError(f"{name} has too few valid pixels for a calibration line; set data.pairs.calibrate=false.")
        slope = float(y_kept.std()) / deviation
        intercept = float(np.median(y_kept - slope * x_kept))
        correlation = float(np.corrcoef(x_kept, y_kept)[0, 1]) if slope else 0.0
    if correlation < ALIKE:
        raise InputError(
            f"The frames of {name} are not alike (correlation {correlation:.2f}); check that both archives show the "
            "same scenes at the same times in kelvin."
        )
    return intercept, slope, correlation


def _block_means(frame: Frame) -> NDArray[np.float64]:
    """Return the means of blocks that were seen entirely."""
    return split_blocks(frame, min(BLOCK, *frame.shape)).astype(np.float64).mean(axis=(1, 3))


def _spread(residual: NDArray[Any]) -> float:
    """Return the standard deviation from the median absolute deviation."""
    values = residual[np.isfinite(residual)]
    return float(MAD * np.median(np.abs(values - np.median(values)))) if values.size else 0.0
