import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import gaussian_filter, map_coordinates

from tempogan_eddy.errors import InputError
from tempogan_eddy.io import open_sequence, open_sequences, save_sequence
from tempogan_eddy.synthesis import simulate_storm, synthesize
from tempogan_eddy.synthesis.advection import departure, move, step_matrix
from tempogan_eddy.synthesis.clouds import Cells
from tempogan_eddy.synthesis.grid import Grid
from tempogan_eddy.synthesis.turbulence import Eddies, Texture
from tempogan_eddy.synthesis.vortex import AIR_DENSITY, Storm, holland_wind

STORED_MEANS = [231.41, 230.39, 230.584]
STORED_PIXELS = [
    *(217.76, 210.37, 288.76, 260.52),
    *(218.15, 216.41, 281.39, 250.85),
    *(237.48, 211.22, 286.19, 239.33),
]


@pytest.fixture(scope="module")
def storm():
    return simulate_storm(seed=3, frames=3, size=128)


def test_it_is_a_valid_sequence(storm):
    frames = storm["brightness_temperature"]
    assert frames.dims == ("time", "y", "x")
    assert frames.shape == (3, 128, 128)
    assert frames.dtype == np.float32
    assert frames.attrs["units"] == "K"
    assert frames.attrs["standard_name"] == "brightness_temperature"
    assert len(frames.attrs["sequence"]) == 6
    assert (np.diff(frames["time"].values) == np.timedelta64(1, "h")).all()
    assert np.isfinite(frames.values).all()
    hundredths = frames.values.astype(float) * 100
    assert np.abs(hundredths - np.rint(hundredths)).max() < 0.01
    assert set(frames.coords) >= {"center_lat", "center_lon", "pressure", "wind"}


def test_the_same_seed_gives_the_stored_numbers():
    frames = simulate_storm(seed=7, frames=3, size=64)["brightness_temperature"].values
    assert frames.mean((1, 2)) == pytest.approx(STORED_MEANS, abs=0.005)
    assert frames[:, [5, 20, 32, 50], [40, 32, 31, 9]].ravel() == pytest.approx(STORED_PIXELS, abs=0.011)


def test_a_longer_simulation_starts_with_the_same_frames_and_another_seed_does_not():
    first = simulate_storm(seed=5, frames=2, size=32)
    again = simulate_storm(seed=5, frames=3, size=32).isel(time=slice(0, 2))
    other = simulate_storm(seed=6, frames=2, size=32)
    xr.testing.assert_identical(first, again)
    assert np.abs(other["brightness_temperature"].values - first["brightness_temperature"].values).mean() > 5


def test_the_flow_carries_the_previous_frame_onto_the_next(storm):
    before, after = storm["brightness_temperature"].values[:2].astype(float)
    flow = storm["flow"].values[1]
    rows, columns = np.indices(after.shape)
    moved = map_coordinates(before, [rows + flow[1], columns + flow[0]], order=1, cval=np.nan)
    inside = slice(24, -24)
    still_error = np.sqrt(np.mean((before - after)[inside, inside] ** 2))
    moved_error = np.sqrt(np.mean((moved - after)[inside, inside] ** 2))
    assert moved_error < 0.5 * still_error
    assert not storm["flow"].values[0].any()


@pytest.mark.parametrize("southern", [False, True])
def test_cyclones_turn_counter_clockwise_in_the_north_and_clockwise_in_the_south(southern):
    seed = next(s for s in range(100) if (Storm.draw(s).latitude < 0) == southern)
    flow = simulate_storm(seed=seed, frames=2, size=64)["flow"].values[1]
    east_of_the_eye = -flow[1, 24:40, 42:46].mean()  # backward flow: the air there moves down by this much
    west_of_the_eye = -flow[1, 24:40, 18:22].mean()
    assert (east_of_the_eye - west_of_the_eye > 0) == southern


def test_it_looks_like_a_typhoon_in_infrared(storm):
    frame = storm["brightness_temperature"].values[-1].astype(float)
    assert 285 < frame.max() < 302
    assert 188 < frame.min() < 210
    rows, columns = np.indices(frame.shape) - 63.5
    radius_km = 5 * np.hypot(rows, columns)
    eye, eyewall = frame[radius_km < 10].mean(), frame[(radius_km > 40) & (radius_km < 60)].mean()
    assert eye > eyewall + 30


