"""Sensor models as linear operators: what they see, their adjoint, and the projection onto what was seen."""

import pickle

import pytest
import torch

from tempogan_eddy.config import load_config
from tempogan_eddy.dataset.pack import _attributes
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.errors import InputError

KINDS = ["area", "bicubic", "gaussian"]


def frames(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(2, 32, 48), (3, 2, 24, 16)])
def test_the_adjoint_is_the_transpose_of_what_the_sensor_sees(kind, shape):
    sensor = SensorModel(kind, 4)
    x, y = frames(*shape), frames(*shape[:-2], shape[-2] // 4, shape[-1] // 4, seed=1)
    offset = sensor.see(torch.zeros(shape))  # 0 but for rounding: frames are measured from 250
    left, right = ((sensor.see(x) - offset) * y).sum(), (x * sensor.adjoint(y)).sum()
    torch.testing.assert_close(left, right, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_after_the_projection_the_sensor_sees_what_was_measured(kind):
    sensor = SensorModel(kind, 4)
    highres, measured = 250 + 20 * frames(2, 32, 48), 250 + 10 * frames(2, 8, 12, seed=1)
    projected = sensor.project(highres, measured)
    torch.testing.assert_close(sensor.see(projected), measured, atol=2e-3, rtol=0)
    torch.testing.assert_close(sensor.project(projected, measured), projected, atol=2e-3, rtol=0)
    # The nearest such frame: the change is made of what the sensor sees, so a change that it cannot see is kept.
    unseen = frames(2, 32, 48, seed=2)
    unseen = sensor.project(250 + unseen, torch.full((2, 8, 12), 250.0)) - 250
    torch.testing.assert_close(sensor.project(highres + unseen, measured), projected + unseen, atol=5e-3, rtol=0)


def test_the_projection_of_the_area_sensor_keeps_detail_and_skips_what_is_missing():
    highres, measured = 250 + frames(1, 8, 8), torch.tensor([[[260.0, torch.nan], [250.0, 240.0]]])
    projected = SensorModel("area", 4).project(highres, measured)
    torch.testing.assert_close(projected[..., :4, 4:], highres[..., :4, 4:])
    change = (projected - highres)[0, :4, :4]
    torch.testing.assert_close(change, change[0, 0].expand(4, 4), atol=1e-4, rtol=0)


def test_a_sensor_is_told_from_what_it_writes_and_survives_pickling():
    for sensor in (SensorModel("area", 2), SensorModel("gaussian", 4, 1.5), SensorModel("bicubic", 3)):
        assert SensorModel.from_attributes(sensor.attributes(), sensor.scale) == sensor
        assert pickle.loads(pickle.dumps(sensor)) == sensor
    assert SensorModel("area", 4, 1.5).attributes()["sensor_model_sigma"] == 0.0
    assert not SensorModel("area", noise_kelvin=0.1).keeps_block_mean and not SensorModel("bicubic").keeps_block_mean


def test_an_unknown_kind_or_parameter_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="Unknown sensor 'lens'; use one of area, bicubic, box, gaussian"):
        SensorModel("lens")
    with pytest.raises(InputError, match="The sensor area has no parameter 'width'; it has kind, scale"):
        SensorModel("area", width=3)
    config = load_config({"sensor": {"parameters": {"width": 3}}})
    with pytest.raises(InputError, match="no parameter 'width'"):
        SensorModel.from_config(config)


def test_a_packed_store_depends_on_the_parameters_that_the_kind_uses():
    told = _attributes(load_config({"sensor": {"kind": "gaussian", "sigma": 1.5}}))
    assert told["sensor"] == "gaussian" and told["sensor_sigma"] == 1.5
    assert _attributes(load_config())["sensor_sigma"] == 0.0
