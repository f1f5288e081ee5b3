"""What is stored of earlier results, and how each is computed anew.

``tests/stored/`` holds a scene and what the package made of it. A change of the package that is not meant to change
results must leave them as they are. After a change that is meant to, `python tests/stored_cases.py` writes them anew
(everything but the scene) and the commit says why they moved.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr
from scipy import ndimage

from tempogan_eddy import load_model, reconstruct
from tempogan_eddy.dataset.flow import estimate_flow
from tempogan_eddy.evaluation import evaluate
from tempogan_eddy.io import save_sequence
from tempogan_eddy.synthesis import simulate_storm
from tempogan_eddy.training.trainer import TempoGANTrainer
from training_cases import moving_clouds, recorded, small_config

STORED = Path(__file__).parent / "stored"
STRIDE = 5  # of the pixels that are stored: no multiple of the scale, so every place within a lowres pixel occurs
RELEASES = {
    "faithful": ("faithful", None),
    "eddy": ("eddy", None),
    "eddy-0.5": ("eddy", 0.5),
    "eddy-1": ("eddy", 1.0),
    "faithful-2x": ("faithful-2x", None),
}
# The weights are large and differ, so that each loss moves the generator, and with it the losses that follow, by far
# more than rounding does. The first run learns from middle frames, as shipped; the second takes the other way at every
# turn, with missing pixels.
WEIGHTS = {"batch_size": 2, "lr_g": 1e-3, "lr_d": 1e-3, "lambda_adv_s": 0.02, "lambda_adv_t": 0.3}
RUNS = {
    "middle": WEIGHTS | {"epochs": 3, "lambda_feature": 0.5, "lambda_spectral": 0.01, "grad_clip": 0},
    "all": WEIGHTS
    | {
        "epochs": 2, "gradient_frames": 3, "temporal_share": 1, "accumulate": 2, "d_steps": 2, "grad_clip": 0.1,
        "content_distance": "l2", "lambda_content": 0.7, "shift_blocks": True,
    },
}  # fmt: skip
SCORES = ("rmse", "mae", "lsd", "lsd_hourly", "detail_energy", "tof", "ssim")


def simulate_scene() -> np.ndarray:
    """(2, 24, 28) lowres kelvins, two frames of a simulated storm an hour apart."""
    storm = simulate_storm(seed=11, frames=2, size=112)["brightness_temperature"]
    return storm.isel(y=slice(8, 104)).coarsen(y=4, x=4).mean().values.astype(np.float32)


def scene(missing: bool = True) -> np.ndarray:
    """The stored scene; with ``missing``, a patch of 5 x 3 lowres pixels of its first frame is NaN."""
    lowres = np.load(STORED / "scene.npy")
    if missing:
        lowres[0, 6:11, 17:20] = np.nan
    return lowres


def sparse(highres: np.ndarray) -> np.ndarray:
    """Every `STRIDE`-th row and column."""
    return highres[..., ::STRIDE, ::STRIDE]


def rebuilt(model, **options) -> np.ndarray:
    """(2, 96, 112) highres kelvins of the scene on the CPU."""
    return reconstruct(scene(), model, kelvin=True, device="cpu", **options)


def members() -> np.ndarray:
    """(2, 2, 96, 112) highres kelvins of the scene on the CPU: two members of the released ensemble."""
    return rebuilt("ensemble", members=2, seed=1)


def flow() -> np.ndarray:
    """(2, 24, 28) pixels a step, from the later frame to the earlier one."""
    first, second = scene()
    return estimate_flow(second, first)


def scores() -> dict[str, float]:
    """Of the scene, interpolated to 288 x 336 (Farneback then uses its three levels) and smoothed."""
    truth = ndimage.zoom(scene(missing=False), (1, 12, 12), order=3)
    smooth = ndimage.uniform_filter(truth, (0, 25, 25))
    times = np.array(["2001-08-01T00", "2001-08-01T01"], "datetime64[ns]")
    storm, ours = (
        xr.DataArray(values, dims=("time", "y", "x"), coords={"time": times}, attrs={"units": "K"})
        for values in (truth, smooth)
    )
    found = evaluate(storm, ours, sensor_scale=4, baselines=False).scores["reconstructed"]
    return {name: found[name].value for name in SCORES}


def losses(folder: Path, run: str = "middle", **changes) -> dict[str, list[float]]:
    """Losses of every step and scores of every epoch: three steps on content, then some with the discriminators."""
    config = small_config(folder, write_clouds(folder / "storms", missing=run == "all"), **RUNS[run] | changes)
    TempoGANTrainer(config).train()
    wanted = ("loss/", "validation/rmse", "validation/lsd")
    return {tag: values for tag, values in recorded(config).items() if tag.startswith(wanted)}


def write_clouds(folder: Path, missing: bool) -> Path:
    """Two storms; with ``missing``, a patch of each frame of each is NaN."""
    for number in range(2):
        storm = moving_clouds(seed=number, name=f"storm{number}", start=f"200{number}-08-01")
        if missing:
            storm[:, 20:25, 20:26] = np.nan
        save_sequence(storm, folder / f"storm{number}.nc")
    return folder


def write() -> None:
    """Write everything but the scene anew."""
    outputs = {
        key: sparse(rebuilt(load_model(name, detail), engine="torch", precision="fp32"))
        for key, (name, detail) in RELEASES.items()
    }
    np.savez_compressed(STORED / "outputs.npz", members=sparse(members()), **outputs)
    np.save(STORED / "flow.npy", flow())
    (STORED / "scores.json").write_text(json.dumps(scores(), indent=1) + "\n")
    with tempfile.TemporaryDirectory() as folder:
        found = {run: losses(Path(folder) / run, run) for run in RUNS}
        (STORED / "losses.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    STORED.mkdir(exist_ok=True)
    if not (STORED / "scene.npy").exists():
        np.save(STORED / "scene.npy", simulate_scene())
    write()
