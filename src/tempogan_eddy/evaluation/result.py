"""The scores of a storm, or of several together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation.bootstrap import Blocks, Score, difference, score
from tempogan_eddy.evaluation.metrics import Metric, metrics
from tempogan_eddy.evaluation.statistics import Settings

__all__ = ["Evaluation", "Spectra", "combine"]


@dataclass(frozen=True)
class Spectra:
    """Mean RAPSD of a storm.

    Attributes
    ----------
    wavenumber : (K,) array
        k = 1..Nyquist, cycles per shorter side of the frame.
    coarse_nyquist : float
        The largest wavenumber that the low-resolution grid can hold.
    power : dict of (K,) arrays
        Mean power, K^2, of "truth" and of every method.
    """

    wavenumber: NDArray[np.int_]
    coarse_nyquist: float
    power: dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Evaluation:
    """Statistics of one storm (or of several together) and the scores computed from them.

    Attributes
    ----------
    storm : str
    blocks : dict
        Additive statistics by method, an array each with one entry a block of hours.
    settings : Settings
    scale : int
        Refinement of the grid.
    cadence : str
        Time between the frames of a pair.
    frames, pairs : int
        Frames scored, and pairs of them one cadence apart.
    missing : float
        Share of pixels left out because the truth, the input or a method has none there.
    left_out : dict
        Frames without a partner, by sequence; "empty" are common frames without a valid pixel.
    example_time : datetime64, optional
        The frame with the most cold cloud: worth a picture.
    spectra : Spectra, optional
        None for several storms together, or where too much is missing.
    time_tolerance : str, optional
        How far times were allowed to be off; None for the default.
    """

    storm: str
    blocks: dict[str, Blocks]
    settings: Settings
    scale: int
    cadence: str
    frames: int
    pairs: int
    missing: float
    left_out: dict[str, int]
    example_time: np.datetime64 | None = None
    spectra: Spectra | None = None
    time_tolerance: str | None = None

    def __post_init__(self) -> None:
        scores = {
            method: {metric.name: score(metric, blocks, self.settings) for metric in self.metrics}
            for method, blocks in self.blocks.items()
        }
        object.__setattr__(self, "_scores", scores)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics, with their units and directions."""
        return metrics(self.settings)

    @property
    def scores(self) -> dict[str, dict[str, Score]]:
        """Every method's score by metric: `scores["bicubic"]["rmse"].value`."""
        return self._scores  # type: ignore[attr-defined]

    @property
    def time_blocks(self) -> int:
        """How many blocks of hours the bootstrap resamples."""
        return len(next(iter(next(iter(self.blocks.values())).values())))

    def difference(self, metric: str, method: str, other: str) -> Score:
        """One method's metric minus another's, with the interval of the difference."""
        chosen = next(m for m in self.metrics if m.name == metric)
        return difference(chosen, self.blocks[method], self.blocks[other], self.settings)


def combine(evaluations: Sequence[Evaluation], name: str = "all storms") -> Evaluation:
    """Pool several storms into one evaluation; every frame counts alike, blocks stay within a storm.

    Parameters
    ----------
    evaluations : sequence of Evaluation
        With equal settings and scale; methods that not all of them have are dropped. Where their cadences differ, the
        result names them all.
    name : str
        What the result is called.

    Raises
    ------
    InputError
        If there is none, or their settings differ.
    """
    if not evaluations:
        raise InputError("There is no evaluation to combine; evaluate at least one storm.")
    first = evaluations[0]
    for other in evaluations[1:]:
        if (other.settings, other.scale) != (first.settings, first.scale):
            raise InputError(
                f"{first.storm} and {other.storm} were evaluated with different settings or scale; "
                "evaluate them alike to combine them."
            )
    methods = [method for method in first.blocks if all(method in e.blocks for e in evaluations)]
    frames = sum(e.frames for e in evaluations)
    return Evaluation(
        storm=name,
        blocks={method: _concatenate([e.blocks[method] for e in evaluations]) for method in methods},
        settings=first.settings,
        scale=first.scale,
        cadence=" and ".join(dict.fromkeys(e.cadence for e in evaluations)),
        frames=frames,
        pairs=sum(e.pairs for e in evaluations),
        missing=sum(e.missing * e.frames for e in evaluations) / frames,
        left_out={key: sum(e.left_out.get(key, 0) for e in evaluations) for key in first.left_out},
    )


def _concatenate(parts: Sequence[Blocks]) -> Blocks:
    names = sorted({statistic for part in parts for statistic in part})
    sizes = [len(next(iter(part.values()))) for part in parts]
    columns = zip(parts, sizes, strict=True)
    pieces = [{name: part.get(name, np.zeros(size)) for name in names} for part, size in columns]
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in names}
