"""Learned ensembles: their scores, what every member keeps, noise, dressing, training and drawing."""

import math

import numpy as np
import pytest
import torch

from scripts.average_models import average
from tempogan_eddy.config import load_config
from tempogan_eddy.dataset.sensor import ERROR_KELVIN, SensorModel
from tempogan_eddy.dataset.sensor_bank import DESCRIPTION, SensorBank
from tempogan_eddy.errors import InputError
from tempogan_eddy.kelvin import VALID_KELVIN
from tempogan_eddy.model.ensemble import (
    MARGIN,
    NOISE_CHANNELS,
    WIDTHS,
    Dressing,
    Ensemble,
    Textures,
    local_spread,
    noise_of_frame,
)
from tempogan_eddy.model.members import NEAR, WARMER, add_detail, assemble, warmest_around
from tempogan_eddy.model.scaling import from_kelvin, to_kelvin
from tempogan_eddy.model.scoring import (
    coldest_distance,
    energy_score,
    patch_distance,
    pixel_distance,
    spectral_distance,
    step_distance,
)
from tempogan_eddy.reconstruction import Reconstructor
from tempogan_eddy.reconstruction.ensemble import EnsembleReconstructor
from tempogan_eddy.reconstruction.members import MemberDraw
from tempogan_eddy.training.ensemble import EnsembleTrainer
from tempogan_eddy.training.trainer import TempoGANTrainer
from tempogan_eddy.weights import Model, load_model, save_model
from test_conditioned import conditioned_config, random_generator, random_model
from training_cases import moving_clouds, write_storms

RANGE = (170.0, 320.0)
SENSORS = [
    SensorModel("area", 4),
    SensorModel("box", 4, width=1.6, fwhm=0.47),
    SensorModel("gaussian", 4, fwhm=1.0, wavelength=10.8),
    SensorModel("box", 4, width=0.5),
]


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# Scores


@pytest.mark.parametrize("count", [2, 3, 8])
def test_the_fair_crps_does_not_depend_on_the_number_of_members(count):
    members, truth = normal(count, 200_000), normal(200_000, seed=1)
    expected = 1 / math.sqrt(math.pi)  # of a standard normal distribution, for truths drawn from it
    fair, plain, almost = (energy_score(members, truth, pixel_distance, alpha).mean() for alpha in (1.0, 0.0, 0.95))
    assert fair.item() == pytest.approx(expected, rel=0.01)
    assert plain.item() == pytest.approx(expected * (1 + 1 / count), rel=0.01)
    assert almost.item() == pytest.approx(0.95 * fair.item() + 0.05 * plain.item())


def test_the_score_is_that_of_the_definition():
    members, truth = np.array([1.0, 4.0, 2.0]), 3.0
    error = np.abs(members - truth).mean()
    between = np.abs(members[:, None] - members).sum() / (2 * 3 * 2)
    score = energy_score(torch.from_numpy(members)[:, None], torch.tensor([truth]), pixel_distance)
    assert score.item() == pytest.approx(error - between)


@pytest.mark.parametrize("distance", [pixel_distance, patch_distance, step_distance, coldest_distance])
def test_scores_are_least_for_the_true_spread(distance):
    truth = normal(64, 32, 32)
    scores = [energy_score(scale * normal(2, 64, 32, 32, seed=1), truth, distance).mean() for scale in (0.7, 1, 1.4)]
    assert scores[1] < min(scores[0], scores[2])


def test_coldest_pixels_are_those_of_each_window():
    truth = torch.zeros(1, 32, 32)
    ours = truth.clone()
    ours[0, 3, 30] = -6.0
    ours[0, 5, 31] = -2.0  # in the same windows, so it does not count
    torch.testing.assert_close(coldest_distance(ours, truth), torch.tensor([6.0 / 4, 6.0]))
    corner = coldest_distance(ours[:, :12, -12:], truth[:, :12, -12:])  # one window, smaller than both
    torch.testing.assert_close(corner, torch.tensor([6.0, 6.0]))


def test_coldest_pixels_count_below_235_kelvin():
    truth = torch.full((1, 16, 16), 280.0)
    ours = truth.clone()
    ours[0, 3, 8] = 240
    torch.testing.assert_close(coldest_distance(ours, truth), torch.tensor([0.0, 0.0]))
    ours[0, 3, 8] = 230
    torch.testing.assert_close(coldest_distance(ours, truth), torch.tensor([5.0, 5.0]))


