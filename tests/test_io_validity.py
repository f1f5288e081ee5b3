"""Fill values, valid ranges, packing and flags."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempogan_eddy.io.values.validity import Decoding, bad_flags, flagged

KELVIN = 200.0 + np.arange(64).reshape(8, 8)
BYTES = (KELVIN - 75).astype("u1")


NO_FLAGS = {"flag_meanings": "good bad", "flag_values": np.array([0, np.nan])}


def decode(stored, **attrs):
    return Decoding.of(attrs, stored.dtype, "a.nc: Tb")(stored)


def missing(values):
    return set(KELVIN[np.isnan(values)].tolist())


@pytest.mark.parametrize(
    "attrs",
    [
        {"_FillValue": np.float32(201), "missing_value": np.float32(203)},
        {"missing_value": np.array([201, 203], "f4")},
        {"_FillValue": np.float32(201), "missing_value": "203"},
        {"_FillValue": "201", "missing_value": b"203.0"},
        {"fill_value": 201.0, "FillValue": 203.0},
        {"No_Data_Value": 201.0, "Missing Value": 203.0},
        {"undef": 201.0, "bad_value": 203.0},
    ],
)
def test_every_spelling_of_fill_values_counts(attrs):
    assert missing(decode(KELVIN.astype("f4"), **attrs)) == {201.0, 203.0}


PACKED = {"scale_factor": np.float32(1), "add_offset": np.float32(75)}


@pytest.mark.parametrize(
    ("attrs", "gone"),
    [
        ({"missing_value": np.float32(201)}, {201.0}),  # a float for bytes: unpacked
        ({"missing_value": np.uint8(126)}, {201.0}),  # a byte: packed
        ({"missing_value": np.float32(330)}, set()),  # unpacked 255, which is not here
        ({"_FillValue": np.uint8(126), "missing_value": np.float32(203)}, {201.0, 203.0}),
        ({"valid_range": np.array([127, 255], "u1")}, {200.0, 201.0}),
        ({"valid_min": np.float32(202)}, {200.0, 201.0}),
        ({"valid_min": np.int16(202), "valid_max": np.int16(262)}, {200.0, 201.0, 263.0}),  # 262 is no byte: unpacked
        ({"valid_max": np.uint8(187)}, {263.0}),
        ({"valid_range": "127 255"}, {200.0, 201.0}),
    ],
)
def test_attributes_of_packed_bytes_in_packed_and_unpacked_units(attrs, gone):
    values = decode(BYTES, **PACKED, **attrs)
    assert missing(values) == gone
    np.testing.assert_array_equal(values[~np.isnan(values)], KELVIN[~np.isnan(values)])


def test_merged_ir_of_byte_255_is_missing_by_330_kelvin():
    stored = BYTES.copy()
    stored[0, 0] = 255
    assert np.isnan(decode(stored, **PACKED, missing_value=np.float32(330))[0, 0])


def test_a_fill_that_only_packed_numbers_hold_is_packed():
    stored = np.array([[-9999, 100]], "i2")
    values = decode(stored, scale_factor=0.01, add_offset=250.0, missing_value=np.float32(-9999))
    np.testing.assert_allclose(values, [[np.nan, 251.0]])


def test_unsigned_numbers_in_a_signed_type():
    stored = np.array([[0, 200, 255]], "u1").view("i1")
    values = decode(stored, _Unsigned="true", _FillValue=np.int8(-1), add_offset=100.0, scale_factor=1.0)
    np.testing.assert_array_equal(values, [[100, 300, np.nan]])
    big_endian = np.array([[65535, 1000]], ">u2").view(">i2")
    values = decode(big_endian, _Unsigned="true", _FillValue=np.int16(-1), scale_factor=0.1)
    np.testing.assert_allclose(values, [[np.nan, 100]])


@pytest.mark.parametrize(
    "attrs",
    [
        {"_Unsigned": np.int32(1)},
        {"valid_range": np.array([0, 255], "i2")},
        {"valid_min": np.int16(0), "valid_max": np.int16(254)},
    ],
)
def test_bytes_are_unsigned_by_a_number_or_by_their_valid_range(attrs):
    stored = np.array([[10, 130, 254]], "u1").view("i1")
    np.testing.assert_array_equal(decode(stored, add_offset=75.0, **attrs), [[85, 205, 329]])


def test_a_valid_range_in_kelvin_leaves_bytes_signed():
    stored = np.array([[-100, 0, 100]], "i1")
    attrs = {"add_offset": 150.0, "valid_range": np.array([100, 250], "i2")}
    values = Decoding.of(attrs, stored.dtype, "a.nc: Tb", (100.0, 400.0))(stored)
    np.testing.assert_array_equal(values, [[np.nan, 150, 250]])


def test_a_negative_scale_reverses_the_valid_range():
    stored = np.array([[10, 100, 200]], "i2")
    values = decode(stored, scale_factor=-1.0, add_offset=300.0, valid_range=np.array([150.0, 250.0], "f4"))
    np.testing.assert_array_equal(values, [[np.nan, 200, np.nan]])


@pytest.mark.parametrize(
    "attrs", [{"missing_value": "none"}, {"valid_range": np.array([1.0])}, {"scale_factor": 0.0}, {"valid_min": "low"}]
)
def test_invalid_attributes_are_ignored_with_a_warning(attrs, caplog):
    np.testing.assert_array_equal(decode(KELVIN.astype("f4"), **attrs), KELVIN)
    assert "ignored" in caplog.text
    assert "a.nc: Tb" in caplog.text


def test_numbers_without_attributes_are_returned_unchanged():
    stored = KELVIN.astype("f4")
    assert decode(stored) is stored


@given(
    st.floats(1e-3, 2).filter(lambda scale: scale > 0),
    st.floats(-300, 300),
    st.lists(st.integers(-30000, 30000), min_size=1, max_size=20),
    st.integers(-32768, 32767),
)
def test_packing_is_undone_and_the_fill_is_missing(scale, offset, numbers, fill):
    stored = np.array(numbers, "i2")
    values = decode(stored, scale_factor=scale, add_offset=offset, _FillValue=np.int16(fill))
    np.testing.assert_array_equal(np.isnan(values), stored == fill)
    good = stored != fill
    np.testing.assert_allclose(values[good], stored[good] * scale + offset, rtol=1e-6, atol=1e-4)


def test_flags_by_value_and_by_mask():
    goes = {"flag_meanings": "good conditionally_usable out_of_range no_value", "flag_values": np.arange(4, dtype="i1")}
    names, tests = bad_flags(goes)
    assert names == ["out_of_range", "no_value"]
    np.testing.assert_array_equal(flagged(np.array([0, 1, 2, 3], "i1"), tests), [False, False, True, True])
    bits = {"flag_meanings": "invalid_scan cloudy no_error missing", "flag_masks": np.array([1, 2, 4, 8], "u1")}
    names, tests = bad_flags(bits)
    assert names == ["invalid_scan", "missing"]
    np.testing.assert_array_equal(flagged(np.array([0, 1, 2, 4, 10], "u1"), tests), [False, True, False, False, True])


@pytest.mark.parametrize("meanings", ["good bad no_value", "good, bad, no_value", ["good", "bad", "no_value"]], ids=str)
@pytest.mark.parametrize("values", [np.array([0, 1, 255], "u1"), np.array([0, 1, -1], "i1"), "0b, 1b, 255b"], ids=str)
def test_flags_are_read_in_every_spelling_and_sign(meanings, values):
    names, tests = bad_flags({"flag_meanings": meanings, "flag_values": values})
    assert names == ["bad", "no_value"]
    for flags in (np.array([0, 1, 255], "u1"), np.array([0, 1, 255], "u1").view("i1")):
        np.testing.assert_array_equal(flagged(flags, tests), [False, True, True])


def test_flags_in_floats_count_and_nan_has_no_meaning():
    _, tests = bad_flags({"flag_meanings": "missing good", "flag_values": np.array([0, 1], "f4")})
    np.testing.assert_array_equal(flagged(np.array([0, 1, np.nan], "f4"), tests), [True, False, False])


@pytest.mark.parametrize(
    "attrs", [{}, {"flag_meanings": "good bad"}, {"flag_meanings": "bad", "flag_values": [0, 1]}, NO_FLAGS]
)
def test_flags_that_cannot_be_read_mask_nothing(attrs):
    assert bad_flags(attrs) == ([], [])
