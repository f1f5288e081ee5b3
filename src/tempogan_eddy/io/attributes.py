"""Keep the attributes of a file and of its variable in one flat mapping, without loss.

The key ``variable_attributes`` lists the names that belong to the variable. If both have an attribute of one name, the
file's is under ``file:NAME``; but title, history and conventions are the file's, and a variable's are under
``variable:NAME``.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["FILE", "LIMITS", "STALE", "STORED", "merge", "plain", "split"]

LIST = "variable_attributes"
FILE, VARIABLE = "file:", "variable:"
RESERVED = ("title", "history", "Conventions", "sequence")  # attributes of the file alone

PACKING = {"scale_factor", "add_offset", "_FillValue", "missing_value"}
LIMITS = {"valid_min", "valid_max", "valid_range"}

# Names that belong to a variable, whichever holds them.
VARIABLE_ATTRIBUTES = {
    *(*PACKING, *LIMITS, "standard_name", "long_name", "units", "cell_methods", "cell_measures", "grid_mapping"),
    *("ancillary_variables", "coordinates", "resolution", "actual_range", "flag_values", "flag_masks", "flag_meanings"),
    *("wavelength", "wave_number", "channel", "calibration", "origname", "fullnamepath"),
}

# Attributes of a variable about its packed numbers, its storage, or variables that are not kept.
STORED = {
    *(*PACKING, *LIMITS, "actual_range", "_Unsigned", "_ChunkSizes", "bounds", "climatology", "ancillary_variables"),
    *("coordinates", "_Netcdf4Dimid", "_Netcdf4Coordinates", "DIMENSION_LIST", "CLASS", "NAME", "REFERENCE_LIST"),
    *("DIMENSION_LABELS", "_NCProperties", "_nc3_strict"),
}
STALE = STORED | {"cell_measures"}  # not true of an output


def _is_of_variable(name: str) -> bool:
    """Return whether an unlisted attribute of this name belongs to a variable."""
    return name in VARIABLE_ATTRIBUTES or name.startswith("sensor_band_")


def merge(file_attrs: Mapping[Any, Any], variable_attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the attributes of a file and of its variable as one flat mapping of plain values; `split` is the inverse.

    A file's ``sequence`` names the storm if this package wrote the file; any other file's is under ``file:sequence``.
    """
    of_file = {str(name): plain(value) for name, value in file_attrs.items()}
    of_variable = {str(name): plain(value) for name, value in variable_attrs.items()}
    if LIST in of_variable:  # a sequence that xarray wrote: all its attributes are the variable's
        inner, of_variable = split(of_variable)
        of_file |= inner
    elif "tempogan-eddy" not in str(of_file.get("history", "")) and "split_folder" not in of_file:  # not our file
        if "sequence" in of_file:
            of_file[FILE + "sequence"] = of_file.pop("sequence")
        if isinstance(of_variable.get("sequence"), str):  # a DataArray that its user named
            of_file["sequence"] = of_variable.pop("sequence")
    merged = {}
    for name, value in of_file.items():
        shadowed = name not in RESERVED and (name in of_variable or _is_of_variable(name))
        merged[FILE + name if shadowed else name] = value
    merged |= {VARIABLE + name if name in RESERVED else name: value for name, value in of_variable.items()}
    return merged | {LIST: [name for name in of_variable if name not in RESERVED]}


def split(attrs: Mapping[Any, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the attributes of the file and those of the variable.

    Of attributes made in Python, unlisted names that belong to a variable (`units`, `sensor_band_...`) go to the
    variable, all others to the file.
    """
    stated = attrs.get(LIST, [])
    listed = {str(name) for name in np.ravel(stated)}
    of_file: dict[str, Any] = {}
    of_variable: dict[str, Any] = {}
    for key, value in attrs.items():
        name = str(key)
        if name == LIST:
            continue
        if name.startswith(VARIABLE):
            of_variable[name.removeprefix(VARIABLE)] = value
        elif name == FILE + "sequence":  # the place of our name for the storm
            of_file["source_sequence"] = value
        elif name.startswith(FILE):
            of_file[name.removeprefix(FILE)] = value
        elif name not in RESERVED and (name in listed or _is_of_variable(name)):
            of_variable[name] = value
        else:
            of_file[name] = value
    return of_file, of_variable


def plain(value: Any) -> Any:
    """Return an attribute as text, a number, or a list of these, which every format can hold."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, np.generic | np.ndarray):
        if value.dtype in (np.float16, np.float32):  # keep the shortest digits: 0.1, not 0.10000000149
            value = np.array([float(str(item)) for item in np.ravel(value)]).reshape(value.shape)
        value = value.tolist()
    if isinstance(value, list | tuple):
        items = [plain(item) for item in value]
        return items if all(isinstance(item, str | int | float) for item in items) else str(items)
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, str | int | float) else str(value)
