"""Decode stored numbers and mask invalid ones, by the CF conventions, sections 2.5.1, 3.5 and 8.1.

Attributes may be in packed or in unpacked units. A number that the packed type cannot hold is unpacked; otherwise the
attribute's own type decides, as in the NetCDF Users Guide.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.attributes import LIMITS
from tempogan_eddy.io.messages import log_once
from tempogan_eddy.io.values.units import text_of, words_of
from tempogan_eddy.wording import listed

__all__ = ["Decoding", "bad_flags", "flagged", "refuse_unknown_packing"]

log = logging.getLogger(__name__)

# Names of fill values, in lower case without blanks and underscores.
FILLS = {"fillvalue", "missingvalue", "nodatavalue", "nodata", "badvalue", "undef"}
UNSIGNED = {"true": True, "1": True, "false": False, "0": False}
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?nan|[+-]?inf", re.IGNORECASE)

# What other conventions call scale_factor and add_offset; some subtract the offset before they scale.
SCALES = {"slope", "scale", "scalefactor", "scaling_factor", "scale factor", "gain", "multiplier"}
OFFSETS = {"intercept", "offset", "addoffset", "add offset"}

# Meanings of quality flags, as CF writes them, of pixels without a measurement.
BAD = re.compile(
    r"(^|_)(bad|invalid|missing|corrupt(ed)?|unusable|error|fail(ed|ure)?|fill(_?value)?|space|off_?(earth|disk|limb)"
    r"|out_?of_?(range|bounds|scan|limits?)|no_?(value|data|observation|measurement|retrieval|scan|coverage|input)"
    r"|not_?(usable|valid|available|observed|measured|scanned|processed))(_|$)"
)
HARMLESS = re.compile(r"(^|_)(no|not|without|non)_(bad|invalid|missing|corrupt(ed)?|error|fail(ed|ure)?|fill)")


@dataclass(frozen=True)
class Decoding:
    """Decode stored numbers to real ones.

    `view` is the type of the stored bits if ``_Unsigned`` states another one. Stored values that equal one of `missing`
    or lie outside `low` and `high` become NaN.
    """

    view: np.dtype | None = None
    missing: tuple[float, ...] = ()
    low: float = -np.inf
    high: float = np.inf
    scale: float = 1.0
    offset: float = 0.0

    @classmethod
    def of(
        cls, attrs: Mapping[Any, Any], dtype: np.dtype, where: str | Path, plausible: tuple[float, float] | None = None
    ) -> Self:
        """Read the attributes of a variable; warn of those that are no numbers and ignore them.

        Limits and texts that lie in the plausible range of real numbers as they are, but not once unpacked, count as
        unpacked whatever their type.
        """
        lower = {str(key).lower(): value for key, value in attrs.items()}
        limits = _limits(lower, where)
        unsigned = UNSIGNED.get(text_of(lower.get("_unsigned", "")).lower(), _of_unsigned_bytes(limits, plausible))
        view = None
        if dtype.kind in "iu" and unsigned is not None and ("_unsigned" in lower or dtype == np.int8):
            view = np.dtype(f"{'u' if unsigned else 'i'}{dtype.itemsize}")
        scale = next(iter(_numbers(lower.get("scale_factor"), "scale_factor", where)), 1.0)
        offset = next(iter(_numbers(lower.get("add_offset"), "add_offset", where)), 0.0)
        if scale == 0 or not np.isfinite([scale, offset]).all():
            log_once(log.warning, where, f"scale_factor {scale} and add_offset {offset} are no packing; ignored")
            scale, offset = 1.0, 0.0
        packing = _Packing(dtype if view is None else view, scale, offset, view is not None, plausible)
        missing = [
            packing.stored_number(number, lower[key])
            for key in lower
            if re.sub("[_ ]", "", key) in FILLS
            for number in _numbers(lower[key], key, where)
        ]
        low, high = packing.stored_limits(limits)
        if left := packing.leave_little(low, high):
            keys = listed(sorted(key for key in attrs if str(key).lower() in LIMITS))
            log_once(log.warning, where, f"by {keys} {left}; if this is wrong, delete it (ncatted)")
        return cls(view, tuple(number for number in missing if not np.isnan(number)), low, high, scale, offset)

    def __call__(self, stored: np.ndarray) -> np.ndarray:
        """Return real numbers, NaN where missing; integers stay integers if nothing is packed or missing."""
        if self.view is not None and stored.dtype != self.view:
            stored = stored.astype(stored.dtype.newbyteorder("="), copy=False).view(self.view)
        values = stored
        if self.scale != 1 or self.offset:
            values = values.astype(np.float64) * self.scale + self.offset
        as_stored = stored.dtype.type if stored.dtype.kind == "f" else float
        bad = np.zeros(stored.shape, bool)
        for number in self.missing:
            bad |= stored == as_stored(number)
        if np.isfinite(self.low):
            bad |= stored < as_stored(self.low)
        if np.isfinite(self.high):
            bad |= stored > as_stored(self.high)
        return np.where(bad, np.nan, values) if bad.any() else values


@dataclass(frozen=True)
class _Packing:
    """Packing of a stored type, and the units of attributes: packed or real."""

    stored: np.dtype
    scale: float
    offset: float
    reinterpreted: bool
    plausible: tuple[float, float] | None

    def stored_number(self, number: float, attribute: Any) -> float:
        """Return an attribute's number in stored units."""
        number = self._same_sign(number)
        if not self._packed() or not np.isfinite(number):
            return number
        unpacked = (number - self.offset) / self.scale
        nearest = float(np.rint(unpacked))
        error = abs(unpacked - nearest) * abs(self.scale)
        means_unpacked = self._holds(nearest) and error < 1e-3 * max(1.0, abs(number))
        if not self._holds(number):
            return nearest if means_unpacked else np.nan
        is_text = np.asarray(attribute).dtype.kind in "SU"
        typed = _is_float(attribute) or (is_text and self._all_real([number]))
        return nearest if means_unpacked and typed else number

    def stored_limits(self, limits: list[tuple[int, float, bool]]) -> tuple[float, float]:
        """Return the lowest and highest valid stored number of limits (see `_limits`) that share their units."""
        numbers = [self._same_sign(number) for _, number, _ in limits]
        turned = False
        if self._packed():
            fits = all(self._holds(np.rint(number)) for number in numbers if np.isfinite(number))
            real = any(is_float for *_, is_float in limits) and not self._only_packed(numbers)
            if not fits or real or self._all_real(numbers):
                turned = self.scale < 0
                numbers = [(number - self.offset) / self.scale for number in numbers]
        ends = [-np.inf, np.inf]
        for (end, *_), number in zip(limits, numbers, strict=True):
            ends[1 - end if turned else end] = number
        return ends[0], ends[1]

    def leave_little(self, low: float, high: float) -> str:
        """Return which few of the plausible numbers are valid stored numbers, empty if these are at least a tenth."""
        if self.plausible is None:
            return ""
        ends = sorted(self._unpack([low, high])) if low <= high else [np.inf, -np.inf]
        first, last = max(ends[0], self.plausible[0]), min(ends[1], self.plausible[1])
        if first > last:
            return "every pixel is missing"
        few = last - first < (self.plausible[1] - self.plausible[0]) / 10
        return f"every pixel outside {first:g} to {last:g} is missing" if few else ""

    def _unpack(self, numbers: list[float]) -> list[float]:
        return [number * self.scale + self.offset for number in numbers]

    def _all_real(self, numbers: list[float]) -> bool:
        """Return whether all numbers are plausible as they are, and not all once unpacked."""
        if self.plausible is None or not numbers:
            return False
        low, high = self.plausible
        as_stated, unpacked = (all(low <= n <= high for n in held) for held in (numbers, self._unpack(numbers)))
        return as_stated and not unpacked

    def _only_packed(self, numbers: list[float]) -> bool:
        """Return whether limits leave nothing plausible as they are, but something once unpacked."""
        if self.plausible is None or len(numbers) < 2:
            return False
        low, high = self.plausible
        unpacked = self._unpack(numbers)
        return (min(numbers) > high or max(numbers) < low) and min(unpacked) < high and max(unpacked) > low

    def _packed(self) -> bool:
        return self.stored.kind in "iu" and (self.scale != 1 or self.offset != 0)

    def _holds(self, number: float) -> bool:
        limits = np.iinfo(self.stored)
        return bool(limits.min <= number <= limits.max and number == np.floor(number))

    def _same_sign(self, number: float) -> float:
        """Return a negative number of the signed type as the unsigned number with the same bits."""
        signed = self.reinterpreted and self.stored.kind == "u" and number < 0
        return number + 2.0 ** (8 * self.stored.itemsize) if signed else number


