"""Make sequences of arrays in memory (xarray, numpy, dask, satpy, Earth2Studio), and give results their form."""

import logging
import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.attributes import FILE
from tempogan_eddy.io.grids.axes import role_of
from tempogan_eddy.io.in_memory.restoring import BOUNDS, OF_NUMBERS, is_object, restored
from tempogan_eddy.io.member import MEMBER, refuse_ensemble
from tempogan_eddy.io.open import open_sequence
from tempogan_eddy.io.sequence import DIMS, in_kelvin, label_of, order_of_times
from tempogan_eddy.io.values.quality import refuse_celsius
from tempogan_eddy.io.values.units import KELVIN, Conversion, kelvin_conversion, text_of
from tempogan_eddy.io.variables.channel import preferred
from tempogan_eddy.io.variables.choice import likeliest
from tempogan_eddy.io.variables.layout import Layout, layout_of, times_of
from tempogan_eddy.kelvin import VALID_KELVIN
from tempogan_eddy.wording import listed

__all__ = ["Adapted", "adapt"]

log = logging.getLogger(__name__)

UNSTATED = {"", "1", "none", "unknown", "n/a", "-"}

# Channel names of Earth2Studio: infrared channels hold kelvin without stating units, all others something else.
INFRARED = re.compile(r"ir\d+")
OTHER_CHANNEL = re.compile(r"(vis|nir|swir|refl)\w*|[uvwzqr]\d+m?|[td]2m|t50|t\d{3,4}|msl|sp|tcwv|tp\d*|lsm|sst|skt")

# Start of a sequence without times, whose frames are an hour apart.
NO_TIME = np.datetime64("2000-01-01", "ns")


@dataclass(frozen=True)
class Adapted:
    """A sequence, and the way back to the form of its source.

    `restore` takes a sequence of the same frames on another grid and the side of its pixels in pixels of the source
    (1/4 after a reconstruction); it returns the sequence with the type, names, dimensions, times and attributes of the
    source. Unless the source is `timed`, frames are an hour apart; `reordered` ones were sorted by time.
    """

    sequence: xr.DataArray
    restore: Callable[[xr.DataArray, float], Any]
    timed: bool = True
    reordered: bool = False


def adapt(
    held: Any,
    *,
    kelvin: bool = False,
    variable: str | None = None,
    select: Mapping[str, Any] | None = None,
    valid_kelvin: tuple[float, float] = VALID_KELVIN,
    ensembles: bool = False,
) -> Adapted:
    """Make a sequence of an array, a Dataset or a file.

    Parameters
    ----------
    held : DataArray, Dataset, array, str or Path
        A DataArray with dimensions along y and x, perhaps one along time, in any order and under any names, and others
        of size 1; a Dataset with one brightness temperature; an array (y, x) or (time, y, x) of numpy, dask or
        another library, with ``kelvin=True``; or the path of a file.
    kelvin : bool
        Take values without units as kelvin.
    variable : str, optional
        The variable of a Dataset or file; of an array there is no choice.
    select : mapping, optional
        Of a file: choices along further dimensions, as for `open_sequence`.
    valid_kelvin : tuple of float
        Values outside these kelvins become NaN.
    ensembles : bool
        Accept several members; the sequence then has the dimension ``member`` in front.

    Raises
    ------
    InputError
        It is no brightness temperature, or its dimensions or times are ambiguous.
    """
    if variable is not None and not isinstance(held, str | Path | xr.Dataset):
        raise InputError(f"An array has no variables to choose from; leave out variable={variable!r}.")
    if select and not isinstance(held, str | Path):
        name, value = next(iter(select.items()))
        raise InputError(
            f"Only of a file is select taken; leave it out and give a part of it, as .sel({name}={value!r})."
        )
    if isinstance(held, str | Path):
        if kelvin:
            raise InputError(
                f"The file {held} says its units itself; leave out kelvin=True, or give what you read of it."
            )
        sequence = open_sequence(held, variable=variable, select=select or {}, valid_kelvin=valid_kelvin)
        if not ensembles:
            refuse_ensemble(sequence)
        return Adapted(sequence, lambda changed, pixel: changed)
    if isinstance(held, xr.Dataset):
        return _adapt_dataset(held, kelvin, variable, valid_kelvin, ensembles)
    if isinstance(held, xr.DataArray):
        return _adapt_array(held, kelvin, valid_kelvin, ensembles)
    return _adapt_numbers(held, kelvin, valid_kelvin)


