"""A file names its instrument: which preset it gets, and when that is used."""

import numpy as np
import pytest
import xarray as xr

from tempogan_eddy import reconstruct
from tempogan_eddy.dataset.sensor_names import named_preset
from tempogan_eddy.dataset.sensor_presets import PRESETS
from tempogan_eddy.errors import InputError
from test_sensor_estimate import power_law, seen


def named(satellites=(), **attrs):
    coords = {"satellite": ("time", list(satellites))} if satellites else {}
    return xr.DataArray(np.zeros((len(satellites) or 1, 2, 2)), dims=("time", "y", "x"), coords=coords, attrs=attrs)


@pytest.mark.parametrize(
    ("attrs", "preset"),
    [
        ({"platform": "Meteosat-10", "instrument": "SEVIRI"}, "seviri"),
        ({"platform_name": "MSG3"}, "seviri"),
        ({"platform": "Meteosat-7"}, None),
        ({"sensor": "seviri"}, "seviri"),
        ({"Sensor_Name": "AHI"}, "ahi"),
        ({"sensor_zenith_note": "abi"}, None),
        ({"platform_ID": "G16", "instrument_type": "GOES-R Series Advanced Baseline Imager"}, "abi"),
        ({"platform": "GOES-13"}, "goes-imager"),
        ({"satellite": "GOES-08"}, "goes-imager"),
        ({"platform": "Himawari-8", "instrument": "AHI"}, "ahi"),
        ({"platform": "ARABIA"}, None),
        ({"title": "GRIDSAT-B1 CDR", "platform": "GOES-12, Meteosat-9"}, "gridsat"),
        ({"id": "HURSAT-B1_v06_2005", "satellite": "MTSAT-1R"}, "hursat"),
        ({"title": "NCEP/CPC 4km Global (60N - 60S) IR Dataset"}, "merged-ir"),
        ({"platform": "GMS-4", "instrument": "VISSR"}, "vissr"),
        ({"platform": "GMS-5; GOES-9"}, None),
        ({"title": "GMS-5 and friends"}, None),
    ],
)
def test_attributes_name_a_preset(attrs, preset):
    assert named_preset(named(**attrs)) == preset
    assert preset is None or preset in PRESETS


@pytest.mark.parametrize(
    ("satellites", "preset"),
    [(["GMS3"] * 2, "vissr"), (["GOE9"], "goes-imager"), (["MTS1"], "jami"), (["HMW8", "HMW9"], "ahi"),
     (["GMS5", "GOE9"], None), (["synthetic"], None)],
)  # fmt: skip
def test_satellites_of_digital_typhoon_name_a_preset(satellites, preset):
    assert named_preset(named(satellites)) == preset


def test_a_named_preset_is_used_only_where_the_frames_agree(caplog):
    truth = power_law()
    attrs = {"units": "K", "standard_name": "brightness_temperature", "platform": "Meteosat-10"}
    for text, told, sensor in (
        ("seviri", "sensor seviri and its frames agree", "seviri"),
        ("box,width=0.5", "sensor seviri, which its frames do not show", "area"),
    ):
        lowres = xr.DataArray(seen(truth, text)[:2], dims=("time", "y", "x"), attrs=attrs)
        caplog.clear()
        result = reconstruct(lowres, "faithful")
        assert told in caplog.text
        nameless = lowres.drop_attrs().assign_attrs(units="K")
        expected = reconstruct(nameless, "faithful", sensor=sensor, trust_sensor=True)
        np.testing.assert_array_equal(result.values, expected.values)


def test_a_file_that_names_several_sensors_is_not_called_silent(caplog):
    frames = xr.DataArray(np.full((1, 40, 40), 250.0), dims=("time", "y", "x"), attrs={"units": "K"})
    reconstruct(frames.assign_attrs(platform="GMS-5; GOES-9"), "faithful")
    assert "names several sensors, goes-imager, vissr; the mean over a block is assumed" in caplog.text


@pytest.mark.parametrize("attrs", [{"sensor_model": "mine"}, {"sensor_model": "box", "sensor_model_width": "wide"}])
def test_a_recorded_sensor_that_cannot_be_read_is_refused_unless_another_is_stated(attrs, caplog):
    frames = xr.DataArray(np.full((1, 40, 40), 250.0), dims=("time", "y", "x"), attrs={"units": "K"} | attrs)
    with pytest.raises(InputError, match=r"records a sensor that cannot be used: .*; (use|give) .* with --sensor"):
        reconstruct(frames, "faithful")
    assert reconstruct(frames, "faithful", sensor="box,width=1.6").shape == (1, 160, 160)
    assert "records a sensor that cannot be used" in caplog.text