def test_steps_are_those_to_the_next_pixels():
    ours = torch.tensor([[[0.0, 1.0], [4.0, 9.0]]])
    assert step_distance(ours, torch.zeros(1, 2, 2)).tolist() == [4.0, 8.0, 1.0, 5.0]
    assert step_distance(ours + 7, ours).tolist() == [0.0] * 4


def test_the_spectral_score_sees_a_false_texture_that_pixels_do_not_show():
    white = normal(5, 96, 32, 32)
    blurred = (white + white.roll(1, -1) + white.roll(1, -2) + white.roll((1, 1), (-2, -1))) / 2  # as strong
    truth, right, wrong = blurred[0], blurred[1:3], white[3:]
    spectral = spectral_distance(truth, torch.zeros_like(truth))
    pixels = [energy_score(members, truth, pixel_distance).mean().item() for members in (right, wrong)]
    modes = [energy_score(members, truth, spectral).mean().item() for members in (right, wrong)]
    assert pixels[0] == pytest.approx(pixels[1], rel=0.01)
    assert modes[0] < 0.97 * modes[1]


# Networks


def random_ensemble(textures=4):
    torch.manual_seed(0)
    ensemble = Ensemble(DESCRIPTION, 2, 4, 8, textures)
    ensemble.adopt(random_generator().state_dict())
    torch.nn.init.normal_(ensemble.textures.modulation.weight, std=0.1)
    torch.nn.init.normal_(ensemble.textures.lean.weight, std=0.002)
    ensemble.dressing.fit(torch.rand(1000), torch.full((1000,), 1e-4))
    return ensemble.eval().requires_grad_(False)


def ensemble_model():
    config = load_config(
        {
            "model": {"n_residual_blocks": 2, "channels": 8, "conditioned": True, "textures": 4},
            "sensor": {"random": True},
            "training": {"score": "crps"},
        }
    )
    return Model.from_config(random_ensemble(), config, "test")


def draw(ensemble, sensor, count, dressing=False, size=12, noise=None):
    """The mean (1, 1, H, W), the members (1, M, H, W) and the measured frame (1, 1, h, w), in kelvin."""
    truth = torch.from_numpy(moving_clouds(frames=1, size=4 * size).values)[:, None].float()
    lowres = from_kelvin(sensor.see(truth), RANGE)
    sensors = SensorBank([sensor]).batch(torch.zeros(1, dtype=torch.long), size, size)
    channels = ensemble.source(dressing).noise_channels
    if noise is None:
        noise = torch.stack([noise_of_frame(channels, size, size, 0, member) for member in range(count)])
    mean, members = assemble(*ensemble(lowres, sensors.description, noise[None], dressing), lowres, sensors, RANGE)
    return mean, members, to_kelvin(lowres, RANGE)


@pytest.mark.parametrize("dressing", [False, True])
@pytest.mark.parametrize("sensor", SENSORS, ids=lambda sensor: sensor.text)
def test_every_member_keeps_what_was_measured(sensor, dressing):
    _, members, lowres = draw(random_ensemble(), sensor, 4, dressing)
    assert members.std(dim=1).mean() > 0.5
    assert (sensor.see(members) - lowres).abs().max() < 1e-3


def test_the_mean_of_many_members_is_the_frame_of_the_mean(unbounded):
    for dressing in (False, True):
        mean, members, _ = draw(random_ensemble(), SENSORS[0], 400, dressing)
        error = (members.mean(dim=1, keepdim=True) - mean) / members.std(dim=1, keepdim=True) * 20
        assert error.abs().max() < 5 and error.std() == pytest.approx(1, abs=0.1)


def test_without_noise_or_amplitude_every_member_is_the_mean_frame():
    ensemble = random_ensemble()
    torch.nn.init.zeros_(ensemble.textures.lean.weight)
    silent = torch.zeros(2, ensemble.textures.noise_channels, 12 + 2 * MARGIN, 12 + 2 * MARGIN)
    mean, members, _ = draw(ensemble, SENSORS[0], 2, noise=silent)
    torch.testing.assert_close(members, mean.expand_as(members), atol=1e-4, rtol=0)
    torch.nn.init.zeros_(ensemble.textures.last.weight)
    torch.nn.init.constant_(ensemble.textures.last.bias, -1e4)
    mean, members, _ = draw(ensemble, SENSORS[0], 2)
    torch.testing.assert_close(members, mean.expand_as(members), atol=1e-4, rtol=0)


