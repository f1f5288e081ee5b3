"""Members of an ensemble: the optional leading dimension of a sequence."""

import numpy as np
import xarray as xr

from tempogan_eddy.errors import InputError

__all__ = ["MEMBER", "member_names", "members_of", "refuse_ensemble", "select_member"]

MEMBER = "member"  # the name of the dimension in front of (time, y, x)


def member_names(da: xr.DataArray) -> list[str]:
    """Return the names of a sequence's members: the values of its coordinate, else 0, 1, ...; empty without members."""
    if MEMBER not in da.dims:
        return []
    return [str(name) for name in (da[MEMBER].values if MEMBER in da.coords else np.arange(da.sizes[MEMBER]))]


def members_of(da: xr.DataArray) -> list[xr.DataArray]:
    """Return the members of a sequence, (time, y, x) each; without members, the sequence itself."""
    return [da.isel({MEMBER: number}) for number in range(da.sizes[MEMBER])] if MEMBER in da.dims else [da]


def select_member(da: xr.DataArray, name: str | None = None) -> xr.DataArray:
    """Return one member, by default the first, as a plain sequence (time, y, x); a sequence without members unchanged.

    Raise `InputError` if the sequence has members, but none of this name.
    """
    names = member_names(da)
    if not names:
        return da
    if name is not None and name not in names:
        raise InputError(f"There is no member {name!r}; the members are {', '.join(names)}.")
    return da.isel({MEMBER: names.index(name) if name is not None else 0}, drop=True).transpose("time", "y", "x")


def refuse_ensemble(da: xr.DataArray) -> None:
    """Raise `InputError` if a sequence has the dimension ``member``."""
    if MEMBER in da.dims:
        label = da.attrs.get("sequence") or da.name or "the sequence"
        count = da.sizes[MEMBER]
        one = "da.isel(member=0); of a file --select member=0"
        raise InputError(f"{label} is an ensemble of {count} members; take one at a time ({one}).")
