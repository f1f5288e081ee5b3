"""Members of an ensemble and their summary: in Python, in files and on the command line."""

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tempogan_eddy import InputError, coarsen, open_sequence, reconstruct, save_sequence, save_summary
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.model.noise import white_noise
from tempogan_eddy.reconstruction import ensemble
from tempogan_eddy.reconstruction.noise import MOST, RATE, Carried, carry_noise, earlier_frames
from tempogan_eddy.reconstruction.sensors import choose_sensor
from tempogan_eddy.reconstruction.summary import SUMMARY, summarise
from tempogan_eddy.reconstruction.tiles import plan_tiles
from tempogan_eddy.weights import save_model
from test_cli import refused, run
from test_conditioned import random_model
from test_ensemble_model import ensemble_model
from training_cases import moving_clouds

WIDE = (1.0, 1000.0)  # an untrained model goes beyond 160 to 330 K


@pytest.fixture(scope="module")
def model():
    return ensemble_model()


@pytest.fixture(scope="module")
def lowres():
    coarse = coarsen(moving_clouds(frames=3, size=96)).compute()
    coarse[1, 2:5, 7] = np.nan
    return coarse


@pytest.fixture(scope="module")
def drawn(model, lowres):
    return reconstruct(lowres, model, members=4, seed=1, device="cpu").compute()


# Noise


@given(st.integers(0, 90), st.integers(1, 60), st.integers(0, 90), st.integers(1, 60))
@settings(max_examples=20, deadline=None)
def test_every_window_of_the_noise_holds_the_same_numbers(row, height, column, width):
    whole = white_noise(2, slice(0, 150), slice(0, 150), 1, 2, -3)
    rows, columns = slice(row, row + height), slice(column, column + width)
    assert torch.equal(white_noise(2, rows, columns, 1, 2, -3), whole[:, rows, columns])


def test_the_noise_is_white_and_each_part_of_its_key_changes_it():
    noise = white_noise(8, slice(0, 256), slice(0, 256), 5, 0, 7)
    assert noise.mean().abs() < 0.01 and noise.var().item() == pytest.approx(1, abs=0.01)
    others = [noise.roll(1, -1), noise.roll(32, -2), noise.roll(1, 0)]
    others += [white_noise(8, slice(0, 256), slice(0, 256), *key) for key in ((6, 0, 7), (5, 1, 7), (5, 0, 8))]
    assert max((noise * other).mean().abs() for other in others) < 0.01


# Noise that moves


def minutes_apart(lowres, minutes):
    """The same frames, so many minutes apart."""
    return lowres.assign_coords(time=lowres["time"].values[0] + np.arange(len(lowres)) * np.timedelta64(minutes, "m"))


@given(st.lists(st.sampled_from([0, 5, 10, 30, 59, 60, 200]), max_size=12), st.lists(st.booleans(), min_size=13))
@settings(max_examples=100, deadline=None)
def test_earlier_frames_are_of_one_satellite_in_order_and_recent(steps, changed):
    times = np.cumsum([0, *steps]) * 60 * 10**9
    satellites = np.cumsum(changed[: len(times)])
    numbers = earlier_frames(times, satellites)
    for frame, row in enumerate(numbers):
        used = row[row < frame]
        assert (used == frame - 1 - np.arange(len(used))).all() and (row[len(used) :] == frame).all()
        assert all(satellites[one] == satellites[frame] and times[frame] - times[one] < 3.6e12 for one in used)
        before = frame - len(used) - 1
        ended = before < 0 or times[before + 1] == times[before] or satellites[before] != satellites[before + 1]
        assert ended or len(used) == MOST or times[frame] - times[before] > 55 * 60 * 10**9
    assert numbers.shape[1] == max((row < frame).sum() for frame, row in enumerate(numbers))


def test_hourly_frames_have_white_noise():
    assert earlier_frames(np.arange(5) * 3600 * 10**9, np.zeros(5)).shape == (5, 0)