def test_noise_leaves_the_sensors_noise_its_share():
    """Where the measurement is noisy, members may differ from it, but by less than its noise."""
    quiet, noisy = SensorModel("area", 4, noise_kelvin=0.01), SensorModel("area", 4, noise_kelvin=3.0)
    differences = []
    for sensor in (quiet, noisy):
        mean, members, _ = draw(random_ensemble(), sensor, 8)
        differences.append(float((sensor.see(members) - sensor.see(mean)).std()))
    assert differences[0] < 1e-3 < differences[1] < 3.0


@pytest.mark.parametrize("wavelength", [0.0, 10.8])
def test_members_differ_as_much_as_the_noise_leaves_open(wavelength):
    """If all of it is gaussian, members that draw the noise of the sensor have the variance of the posterior."""
    sensor = SensorModel("area", 4, noise_kelvin=1.0, wavelength=wavelength)
    sensors = SensorBank([sensor]).batch(torch.zeros(1, dtype=torch.long), 10, 10)
    frame, added = torch.full((1, 1, 40, 40), 250.0), ERROR_KELVIN * normal(1, 1000, 40, 40)
    seen = sensor.see(sensors.keep(frame + added, frame, normal(1, 1000, 10, 10, seed=1)).transpose(0, 1))
    before, noise = ERROR_KELVIN / 4, sensor.noise
    expected = (1 / (1 / before**2 + 1 / noise**2)) ** 0.5
    assert seen.std().item() == pytest.approx(expected, rel=0.01)
    assert seen.mean().item() == pytest.approx(250, abs=0.1)
    assert sensors.keep(frame + added, frame).std() < sensors.keep(frame + added, frame, normal(1, 1000, 10, 10)).std()


def drawn_textures(textures, side, count):
    noise = torch.stack([noise_of_frame(NOISE_CHANNELS, side, side, number) for number in range(count)])
    with torch.no_grad():
        return textures.textures(noise)


def test_textures_and_smooth_fields_are_as_strong_at_the_edge_as_in_the_middle():
    made = drawn_textures(Textures(8, DESCRIPTION, 4), 8, 1000)
    assert made.shape == (1000, 8 + len(WIDTHS), 32, 32)
    for fields in (made[:, :8], made[:, 8:]):
        strength = fields.square().mean(dim=(0, 1))
        assert strength[0].mean().item() == pytest.approx(strength[12:20].mean().item(), rel=0.08)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_textures_and_smooth_fields_have_the_variance_1_at_every_place_in_a_block(scale):
    textures = Textures(8, DESCRIPTION, scale)
    torch.nn.init.normal_(textures.mix.weight, std=0.3)
    torch.nn.init.normal_(textures.smooth.weight, std=0.5)
    made = drawn_textures(textures, 12, 500)
    variance = made.square().mean(dim=0).unflatten(-1, (-1, scale)).unflatten(-3, (-1, scale)).mean(dim=(-4, -2))
    torch.testing.assert_close(variance[:8], torch.ones_like(variance[:8]), atol=0.06, rtol=0)
    torch.testing.assert_close(variance[8:], torch.ones_like(variance[8:]), atol=0.15, rtol=0)


def test_smooth_fields_are_independent_of_textures_and_as_wide_as_they_say():
    made = drawn_textures(Textures(8, DESCRIPTION, 4), 12, 500)
    textures, smooth = made[:, :8], made[:, 8:]
    assert torch.einsum("nkhw,njhw->kj", textures, smooth).div(500 * 48**2).abs().max() < 0.03
    for field, width in zip(smooth.unbind(dim=1), WIDTHS, strict=True):
        apart = torch.mean(field[..., :-4] * field[..., 4:]) / field.square().mean()  # one lowres pixel
        assert apart.item() == pytest.approx(math.exp(-0.25 / width**2), abs=0.03)


def test_volatility_makes_bursts_and_leaves_mean_and_variance():
    textures = Textures(8, DESCRIPTION, 4, 1)
    drawn = normal(1 + len(WIDTHS), 1000, 1000)
    strength, none = torch.ones(1, 1000, 1000), torch.zeros(1, 1000, 1000)
    calm, restless = (
        textures.combine(torch.cat([strength, none, volatility.expand(len(WIDTHS), 1000, 1000)]), drawn)
        for volatility in (none, 0.3 * strength)
    )
    assert calm.mean().item() == pytest.approx(0, abs=0.004) == restless.mean().item()
    assert calm.square().mean().item() == pytest.approx(1, abs=0.01)
    assert restless.square().mean().item() == pytest.approx(1, abs=0.02)
    assert calm.pow(4).mean().item() == pytest.approx(3, abs=0.1)
    assert restless.pow(4).mean().item() == pytest.approx(3 * math.exp(4 * len(WIDTHS) * 0.3**2), rel=0.1)


