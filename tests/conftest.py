"""Fixtures that all tests share."""

import logging
import os
import signal
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # one worker a core; set before torch and OpenCV are imported
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import dask.array
import numpy as np
import pytest
import xarray as xr
from hypothesis import settings

# No deadline: what an example takes depends on what else the machine does. Mutants all see the same examples.
settings.register_profile("suite", deadline=None, derandomize="MUTANT_UNDER_TEST" in os.environ)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def data_dir():
    """The folder of real frames; tests that need it are skipped where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("TEMPOGAN_EDDY_DATA") or default)
    if not folder.is_dir():
        pytest.skip(f"no real frames in {folder}: set TEMPOGAN_EDDY_DATA to their folder")
    return folder


@pytest.fixture(scope="session", autouse=True)
def interrupts_arrive():
    """Ctrl-C works in tests that a script runs in the background, for which the shell ignores SIGINT."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory):
    """A cache of the user that ends with the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def no_wait_for_the_disk():
    """What tests write need not survive a power cut, and a store has hundreds of files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture
def unbounded(monkeypatch):
    """Detail may be as warm as it likes: random networks add far more than released ones."""
    for part in ("model", "reconstruction"):
        monkeypatch.setattr(f"tempogan_eddy.{part}.members.warmest_around", lambda frame, lowres: frame + 1000)


@pytest.fixture(autouse=True)
def untouched_logging():
    """What a command does to the logger, whose stream belongs to one test, ends with the test."""
    yield
    logger = logging.getLogger("tempogan_eddy")
    logger.handlers, logger.propagate = [], True
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def make_sequence():
    """A function that builds a small sequence of smooth moving kelvins with times and coordinates."""

    def make(frames=4, shape=(12, 10), name="200101", start="2001-07-01T00", step="1h", missing=0, seed=0):
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[: shape[0], : shape[1]]
        waves = [np.sin((x + 2 * t) / 3) + np.cos((y - t) / 2) for t in range(frames)]
        kelvin = (250 + 15 * np.stack(waves) + rng.normal(size=(frames, *shape))).astype(np.float32)
        kelvin.ravel()[rng.choice(kelvin.size, missing, replace=False)] = np.nan
        step = np.timedelta64(int(step[:-1]), step[-1])
        return xr.DataArray(
            dask.array.from_array(kelvin, chunks=(1, *shape)),
            dims=("time", "y", "x"),
            coords={
                "time": (np.datetime64(start) + np.arange(frames) * step).astype("datetime64[ns]"),
                "satellite": ("time", np.array(["GMS3", "MTS1"])[np.arange(frames) % 2]),
                "center_lat": ("time", 12 + 0.25 * np.arange(frames)),
                "pressure": ("time", np.where(np.arange(frames) == 1, np.nan, 1007.7)),
                "lat": (
                    "y",
                    20 - 0.5 * np.arange(shape[0]),
                    {"standard_name": "latitude", "units": "degrees_north"},
                ),
                "lon": (
                    "x",
                    120 + 0.5 * np.arange(shape[1]),
                    {"standard_name": "longitude", "units": "degrees_east"},
                ),
            },
            name="brightness_temperature",
            attrs={
                "units": "K",
                "standard_name": "brightness_temperature",
                "sequence": name,
                "institution": "test",
            },
        )

    return make


@pytest.fixture
def in_chunks():
    """A function that makes a sequence lazy in chunks of several frames, and the list of chunks computed since."""

    def chunk(sequence, frames):
        computed = []

        def block(block, block_info=None):
            computed.append(block_info[0]["chunk-location"][0])
            return block

        data = dask.array.from_array(sequence.values, chunks=(frames, *sequence.shape[1:]))
        meta = np.empty((0, 0, 0), sequence.dtype)
        return sequence.copy(data=data.map_blocks(block, dtype=sequence.dtype, meta=meta)), computed

    return chunk


@pytest.fixture
def small_shards(monkeypatch):
    """Of two frames of 16x16 each, or one of 64x64."""
    from tempogan_eddy.io.formats import zarr

    monkeypatch.setattr(zarr, "PIXELS_OF_SHARD", 2 * 16 * 16)


@pytest.fixture
def small_films(monkeypatch):
    """The animations of a report have two frames, 400 pixels wide."""
    from tempogan_eddy.display import report_storm

    for name, value in {"FILM_FRAMES": 2, "MEMBER_FRAMES": 2, "FILM_WIDTH": 400}.items():
        monkeypatch.setattr(report_storm, name, value)


@pytest.fixture
def clouds():
    """The `FRAMES` frames of 16x16 of a moving cloud."""
    from parts_cases import FRAMES
    from training_cases import moving_clouds

    return moving_clouds(frames=FRAMES, size=16)