@pytest.mark.parametrize("minutes", [10, 30])
def test_the_squares_of_the_weights_sum_to_one(minutes):
    frames = coarsen(moving_clouds(frames=4, size=96)).values[::-1].astype(np.float32)
    frames[1, 2:5, 7] = np.nan
    sources = carry_noise(frames, np.arange(4)[::-1] * minutes * 60 * 10**9)
    assert len(sources) == 4 and [source.time for source in sources] == [t * minutes * 60 * 10**9 for t in (3, 2, 1, 0)]
    torch.testing.assert_close(sum(source.weight**2 for source in sources), torch.ones(24, 24))
    assert (sources[0].weight[2:5, 7] == 1).all() and (sources[1].weight[2:5, 7] == 0).all()
    assert carry_noise(frames[:2], np.array([7, 7])) == []


def test_each_pixel_reads_the_noise_that_moved_there():
    """Clouds that move right by 1.5 lowres pixels bring textures from 6 highres pixels to the left."""
    shift = torch.tensor([-1.5, 0.0])[:, None, None].expand(2, 12, 12)
    for tile in plan_tiles(12, 12, 5, 1):
        carried = Carried(0, torch.full((12, 12), 0.5), shift).tile(tile, 4)
        height, width = (4 * (span.stop - span.start) for span in (tile.rows, tile.columns))
        reach = 4 * carried.reach
        column = torch.arange(width + 2 * reach).float().expand(1, height + 2 * reach, -1) - reach
        torch.testing.assert_close(carried.read(column), 0.5 * (torch.arange(width) - 6.0).expand(1, height, -1))


def test_coherent_members_change_less_from_frame_to_frame_and_differ_as_much(model):
    still = xr.concat([coarsen(moving_clouds(frames=1, size=128)).compute()] * 4, "time")
    sequence, spread, kept = minutes_apart(still, 10), {}, {}
    for noise in ("coherent", "white"):
        members = reconstruct(sequence, model, members=8, noise=noise, device="cpu")
        detail = members - members.mean("member")
        spread[noise] = float(np.sqrt((detail[:, -1] ** 2).mean()))
        kept[noise] = float((detail[:, -1] * detail[:, -2]).mean()) / spread[noise] ** 2
        assert members.attrs["super_resolution_noise"] == noise
    assert kept["coherent"] == pytest.approx(np.exp(-RATE / 6), abs=0.06) and abs(kept["white"]) < 0.03
    assert spread["coherent"] == pytest.approx(spread["white"], rel=0.03)


def test_tiles_and_the_frames_computed_together_change_nothing_of_coherent_members(model):
    lowres = minutes_apart(coarsen(moving_clouds(frames=4, size=96)).compute(), 10)
    options = {"members": 2, "seed": 3, "device": "cpu"}
    whole = reconstruct(lowres, model, **options)
    tiled = reconstruct(lowres, model, tile=7, **options)
    np.testing.assert_allclose(tiled.isel(time=[3]), whole.isel(time=[3]), atol=2e-3)
    np.testing.assert_array_equal(whole.isel(time=2), whole.compute().isel(time=2))
    white = reconstruct(lowres, model, noise="white", **options)
    assert np.abs(white.isel(time=3) - whole.isel(time=3)).mean() > 0.2
    np.testing.assert_array_equal(white.isel(time=0), whole.isel(time=0))


def test_members_draw_the_noise_of_the_sensor_anew_for_each_frame_whatever_the_tiles():
    model = ensemble_model()
    for layer in (model.generator.textures.last, model.generator.textures.lean):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.constant_(layer.bias, -1e4 if layer is model.generator.textures.last else 0)
    lowres = minutes_apart(coarsen(moving_clouds(frames=2, size=96)).compute(), 10)
    options = {"members": 8, "sensor": "area,noise=1", "device": "cpu"}
    members = reconstruct(lowres, model, **options).compute()
    seen = coarsen(members)
    drawn = seen - seen.mean("member")
    assert float(drawn.std()) == pytest.approx(0.36 * (7 / 8) ** 0.5, rel=0.04)  # what is projected of 1 K of noise
    assert abs(float((drawn[:, 0] * drawn[:, 1]).mean() / drawn.var())) < 0.05
    np.testing.assert_allclose(reconstruct(lowres, model, tile=7, **options), members, atol=2e-3)
    quiet = reconstruct(lowres, model, **options | {"sensor": "area"})
    assert float(quiet.std("member").max()) < 1e-3