@pytest.mark.parametrize("sign", [-1, 1])
def test_squares_of_textures_lean_the_members_and_leave_their_mean(unbounded, sign):
    ensemble = random_ensemble()
    torch.nn.init.zeros_(ensemble.textures.lean.weight)
    torch.nn.init.constant_(ensemble.textures.lean.bias, sign * 0.5)
    mean, members, lowres = draw(ensemble, SENSORS[0], 400)
    added = members - mean
    assert added.pow(3).mean() * sign > 0.1 * added.square().mean().pow(1.5)
    assert (added.mean(dim=1) / added.std(dim=1) * 20).std().item() == pytest.approx(1, abs=0.15)
    assert (SENSORS[0].see(members) - lowres).abs().max() < 1e-3


def test_squares_are_bounded_and_have_no_mean():
    textures = Textures(8, DESCRIPTION, 4, 1)
    drawn = normal(1 + len(WIDTHS), 1000, 1000)
    lean = torch.zeros(2 + len(WIDTHS), 1000, 1000)
    lean[1] = 1
    added = textures.combine(lean, drawn)
    assert added.mean().item() == pytest.approx(0, abs=0.005)
    assert added.max().item() == pytest.approx(9 - 0.995, abs=1e-3)


def test_members_are_hardly_warmer_than_what_was_measured_near_and_keep_it():
    mean, members, lowres = draw(random_ensemble(), SENSORS[0], 64)
    above = members - torch.maximum(mean, lowres.max() + WARMER)
    below = torch.minimum(mean, lowres.min()) - members
    assert above.max() < 1 < 3 < below.max()
    assert (SENSORS[0].see(members) - lowres).abs().max() < 1e-3


def test_the_bound_is_the_warmest_pixel_near_or_the_frame():
    lowres = torch.full((1, 1, 40, 40), 280.0)
    lowres[0, 0, 20, 20] = 300
    frame = torch.full((1, 1, 160, 160), 279.0)
    frame[0, 0, 5, 5] = 320
    bound = warmest_around(frame, lowres)[0, 0]
    assert bound[80, 80 - 4 * NEAR] == bound[80, 80] == 300 + WARMER
    assert bound[80, 79 - 4 * NEAR] == 280 + WARMER
    assert bound[5, 5] == 320
    assert warmest_around(frame, lowres + 40).max() == VALID_KELVIN[1] - 1


@pytest.mark.parametrize("sensor", [*SENSORS, SensorModel("area", 4, noise_kelvin=3.0)], ids=lambda sensor: sensor.text)
def test_detail_below_the_bound_is_left_as_it_is(sensor):
    sensors = SensorBank([sensor]).batch(torch.zeros(1, dtype=torch.long), 12, 12)
    frame, added = normal(1, 1, 48, 48) * 5 + 270, 3 * normal(1, 4, 48, 48, seed=1)
    kept = sensors.keep(frame + added, frame)
    torch.testing.assert_close(add_detail(frame, added, frame + 100, sensors), kept, atol=1e-3, rtol=0)


def test_the_inflation_scales_what_members_add(unbounded):
    ensemble = random_ensemble()
    mean, members, _ = draw(ensemble, SENSORS[0], 2)
    ensemble.textures.inflation.fill_(1.5)
    _, inflated, _ = draw(ensemble, SENSORS[0], 2)
    torch.testing.assert_close(inflated - mean, 1.5 * (members - mean), atol=1e-3, rtol=0)


def test_an_ensemble_of_an_earlier_release_draws_the_same_members(tmp_path):
    model = ensemble_model()
    textures = model.generator.textures
    for parameter in (textures.lean.weight, textures.lean.bias, textures.first.weight[:, -1]):
        torch.nn.init.zeros_(parameter)
    torch.nn.init.constant_(textures.volatility.bias, -30)
    save_model(tmp_path / "now.safetensors", model)
    old = {
        name: value
        for name, value in model.generator.state_dict().items()
        if not any(part in name for part in (".lean.", ".volatility.", "inflation"))
    }
    old["textures.first.weight"] = old["textures.first.weight"][:, :-1].contiguous()
    model.generator.state_dict = lambda: old
    save_model(tmp_path / "old.safetensors", model)
    frame = np.random.default_rng(0).normal(250, 20, (1, 12, 12)).astype(np.float32)
    drawn = [
        EnsembleReconstructor(tmp_path / f"{name}.safetensors", 2, device="cpu")(frame, np.zeros(1, np.int64))
        for name in ("now", "old")
    ]
    np.testing.assert_array_equal(*drawn)


