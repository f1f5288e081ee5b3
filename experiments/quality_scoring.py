"""One storm through every method: its scores, and what the figures show of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from experiments.quality_curves import Curves, Profile, measure, profile
from experiments.quality_methods import EDDY, FAITHFUL, LANCZOS, SHARPENED, Networks, interpolated, lanczos, sharpened
from experiments.quality_storms import Storm, open_storm, sequence_of
from tempogan_eddy.evaluation import Evaluation, evaluate
from tempogan_eddy.evaluation.baselines import bicubic, nearest

__all__ = ["Scored", "hour", "score"]

BICUBIC = "bicubic"


@dataclass(frozen=True)
class Scored:
    """What is kept of a storm.

    Parameters
    ----------
    storm
        Which it is.
    hours
        The first and the last that were scored.
    evaluation
        The scores of every method.
    curves, profile
        Of bicubic, faithful and eddy; no profile where the frames do not follow a storm.
    panels
        The frame with the most cold cloud, (H, W) kelvin, by method: the input first, the truth last.
    """

    storm: Storm
    hours: tuple[str, str]
    evaluation: Evaluation
    curves: Curves
    profile: Profile | None
    panels: dict[str, NDArray[np.floating]]


def score(storm: Storm, data: Path, frames: int | None, networks: Networks) -> Scored:
    """Score every method on one storm.

    Parameters
    ----------
    data
        Folder of the real frames.
    frames
        How many consecutive hours; all if None.
    """
    truth = open_storm(storm, data, frames).assign_attrs(sequence=storm.title)
    lowres = _lowres(truth, networks)
    methods = {LANCZOS: interpolated(lowres, networks.faithful.scale, lanczos)}
    methods |= {name: networks.rebuild(lowres, name) for name in networks.models}
    for name in (FAITHFUL, EDDY):
        methods[name] = methods[name].load()  # because the figures show them too
    methods[SHARPENED] = sharpened(methods[FAITHFUL], truth, lowres, networks.faithful.sensor)
    evaluation = evaluate(truth, methods, lowres)
    shown = _bicubic(lowres, networks) | {name: methods[name] for name in (FAITHFUL, EDDY)}
    curves = measure(truth, shown, networks.faithful.scale)
    hours = hour(truth["time"].values[0]), hour(truth["time"].values[-1])
    panels = _panels(truth, lowres, shown, evaluation, networks)
    return Scored(storm, hours, evaluation, curves, _profile(storm, data, networks), panels)


def hour(time: np.datetime64) -> str:
    """A time as people read it."""
    return str(np.datetime_as_string(time, unit="h")).replace("T", " ") + " UTC"


def _lowres(truth: xr.DataArray, networks: Networks) -> xr.DataArray:
    return networks.faithful.sensor.coarsen(truth).load()


def _bicubic(lowres: xr.DataArray, networks: Networks) -> dict[str, xr.DataArray]:
    return {BICUBIC: interpolated(lowres, networks.faithful.scale, bicubic)}


def _panels(
    truth: xr.DataArray,
    lowres: xr.DataArray,
    shown: dict[str, xr.DataArray],
    evaluation: Evaluation,
    networks: Networks,
) -> dict[str, NDArray[np.floating]]:
    time = evaluation.example_time
    height, width = shown[BICUBIC].shape[1:]
    panels = {f"input ({evaluation.scale}x coarser)": nearest(lowres.sel(time=time).values, evaluation.scale)}
    panels |= {name: sequence.sel(time=time).values for name, sequence in shown.items()}
    eddy = f"{EDDY} (detail {networks.details[EDDY]:g})"
    panels = {eddy if name == EDDY else name: panel for name, panel in panels.items()}
    return panels | {"truth": truth.sel(time=time).values[:height, :width]}


def _profile(storm: Storm, data: Path, networks: Networks) -> Profile | None:
    if storm.centre is None:
        return None
    truth = sequence_of(storm, data).sel(time=[np.datetime64(storm.centre.time)]).load()
    lowres = _lowres(truth, networks)
    methods = _bicubic(lowres, networks) | {name: networks.rebuild(lowres, name) for name in (FAITHFUL, EDDY)}
    frames = {name: sequence[0].values for name, sequence in methods.items()}
    title = f"{storm.title}, {hour(truth['time'].values[0])}\n{storm.centre.what}"
    return profile(title, truth[0].values, frames, storm.pixel_km, storm.centre.eye)
