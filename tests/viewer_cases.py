"""Sequences and sites that the tests of the viewer share."""

import http.client
import json
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

import dask.array
import numpy as np
import xarray as xr

from tempogan_eddy import save_sequence
from tempogan_eddy.evaluation.baselines import area_mean
from tempogan_eddy.viewer.catalog import Catalog, Request
from tempogan_eddy.viewer.scene import build_scene
from tempogan_eddy.viewer.site import Site

SCALE = 4


class Scenes:
    """A catalog of scenes that are in memory."""

    def __init__(self, *scenes):
        self.scenes = scenes
        self.names = [scene.name for scene in scenes]

    def scene(self, number):
        return self.scenes[number]


@dataclass
class Answer:
    """What a server answered."""

    status: int
    headers: dict
    content: bytes

    def json(self):
        return json.loads(self.content)


def ask(address, path, method="GET", host=None):
    """Ask a server for a path exactly as it is written; ``host`` is what the request calls the server."""
    place = urlsplit(address)
    with closing(http.client.HTTPConnection(place.hostname, place.port, timeout=20)) as connection:
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", place.netloc if host is None else host.replace("PORT", str(place.port)))
        connection.endheaders()
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, headers, answer.read())


def as_frames(kelvin, name="200101", start="2001-07-01T00", **attrs):
    """An array (T, H, W) as an hourly sequence with a best track."""
    frames = len(kelvin)
    hours = np.arange(frames)
    track = {
        "center_lat": 12 + 0.25 * hours,
        "center_lon": 130.0 - hours,
        "pressure": 1000.0 - hours,
        "wind": 10.0 * hours,
    }
    return xr.DataArray(
        dask.array.from_array(kelvin.astype(np.float32), chunks=(1, *kelvin.shape[1:])),
        dims=("time", "y", "x"),
        coords={
            "time": (np.datetime64(start) + hours * np.timedelta64(1, "h")).astype("datetime64[ns]"),
            **{key: ("time", values) for key, values in track.items()},
            "grade": ("time", np.full(frames, 5)),
        },
        name="brightness_temperature",
        attrs={"units": "K", "standard_name": "brightness_temperature", "sequence": name, **attrs},
    )


def kelvins(frames=5, side=320, seed=0):
    """Clouds (T, side, side) that differ from pixel to pixel and frame to frame."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    waves = [np.sin((x + 5 * t) / 23) + np.cos((y - 3 * t) / 17) for t in range(frames)]
    return (245 + 22 * np.stack(waves) + 3 * rng.normal(size=(frames, side, side))).astype(np.float32)


def storm_arrays(frames=5, side=320):
    """Truth with a missing corner, its block means, and a reconstruction with the same block means."""
    truth = kelvins(frames, side)
    truth[:, :24, :40] = np.nan
    added = np.tile([[1, -1], [-1, 1]], (side // 2, side // 2)).astype(np.float32)
    coarse = np.stack([area_mean(frame, SCALE) for frame in truth])
    return {"truth": truth, "lowres": coarse, "reconstructed": truth + added}


def storm_files(folder, frames=5, side=320):
    """The same as files: truth.nc, coarse.nc and fine.nc, and the arrays."""
    arrays = storm_arrays(frames, side)
    made = {
        "super_resolution_software": "TempoGAN-Eddy",
        "super_resolution_model": "m",
        "scale": SCALE,
        "sensor_model": "area",
        "super_resolution_comment": "Detail finer than the input's pixels is plausible, not observed.",
    }
    save_sequence(as_frames(arrays["truth"]), folder / "truth.nc", precision="exact")
    save_sequence(as_frames(arrays["lowres"], sensor_model="area"), folder / "coarse.nc", precision="exact")
    command = "tempogan-eddy reconstruct coarse.nc -o fine.nc"
    save_sequence(as_frames(arrays["reconstructed"], **made), folder / "fine.nc", history=command, precision="exact")
    return arrays


def ensemble():
    """Members 3 and 7 of a reconstruction in one array, as plain sequences, and the truth."""
    arrays = storm_arrays(frames=3)
    made = {"super_resolution_software": "TempoGAN-Eddy", "scale": SCALE, "sensor_model": "area"}
    plain = [as_frames(arrays["reconstructed"] + shift, **made) for shift in (0, 1)]
    together = xr.concat(plain, "member").assign_coords(member=[3, 7])
    return together, plain, as_frames(arrays["truth"])


def site_of(folder):
    """What `view fine.nc --truth truth.nc --low-res coarse.nc` shows."""
    request = Request([folder / "fine.nc"], folder / "truth.nc", folder / "coarse.nc")
    return Site(Catalog(request), "tempogan-eddy view fine.nc")


def long_site(frames=1000, side=2048):
    """A sequence of many large frames that are made when they are read, and the list of those read."""
    read = []
    ramp = np.add.outer(np.arange(side), np.arange(side)).astype(np.float32) / (2 * side) * 100

    def block(block_info=None):
        number = block_info[None]["chunk-location"][0]
        read.append(number)
        return (200 + ramp + number / 100)[None]

    data = dask.array.map_blocks(
        block, chunks=((1,) * frames, side, side), dtype=np.float32, meta=np.empty((0, 0, 0), np.float32)
    )
    times = np.datetime64("2001-07-01T00", "ns") + np.arange(frames) * np.timedelta64(1, "h")
    sequence = xr.DataArray(
        data, dims=("time", "y", "x"), coords={"time": times}, attrs={"units": "K", "sequence": "long"}
    )
    return Site(Scenes(build_scene("long", {"long": sequence}))), read
