import logging
import tracemalloc

import dask.array
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tempogan_eddy.errors import InputError
from tempogan_eddy.io import open_sequence, save_sequence
from tempogan_eddy.io.formats import zarr as zarr_format
from tempogan_eddy.io.formats.png.record import WRITTEN_KELVIN

FORMATS = {"netcdf": "a.nc", "zarr": "a.zarr", "png": "storm", "digital-typhoon": "WP"}
TIMES_ONLY = {"png", "digital-typhoon"}


@pytest.fixture(params=list(FORMATS))
def format(request):
    return request.param


def assert_same(again, sequence, format, tolerance=2**-11):
    """The same kelvins, times, coordinates along time and attributes; where the format holds them, the grid."""
    tolerance = 0.5 * np.ptp(WRITTEN_KELVIN) / 65534 + 2e-5 if format == "png" else tolerance
    np.testing.assert_allclose(again.values, sequence.values, rtol=0, atol=tolerance)
    names = {str(n) for n, c in sequence.coords.items() if format not in TIMES_ONLY or c.dims == ("time",)}
    assert names <= set(again.coords)
    for name in names:
        np.testing.assert_array_equal(again[name], sequence[name])
        assert again[name].dims == sequence[name].dims
        assert sequence[name].attrs.items() <= again[name].attrs.items()
    assert sequence.attrs.items() <= again.attrs.items()


def exactest(format):
    """The most exact values that a format holds."""
    return "rounded" if format == "png" else "exact"


def test_what_is_written_is_read_again(make_sequence, tmp_path, format):
    sequence = make_sequence(missing=11).assign_attrs(range=[170.0, 320.0], steps=3, storm_name="")
    save_sequence(sequence, tmp_path / FORMATS[format], format=format, precision=exactest(format))
    assert_same(open_sequence(tmp_path / FORMATS[format]), sequence, format, tolerance=0)


tiny_kelvins = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=3, max_dims=3, max_side=4),
    elements=st.floats(160, 329.984375, width=32) | st.just(np.nan),
)


@settings(
    max_examples=10,
    deadline=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    kelvin=tiny_kelvins,
    hours=st.lists(st.integers(-500_000, 500_000), min_size=4, max_size=4, unique=True),
    data=st.data(),
)
def test_any_sequence_survives_every_format(tmp_path_factory, format, kelvin, hours, data):
    texts = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=6)
    times = np.datetime64("2000-01-01", "ns") + np.sort(hours[: len(kelvin)]) * np.timedelta64(1, "h")
    coords = {
        "time": times,
        "satellite": ("time", np.array([data.draw(texts) for _ in times])),
        "wind": ("time", np.array([data.draw(st.floats(0, 200) | st.just(np.nan)) for _ in times])),
    }
    note = data.draw(st.text(st.characters(codec="ascii", min_codepoint=32)))
    attrs = {"units": "K", "sequence": data.draw(texts), "note": note}
    sequence = xr.DataArray(kelvin, dims=("time", "y", "x"), coords=coords, attrs=attrs)
    path = tmp_path_factory.mktemp("any") / FORMATS[format]
    save_sequence(sequence, path, format=format, precision=exactest(format))
    assert_same(open_sequence(path), sequence, format, tolerance=0)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_times_between_seconds_survive(make_sequence, tmp_path, suffix):
    sequence = make_sequence(step="1500s")
    times = sequence.time + np.timedelta64(250, "ms")
    save_sequence(sequence.assign_coords(time=times), tmp_path / f"a{suffix}")
    difference = open_sequence(tmp_path / f"a{suffix}").time.values - times.values
    assert np.abs(difference).max() < np.timedelta64(1, "us")