def refuse_unknown_packing(attrs: Mapping[Any, Any], dtype: np.dtype, path: Path, name: str) -> None:
    """Raise InputError for integers in kelvin whose attributes pack them in another way than by CF, or that are bytes.

    Bytes hold at most 255, and no infrared image is that cold.
    """
    if dtype.kind not in "iu" or {"scale_factor", "add_offset"} & {str(key).lower() for key in attrs}:
        return
    other = {
        key: cf
        for cf, names, neutral in (("scale_factor", SCALES, 1), ("add_offset", OFFSETS, 0))
        for key, value in attrs.items()
        if str(key).lower() in names and any(number != neutral for number in _numbers(value, str(key), path))
    }
    if other:
        renaming = " ".join(f"-a '{name}@{key},{cf}'" for key, cf in other.items())
        raise InputError(
            f"{path}: {name} holds whole numbers and states {listed(other)}; if kelvin is number * "
            f"scale_factor + add_offset, name the attributes so: ncrename {renaming} {path.name}; "
            "else delete them (ncatted)."
        )
    if dtype.itemsize == 1:
        raise InputError(
            f"{path}: {name} holds bytes, at most 255, and does not say how they become kelvin; state it: "
            f"ncatted -a scale_factor,{name},c,f,SCALE -a add_offset,{name},c,f,OFFSET {path.name}"
        )


