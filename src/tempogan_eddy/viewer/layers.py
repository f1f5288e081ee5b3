"""The layers of a summary: what `reconstruct --summary` writes beside the mean of the members."""

import re

import xarray as xr

from tempogan_eddy.io.files.netcdf_lock import NETCDF_LOCK
from tempogan_eddy.io.format import StoredSequence

__all__ = ["SPREAD", "hidden_at_first", "layer_title", "quantity_of", "summary_layers"]

MEAN, SPREAD = "realization: mean", "realization: standard_deviation"  # CF cell methods


def summary_layers(stored: StoredSequence, mean: xr.DataArray) -> dict[str, xr.DataArray]:
    """Return the layers (time, y, x) beside the mean in a file of a summary, by name; none of another sequence.

    Kelvins stay kelvins, probabilities become percent. `mean` is the whole sequence that the file opens as.
    """
    if mean.attrs.get("cell_methods") != MEAN or stored.format.name not in ("netcdf", "zarr"):
        return {}
    if stored.format.name == "zarr":
        dataset = xr.open_zarr(stored.path, group=stored.group, decode_times=False)
    else:
        with NETCDF_LOCK:
            dataset = xr.open_dataset(
                stored.path, group=stored.group, chunks={}, decode_times=False, engine="netcdf4", lock=NETCDF_LOCK
            )
    layers = {}
    for name, variable in dataset.data_vars.items():
        if variable.shape == mean.shape and variable.attrs.get("cell_methods") != MEAN:
            values = variable.data * 100 if variable.attrs.get("units") == "1" else variable.data
            layers[str(name)] = xr.DataArray(values, mean.coords, mean.dims, str(name), dict(variable.attrs))
    return layers


def quantity_of(layer: xr.DataArray) -> str:
    """Return what a layer holds: ``kelvin``, ``spread`` (kelvin) or ``probability`` (percent)."""
    if layer.attrs.get("units") == "1":
        return "probability"
    return "spread" if layer.attrs.get("cell_methods") == SPREAD else "kelvin"


def layer_title(name: str) -> str:
    """Return the name of a layer for people, such as ``P(T < 225 K)`` of ``probability_below_225K``."""
    if found := re.fullmatch(r"probability_below_(\d+)K", name):
        return f"P(T < {found[1]} K)"
    if found := re.fullmatch(r"quantile_(\d+)", name):
        return f"{int(found[1])} % quantile"
    return name.replace("_", " ").capitalize()


def hidden_at_first(name: str) -> bool:
    """Return whether the page begins without a layer: all but the spread and the probability of deep convection."""
    return name not in ("spread", "probability_below_225K")