def _adapt_dataset(
    dataset: xr.Dataset, kelvin: bool, variable: str | None, valid_kelvin: tuple[float, float], ensembles: bool
) -> Adapted:
    name = _choose_variable(dataset, variable, kelvin)
    coordinates = [other for other, var in dataset.data_vars.items() if other != name and _is_place(other, var)]
    mapping = text_of(dataset[name].attrs.get("grid_mapping", dataset[name].encoding.get("grid_mapping")))
    coordinates += [other for other in dataset.data_vars if other == mapping]
    bounds = {text_of(var.attrs.get(key)) for var in dataset.variables.values() for key in BOUNDS & var.attrs.keys()}
    left = [str(other) for other in dataset.data_vars if other not in {name, *coordinates, *bounds}]
    if left and variable is None:
        log.warning("Only the variable %s is used, not %s", name, ", ".join(left))
    da = dataset.set_coords(coordinates)[name]
    shared = {f"{FILE}{key}" if key in da.attrs else key: value for key, value in dataset.attrs.items()}
    adapted = _adapt_array(da.assign_attrs({**shared, **da.attrs}), kelvin, valid_kelvin, ensembles)

    def restore(changed: xr.DataArray, pixel: float) -> xr.Dataset:
        result = adapted.restore(changed, pixel)
        own = {key: value for key, value in result.attrs.items() if key not in shared and not str(key).startswith(FILE)}
        outer = {str(key).removeprefix(FILE): value for key, value in result.attrs.items() if key not in own}
        return result.drop_attrs(deep=False).assign_attrs(own).to_dataset(name=name).assign_attrs(outer)

    return Adapted(adapted.sequence, restore, adapted.timed, adapted.reordered)


def _is_place(name: Hashable, var: xr.DataArray) -> bool:
    return role_of(name, var.attrs) is not None and var.ndim <= 2 and var.dtype.kind in "iufM"


def _choose_variable(dataset: xr.Dataset, variable: str | None, kelvin: bool) -> Hashable:
    """Return the name of the only or main brightness temperature in a Dataset."""
    names = sorted(map(str, dataset.data_vars))
    if variable is not None:
        if variable not in dataset.data_vars:
            raise InputError(f"The Dataset has no variable {variable!r}; it has {listed(names) or 'none'}.")
        return variable
    frames = {
        str(name): da
        for name, da in dataset.data_vars.items()
        if da.ndim >= 2 and da.dtype.kind in "iuf" and not _is_place(name, da)
    }
    found = likeliest(frames) or (list(frames) if kelvin else [])
    if best := preferred({name: frames[name] for name in found}):
        return frames[best].name
    if found:
        raise InputError(
            f"The Dataset has several candidates, {listed(sorted(found))}; choose one, for example "
            f"dataset[{found[0]!r}] or variable={found[0]!r}."
        )
    raise InputError(
        f"The Dataset holds {listed(names) or 'no variable'}, but no brightness temperature, by standard_name or by "
        "units of K without the name of another temperature; choose one (dataset[NAME] or variable=NAME), perhaps with "
        "kelvin=True."
    )


