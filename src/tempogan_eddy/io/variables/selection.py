"""Choose one of several along a dimension beside time and the grid, such as a band or a member of an ensemble."""

from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.grids.axes import direction_of
from tempogan_eddy.io.times.axis import find_time
from tempogan_eddy.io.values.units import text_of
from tempogan_eddy.io.values.validity import Decoding
from tempogan_eddy.wording import listed

__all__ = ["SELECTION", "how_to_select", "parse_selection", "require_selection", "select_one"]

SELECTION = "selection"
"""The attribute of a sequence that states what was chosen from its file, such as ``band=13``."""

FIRST = 6  # choices in a message


def parse_selection(texts: Iterable[str]) -> dict[str, str]:
    """Return the choices of texts such as ``band=13`` by name; raise InputError for another form or a name twice."""
    chosen: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value) or name in chosen:
            raise InputError(f"--select {text} is not NAME=VALUE with a name of its own, such as band=13.")
        chosen[name] = value
    return chosen


def select_one(dataset: xr.Dataset, image: str, path: Path, select: Mapping[str, Any]) -> tuple[xr.Dataset, str]:
    """Return a stored dataset cut to one place along the dimensions that are chosen from, and the choices as text.

    A name is that of a dimension of the image, or of a variable along one, and the value is one of this variable's; if
    the dimension has none, it is a number from 0. Ignore names that the file lacks: see `require_selection`. The
    dimensions stay, with size 1. Raise InputError if the value is not there, or the dimension is time or the grid's.
    """
    made, chosen = [], dataset
    for name, value in select.items():
        found = _along(dataset, image, name)
        if found is None:
            continue
        dim, choices = found
        time = find_time(dataset, dataset[image])
        if dim is not None and (direction_of(dataset[image], dim) or (time and dim in dataset[time].dims)):
            raise InputError(
                f"{path}: {name!r} lies along time or the grid; --select chooses a band, say; times: --time."
            )
        places = np.flatnonzero([_is(choice, value) for choice in choices])
        if len(places) != 1:
            shown = listed([_text(choice) for choice in choices], FIRST)
            kind = "several" if len(places) else "no"
            raise InputError(f"{path} has {kind} {name}={value}, but {name} {shown}; choose one of these.")
        if dim is not None:
            beside = [other for other, variable in chosen.data_vars.items() if variable.dims == (dim,)]
            # Its wavelength, say, tells the channel.
            chosen = chosen.isel({dim: slice(places[0], places[0] + 1)}).set_coords(beside)
        made.append(f"{name}={value}")
    if chosen is not dataset:
        chosen.set_close(dataset.close)
    return chosen, ", ".join(made)


def require_selection(sequences: Iterable[xr.DataArray], select: Mapping[str, Any]) -> None:
    """Raise InputError if a choice was made in none of some sequences, so that it would change nothing."""
    if not select:
        return
    sequences = list(sequences)
    made = {text for da in sequences for text in str(da.attrs.get(SELECTION, "")).split(", ")}
    for name, value in select.items():
        if f"{name}={value}" not in made:
            labels = listed([da.attrs.get("sequence", "the input") for da in sequences], 3)
            raise InputError(f"{labels} has no dimension {name!r} to choose from; leave out --select {name}={value}.")


def how_to_select(dataset: xr.Dataset, image: str, dim: Hashable) -> str:
    """Return how to take one of those along a dimension of an image, as the end of a message."""
    beside = [] if dim in dataset.variables else [name for name, var in dataset.variables.items() if var.dims == (dim,)]
    for name in (*beside, dim):
        _, values = _along(dataset, image, str(name)) or (None, np.array([]))
        if values.size and len(np.unique(values)) == len(values):
            break
    first = _text(values[0])
    python = repr(first) if values.dtype.kind == "U" else first
    others = listed([_text(value) for value in values], FIRST)
    return f"choose one with --select {name}={first} (in Python select={{{str(name)!r}: {python}}}; there are {others})"


def _along(dataset: xr.Dataset, image: str, name: str) -> tuple[Hashable | None, np.ndarray] | None:
    """Return the dimension of an image that a name means, None for a single value, and the values along it."""
    dims = dataset[image].dims
    variable = dataset.variables.get(name)
    if variable is not None and name != image and variable.ndim < 2 and set(variable.dims) <= set(dims):
        values = np.atleast_1d(variable.values)
        if values.dtype.kind in "iuf":
            values = np.asarray(Decoding.of(variable.attrs, values.dtype, name)(values))
        else:
            values = np.array([text_of(value) for value in values.tolist()])
        return (variable.dims[0] if variable.ndim else None), values
    return (name, np.arange(dataset.sizes[name])) if name in dims else None


def _is(choice: Any, wanted: Any) -> bool:
    """Return whether a value of a file is the one that is wanted, a number or its text."""
    if isinstance(choice, str):
        return choice == text_of(wanted)
    try:
        return bool(np.isclose(float(choice), float(wanted), rtol=1e-6, atol=0))
    except (TypeError, ValueError):
        return False


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str) else f"{value:g}"
