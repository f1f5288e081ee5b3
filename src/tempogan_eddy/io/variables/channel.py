"""Find the spectral channel of a variable by its attributes, coordinates and name."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from tempogan_eddy.io.values.units import text_of

__all__ = ["PLATFORMS", "Channel", "channel_of", "preferred"]

# Upper ends of the bands in micrometres. The wide window band of GMS and early Meteosat has its centre at 11.5.
BANDS = (
    (0.78, "visible"),
    (3.0, "near infrared"),
    (4.6, "shortwave"),
    (7.9, "water vapour"),
    (9.2, "8.6 micrometre window"),
    (10.0, "ozone"),
    (11.6, "window"),
    (12.8, "split window"),
    (15.5, "CO2"),
)
WINDOWS = {"window", "split window", "8.6 micrometre window"}
OTHER = "other quantity"

# Numbered channels of imagers by a pattern for the platform, in micrometres. ABI and AHI share their numbers.
TABLES: dict[str, dict[int, float]] = {
    r"fy-?4a|agri_fy4a": {7: 3.75, 8: 3.75, 9: 6.25, 10: 7.1, 11: 8.5, 12: 10.8, 13: 12.0, 14: 13.5},
    r"fy-?4[b-z]|\bagri\b": {7: 3.75, 8: 3.75, 9: 6.25, 10: 6.95, 11: 7.42, 12: 8.55, 13: 10.8, 14: 12.0, 15: 13.3},
    r"modis|\bterra\b|\baqua\b": {20: 3.75, 27: 6.7, 28: 7.3, 29: 8.55, 30: 9.7, 31: 11.0, 32: 12.0, 33: 13.3},
    r"seviri|\bmsg|meteosat-?(8|9|10|11)": {4: 3.9, 5: 6.2, 6: 7.3, 7: 8.7, 8: 9.7, 9: 10.8, 10: 12.0, 11: 13.4},
    r"avhrr": {3: 3.7, 4: 10.8, 5: 12.0},
    r"goes-?(0?[89]|1[0-5])\b|goes_imager": {2: 3.9, 3: 6.6, 4: 10.7, 5: 12.0, 6: 13.3},
    r"\babi\b|goes|\bg1[6-9]\b|\bahi\b|himawari|\bh0[89]\b": {
        **dict.fromkeys(range(1, 7), 0.6),
        **{7: 3.9, 8: 6.2, 9: 6.9, 10: 7.3, 11: 8.5, 12: 9.6, 13: 10.4, 14: 11.2, 15: 12.3, 16: 13.3},
    },
}

MICROMETRES = r"(?:um|\u00b5m|\u03bcm|mic|microns?|micro-?met(?:er|re)s?)(?![a-z])"
IN_TEXT = re.compile(rf"(\d+(?:\.\d+)?)(?:\s*(?:-|to|\u2013)\s*(\d+(?:\.\d+)?))?[\s_-]*{MICROMETRES}", re.IGNORECASE)
# Names of ISCCP-NG: temp_11_00um; in channel_4_11um and temp_10_4um either number may be the wavelength.
UNDERSCORED = re.compile(rf"(?:(?<![a-z\d])|(?<=ir|wv|bt|tb))(\d\d?)_(\d\d?)[\s_-]*{MICROMETRES}", re.IGNORECASE)
# Names of Meteosat, FCI, AMI, MSU-GS and INSAT: IR_108, ir_105, WV_062, SW038, and of satpy's GOES: 10_7.
TENTHS = re.compile(r"(?:^|[_\W])(?:ir|wv|vis?|nr|nir|sw)_?(\d{3})(?!\d)", re.IGNORECASE)
POINT = re.compile(r"^(\d\d)_(\d)$")
NUMBER = r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
# One number, (low, high) or (low, centre, high) in a text.
LISTED = re.compile(rf"{NUMBER}(?:(?:\s*[,;~\u2013-]\s*|\s+){NUMBER}){{0,2}}")
LABEL = re.compile(r"(?:c|b|bt|m|ch|chan|channel|band|nomchannel)?[_ ]?0?(\d{1,2})", re.IGNORECASE)
# Names of ABI and AHI channels, whatever the platform; bt11 may be of 11 micrometres.
ABI_LABEL = re.compile(r"(?:(?:tbb|cmi|c|b|band|cmi_c|bt_c|bt_b)_?|bt_?(?!1[0-2]))(0[1-9]|1[0-6])", re.IGNORECASE)
# Words in long names and names of variables, such as those of HURSAT, GridSat, GMS, MTSAT and INSAT.
OTHER_NAMES = re.compile(r"vza|_adj|corr|bias|quality|noise|flag|mask|dqf", re.IGNORECASE)
WORDS = (
    (r"uncertaint|(?<![a-z])std|standard.deviation|error|nedt", OTHER),
    (r"(?<![a-z])(sst|lst|ctt|surface.temp|skin.temp|cloud.top.temp|dew.?point|air.temp)", OTHER),
    (r"ghz|micro.?wave|(?<![a-z])tb_?[a-z]?\d{2,3}(\.\d+)?_?[vh](?![a-z])", "microwave"),  # TB85H, TB_A89.0H
    (r"water.?vapou?r|irwvp|(?<![a-z])wv|(?<![a-z])ir_?3(?!\d)", "water vapour"),
    (r"split.?window|dirty|irspl|irwin_?2|(?<![a-z])t?ir_?2(?!\d)", "split window"),
    (r"short.?wave|near.?infrared|irnir|(?<![a-z])(swir|mir|mwir)(?![a-z])|(?<![a-z])ir_?4(?!\d)", "shortwave"),
    (r"ozone|(?<![a-z])o3", "ozone"),
    (r"co2|carbon.dioxide", "CO2"),
    (r"visible|vschn|(?<![a-z])vis(?![a-z])|reflectance|albedo", "visible"),
    (r"window|irwin|(?<![a-z])t?ir_?1(?!\d)", "window"),
)
PLAIN = re.compile(r"infra.?red|(?<![a-z])t?ir(?![a-z])", re.IGNORECASE)

WAVELENGTHS = (
    *("sensor_band_central_radiation_wavelength", "central_wavelength", "center_wavelength", "wavelength"),
    *("band_wavelength", "channel_wavelength", "radiation_wavelength"),
)
WAVENUMBERS = ("sensor_band_central_radiation_wavenumber", "central_wavenumber", "wavenumber")
NUMBERS = ("band_id", "channel_id", "band_number", "channel_number", "band", "channel")
TEXTS = (
    *("long_name", "description", "channel_name", "band_name"),
    *("channel", "band", "variable", "original_name", "name"),
)
PLATFORMS = (
    *("platform_name", "platform", "platform_ID", "satellite"),
    *("satellite_name", "Satellite_Name", "Satellite Name", "sensor", "instrument", "source"),
)


@dataclass(frozen=True)
class Channel:
    """The spectral channel of a measurement.

    `kind` is ``window`` (10 to 11.6 micrometres), ``split window``, ``8.6 micrometre window``, ``water vapour``,
    ``shortwave``, ``near infrared``, ``visible``, ``ozone``, ``CO2``, ``microwave``, ``other quantity`` for
    temperatures of no channel, or None if unknown. `wavelength` is the centre in micrometres.
    """

    kind: str | None = None
    wavelength: float | None = None

    @property
    def is_window(self) -> bool:
        """Whether the atmosphere is nearly transparent at this wavelength."""
        return self.kind in WINDOWS

    def __str__(self) -> str:
        """Return its name for a table or a message."""
        place = f"{self.wavelength:.3g} um" if self.wavelength else ""
        return ", ".join(filter(None, (self.kind or ("" if place else "unknown"), place)))


def channel_of(
    name: object, attrs: Mapping[Any, Any] | None = None, coords: Mapping[Any, xr.DataArray] | None = None
) -> Channel:
    """Return the channel of a variable by its name, attributes and scalar coordinates.

    Wavelengths in attributes and coordinates decide, then wavelengths and channel numbers in its name and description,
    then words.
    """
    attrs, name = attrs or {}, str(name).rsplit("/", 1)[-1]  # without its group
    scalars = {str(key): coord for key, coord in (coords or {}).items() if coord.size == 1}
    texts = [text_of(attrs[key]) for key in TEXTS if isinstance(attrs.get(key), str | bytes)]
    if OTHER_NAMES.search(name) or OTHER in map(_kind_by_words, (name, *texts)):
        return Channel(OTHER)
    platform = " ".join([text_of(attrs[key]) for key in PLATFORMS if key in attrs]).lower().strip()
    wavelength = (
        _stated_wavelength(attrs, scalars)
        or next(filter(None, (_wavelength_in(text, platform) for text in (name, *texts))), None)
        or _of_stated_number(attrs, scalars, platform)
    )
    if wavelength:
        return Channel(next((kind for end, kind in BANDS if wavelength < end), None), wavelength)
    kinds = (_kind_by_words(text) for text in (*texts, name))
    known = next((kind for kind in kinds if kind), None)
    plain = any(PLAIN.search(text) for text in (name, *texts))
    return Channel(known or ("window" if plain else None))


def preferred(candidates: Mapping[str, xr.DataArray]) -> str | None:
    """Return the name of the only variable, or of the one that is clearly the main window channel; else None.

    Of several, the channels of all must be known. The main one is the only window, or the only climate data record
    (``cdr`` in its name) among windows.
    """
    if len(candidates) == 1:
        return next(iter(candidates))
    channels = {name: channel_of(name, da.attrs, da.coords) for name, da in candidates.items()}
    if any(channel.kind is None for channel in channels.values()):
        return None
    windows = [name for name, channel in channels.items() if channel.is_window]
    records = [name for name in windows if re.search(r"(?<![a-z])cdr(?![a-z])", name.lower())]
    single = [names[0] for names in (records, windows) if len(names) == 1]
    return next((name for name in single if channels[name].kind == "window"), None)


def _stated_wavelength(attrs: Mapping[Any, Any], scalars: Mapping[str, xr.DataArray]) -> float | None:
    names = {name: (name, text_of(coord.attrs.get("standard_name", ""))) for name, coord in scalars.items()}
    for key in (*WAVELENGTHS, *WAVENUMBERS):
        stated = [(attrs[key], attrs.get(f"{key}_units", attrs.get(f"{key}_unit", "")))] if key in attrs else []
        stated += [
            (coord.values.item(), coord.attrs.get("units", "")) for name, coord in scalars.items() if key in names[name]
        ]
        for value, units in stated:
            if found := _micrometres(value, text_of(units), key in WAVENUMBERS):
                return found
    return None


def _micrometres(value: Any, units: str, is_wavenumber: bool) -> float | None:
    """Return a wavelength in micrometres from a number, a text, a range, satpy's WavelengthRange or its dictionary."""
    if isinstance(value, str | bytes):
        text = text_of(value)
        central = re.search(r"central\W+([\d.]+)", text)
        stated = LISTED.search(central[1] if central else text)
        units = units or ("nm" if re.search(r"\d\s*nm\b", text) else "")
        value = _middle([float(number) for number in re.findall(NUMBER, stated[0])]) if stated else np.nan
    elif isinstance(value, Mapping):
        value = value.get("central", np.nan)
    elif hasattr(value, "central"):
        value = value.central
    elif isinstance(value, Sequence | np.ndarray):
        value = _middle(value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    if not np.isfinite(number) or number <= 0:
        return None
    units = units.lower().replace(" ", "")
    if is_wavenumber:
        return _plausible((1e6 if units in {"m-1", "1/m", "m^-1"} else 1e4) / number)
    if units in {"nm", "nanometer", "nanometre"} or (not units and number >= 300):
        number /= 1000
    elif units in {"m", "meter", "metre"} or number < 1e-3:
        number *= 1e6
    return _plausible(number)


def _middle(values: Iterable[Any]) -> float:
    """Return the centre of (low, high) or (low, centre, high); ignore units behind them."""
    numbers = [float(value) for value in values if isinstance(value, int | float | np.number)]
    if len(numbers) == 3:
        return numbers[1]
    return float(np.mean(numbers)) if numbers else np.nan


def _plausible(wavelength: float) -> float | None:
    return wavelength if 0.3 <= wavelength < BANDS[-1][0] else None


def _of_stated_number(attrs: Mapping[Any, Any], scalars: Mapping[str, xr.DataArray], platform: str) -> float | None:
    """Return the wavelength of a channel that an attribute or a scalar coordinate numbers."""
    for key in NUMBERS:
        for value in (attrs.get(key), scalars[key].values.item() if key in scalars else None):
            if value is not None and (match := LABEL.fullmatch(text_of(value))):
                # Only ABI's files have a band_id.
                return _numbered(int(match[1]), platform or ("abi" if key == "band_id" else ""))
    return None


def _numbered(number: int, platform: str) -> float | None:
    tables = (table for pattern, table in TABLES.items() if re.search(pattern, platform))
    return next(tables, {}).get(number)


def _wavelength_in(text: str, platform: str) -> float | None:
    """Return the wavelength that a text states, in micrometres or by a channel's usual name."""
    if match := UNDERSCORED.search(text):
        return None if 3 <= int(match[2]) <= 14 else _plausible(float(f"{match[1]}.{match[2]}"))
    if match := IN_TEXT.search(text):
        return _plausible(_middle([float(part) for part in match.groups() if part]))
    if match := TENTHS.search(text) or POINT.search(text):
        return _plausible(float("".join(match.groups())) / 10)
    if (match := LABEL.fullmatch(text)) and (found := _numbered(int(match[1]), platform)):
        return found
    match = ABI_LABEL.fullmatch(text)
    return _numbered(int(match[1]), "abi") if match else None


def _kind_by_words(text: str) -> str | None:
    found = {kind for pattern, kind in WORDS if re.search(pattern, text, re.IGNORECASE)}
    if OTHER in found:
        return OTHER
    if {"split window", "window"} <= found:
        found.discard("window")
    return found.pop() if len(found) == 1 else None