def _adapt_numbers(held: Any, kelvin: bool, valid_kelvin: tuple[float, float]) -> Adapted:
    """Adapt an array without names, perhaps with the units of pint, MetPy or astropy."""
    units = text_of(getattr(held, "units", getattr(held, "unit", "")))
    values = getattr(held, "magnitude", held)
    kind, lazy = type(held).__name__, isinstance(values, dask.array.Array)
    if not lazy:
        try:
            values = np.asanyarray(values)
        except Exception as error:  # any, such as for a tensor on a GPU or a list of unequal rows
            raise InputError(f"{kind} cannot be read as an array ({error}); give one of xarray or numpy.") from error
        if values.dtype.kind not in "iuf":
            raise InputError(
                f"{kind} is no array of numbers; give a DataArray, a Dataset, an array with kelvin=True, or a path."
            )
    if values.ndim not in (2, 3):
        raise InputError(f"The array has the shape {values.shape}; give one frame (y, x) or several (time, y, x).")
    if not kelvin and kelvin_conversion(units) is None:
        raise InputError("The array does not say its units; if its values are kelvin, add kelvin=True.")
    masked = isinstance(values, np.ma.MaskedArray)
    plain = values if masked or lazy else np.asarray(values)
    da = xr.DataArray(plain, dims=DIMS[-values.ndim :], attrs={"units": units} if units else {})
    adapted = _adapt_array(da, kelvin, valid_kelvin)

    def restore(changed: xr.DataArray, pixel: float) -> Any:
        result = adapted.restore(changed, pixel)
        if lazy:
            return result.data
        return np.ma.masked_invalid(result.values) if masked else result.values

    return Adapted(adapted.sequence, restore, adapted.timed)


def _adapt_array(da: xr.DataArray, kelvin: bool, valid_kelvin: tuple[float, float], ensembles: bool = False) -> Adapted:
    label = label_of(da)
    _refuse_other_quantities(da, label)
    if da.dtype.kind not in "iuf":
        raise InputError(f"{label} holds {da.dtype} values; brightness temperatures are real numbers, in kelvin.")
    layout = layout_of(da, label, ensembles=ensembles)
    times, timed_by = times_of(da, layout, label)
    order = None if times is None else order_of_times(times, label)
    da = _readable(da, layout, label)
    if times is not None and order is not None:
        times, da = times[order], da.isel({layout.time: order})
    conversion = _conversion(da, kelvin, label)
    flat = da.isel(dict.fromkeys(layout.extras, 0)).transpose(*layout.names)
    coords, names = _inner_coordinates(flat, layout, timed_by)
    frames = flat.data if layout.time is not None else flat.data[..., np.newaxis, :, :]
    counted = NO_TIME + np.arange(frames.shape[-3]) * np.timedelta64(1, "h")
    coords["time"] = xr.Variable("time", counted if times is None else times)
    attrs = {key: value for key, value in flat.attrs.items() if _is_plain(value) and key not in OF_NUMBERS}
    inner = xr.DataArray(frames, dims=(MEMBER, *DIMS)[-frames.ndim :], coords=coords, name=da.name, attrs=attrs)
    inner = _without_fill(inner, da.attrs)
    if not flat.chunks and conversion.is_kelvin:
        refuse_celsius(inner.isel(time=0).values, label)
    sequence = in_kelvin(inner, label, conversion, valid_kelvin)
    restore = partial(restored, sequence=sequence, original=da, layout=layout, names=names, timed_by=timed_by)
    return Adapted(sequence, restore, times is not None, order is not None)


def _refuse_other_quantities(da: xr.DataArray, label: str) -> None:
    """Refuse an array whose attributes or channel show that it is no brightness temperature, or not decoded."""
    neutral = {"scale_factor": 1, "add_offset": 0}  # as rioxarray states them of any image
    if packed := [key for key, none in neutral.items() if np.any(np.asarray(da.attrs.get(key, none)) != none)]:
        raise InputError(f"{label} holds packed numbers ({packed[0]}); use xarray.decode_cf or mask_and_scale=True.")
    channel = _channel(da)
    if OTHER_CHANNEL.fullmatch(channel):
        raise InputError(f"{label} is the channel {channel!r}, which is no brightness temperature; use infrared.")
    stated = da.attrs.get("calibration", "")
    calibration = text_of(getattr(stated, "name", stated))
    if calibration in ("radiance", "reflectance", "counts"):
        raise InputError(
            f"{label} holds {calibration}; load it as brightness temperature "
            "(satpy: scn.load([name], calibration='brightness_temperature'))."
        )