def test_averaged_weights_lie_between_those_of_two_models(tmp_path):
    first, second = ensemble_model(), ensemble_model()
    torch.nn.init.constant_(first.generator.textures.last.bias, 1.0)
    torch.nn.init.constant_(second.generator.textures.last.bias, 2.0)
    paths = [tmp_path / f"{name}.safetensors" for name in ("first", "second", "out")]
    first.metadata, second.metadata = {"history": ["mean: 9 steps of training"], "step": 5}, {"step": 7}
    for path, model in zip(paths, (first, second), strict=False):
        save_model(path, model)
    average(*paths, share=0.25)
    averaged = load_model(paths[-1])
    assert averaged.metadata["history"] == [
        "mean: 9 steps of training",
        "weights: 0.75 of those of first: 5 steps of training and 0.25 of those of second: 7 steps of training",
    ]
    made = averaged.generator
    assert torch.all(made.textures.last.bias == 1.25) and torch.equal(
        made.base.generator.tail.weight, first.generator.base.generator.tail.weight
    )
    save_model(paths[1], random_model())
    with pytest.raises(InputError, match="different sizes"):
        average(*paths, share=0.25)


def test_noise_is_white_and_decided_by_its_key():
    noise = noise_of_frame(32, 20, 30, 7, 1, -5)
    assert noise.shape == (32, 20 + 2 * MARGIN, 30 + 2 * MARGIN) and noise.std().item() == pytest.approx(1, abs=0.01)
    assert torch.equal(noise, noise_of_frame(32, 20, 30, 7, 1, -5))
    for other in ((7, 1, -6), (7, 2, -5), (8, 1, -5)):
        assert abs(float((noise * noise_of_frame(32, 20, 30, *other)).mean())) < 0.03


def test_the_dressing_finds_the_strength_of_each_spread():
    dressing, spread = Dressing(4), torch.rand(48_000)
    strength = 0.01 + 0.02 * spread
    dressing.fit(spread, (strength * normal(48_000)).square() * (1 - 1 / 16))
    middle = (torch.arange(24) + 0.5) / 24
    torch.testing.assert_close(dressing.deviations, 0.01 + 0.02 * middle, rtol=0.1, atol=0)
    flat = dressing.amplitudes(torch.zeros(0), torch.full((1, 1, 5, 5), 0.4), torch.zeros(0))
    assert flat.shape == (1, 1, 20, 20) and torch.equal(flat, dressing.deviations[0].expand_as(flat))


def test_the_local_spread_is_the_deviation_of_nine_pixels():
    frames = torch.rand(1, 1, 6, 7)
    expected = frames[0, 0, 1:4, 2:5].std(correction=0)
    torch.testing.assert_close(local_spread(frames)[0, 0, 2, 3], expected, atol=1e-5, rtol=0)


# Files and drawing


def test_an_ensemble_saves_loads_and_as_a_model_is_its_mean(tmp_path):
    path, mean = tmp_path / "ensemble.safetensors", tmp_path / "mean.safetensors"
    save_model(path, ensemble_model())
    save_model(mean, random_model())
    loaded = load_model(path)
    assert loaded.specification.network.kind == "ensemble" and loaded.specification.network.textures == 4
    for name, value in random_ensemble().state_dict().items():
        assert torch.equal(value, loaded.generator.state_dict()[name]), name
    assert loaded.adapts
    lowres = SENSORS[1].coarsen(moving_clouds(frames=1, size=64)).values
    made, expected = (Reconstructor(source, sensor=SENSORS[1], precision="fp32")(lowres) for source in (path, mean))
    np.testing.assert_array_equal(made, expected)


def test_other_models_draw_no_members():
    with pytest.raises(InputError, match="is no ensemble"):
        MemberDraw(random_model())


# Training


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"model": {"textures": 8}, "training": {"score": "crps"}}, "needs model.conditioned"),
        ({"model": {"textures": 8, "conditioned": True}}, "training.score = crps belongs to"),
        ({"training": {"score": "crps"}}, "training.score = crps belongs to"),
    ],
)
def test_settings_that_contradict_an_ensemble_are_refused(section, message):
    with pytest.raises(InputError, match=message):
        load_config(section)


