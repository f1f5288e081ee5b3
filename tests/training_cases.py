"""A small storm and a small configuration that the tests of dataset, training and reconstruction share."""

from pathlib import Path

import numpy as np
import xarray as xr
from scipy import ndimage

from tempogan_eddy.config import Config, load_config
from tempogan_eddy.io import save_sequence


def moving_clouds(frames=12, size=48, seed=0, name="clouds", start="2001-08-01", sharpness=1.0) -> xr.DataArray:
    """Smooth cloud that drifts two pixels an hour to the right, in kelvin."""
    noise = np.random.default_rng(seed).normal(size=(size, size))
    field = ndimage.gaussian_filter(noise, 1 / sharpness, mode="wrap") + 4 * ndimage.gaussian_filter(
        noise, 4.0, mode="wrap"
    )
    values = np.stack([np.roll(field, 2 * hour, axis=1) for hour in range(frames)])
    kelvin = (270 + 15 * values / values.std()).clip(185, 315).astype(np.float32)
    times = np.datetime64(start, "ns") + np.arange(frames) * np.timedelta64(1, "h")
    attrs = {"units": "K", "sequence": name, "standard_name": "brightness_temperature"}
    coords = {
        "time": times,
        "lat": ("y", np.linspace(30, 20, size), {"units": "degrees_north", "standard_name": "latitude"}),
        "lon": ("x", np.linspace(130, 140, size), {"units": "degrees_east", "standard_name": "longitude"}),
    }
    return xr.DataArray(kelvin, dims=("time", "y", "x"), coords=coords, attrs=attrs, name="brightness_temperature")


def write_storms(folder, count=2, **options):
    """Several NetCDF storms in one folder."""
    for number in range(count):
        da = moving_clouds(seed=number, name=f"storm{number}", start=f"200{number}-08-01", **options)
        save_sequence(da, folder / f"storm{number}.nc")
    return folder


def small_config(folder, data, **training) -> Config:
    """Networks and steps so small that an epoch takes a moment. Runs on one folder of data share its packed store."""
    data = Path(data)
    values = {
        "batch_size": 2, "patch_size": 32, "epochs": 2, "steps_per_epoch": 3, "pretrain_epochs": 1,
        "checkpoint_every": 1, "validation_frames": 2, "image_every": 1, "precision": "fp32", "device": "cpu",
        "data_root": str(data), "checkpoint_dir": str(folder / "checkpoints"), "log_dir": str(folder / "logs"),
        **training,
    }  # fmt: skip
    return load_config(
        {
            "model": {"n_residual_blocks": 1, "channels": 8, "discriminator_channels": 8},
            "data": {
                "cache_dir": str(data.with_name(f"{data.name}-packed")),
                "split": {"by": "storm", "test_fraction": 0},
            },
            "training": values,
        }
    )


def recorded(config: Config) -> dict[str, list[float]]:
    """What TensorBoard has of a run: scalars by tag, in the order of steps."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(config.training.log_dir).Reload()
    return {tag: [event.value for event in events.Scalars(tag)] for tag in sorted(events.Tags()["scalars"])}