# Members


def test_the_dressing_draws_noise_of_its_own_strength(lowres, drawn, unbounded, monkeypatch):
    model = ensemble_model()
    spreads = []
    for deviation in (0.02, 0.04):
        model.generator.dressing.deviations.fill_(deviation)
        members = reconstruct(lowres, model, members=4, seed=1, noise="dressing", device="cpu").compute()
        assert members.attrs["super_resolution_noise"] == "dressing"
        again = members.values.reshape(4, 3, 24, 4, 24, 4).mean(axis=(3, 5))
        np.testing.assert_allclose(again, np.broadcast_to(lowres.values, again.shape), atol=1e-3)
        spreads.append(members.std("member"))
    np.testing.assert_allclose(spreads[1], 2 * spreads[0], atol=0.01)
    monkeypatch.undo()
    np.testing.assert_array_equal(reconstruct(lowres, model, members=4, seed=1, device="cpu"), drawn)


def test_members_come_first_keep_the_input_and_differ(drawn, lowres):
    assert drawn.dims == ("member", "time", "y", "x") and drawn.shape == (4, 3, 96, 96) and drawn.dtype == np.float32
    assert drawn["member"].values.tolist() == [0, 1, 2, 3]
    assert drawn["member"].attrs["standard_name"] == "realization"
    again = drawn.values.reshape(4, 3, 24, 4, 24, 4).mean(axis=(3, 5))
    np.testing.assert_allclose(again, np.broadcast_to(lowres.values, again.shape), atol=1e-3)
    np.testing.assert_array_equal(
        np.isnan(drawn.values), np.broadcast_to(np.isnan(lowres.values).repeat(4, 1).repeat(4, 2), drawn.shape)
    )
    assert drawn.std("member").mean() > 0.5
    fine = reconstruct(lowres, ensemble_model(), device="cpu", precision="fp32")
    np.testing.assert_array_equal(fine["lat"], drawn["lat"])
    assert drawn.attrs["super_resolution_members"] == 4 and drawn.attrs["super_resolution_seed"] == 1
    assert drawn.attrs["super_resolution_model"] == "test" and drawn.attrs["super_resolution_engine"] == "torch fp32"


def test_the_mean_of_many_members_is_the_frame_without_members(model, lowres, unbounded):
    many = reconstruct(lowres[:1], model, members=200, device="cpu").values
    mean = reconstruct(lowres[:1], model, device="cpu", precision="fp32").values
    error = (many.mean(axis=0) - mean) / many.std(axis=0) * np.sqrt(200)
    assert np.abs(error).max() < 6 and error.std() == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("tile", [7, 12])
def test_tiles_change_nothing(model, lowres, drawn, tile):
    tiled = reconstruct(lowres[:1], model, members=2, seed=1, tile=tile, device="cpu")
    np.testing.assert_allclose(tiled, drawn[:2, :1], atol=2e-3)


def test_a_part_of_the_times_and_fewer_members_are_those_of_the_whole(model, lowres, drawn):
    part = reconstruct(lowres[[2]], model, members=2, seed=1, device="cpu")
    np.testing.assert_array_equal(part, drawn[:2, 2:])
    other = reconstruct(lowres[[2]], model, members=1, seed=2, device="cpu")
    assert np.abs(other.values - part.values[:1]).mean() > 0.5