@pytest.fixture(scope="module")
def storms(tmp_path_factory):
    return write_storms(tmp_path_factory.mktemp("data") / "storms", size=96)


@pytest.fixture(scope="module")
def mean(tmp_path_factory):
    path = tmp_path_factory.mktemp("mean") / "mean.safetensors"
    save_model(path, random_model())
    return path


def ensemble_config(folder, storms, mean, **training):
    values = conditioned_config(folder, storms, {"n_residual_blocks": 2, "channels": 8}).model_dump()
    values["model"]["textures"], values["sensor"]["random"] = 4, False
    values["training"] |= {
        "start_from": str(mean), "pretrain_epochs": 0, "score": "crps", "lambda_spectral": 0.3, "lr_g": 2e-3,
        "lambda_adv_s": 0, "lambda_adv_t": 0, "grad_clip": 0, "patch_size": 40, **training,
    }  # fmt: skip
    return load_config(values)


def test_training_lowers_the_score_and_keeps_the_mean(tmp_path, storms, mean, caplog):
    caplog.set_level("INFO")
    trainer = EnsembleTrainer(ensemble_config(tmp_path, storms, mean, steps_per_epoch=15))
    trainer.calibrate = lambda: None  # else the start has the spread already that steps have to find
    result = trainer.train()
    model = load_model(result.best_model)
    assert "dressing: CRPS" in caplog.text and "start: CRPS" in caplog.text
    assert model.metadata["epoch"] > 0 and model.metadata["score"] == pytest.approx(model.metadata["crps"])
    for name, value in load_model(mean).generator.state_dict().items():
        assert torch.equal(value, model.generator.base.state_dict()[name]), name
    assert model.generator.dressing.deviations.min() > 0


def test_members_vary_as_much_as_the_mean_errs_on_validation_frames(unbounded, tmp_path, storms, mean):
    trainer = EnsembleTrainer(ensemble_config(tmp_path, storms, mean, steps_per_epoch=1, epochs=1))
    model = load_model(trainer.train().best_model)
    assert model.generator.textures.inflation.item() > 1.1
    assert model.metadata["spread_skill"] == pytest.approx(1, abs=1e-3)


def test_a_resumed_run_draws_the_same_noise(tmp_path, storms, mean):
    states = []
    for name, epochs in (("straight", [2]), ("resumed", [1, 2])):
        for count in epochs:
            trainer = EnsembleTrainer(ensemble_config(tmp_path / name, storms, mean, epochs=count))
            trainer.train("auto" if count != epochs[0] else None)
        states.append(trainer.networks.generator.state_dict())
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name


def test_accumulated_batches_draw_the_noise_of_the_big_one(tmp_path, storms, mean):
    noises = []
    for name, sizes in (("big", {"batch_size": 4}), ("small", {"batch_size": 2, "accumulate": 2})):
        steps = EnsembleTrainer(ensemble_config(tmp_path / name, storms, mean, **sizes)).steps
        steps.number = 5
        drawn = [steps._noise(sizes["batch_size"], 3, 3) for _ in range(sizes.get("accumulate", 1))]
        noises.append([torch.cat(parts) for parts in zip(*drawn, strict=True)])
    for big, small in zip(*noises, strict=True):
        assert torch.equal(big, small)


def test_ds_judges_a_member(tmp_path, storms, mean):
    config = ensemble_config(tmp_path, storms, mean, lambda_adv_s=0.3, warm_up=1, epochs=1)
    trainer = EnsembleTrainer(config)
    before = {name: value.clone() for name, value in trainer.networks.spatial.state_dict().items()}
    trainer.train()
    assert any(not torch.equal(value, before[name]) for name, value in trainer.networks.spatial.state_dict().items())


def test_an_ensemble_needs_a_mean_that_adapts(tmp_path, storms):
    from model_cases import detailed_model

    with pytest.raises(InputError, match=r"set training.start_from"):
        EnsembleTrainer(ensemble_config(tmp_path / "none", storms, "")).train()
    plain = tmp_path / "plain.safetensors"
    save_model(plain, detailed_model())
    with pytest.raises(InputError, match="does not adapt to the sensor"):
        EnsembleTrainer(ensemble_config(tmp_path / "plain", storms, plain)).train()


def test_the_trainer_of_one_picture_names_the_one_of_ensembles(tmp_path, storms, mean):
    with pytest.raises(InputError, match="EnsembleTrainer"):
        TempoGANTrainer(ensemble_config(tmp_path, storms, mean))
