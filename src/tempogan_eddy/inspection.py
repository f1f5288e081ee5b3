"""Facts about any file: data, packed store, model, checkpoint, ONNX export, scores, configuration, film, report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tempogan_eddy.errors import InputError
from tempogan_eddy.fingerprint import sha256
from tempogan_eddy.io.aside import restored
from tempogan_eddy.io.files.foreign import foreign_format
from tempogan_eddy.io.files.json_text import parse_json, read_bounded
from tempogan_eddy.io.files.urls import fetch, shown
from tempogan_eddy.io.files.walk import refuse_special, walk
from tempogan_eddy.io.finding import Paths
from tempogan_eddy.io.format import recognise
from tempogan_eddy.io.member import MEMBER
from tempogan_eddy.missing import missing
from tempogan_eddy.quiet import ignored_warnings
from tempogan_eddy.released import is_released, model_file
from tempogan_eddy.wording import count

if TYPE_CHECKING:
    import xarray as xr
__all__ = ["data_facts", "inspect", "is_model", "model_facts"]

Facts = dict[str, Any]

LARGEST_DECODED = 4096 * 4096  # pixels of a picture that may be decoded for its speed


def inspect(name: Paths, options: Mapping[str, Any] | None = None) -> dict[str, Facts]:
    """Return facts about a file, or about each sequence of data, by title.

    The name is a path, URL or pattern, several of them for data, or that of a released model; the options are those of
    `open_sequence`. Raise `InputError` if it does not exist, or this package neither reads nor writes it.
    """
    if not isinstance(name, str | Path) or has_magic(str(name)):
        return _sequences(name, options or {})
    (path,) = fetch(name)
    if is_model(path):
        return {shown(path): {"what": "model", **model_facts(path)}}
    if not (restored(path) or path.is_symlink()):
        raise missing(path, "give data, a model, a checkpoint or anything a command wrote")
    refuse_special(path)
    known = _READERS.get(path.suffix.lower())
    if path.is_file() and known is not None:
        return {shown(path): known(path)}
    return _sequences(path, options or {})


def is_model(path: Path) -> bool:
    """Return whether a path or name means a model or a checkpoint."""
    return path.suffix in {".safetensors", ".pth"} or is_released(path)


def model_facts(path: Path) -> Facts:
    """Return network, training, scores and file fingerprint of a model or checkpoint."""
    from tempogan_eddy.weights import load_model

    model = load_model(path)
    file = model_file(str(path))
    low, high = model.kelvin_range
    network = model.specification.network
    facts = {
        "file": file and f"{file.name}, {_size(file)}",
        "sha256": file and sha256(file),
        "generator": f"{network.blocks} residual blocks of {network.channels} channels",
        "weights": f"{sum(parameter.numel() for parameter in model.generator.parameters()):,}",
        "scale": f"x{model.scale}",
        "sensor model": "any that --sensor states; area if it states none" if model.adapts else model.sensor.text,
        "kelvin range": f"{low:g} to {high:g} K",
        "LR consistency": network.projection if model.adapts else network.lr_consistency,
        "cadence": model.config.get("data", {}).get("cadence", "not recorded"),
    }
    return facts | model.metadata


def data_facts(sequence: xr.DataArray) -> Facts:
    """Return size, times, kelvins, gaps, coordinates and attributes of a sequence."""
    from tempogan_eddy.io.grids.spacing import grid_spacing
    from tempogan_eddy.io.variables.channel import channel_of
    from tempogan_eddy.survey import timing

    spacing, timed = grid_spacing(sequence), timing(sequence)
    times = sequence["time"].values.astype("datetime64[m]")
    return {
        "frames": f"{sequence.sizes['time']} of {sequence.sizes['y']}x{sequence.sizes['x']}",
        **({"members": sequence.sizes[MEMBER]} if MEMBER in sequence.dims else {}),
        "times": f"{times[0]} to {times[-1]}",
        **_kelvin_facts(sequence),
        "windows": timed.windows,
        **({"times off their cadence": f"up to {timed.deviation}"} if timed.deviation else {}),
        "grid spacing": f"{spacing:.3g} km" if spacing else "unknown",
        "channel": str(channel_of(sequence.name, sequence.attrs, sequence.coords)),
        "coordinates": ", ".join(sorted(map(str, sequence.coords))),
        **{key: value for key, value in sequence.attrs.items() if key not in ("sequence", "variable_attributes")},
    }


def _sequences(name: Paths, options: Mapping[str, Any]) -> dict[str, Facts]:
    from tempogan_eddy.dataset.pack import is_pack
    from tempogan_eddy.io.open import find_sequences, open_found
    from tempogan_eddy.io.times.source import time_source
    from tempogan_eddy.io.variables.selection import require_selection

    path = Path(name) if isinstance(name, str | Path) else None
    try:
        stored = find_sequences(name, **options)
        sequences = open_found(stored, name, **options)
        require_selection(sequences.values(), options.get("select", {}))
    except InputError as error:
        foreign = foreign_format(path) if path is not None else None
        if path is None or not path.is_file() or recognise(path) or (foreign and foreign.format != "text"):
            raise
        raise InputError(
            f"{path} is nothing that TempoGAN-Eddy reads or writes: data (NetCDF, Zarr, PNG folder, Digital Typhoon), "
            "a model, a checkpoint, an ONNX export, scores, a configuration, an animation or a report."
        ) from error
    packed = {"packed store": f"made for training, {_size(path)}"} if path is not None and is_pack(path) else {}
    facts: dict[str, Facts] = {}
    for name, sequence in sequences.items():
        times = time_source(stored[name], sequence)
        facts[name] = {
            "what": "packed store" if packed else f"sequence, {stored[name].format.name}",
            **packed,
            "time source": times.source,
            **({"names": times.disagreement} if times.disagreement else {}),
            **data_facts(sequence),
        }
    return facts


def _kelvin_facts(sequence: xr.DataArray) -> Facts:
    """Return kelvin range, missing share and gaps, from a few frames spread over the sequence."""
    from tempogan_eddy.survey import survey

    seen = survey(sequence)
    if not seen.looked:
        raise InputError(seen.broken[0].partition(": ")[2])
    kelvins = (
        f"{seen.kelvins[0]:.1f} to {seen.kelvins[1]:.1f} K" if seen.kelvins else "none valid: are the units right?"
    )
    rounded = (np.diff(sequence["time"].values) + np.timedelta64(30, "s")).astype("timedelta64[m]")
    steps, counts = np.unique(rounded.astype(int), return_counts=True)
    return {
        f"kelvins (of {count(seen.looked, 'frame')})": f"{kelvins}, {seen.missing:.2%} missing",
        "time steps": ", ".join(f"{count} of {step} min" for step, count in zip(steps, counts, strict=True)) or "none",
    }


def _onnx_facts(path: Path) -> Facts:
    from tempogan_eddy.export import ONNX_FORMAT
    from tempogan_eddy.extras import require

    onnx = require("onnx")
    try:
        # Do not load weights from other files, which ONNX may name by any path.
        properties = {entry.key: entry.value for entry in onnx.load(path, load_external_data=False).metadata_props}
    except Exception as error:  # protobuf's own error differs by version
        raise InputError(f"{path} cannot be read as ONNX ({type(error).__name__}); it is damaged.") from None
    if properties.get("format") != ONNX_FORMAT:
        raise InputError(f"{path} is an ONNX file, but none that tempogan-eddy export wrote.")
    shown = {key.replace("_", " "): _plain(text) for key, text in properties.items() if key not in ("format", "config")}
    return {"what": "ONNX export", "file": f"{path.name}, {_size(path)}", "sha256": sha256(path), **shown}


def _json_facts(path: Path) -> Facts:
    """Return facts about scores that `evaluate` wrote, else about a configuration."""
    from tempogan_eddy.config import load_config
    from tempogan_eddy.dataset.sensor import SensorModel
    from tempogan_eddy.evaluation.report import LARGEST_SCORES, storms_in

    storms = storms_in(read_bounded(path, LARGEST_SCORES))
    if storms is not None:
        return _score_facts(storms)
    checked = load_config(path)
    training, data, network = checked.training, checked.data, checked.model
    return {
        "what": "configuration (the whole of it: tempogan-eddy config)",
        "generator": f"{network.n_residual_blocks} residual blocks of {network.channels} channels",
        "scale": f"x{checked.scale}",
        "sensor model": "random" if checked.sensor.random else SensorModel.from_config(checked).text,
        "kelvin range": f"{data.kelvin_range[0]:g} to {data.kelvin_range[1]:g} K",
        "cadence": data.cadence,
        "training": f"{count(training.epochs, 'epoch')}, batches of {training.batch_size}",
        "data": training.data_root,
    }


def _score_facts(storms: list[Any]) -> Facts:
    facts: Facts = {"what": "scores of an evaluation"}
    try:
        for storm in storms:
            rmse = {method: scores["rmse"]["value"] for method, scores in storm["scores"].items()}
            listed = ", ".join(f"{method} {value:.3f} K" for method, value in rmse.items() if value is not None)
            facts[str(storm["storm"])] = f"{count(storm['frames'], 'frame')}, x{storm['scale']}; RMSE: {listed}"
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
        raise InputError("These scores lack what evaluate --json writes; write them anew.") from None
    return facts


def _film_facts(path: Path) -> Facts:
    from tempogan_eddy.display.movie import is_film, opencv

    cv2 = opencv()
    film = cv2.VideoCapture(str(path)) if is_film(path) else None
    if film is None or not film.isOpened():
        raise InputError(f"{path} cannot be read as a film; it is damaged.")
    keys = cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FPS, cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT
    count, fps, width, height = map(film.get, keys)
    film.release()
    shown = f"{count:.0f} of {height:.0f}x{width:.0f}, {fps:g} a second"
    return {"what": "animation, MP4", "frames": shown, "file": f"{path.name}, {_size(path)}"}


def _picture_facts(path: Path) -> Facts:
    """Return facts about a picture; decode its pixels only if they are few."""
    from PIL import Image

    try:
        # Pillow warns of pictures that take much memory when decoded.
        with ignored_warnings(".*decompression bomb"), Image.open(path) as picture:
            count, kind = getattr(picture, "n_frames", 1), picture.format
            size = f"{picture.height}x{picture.width}"
            if kind == "WEBP" and picture.height * picture.width < LARGEST_DECODED:
                picture.load()  # sets the time of a frame
            milliseconds = float(picture.info.get("duration", 0))
    except Image.DecompressionBombError:
        raise InputError(f"{path} has more pixels than any picture that TempoGAN-Eddy writes.") from None
    except Exception:  # pillow's plugins raise any of a dozen for a damaged file
        raise InputError(f"{path} cannot be read as a picture; it is damaged.") from None
    what = f"{'animation' if count > 1 else 'picture'}, {kind}"
    speed = f", {1000 / milliseconds:.3g} a second" if count > 1 and milliseconds else ""
    note = {} if count > 1 or kind != "PNG" else {"as data": "give its folder: a sequence of PNG frames is a folder"}
    return {"what": what, "frames": f"{count} of {size}{speed}", "file": f"{path.name}, {_size(path)}", **note}


def _html_facts(path: Path) -> Facts:
    from tempogan_eddy.display.report_parts import read_scores

    facts = _score_facts(read_scores(path))
    return facts | {"what": "report of an evaluation", "file": f"{path.name}, {_size(path)}"}


def _plain(text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError:
        return text


def _size(path: Path) -> str:
    files = walk(path) if path.is_dir() else [path]
    size = sum(file.stat().st_size for file in files if file.is_file())
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


_READERS: dict[str, Callable[[Path], Facts]] = {
    ".onnx": _onnx_facts,
    ".json": _json_facts,
    ".html": _html_facts,
    ".htm": _html_facts,
    ".mp4": _film_facts,
    **dict.fromkeys((".gif", ".webp", ".png"), _picture_facts),
}