def test_members_are_lazy_and_one_frame_is_computed_for_one_frame(model, lowres):
    asked = []

    def read(block):
        asked.append(block.shape)
        return block

    source = lowres.chunk({"time": 1})
    lazy = reconstruct(
        source.copy(data=source.data.map_blocks(read, meta=np.empty((0,) * 3, np.float32))), model, members=2
    )
    assert asked == []
    lazy.isel(time=1).compute()
    assert asked == [(1, 24, 24)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"members": 0}, "from 1 to 1000, not 0"),
        ({"members": 2.5}, r"The number of members must be a whole number from 1 to 1000, not 2\.5"),
        ({"members": 2, "seed": 1.5}, r"The seed must be a whole number from 0 .*, not 1\.5"),
        ({"members": 10**9, "summary": True}, "from 1 to 1000, not 1000000000"),
        ({"members": "8", "summary": True}, "from 1 to 1000, not '8'"),
        ({"members": 2, "engine": "openvino"}, "compute with torch in fp32"),
        ({"members": 2, "precision": "bf16"}, "compute with torch in fp32"),
        ({"members": 1, "summary": True}, "at least 2 members"),
        ({"summary": True}, "say how many"),
        ({"members": 2, "noise": "pink"}, "use coherent, white, dressing"),
        ({"members": 2, "summary": True, "packed": True}, "not packed; leave the packing out"),
        ({"seed": 0}, r"The seed is that of members; say how many \(members=8, --members 8\), or leave the seed out"),
        ({"noise": "white"}, "The noise is that of members"),
        ({"trust_sensor": True}, "Only a stated sensor can be trusted"),
    ],
)
def test_options_that_make_no_sense_are_refused(model, lowres, options, message):
    with pytest.raises(InputError, match=message):
        reconstruct(lowres, model, **options)


def test_a_model_that_is_no_ensemble_draws_no_members(lowres):
    with pytest.raises(InputError, match="The model test is no ensemble"):
        reconstruct(lowres, random_model(), members=2)


def test_arrays_come_back_in_their_form(model, lowres, drawn):
    values = reconstruct(lowres.values[0], model, kelvin=True, members=2, seed=1)
    assert values.shape == (2, 96, 96)
    named = lowres.rename(time="t", y="row", x="col").transpose("row", "t", "col")
    made = reconstruct(named, model, members=2, seed=1)
    assert made.dims == ("member", "row", "t", "col")
    np.testing.assert_array_equal(made.transpose("member", "t", "row", "col"), drawn[:2])
    held = reconstruct(lowres.to_dataset(name="Tb"), model, members=2, seed=1)
    assert held["Tb"].dims == ("member", "time", "y", "x")


@pytest.mark.parametrize("name", ["e.nc", "e.zarr"])
@pytest.mark.parametrize("packed", [False, True])
def test_files_keep_the_members(model, lowres, drawn, tmp_path, name, packed):
    made = reconstruct(lowres, model, members=4, seed=1, packed=packed)
    save_sequence(made, tmp_path / name, precision="packed" if packed else "exact")
    np.testing.assert_allclose(
        open_sequence(tmp_path / name, valid_kelvin=WIDE),
        drawn,
        atol=0.0101 if packed else 1e-4,  # just below 330 K it rounds down
    )


# Sensors


def test_an_ensemble_adapts_to_the_stated_and_to_the_recorded_sensor(model):
    sensor = SensorModel.parse("gaussian,fwhm=1.0", 4)
    seen = coarsen(moving_clouds(frames=1, size=96), sensor="gaussian,fwhm=1.0").compute()
    assert choose_sensor(seen, model) == sensor
    unknown = seen.copy()
    unknown.attrs = {"units": "K"}
    assert choose_sensor(unknown, model, "gaussian,fwhm=1.0", trust=True) == sensor
    for input, stated in ((seen, None), (unknown, "gaussian,fwhm=1.0")):
        members = reconstruct(input, model, members=2, sensor=stated, trust_sensor=bool(stated))
        again = sensor.see(torch.from_numpy(members.values)).numpy()
        np.testing.assert_allclose(again, np.broadcast_to(seen.values, again.shape), atol=1e-3)
        assert members.attrs["sensor_model_text"] == sensor.text


# Summary


def test_a_summary_is_that_of_the_members(model, lowres, drawn):
    summary = reconstruct(lowres, model, members=4, seed=1, summary=True, device="cpu")
    assert list(summary) == list(SUMMARY) and summary.sizes == {"time": 3, "y": 96, "x": 96}
    values, missing = drawn.values.astype(np.float64), np.isnan(drawn.values[0])
    expected = {
        "brightness_temperature": values.mean(axis=0),
        "spread": values.std(axis=0, ddof=1),
        "probability_below_225K": np.where(missing, np.nan, (values < 225).mean(axis=0)),
        "probability_below_241K": np.where(missing, np.nan, (values < 241).mean(axis=0)),
        **{f"quantile_{q:02d}": np.quantile(values, q / 100, axis=0) for q in (5, 50, 95)},
    }
    for name, right in expected.items():
        np.testing.assert_allclose(summary[name], right, atol=1e-3, err_msg=name)
    assert 0 < np.nanmean(expected["probability_below_241K"]) < 1
    assert summary["spread"].attrs["cell_methods"] == "realization: standard_deviation"


