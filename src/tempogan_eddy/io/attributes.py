"""Which attributes are a file's and which its variable's, kept in one flat mapping without a loss.

A sequence holds both in ``attrs``. The key ``variable_attributes`` lists the names that belong to the variable. Where
both hold a name, the variable's value stands under it and the file's under ``file:NAME``; only the title, the history
and the conventions stay the file's, and a variable's own stand under ``variable:NAME``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["FILE", "LIMITS", "STALE", "STORED", "is_of_variable", "merge", "plain", "split"]

LIST = "variable_attributes"
FILE, VARIABLE = "file:", "variable:"

RESERVED = ("title", "history", "Conventions", "sequence")
"""A file's alone: this package reads and writes them there."""

OURS = "tempogan-eddy"

PACKING = {"scale_factor", "add_offset", "_FillValue", "missing_value"}
LIMITS = {"valid_min", "valid_max", "valid_range"}

VARIABLE_ATTRIBUTES = (
    PACKING
    | LIMITS
    | {
        *(
            "standard_name",
            "long_name",
            "units",
            "cell_methods",
            "cell_measures",
            "grid_mapping",
            "ancillary_variables",
        ),
        *("coordinates", "resolution", "actual_range", "flag_values", "flag_masks", "flag_meanings"),
        *("wavelength", "wave_number", "channel", "calibration", "origname", "fullnamepath"),
    }
)
"""Attributes that speak of a variable wherever they stand."""

BAND = "sensor_band_"

STORED = (
    PACKING
    | LIMITS
    | {
        *("actual_range", "_Unsigned", "_ChunkSizes", "bounds", "climatology", "ancillary_variables", "coordinates"),
        *("_Netcdf4Dimid", "_Netcdf4Coordinates", "DIMENSION_LIST", "CLASS", "NAME", "REFERENCE_LIST"),
        *("DIMENSION_LABELS", "_NCProperties", "_nc3_strict"),
    }
)
"""Attributes of a variable that speak of its packed numbers, of its storage, or of variables that are not kept."""

STALE = STORED | {"cell_measures"}
"""Those that are not true of what is written."""


def is_of_variable(name: str) -> bool:
    """Return whether an attribute of this name speaks of a variable, where nothing else tells."""
    return name in VARIABLE_ATTRIBUTES or name.startswith(BAND)


def merge(file_attrs: Mapping[Any, Any], variable_attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the attributes of a file and of its variable as one flat mapping.

    Parameters
    ----------
    file_attrs, variable_attrs : mapping
        As they stand in the file. A file's ``sequence`` names the storm if this package wrote the file; any other
        file's means something else, and stands under ``file:sequence``.

    Returns
    -------
    dict
        Plain values (text, numbers, lists of these), which every format can hold. `split` is the inverse.
    """
    of_file = {str(name): plain(value) for name, value in file_attrs.items()}
    of_variable = {str(name): plain(value) for name, value in variable_attrs.items()}
    if LIST in of_variable:  # a sequence that xarray wrote: all its attributes are the variable's
        inner, of_variable = split(of_variable)
        of_file |= inner
    elif _is_foreign(of_file):
        if "sequence" in of_file:
            of_file[FILE + "sequence"] = of_file.pop("sequence")
        if isinstance(of_variable.get("sequence"), str):  # a DataArray that its user named
            of_file["sequence"] = of_variable.pop("sequence")
    merged = {}
    for name, value in of_file.items():
        shadowed = name not in RESERVED and (name in of_variable or is_of_variable(name))
        merged[FILE + name if shadowed else name] = value
    merged |= {VARIABLE + name if name in RESERVED else name: value for name, value in of_variable.items()}
    return merged | {LIST: [name for name in of_variable if name not in RESERVED]}


def split(attrs: Mapping[Any, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the attributes of the file and those of the variable.

    Parameters
    ----------
    attrs : mapping
        Of a sequence, from `merge` or made in Python: names that speak of a variable wherever they stand (`units`,
        `cell_methods`, `sensor_band_...`) go to the variable, others that ``variable_attributes`` does not list to
        the file.

    Returns
    -------
    tuple of dict
        (of the file, of the variable)
    """
    told = attrs.get(LIST, [])
    listed = {told} if isinstance(told, str) else {str(name) for name in told}
    of_file: dict[str, Any] = {}
    of_variable: dict[str, Any] = {}
    for key, value in attrs.items():
        name = str(key)
        if name == LIST:
            continue
        if name.startswith(VARIABLE):
            of_variable[name.removeprefix(VARIABLE)] = value
        elif name == FILE + "sequence":  # our own name for the storm stands there
            of_file["source_sequence"] = value
        elif name.startswith(FILE):
            of_file[name.removeprefix(FILE)] = value
        elif name not in RESERVED and (name in listed or is_of_variable(name)):
            of_variable[name] = value
        else:
            of_file[name] = value
    return of_file, of_variable


def plain(value: Any) -> Any:
    """Return an attribute as text, a number, or a list of such, which every format can hold."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, np.generic | np.ndarray):
        single = value.dtype in (np.float16, np.float32)
        value = (
            np.array([float(str(item)) for item in np.ravel(value)]).reshape(value.shape).tolist()
            if single
            else value.tolist()
        )
    if isinstance(value, list | tuple):
        items = [plain(item) for item in value]
        return items if all(isinstance(item, str | int | float) for item in items) else str(items)
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, str | int | float) else str(value)


def _is_foreign(file_attrs: Mapping[str, Any]) -> bool:
    """Return whether another program made a file, as far as its attributes tell."""
    return OURS not in str(file_attrs.get("history", "")) and "split_folder" not in file_attrs
