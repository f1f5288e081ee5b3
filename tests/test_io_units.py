"""Units, axes and cadence: the rules that every reader shares."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tempogan_eddy.io.values.units import kelvin_conversion

OFFSETS = {0, 273.15, 459.67 * 5 / 9}

# As found in public files: Digital Typhoon (K (kelvin)), merged IR, GridSat, GOES, Himawari, MTG, ISCCP, HURSAT, satpy,
# WRF, ERA5, MODIS, and the spellings that UDUNITS and pint accept.
KELVIN_SPELLINGS = (
    *(
        "K",
        "K ",
        " K",
        "k",
        "[K]",
        "(K)",
        "K (kelvin)",
        b"K (kelvin)",
        b"K",
        b"kelvin\0",
        np.array(["K"]),
        np.bytes_("K"),
    ),
    *("kelvin", "Kelvin", "KELVIN", "kelvins", "Kelvin (K)", "K [kelvin]", "Brightness temperature (K)"),
    *(
        "degK",
        "deg_K",
        "deg K",
        "deg. K",
        "degree_K",
        "degree K",
        "degrees K",
        "degrees_K",
        "degreeK",
        "Degrees Kelvin",
    ),
    *("degree_kelvin", "degrees_kelvin", "degrees kelvin (K)", "\u00b0K", "\u00ba K", "\u00c2\u00b0K", "\u212a", "K."),
)
CELSIUS_SPELLINGS = (
    *(
        "degC",
        "deg_C",
        "deg C",
        "degree_C",
        "degrees_C",
        "celsius",
        "Celsius",
        "Celcius",
        "degree_Celsius",
        "centigrade",
    ),
    *("degrees Celsius", "degrees_celsius", "\u00b0C", "\u00ba C", "\u00c2\u00b0C", "C", "\u2103", "[degC]", b"degC"),
    *("Celsius (degC)", "Deg. Celsius"),
)


@pytest.mark.parametrize("units", KELVIN_SPELLINGS, ids=repr)
def test_kelvin_in_every_spelling(units):
    conversion = kelvin_conversion(units)
    assert conversion is not None
    assert (conversion.scale, conversion.offset) == (1.0, 0.0)


@pytest.mark.parametrize("units", CELSIUS_SPELLINGS, ids=repr)
def test_celsius_in_every_spelling(units):
    conversion = kelvin_conversion(units)
    assert conversion is not None
    assert (conversion.scale, conversion.offset) == (1.0, 273.15)


@pytest.mark.parametrize(
    ("units", "value"),
    [
        *(("0.01 K", 25315), (".01 K", 25315), ("cK", 25315), ("mK", 253150), ("1e-1 kelvin", 2531.5)),
        *(("10^-2 K", 25315), ("10-2 K", 25315), ("10**-2 kelvin", 25315), ("K*10^-2", 25315), ("10 K", 25.315)),
        *(("K*100", 25315), ("K x 10", 2531.5), ("K (x100)", 25315), ("Kelvin [*10]", 2531.5), ("K/100.", 25315)),
        *(("K x0.01", 25315), ("degC*10", -200), ("oC", -20)),
    ],
)
def test_parts_of_a_kelvin(units, value):
    assert kelvin_conversion(units)(np.array(value)) == pytest.approx(253.15)


def test_fahrenheit():
    assert kelvin_conversion("degF")(np.array([-4.0, 32.0])) == pytest.approx([253.15, 273.15])


@pytest.mark.parametrize(
    "units",
    ["", "m", "percent", None, "kPa", "1", "none", "K s-1", "K/km", "K/0", "deg", "degrees_north", "counts"],
)
def test_other_units_are_no_temperature(units):
    assert kelvin_conversion(units) is None


def test_units_that_contradict_themselves_are_refused():
    assert kelvin_conversion("K (celsius)") is None


@given(
    st.text(max_size=30)
    | st.binary(max_size=30)
    | st.from_regex(r"[0-9.e+-]{1,9} (c|m)?K( \(kelvin\))?", fullmatch=True)
)
@example("1e999 K")
@example("1e200 1e200 K")
@example("1e-200 1e-200 K")
@example("K*1e-310")
def test_any_text_gives_a_conversion_or_none(units):
    conversion = kelvin_conversion(units)
    assert conversion is None or (0 < conversion.scale < np.inf and conversion.offset in OFFSETS)
