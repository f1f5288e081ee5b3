"""Sensors as text: presets, forms, and the text of any sensor."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tempogan_eddy.config import load_config
from tempogan_eddy.dataset.random_sensors import random_sensors
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.sensor_presets import PRESETS
from tempogan_eddy.errors import InputError
from tempogan_eddy.registry import SENSORS

WIDTH, WIDE = st.floats(0.01, 4), st.floats(0, 2)
COMMON = {
    "noise_kelvin": st.floats(0, 2),
    "wavelength": st.floats(3, 16),
    "quantum": st.floats(0, 2),
    "cold_quantum": st.floats(0, 2),
    "bits": st.integers(4, 16),
}
OWN = {
    "area": {},
    "bicubic": {},
    "nearest": {},
    "box": {"width": WIDTH, "fwhm": WIDE, "phase": st.floats(-1, 1), "width_x": WIDTH, "fwhm_x": WIDE},
    "gaussian": {"fwhm": WIDTH, "phase_x": st.floats(-1, 1)},
}


@st.composite
def sensors(draw):
    kind = draw(st.sampled_from(sorted(OWN)))
    chosen = draw(st.sets(st.sampled_from(sorted(OWN[kind] | COMMON))))
    parameters = {name: draw((OWN[kind] | COMMON)[name]) for name in sorted(chosen)}
    if "wavelength" not in parameters:
        parameters.pop("bits", None)
    return SensorModel(kind, draw(st.sampled_from([2, 3, 4, 8])), **parameters)


@settings(deadline=None)
@given(sensors())
def test_the_text_and_the_attributes_of_a_sensor_give_it_back(sensor):
    assert SensorModel.parse(sensor.text, sensor.scale) == sensor
    assert SensorModel.from_attributes(sensor.attributes(), sensor.scale) == sensor


def test_the_random_sensors_of_training_have_texts():
    for sensor in random_sensors(50, 4, seed=1):
        assert SensorModel.parse(sensor.text) == sensor


def test_a_form_states_a_sensor():
    assert SensorModel.parse("area", 2) == SensorModel("area", 2)
    assert SensorModel.parse("gaussian, fwhm=1.0, noise=0.3") == SensorModel("gaussian", fwhm=1.0, noise_kelvin=0.3)
    assert SensorModel.parse("box,width=1.6").text == "box,width=1.6"
    assert SensorModel.parse("gaussian,sigma=1.5").text == "gaussian,sigma=1.5"
    assert SensorModel.parse("box,width=0.5").kernels[0] == (0, 0.5, 0.5, 0)
    assert SensorModel.parse("area,quantum=1").parameters == {"quantum": 1.0}
    assert [SensorModel.parse("nearest", scale).kernels[1].index(1) for scale in (2, 3, 4)] == [1, 1, 2]


def test_a_preset_is_a_form_that_parts_change():
    assert SensorModel.parse("seviri") == SensorModel.parse(PRESETS["seviri"].text)
    changed = SensorModel.parse("seviri,noise=0.7,width_x=1.2")
    assert (changed.noise_kelvin, changed.width_x) == (0.7, 1.2)
    assert changed.wavelength == SensorModel.parse("seviri").wavelength > 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sevri", r"'sevri' begins with no known name \(did you mean 'seviri'\?\); presets"),
        ("SEVIRI", "did you mean 'seviri'"),
        ("isccp_DX,noise=1", "did you mean 'isccp-dx'"),
        ("GOES-16", "did you mean 'abi'"),
        ("goes 12", "did you mean 'goes-imager'"),
        ("Himawari-8", "did you mean 'ahi'"),
        ("box width=1.6", "did you mean 'box'"),
        ("Box;Width=1.6", "did you mean 'box'"),
        ("area,noise_kelvin=1", "did you mean 'noise'"),
        ("vissr,ColdQuantum=1", "did you mean 'cold_quantum'"),
        ("box,widthx=1", "did you mean 'width_x'"),
        ("", "presets are area, seviri, .* forms begin with area, bicubic, box"),
        ("gaussian,fwmh=1", r"unknown key 'fwmh' \(did you mean 'fwhm'\?\); gaussian has"),
        ("area,width=1", "unknown key 'width'; area has noise"),
        ("area,scale=3", "unknown key 'scale'"),
        ("area,noise", "part 'noise'; write key=value"),
        ("area,noise=1,noise=2", "states noise twice"),
        ("box,width=100", "width = 100.0; give a number from 0 to 8"),
        ("box,width=wide", "width = 'wide'; give a number"),
        ("area,noise=nan", "noise_kelvin = nan; give a number from 0 to 20"),
        ("area,noise=-1", "noise_kelvin = -1.0"),
        ("area,quantum=inf", "quantum = inf"),
        ("area,wavelength=10,bits=8.5", "bits = 8.5; give a whole number from 4 to 16"),
        ("area,bits=8", "give its wavelength"),
        ("area,wavelength=0.6", "wavelength = 0.6; give a number from 3 to 16"),
    ],
)
def test_a_wrong_text_is_refused_by_the_part_that_is_wrong(text, said):
    with pytest.raises(InputError, match=said):
        SensorModel.parse(text)


def test_every_kind_of_this_package_is_tried():
    assert set(OWN) == set(SENSORS)


def test_a_configuration_takes_a_text_in_place_of_the_section():
    config = load_config({"sensor": "gaussian,fwhm=1.5,noise=0.3"})
    assert SensorModel.from_config(config) == SensorModel("gaussian", fwhm=1.5, noise_kelvin=0.3)
    config = load_config({"model": {"upsample_factor": 2}}, ["sensor=seviri,noise=0.5"])
    assert SensorModel.from_config(config) == SensorModel.parse("seviri,noise=0.5", 2)
    assert load_config(json.loads(config.to_json())) == config
    for text in ("box,width=100", "gridsad"):
        with pytest.raises(InputError, match=f"--set sensor={text}: sensor: The sensor"):
            load_config(None, [f"sensor={text}"])


@settings(deadline=None)
@given(sensors())
def test_a_configuration_holds_any_sensor(sensor):
    shape = {"model": {"upsample_factor": sensor.scale}, "training": {"patch_size": 48}}
    config = load_config({"sensor": sensor.section(), **shape})
    assert SensorModel.from_config(config) == sensor


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gaussian,fwhm_x=1.5", "give fwhm beside fwhm_x"),
        ("gaussian,fwhm=1,sigma=1", "two widths, fwhm and sigma; give one"),
    ],
)
def test_no_width_of_a_gaussian_is_ignored_or_left_to_a_default(text, words):
    with pytest.raises(InputError, match=words):
        SensorModel.parse(text)


def test_no_gaussian_at_all_is_a_box_or_a_point():
    assert SensorModel.parse("gaussian,width=1.6,fwhm=0").kernels == SensorModel.parse("box,width=1.6").kernels
    assert SensorModel.parse("gaussian,fwhm=0").kernels == SensorModel.parse("box,width=0").kernels
    assert SensorModel.parse("gaussian,fwhm=0").text == "gaussian,fwhm=0"


@given(st.sampled_from([2, 3, 4, 8]), st.floats(0.01, 0.2), st.floats(-1, 1))
def test_the_narrowest_gaussian_sees_the_pixels_nearest_to_its_centre(scale, sigma, phase):
    kernel = np.array(SensorModel("gaussian", scale, sigma=sigma, phase=phase).kernels[0])
    offsets = np.arange(len(kernel)) - (len(kernel) - 1) / 2 - phase * scale
    assert kernel.sum() == pytest.approx(1)
    assert kernel[np.abs(offsets) > np.abs(offsets).min() + 1].sum() == pytest.approx(0, abs=1e-6)