def test_netcdf_follows_the_cf_conventions(make_sequence, tmp_path):
    save_sequence(make_sequence(), tmp_path / "a.nc", history="tempogan-eddy coarsen a b")
    with xr.open_dataset(tmp_path / "a.nc") as file:
        assert file.attrs["Conventions"] == "CF-1.8"
        assert file.attrs["history"].endswith("Z tempogan-eddy coarsen a b")
        assert file.encoding["unlimited_dims"] == {"time"}
        assert file.brightness_temperature.dims == ("time", "lat", "lon")
        assert file.brightness_temperature.attrs["standard_name"] == "brightness_temperature"
        assert file.brightness_temperature.encoding["dtype"] == np.float32
        assert {"satellite", "center_lat", "pressure"} <= set(file.brightness_temperature.coords)
        assert file.center_lat.attrs["units"] == "degrees_north"
        assert file.lat.attrs == {"standard_name": "latitude", "units": "degrees_north"}
        assert file.time.attrs["standard_name"] == "time"
        assert "_FillValue" not in file.time.encoding
        assert "_FillValue" not in file.lat.encoding
    with xr.open_dataset(tmp_path / "a.nc", decode_times=False) as file:
        assert file.time.attrs["units"] == "seconds since 1970-01-01"
        assert file.time.attrs["calendar"] == "standard"
        assert all(variable.dtype != np.int64 for variable in file.variables.values())


def test_zarr_is_version_3_with_a_chunk_a_frame(make_sequence, tmp_path):
    save_sequence(make_sequence(), tmp_path / "a.zarr")
    array = zarr.open_group(tmp_path / "a.zarr", mode="r")["brightness_temperature"]
    assert array.metadata.zarr_format == 3
    assert array.chunks == (1, 12, 10)
    with xr.open_zarr(tmp_path / "a.zarr", consolidated=False) as store:
        assert store.brightness_temperature.dims == ("time", "lat", "lon")


def test_history_grows(make_sequence, tmp_path):
    save_sequence(make_sequence(), tmp_path / "a.nc", history="first")
    save_sequence(open_sequence(tmp_path / "a.nc"), tmp_path / "b.nc", history="second")
    first, second = open_sequence(tmp_path / "b.nc").attrs["history"].splitlines()
    assert first.endswith("first")
    assert second.endswith("second")


def test_a_sequence_that_is_missing_throughout_is_written_with_a_warning(make_sequence, tmp_path, format, caplog):
    sequence = make_sequence()
    last_alone = sequence.where(sequence["time"] == sequence["time"][-1])
    save_sequence(last_alone.assign_attrs(sequence.attrs), tmp_path / "seen" / FORMATS[format], format=format)
    assert "Every pixel" not in caplog.text
    with caplog.at_level(logging.WARNING, logger="tempogan_eddy"):
        save_sequence((sequence * np.nan).assign_attrs(sequence.attrs), tmp_path / FORMATS[format], format=format)
    (message,) = [record.message for record in caplog.records if "Every pixel" in record.message]
    assert "160-330 K" in message
    assert "\n" not in message


def failing(sequence, error):
    """The sequence, whose third frame raises when it is computed."""

    def fail(block, block_info=None):
        if block_info[0]["chunk-location"][0] == 2:
            raise error
        return block

    return sequence.copy(data=sequence.data.map_blocks(fail, dtype=np.float32, meta=np.empty((0, 0, 0), "f4")))


@pytest.mark.parametrize("error", [KeyboardInterrupt, InputError("a frame is broken"), ValueError])
def test_a_failure_leaves_nothing_and_keeps_what_was_there(make_sequence, tmp_path, format, error):
    with pytest.raises(error if isinstance(error, type) else InputError):
        save_sequence(failing(make_sequence(), error), tmp_path / "new" / FORMATS[format], format=format)
    assert list(tmp_path.iterdir()) == []
    path = tmp_path / FORMATS[format]
    save_sequence(make_sequence(), path, format=format)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(error if isinstance(error, type) else InputError):
        save_sequence(failing(make_sequence(seed=1), error), path, format=format)
    assert sorted(tmp_path.rglob("*")) == before
    assert_same(open_sequence(path), make_sequence(), format)


def test_an_older_output_is_replaced_whole(make_sequence, tmp_path, format):
    path = tmp_path / FORMATS[format]
    save_sequence(make_sequence(frames=7), path, format=format)
    save_sequence(make_sequence(frames=3, seed=1), path, format=format)
    assert_same(open_sequence(path), make_sequence(frames=3, seed=1), format)
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name]


def test_the_input_is_never_written_over(make_sequence, tmp_path, format):
    path = tmp_path / FORMATS[format]
    save_sequence(make_sequence(), path, format=format)
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    with pytest.raises(InputError, match="is where the input is read from"):
        save_sequence(open_sequence(path) + 1, path, format=format)
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before


