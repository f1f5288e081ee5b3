"""Colour tables and animations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempogan_eddy.display.colours import COLOUR_TABLES, ColourTable

TABLES = pytest.mark.parametrize("table", COLOUR_TABLES.values(), ids=COLOUR_TABLES.keys())
KELVINS = np.linspace(150, 340, 19001)


def lightness(rgb):
    """CIE L* of sRGB."""
    linear = (np.asarray(rgb) / 255) ** 2.2
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    return 116 * np.cbrt(np.maximum(luminance, 0.009)) - 16


@TABLES
def test_stops_go_from_cold_to_warm_and_have_their_own_colours(table):
    kelvins = [kelvin for kelvin, _ in table.stops]
    assert kelvins == sorted(kelvins) and max(kelvins.count(kelvin) for kelvin in kelvins) <= 2
    for kelvin, colour in dict(table.stops).items():  # of a step, its warm side
        assert table.rgb(np.array(kelvin + 1e-4)).tolist() == pytest.approx(colour, abs=1)
    for kelvin, colour in reversed(table.stops):  # of a step, its cold side just below
        below = table.rgb(np.array(kelvin - 1e-6)).tolist()
        assert below == pytest.approx(colour, abs=1) or kelvins.count(kelvin) == 2


@TABLES
def test_colours_keep_shape_and_go_on_beyond_the_ends(table):
    frame = np.full((3, 4, 5), 250.0, np.float32)
    assert table.rgb(frame).shape == (3, 4, 5, 3) and table.rgb(frame).dtype == np.uint8
    assert tuple(table.rgb(np.array(0.0))) == table.stops[0][1]
    assert tuple(table.rgb(np.array(1e4))) == table.stops[-1][1]


@TABLES
def test_missing_looks_like_no_kelvin(table):
    assert tuple(table.rgb(np.array([np.nan]))[0]) == table.missing
    distance = np.linalg.norm(table.rgb(KELVINS).astype(float) - table.missing, axis=-1)
    assert distance.min() > 35


@TABLES
@given(kelvin=st.floats(171, 319), step=st.floats(1e-4, 2e-3))
def test_colours_are_continuous_but_at_steps(table, kelvin, step):
    kelvins = [kelvin for kelvin, _ in table.stops]
    at_step = any(kelvin <= stop <= kelvin + step for stop in kelvins if kelvins.count(stop) == 2)
    change = np.abs(np.diff(table.rgb(np.array([kelvin, kelvin + step])).astype(int), axis=0)).max()
    assert at_step or change <= 1


def test_grey_gets_darker_with_every_kelvin():
    levels = COLOUR_TABLES["grey"].rgb(np.arange(170, 321))
    assert (np.diff(levels[:, 0].astype(int)) < 0).all() and np.ptp(levels, axis=-1).max() == 0


@pytest.mark.parametrize(
    ("celsius", "level"),
    [(-85, 0x55), (-78, 0x87), (-72, 255), (-66, 0), (-58, 0xA0), (-47, 0x6E), (-35, 0x3C), (-29.9, 0xC9), (35, 0)],
)
def test_bd_has_the_shades_that_analysts_count_by(celsius, level):
    assert tuple(COLOUR_TABLES["bd"].rgb(np.array(celsius + 273.15))) == (level,) * 3


def test_bd_is_flat_where_the_curve_is_flat_and_rises_on_both_warm_ramps():
    bd = COLOUR_TABLES["bd"]
    flat = bd.rgb(np.linspace(-62.9, -53.1, 50) + 273.15)
    assert (flat == flat[0]).all()
    for warm, cold in ((27.9, 9.1), (8.9, -29.9)):
        assert (np.diff(bd.rgb(np.linspace(warm, cold, 50) + 273.15)[:, 0].astype(int)) >= 0).all()


def test_infrared_is_orderly():
    """Lightness goes one way in every part, and no kelvin is invisible or glaring beside its neighbour."""
    table = COLOUR_TABLES["infrared"]
    for cold, warm, sign in ((171, 189, -1), (192, 213, 1), (215, 239, -1), (241, 300, -1)):
        steps = sign * np.diff(lightness(table.rgb(np.arange(cold, warm + 1))))
        assert steps.min() > 0.2, (cold, warm)
        assert steps.max() < 9, (cold, warm)
    assert np.ptp(table.rgb(np.arange(240, 321)), axis=-1).max() == 0  # grey above 240 K


def test_a_table_of_two_colours_mixes_linearly():
    table = ColourTable("t", "T", ((200.0, (0, 0, 0)), (300.0, (200, 100, 50))), (1, 2, 3))
    assert table.rgb(np.array([225.0, 250.0])).tolist() == [[50, 25, 12], [100, 50, 25]]