def test_the_memory_of_a_summary_does_not_grow_with_the_members(model, monkeypatch):
    held: list[int] = []
    monkeypatch.setattr(ensemble, "summarise", lambda members: held.append(members.numel()) or summarise(members))
    lowres = coarsen(moving_clouds(frames=1, size=160))
    few, many = (
        reconstruct(lowres, model, members=count, summary=True, tile=40, device="cpu").compute() for count in (8, 32)
    )
    assert held[0] == 8 * 160**2 and len(held) == 5 and max(held) == held[0]
    assert 0.9 < many["spread"].mean() / few["spread"].mean() < 1.1


@given(st.integers(2, 9))
@settings(max_examples=8, deadline=None)
def test_quantiles_are_those_of_numpy(count):
    members = torch.rand(count, 50, generator=torch.Generator().manual_seed(count)) * 100 + 200
    expected = np.quantile(members.numpy(), [0.05, 0.5, 0.95], axis=0)
    np.testing.assert_allclose(summarise(members)[-3:], expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["s.nc", "s.zarr"])
def test_a_summary_is_written_and_read(model, lowres, tmp_path, name, caplog):
    summary = reconstruct(lowres, model, members=3, summary=True, device="cpu")
    done: list[int] = []
    with caplog.at_level("INFO"):
        save_summary(summary, tmp_path / name, on_frame=done.append)
    assert done == [1, 2, 3] and not caplog.records
    summary = summary.compute()
    with xr.open_dataset(tmp_path / name) as opened:
        for variable in SUMMARY:
            np.testing.assert_allclose(opened[variable], summary[variable], atol=1e-6)
            assert SUMMARY[variable].items() <= opened[variable].attrs.items()
        assert opened.attrs["Conventions"].startswith("CF-1.8")
    np.testing.assert_allclose(
        open_sequence(tmp_path / name, valid_kelvin=WIDE), summary["brightness_temperature"], atol=1e-6
    )


# The command line


def test_members_and_summary_on_the_command_line(capsys, tmp_path, model, lowres, drawn):
    weights, coarse = tmp_path / "ensemble.safetensors", tmp_path / "coarse.nc"
    save_model(weights, model)
    save_sequence(lowres, coarse, precision="exact")
    words = ("reconstruct", coarse, "-m", weights, "--members", 4, "--seed", 1, "--device", "cpu")
    code, out, _ = run(capsys, *words, "-o", tmp_path / "members.zarr", "--exact")
    assert code == 0 and "4 members of 3 frames of 96x96" in out
    np.testing.assert_allclose(open_sequence(tmp_path / "members.zarr", valid_kelvin=WIDE), drawn, atol=1e-4)
    assert run(capsys, *words, "-o", tmp_path / "summary.nc", "--summary")[0] == 0
    with xr.open_dataset(tmp_path / "summary.nc") as summary:
        np.testing.assert_allclose(summary["spread"], drawn.std("member", ddof=1), atol=1e-3)
        assert "--summary" in summary.attrs["history"]
    assert "write NetCDF or Zarr" in refused(capsys, *words, "-o", tmp_path / "png", "--format", "png")
    assert "holds no summary" in refused(
        capsys, *words, "-o", tmp_path / "p", "--format", "digital-typhoon", "--summary"
    )
    save_model(tmp_path / "plain.safetensors", random_model())
    plain = ("reconstruct", coarse, "-m", tmp_path / "plain.safetensors", "-o", tmp_path / "x.nc")
    assert "is no ensemble" in refused(capsys, *plain, "--members", 2)
    for idle in (("--seed", 0), ("--noise", "white")):
        assert f"leave the {idle[0][2:]} out" in refused(capsys, *plain, *idle)