def test_the_spectrum_falls_as_the_cube_of_the_wavenumber_up_to_nyquist(storm):
    frames = storm["brightness_temperature"].values.astype(float)
    window = np.hanning(128)[:, None] * np.hanning(128)
    power = np.abs(np.fft.fft2((frames - frames.mean()) * window)) ** 2
    rings = np.rint(128 * np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128)))).astype(int)
    radial = np.bincount(rings.ravel(), power.mean(0).ravel())[:65] / np.bincount(rings.ravel())[:65]
    for low, high in ((4, 16), (16, 64)):
        slope = np.polyfit(np.log(np.arange(low, high)), np.log(radial[low:high]), 1)[0]
        assert -3.9 < slope < -2.1


def test_holland_wind_has_its_maximum_where_and_as_large_as_published():
    radius = np.linspace(1, 400, 4000)
    wind = holland_wind(
        radius, deficit_hpa=60, radius_of_maximum_wind_km=40, holland_b=1.5, latitude=0
    )  # no Coriolis force at the equator
    assert radius[wind.argmax()] == pytest.approx(40, abs=0.2)
    assert wind.max() == pytest.approx(np.sqrt(1.5 * 6000 / (AIR_DENSITY * np.e)), rel=1e-4)


def test_eddies_have_the_wanted_speed_and_no_divergence():
    grid = Grid(64, 5.0)
    eddies = Eddies(grid, np.random.default_rng(0), speed=4.0)
    eddies.advance(3)
    right, down = eddies.wind()
    frequency = 2j * np.pi * np.fft.fftfreq(grid.width)
    spread = np.fft.fft2(right) * frequency[None, :] + np.fft.fft2(down) * frequency[:, None]
    assert np.abs(np.fft.ifft2(spread)).max() < 1e-9
    assert 1.5 < np.sqrt((right**2 + down**2).mean()) < 8


def test_texture_regains_what_advection_wears_away():
    texture = Texture(Grid(64, 5.0), np.random.default_rng(0), slope=2.6, outer_km=150, hours=9)
    start = texture.field
    texture.renew(gaussian_filter(start, 1.5, mode="wrap"), 1.0)

    def split(field):
        coarse = gaussian_filter(field, 3, mode="wrap")
        return coarse.ravel(), np.std(field - coarse)

    (coarse, detail), (coarse_start, detail_start) = split(texture.field), split(start)
    assert detail == pytest.approx(detail_start, rel=0.1)
    assert np.corrcoef(coarse, coarse_start)[0, 1] > 0.8


def test_still_air_changes_nothing_and_wind_moves_whole_pixels_exactly():
    field = np.random.default_rng(0).standard_normal((12, 12))
    still = step_matrix(np.zeros((2, 12, 12)))
    assert np.allclose((still @ field.ravel()).reshape(12, 12), field)
    wind = np.stack([np.full((12, 12), 2.0), np.full((12, 12), -1.0)])  # right 2, up 1
    expected = np.roll(field, (2, -1), axis=(1, 0))
    offset = departure(wind)
    assert np.allclose((step_matrix(offset) @ field.ravel()).reshape(12, 12), expected)
    assert np.allclose(move(field, offset), expected)


def test_cells_are_born_as_often_as_asked_and_die():
    cells = Cells(Grid(64, 5.0), np.random.default_rng(0))
    rate = np.zeros((80, 80))
    rate[20:30, 40:50] = 1.0
    cells.give_birth(rate, hours=1.0)
    cells.advance(np.zeros((2, 80, 80)), hours=0.3)
    feeding = cells.feeding()
    assert feeding[20:30, 40:50].mean() > 20 * feeding[50:, :].mean() >= 0
    cells.advance(np.zeros((2, 80, 80)), hours=100.0)
    assert not cells.feeding().any()


@pytest.mark.parametrize(
    ("place", "format", "names"),
    [
        ("storms", None, ["200001", "200002"]),
        ("storms.zarr", None, ["200001", "200002"]),
        ("tree", "png", ["typhoon_001", "typhoon_002"]),
        ("basin", "digital-typhoon", ["200001", "200002"]),
    ],
)
def test_an_archive_reads_back_in_every_format(tmp_path, place, format, names):
    options = {"storms": 2, "frames": 2, "size": 32, "seed": 4, "format": format}
    assert synthesize(tmp_path / place, **options) == ["200001", "200002"]
    synthesize(tmp_path / place, **options)  # a second run replaces the first
    opened = open_sequences(tmp_path / place)
    assert list(opened) == names
    for index, name in enumerate(names):
        wanted = simulate_storm(seed=4000 + index, frames=2, size=32)["brightness_temperature"].values
        assert np.abs(opened[name].values - wanted).max() < 0.011
        with xr.open_dataset(tmp_path / f"{place.split('.')[0]}-flow" / f"20000{index + 1}.nc") as flow:
            assert flow["flow"].dims == ("time", "component", "y", "x")
            assert flow["flow"].attrs["units"] == "pixel"
            assert (flow["time"].values == opened[name]["time"].values).all() or format == "png"
    assert {path.name for path in tmp_path.iterdir()} == {place, f"{place.split('.')[0]}-flow"}