def _channel(da: xr.DataArray) -> str:
    """Return the channel that a coordinate of size 1 names, as Earth2Studio's; else an empty text."""
    for name in ("variable", "channel"):
        if name in da.coords and da[name].size == 1 and da[name].dtype.kind in "OUST":
            return str(np.asarray(da[name].values).item())
    return ""


def _readable(da: xr.DataArray, layout: Layout, label: str) -> xr.DataArray:
    """Return an array of numpy or dask; values that lie in a file stay lazy."""
    data = da.variable._data
    if isinstance(data, np.ndarray) or da.chunks:
        return da
    if not hasattr(data, "__array_function__"):
        return da.chunk({dim: 1 if dim == layout.time else -1 for dim in da.dims})
    try:
        plain = da.as_numpy()
    except Exception as error:  # another library may raise any
        raise InputError(f"{label} cannot be converted to numpy ({error}); give it in numpy or dask.") from error
    units = getattr(data, "units", None)  # of pint
    return plain if units is None else plain.assign_attrs(units=str(units))


def _conversion(da: xr.DataArray, kelvin: bool, label: str) -> Conversion:
    """Return the conversion to kelvin by the stated units, ``kelvin=True`` or an infrared channel's name."""
    stated = text_of(da.attrs.get("units", ""))
    conversion = kelvin_conversion(stated)
    if conversion is not None and kelvin and not conversion.is_kelvin:
        raise InputError(f"{label} says that its units are {stated!r}; leave out kelvin=True, or correct the units.")
    if conversion is not None:
        return conversion
    if stated.lower() not in UNSTATED:
        raise InputError(f"{label} has the units {stated!r}, which are no temperature; give K or degrees_Celsius.")
    channel = _channel(da)
    if not kelvin and not INFRARED.fullmatch(channel):
        raise InputError(f"{label} has no units; if it holds kelvin, set da.attrs['units'] = 'K' or add kelvin=True.")
    if not kelvin:
        log.info("%s states no units; its channel %s is taken as kelvin", label, channel)
    return KELVIN


def _without_fill(da: xr.DataArray, attrs: Mapping[Any, Any]) -> xr.DataArray:
    """Set the fill values that attributes state to NaN."""
    for fill in (fill for key in ("_FillValue", "missing_value") for fill in np.ravel(attrs.get(key, ()))):
        if isinstance(fill, np.number) and np.isfinite(fill):
            da = da.where(da != fill.astype(da.dtype))
    return da


def _inner_coordinates(
    flat: xr.DataArray, layout: Layout, timed_by: Hashable | None
) -> tuple[dict[Hashable, xr.Variable], dict[Hashable, Hashable]]:
    """Return the coordinates as those of a sequence, and the original name of each."""
    coords: dict[Hashable, xr.Variable] = {}
    names: dict[Hashable, Hashable] = {}
    for name, coord in flat.coords.items():
        dims = tuple([layout.names[dim] for dim in coord.dims])
        if name == timed_by or (not dims and is_object(coord)):
            continue
        if {"y", "x"} & set(dims) and coord.dtype.kind not in "iuf":  # labels of the old pixels
            continue
        # A coordinate may bear the name of a dimension that it does not lie along.
        inner = name if name not in DIMS or dims == (name,) else f"{name}_"
        if inner == "time":
            continue
        values = coord.values.astype(str) if is_object(coord) else coord.values
        coords[inner] = xr.Variable(dims, values, coord.attrs)
        names[inner] = name
    return coords, names


def _is_plain(value: Any) -> bool:
    """Return whether an attribute is text, a number, or a list of such."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "iufbUS"
    if isinstance(value, list | tuple):
        return all(isinstance(item, str | int | float | np.number) for item in value)
    return isinstance(value, str | bytes | int | float | np.generic)