def test_what_is_no_output_is_never_removed(make_sequence, tmp_path, format):
    path = tmp_path / FORMATS[format]
    path.mkdir()
    (path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"exists and|holds more|is a folder"):
        save_sequence(make_sequence(), path, format=format)
    assert (path / "thesis.txt").read_text() == "years of work"


def test_frames_are_computed_one_at_a_time(tmp_path, format, monkeypatch):
    """A sequence of 17 MB is written in a fraction of that memory; a shard of Zarr, of 4 frames here, is held whole."""
    monkeypatch.setattr(zarr_format, "PIXELS_OF_SHARD", 4 * 256 * 256)
    frames = 64
    times = np.datetime64("2001-01-01", "ns") + np.arange(frames) * np.timedelta64(1, "h")
    kelvin = dask.array.full((frames, 256, 256), 250, chunks=(1, -1, -1), dtype=np.float32)
    sequence = xr.DataArray(
        kelvin, dims=("time", "y", "x"), coords={"time": times}, attrs={"units": "K", "sequence": "s"}
    )
    save_sequence(sequence[:1], tmp_path / f"imports-{FORMATS[format]}", format=format)
    done = []
    tracemalloc.start()
    save_sequence(sequence, tmp_path / FORMATS[format], format=format, on_frame=done.append)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert done == list(range(1, frames + 1))
    assert peak < (8e6 if format == "zarr" else 5e6)


def test_a_format_is_found_by_suffix_else_by_the_input(make_sequence, tmp_path):
    with pytest.raises(InputError, match="does not tell its format"):
        save_sequence(make_sequence(), tmp_path / "out")
    with pytest.raises(InputError, match="Unknown format 'gif'"):
        save_sequence(make_sequence(), tmp_path / "out", format="gif")
    save_sequence(make_sequence(), tmp_path / "in", format="png")
    save_sequence(open_sequence(tmp_path / "in"), tmp_path / "out")
    assert (tmp_path / "out/frame_004.png").is_file()


def test_a_place_below_a_file_is_refused(make_sequence, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        save_sequence(make_sequence(), tmp_path / "file/a.nc")


def test_what_is_no_sequence_is_not_written(tmp_path):
    with pytest.raises(InputError, match="no units"):
        save_sequence(xr.DataArray(np.zeros((3, 4)), dims=("y", "x")), tmp_path / "a.nc")
    with pytest.raises(InputError, match="no time"):
        save_sequence(xr.DataArray(np.full((3, 4), 250.0), dims=("y", "x"), attrs={"units": "K"}), tmp_path / "a.nc")
    assert list(tmp_path.iterdir()) == []


def test_every_frame_is_computed_once(make_sequence, in_chunks, tmp_path, format):
    sequence = make_sequence(frames=15)
    lazy, computed = in_chunks(sequence, 6)
    save_sequence(lazy, tmp_path / FORMATS[format], format=format)
    assert computed == [0, 1, 2]
    assert_same(open_sequence(tmp_path / FORMATS[format]), sequence, format)


def test_arrays_of_other_libraries_are_saved_if_they_have_a_time(tmp_path, make_sequence):
    one = make_sequence(frames=1).compute().isel(time=0, drop=True).rename(y="row", x="col").drop_vars(["lat", "lon"])
    scene = one.drop_vars(["satellite", "center_lat", "pressure"], errors="ignore")
    with pytest.raises(InputError, match="no time"):
        save_sequence(scene, tmp_path / "a.nc")
    save_sequence(scene.assign_attrs(start_time="2019-12-25T10:00:21"), tmp_path / "a.nc")
    assert open_sequence(tmp_path / "a.nc").time.values[0] == np.datetime64("2019-12-25T10:00:21")
    save_sequence(make_sequence().transpose("x", "time", "y").to_dataset(name="tb"), tmp_path / "b.nc")
    assert open_sequence(tmp_path / "b.nc").shape == make_sequence().shape
    with pytest.raises(InputError, match="kelvin"):
        save_sequence(np.zeros((8, 8)), tmp_path / "c.nc")