def test_one_storm_goes_to_one_file_with_progress(tmp_path):
    seen = []
    synthesize(tmp_path / "a.nc", storms=1, frames=2, size=16, on_frame=lambda *step: seen.append(step))
    assert open_sequence(tmp_path / "a.nc").shape == (2, 16, 16)
    assert seen == [("200001", 1, 2), ("200001", 2, 2)]


@pytest.mark.parametrize(
    ("place", "options", "message"),
    [
        ("a", {"format": "gif"}, "gif"),
        ("a.nc", {"storms": 2}, "one file"),
        ("a.zarr", {"format": "png"}, "names the format zarr"),
        ("a", {"storms": 0}, "storms must be a whole number from 1 to 5940, not 0"),
        ("a", {"storms": 10**9}, "from 1 to 5940, not 1000000000"),
        ("a", {"size": 8}, "size must be a whole number from 16 to 4096, not 8"),
        ("a", {"size": 10**6}, "from 16 to 4096, not 1000000"),
        ("a", {"frames": 0}, "frames must be a whole number from 1"),
        ("a", {"frames": 65, "size": 4096}, "frames must be a whole number from 1 to 64, not 65"),
        ("a", {"seed": -1}, "seed must be a whole number from 0 to 9223372036854775807, not -1\\."),
    ],
)
def test_what_cannot_be_made_is_refused_and_leaves_nothing(tmp_path, place, options, message):
    with pytest.raises(InputError, match=message):
        synthesize(tmp_path / place, **({"storms": 1, "frames": 1, "size": 16} | options))
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_way_is_kept(tmp_path):
    (tmp_path / "storms").write_text("mine")
    with pytest.raises(InputError, match="in the way"):
        synthesize(tmp_path / "storms", storms=1, frames=1, size=16)
    assert (tmp_path / "storms").read_text() == "mine"


@pytest.mark.parametrize(("place", "format"), [("storms", None), ("storms.zarr", None), ("tree", "png")])
def test_storms_that_a_run_would_not_write_are_never_mixed_with_its_own(tmp_path, place, format):
    synthesize(tmp_path / place, storms=2, frames=1, size=16, format=format)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=r"holds other storms \((200002|typhoon_002)\)"):
        synthesize(tmp_path / place, storms=1, frames=1, size=16, format=format)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(("place", "name"), [("storms/200001.nc", "storms"), ("one.nc", "one.nc")])
def test_real_storms_of_the_same_name_are_kept(tmp_path, make_sequence, place, name):
    save_sequence(make_sequence(), tmp_path / place)
    before = (tmp_path / place).read_bytes()
    with pytest.raises(InputError, match="real storms"):
        synthesize(tmp_path / name, storms=1, frames=1, size=16)
    assert (tmp_path / place).read_bytes() == before


def test_a_folder_of_something_else_is_refused_and_the_current_folder_can_be_filled(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    synthesize(".", storms=1, frames=1, size=16)
    assert {path.name for path in tmp_path.iterdir()} == {"here", "here-flow"}
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="in the way"):
        synthesize(tmp_path / "notes", storms=1, frames=1, size=16)


@pytest.mark.parametrize("options", [{"cadence_minutes": 0}, {"pixel_km": -1}, {"cadence_minutes": 1e6}])
def test_impossible_numbers_are_refused(options):
    with pytest.raises(InputError, match=next(iter(options))):
        simulate_storm(seed=0, frames=1, size=16, **options)


def test_the_history_is_a_command_that_makes_the_archive_again(tmp_path):
    synthesize(tmp_path / "two storms", storms=2, frames=1, size=32, seed=4, format="zarr", precision="packed")
    options = f"-o '{tmp_path}/two storms' --storms 2 --frames 1 --size 32 --seed 4 --format zarr --packed"
    for sequence in open_sequences(tmp_path / "two storms").values():
        assert sequence.attrs["history"].partition(" ")[2] == f"tempogan-eddy synthesize {options}"