def _limits(attrs: Mapping[str, Any], where: str | Path) -> list[tuple[int, float, bool]]:
    """Return the stated limits: 0 (lower) or 1 (upper end), the number, and whether the attribute is a float."""
    found = []
    for key, ends in (("valid_range", (0, 1)), ("valid_min", (0,)), ("valid_max", (1,))):
        numbers = _numbers(attrs.get(key), key, where)
        if len(numbers) not in (0, len(ends)):
            log_once(log.warning, where, f"{key} has {len(numbers)} numbers instead of {len(ends)}; ignored")
        elif numbers:
            found += [(end, number, _is_float(attrs[key])) for end, number in zip(ends, numbers, strict=True)]
    return found


def _of_unsigned_bytes(limits: list[tuple[int, float, bool]], plausible: tuple[float, float] | None) -> bool | None:
    """Return True if limits that only unsigned bytes reach say that signed ones mean these (CF 2.2), else None."""
    numbers = [number for _, number, is_float in limits if not is_float]
    low, high = plausible or (np.inf, -np.inf)
    real = all(low <= number <= high for number in numbers)  # kelvins
    return True if not real and min(numbers) >= 0 and 127 < max(numbers) <= 255 else None


def _is_float(attribute: Any) -> bool:
    return np.asarray(attribute).dtype.kind == "f"


def _numbers(attribute: Any, key: str, where: str | Path) -> list[float]:
    """Return an attribute as numbers; text is read as the numbers it spells."""
    if attribute is None:
        return []
    values = np.ravel(attribute)
    if values.dtype.kind in "iufb":
        return [float(value) for value in values]
    found = [float(text) for value in values for text in NUMBER.findall(text_of(value))]
    if not found:
        log_once(log.warning, where, f"{key} = {text_of(attribute)} is no number; ignored")
    return found


def bad_flags(attrs: Mapping[Any, Any]) -> tuple[list[str], list[tuple[int, int]]]:
    """Return the meanings of a CF flag variable (CF 3.5) for pixels without a measurement, and their tests.

    A flag ``f`` has the meaning of the test ``(mask, value)`` where ``f & mask == value``; a mask of -1 takes all bits.
    """
    meanings = words_of(attrs.get("flag_meanings", ""))
    numbers = (_numbers(attrs.get(key), key, "") for key in ("flag_values", "flag_masks"))
    values, masks = ([int(number) for number in some if np.isfinite(number)] for some in numbers)
    if not meanings or len(meanings) not in (len(values), len(masks)):
        return [], []
    masks = masks if len(masks) == len(meanings) else [-1] * len(meanings)
    values = values if len(values) == len(meanings) else masks
    bad = [
        (name, (mask, value))
        for name, mask, value in zip(meanings, masks, values, strict=True)
        if BAD.search(name.lower()) and not HARMLESS.search(name.lower())
    ]
    return [name for name, _ in bad], [test for _, test in bad]


def flagged(flags: np.ndarray, tests: list[tuple[int, int]]) -> np.ndarray:
    """Return where one of the tests of `bad_flags` holds, whatever the sign of the type; NaN has no meaning."""
    known = np.isfinite(flags)
    bits = (1 << 8 * flags.dtype.itemsize) - 1 if flags.dtype.kind in "iu" and flags.dtype.itemsize < 8 else -1
    numbers = np.where(known, flags, 0).astype(np.int64) & bits
    return known & np.logical_or.reduce([numbers & mask == value & bits for mask, value in tests])
