"""Damaged files for every reader: bits flipped, ends cut off, numbers in headers made absurd.

Every reader has to end each of them in what it reads or in an InputError. They are tried in a child process, which
a library below may crash, stall or make print: ``python tests/fuzzing.py FOLDER FLIPS CUTS KIND ...``.
"""

import faulthandler
import json
import logging
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SECONDS_A_CASE = 20  # of the processor
MOST_MEMORY = 3 << 30  # bytes beyond what the libraries take by themselves
HEADER = 600  # bytes at the beginning, where every second flip lies


@dataclass(frozen=True)
class Sample:
    """A valid input: the file that is damaged, and how the whole of it is read.

    Where ``guarded`` by checksums, what is read from a damaged file must be what was read from the whole one.
    """

    file: Path
    read: Callable[[], object]
    guarded: bool = False


@dataclass(frozen=True)
class Finding:
    """A damaged file that ended otherwise than it should."""

    kind: str
    case: str
    what: str


def damaged(content: bytes, flips: int, cuts: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield (name of the damage, content): ``flips`` of each way to change it, and ``cuts``."""
    rng = random.Random(seed)
    for number in range(flips):
        place = rng.randrange(min(HEADER, len(content)) if number % 2 else len(content))
        bit = rng.randrange(8)
        changed = bytearray(content)
        changed[place] ^= 1 << bit
        yield f"flip {place}.{bit}", bytes(changed)
        place, width = rng.randrange(min(HEADER, len(content))), rng.choice([1, 2, 4, 8])
        filler = rng.choice([b"\0", b"\xff", b"\x7f", b"9", b"[", b'"'])
        yield f"fill {place}+{width} {filler!r}", content[:place] + filler * width + content[place + width :]
    for _ in range(cuts):
        place = rng.randrange(len(content))
        yield f"cut {place}", content[:place]
    yield "empty", b""
    yield "doubled", content + content


def samples(folder: Path) -> dict[str, Callable[[], Sample]]:
    """A function for each kind that writes its sample below ``folder``."""
    makers = {name.removeprefix("_make_"): make for name, make in globals().items() if name.startswith("_make_")}

    def bound(name: str, make: Callable[[Path], Sample]) -> Callable[[], Sample]:
        def called() -> Sample:
            own = folder / name
            shutil.rmtree(own, ignore_errors=True)
            own.mkdir(parents=True)
            return make(own)

        return called

    return {name: bound(name, make) for name, make in makers.items()}


KINDS: list[str]


def fuzz(kinds: list[str], folder: Path, flips: int, cuts: int) -> list[Finding]:
    """Try all damages of these kinds in child processes, a new one after each crash; what went wrong."""
    findings: list[Finding] = []
    skip = 0
    while True:
        words = [sys.executable, __file__, str(folder), str(flips), str(cuts), str(skip), *kinds]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        child = subprocess.run(words, capture_output=True, text=True, env=environment)
        lines = [json.loads(line) for line in child.stdout.splitlines() if line.startswith("[")]
        findings += [Finding(*line[1:]) for line in lines if line[0] == "finding"]
        if child.returncode == 0:
            return findings
        started = [line for line in lines if line[0] == "start"]
        if not started:
            raise RuntimeError(child.stderr[-2000:])
        name = signal.Signals(-child.returncode).name if child.returncode < 0 else f"exit code {child.returncode}"
        what = f"the process ended by {name}: {child.stderr[-300:]}"
        findings.append(Finding(started[-1][1], started[-1][2], what))
        skip = started[-1][3] + 1


def main(folder: Path, flips: int, cuts: int, skip: int, kinds: list[str]) -> None:
    """Try damages in this process; print what is tried and found, a JSON list a line."""
    # As the command line does: what Python libraries warn of goes to the log. What others print is a finding.
    warnings.simplefilter("ignore")
    logging.lastResort = logging.NullHandler()
    output, errors = os.fdopen(os.dup(1), "w", buffering=1), os.fdopen(os.dup(2), "w")
    faulthandler.enable(errors)
    said = folder / "said.txt"
    printed = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    number = -1
    for kind in kinds:
        sample = samples(folder)[kind]()
        content = sample.file.read_bytes()
        whole = sample.read() if sample.guarded else None
        for case, changed in damaged(content, flips, cuts, seed=len(kind)):
            number += 1
            if number < skip:
                continue
            print(json.dumps(["start", kind, case, number]), file=output)
            sample.file.write_bytes(changed)
            signal.setitimer(signal.ITIMER_PROF, SECONDS_A_CASE)
            signal.alarm(30 * SECONDS_A_CASE)  # for what waits without computing; other processes may be slow
            before = said.stat().st_size
            what = _outcome(sample.read, whole)
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
            if said.stat().st_size > before:
                what = f"{what} printed {said.read_text(errors='replace')[before : before + 200]!r}"
            if what:
                print(json.dumps(["finding", kind, case, what]), file=output)
                kept = folder / "findings" / f"{kind}-{number}{sample.file.suffix}"
                kept.parent.mkdir(exist_ok=True)
                kept.write_bytes(changed)
        sample.file.write_bytes(content)


def _outcome(read: Callable[[], object], whole: object) -> str:
    """What a reader did that it should not; an empty text where it read (``whole``, if that is known) or refused."""
    import traceback

    from tempogan_eddy.errors import InputError

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    try:
        found = read()
        if whole is not None and found != whole:
            return "read other values without an error"
    except InputError as error:
        if len(str(error)) > 1500 or ("\n" in str(error).strip() and "problems:" not in str(error)):
            return f"no sentence: {str(error)[:300]!r}"
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        ours = [entry for entry in traceback.extract_tb(error.__traceback__) if "tempogan_eddy" in entry.filename]
        at = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
        return f"{type(error).__name__}: {str(error)[:200]} ({at}, {Path(place.filename).name}:{place.lineno})"
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10) - before
    return f"took {grown / 1e9:.1f} GB" if grown > MOST_MEMORY else ""


def _plain(value: object) -> object:
    """Nested values as Python compares them."""
    import torch

    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value.numpy().tobytes() if isinstance(value, torch.Tensor) else value


def _frames(path: Path) -> Callable[[], object]:
    from tempogan_eddy.io import open_sequence

    def read() -> object:
        da = open_sequence(path).load()
        return [da.values.tobytes(), *((name, coord.values.tobytes()) for name, coord in sorted(da.coords.items()))]

    return read


def _inspected(path: Path) -> Callable[[], object]:
    from tempogan_eddy.inspection import inspect

    return lambda: json.dumps(inspect(path), default=str)


def _config() -> Any:
    from tempogan_eddy.config import load_config

    return load_config({"model": {"n_residual_blocks": 1, "channels": 8, "discriminator_channels": 8}})


def _generator() -> Any:
    from tempogan_eddy.weights import build_generator

    return build_generator(_config())


METADATA = {"training_data": ["a storm"], "epoch": 1, "step": 3, "score": 1.5}


def _make_model(folder: Path) -> Sample:
    from tempogan_eddy.weights import Model, load_model, save_model

    path = folder / "model.safetensors"
    save_model(path, Model.from_config(_generator(), _config(), "small", METADATA))

    def read() -> object:
        model = load_model(path)
        return _plain([model.generator.state_dict(), model.specification.model_dump(), model.metadata, model.config])

    return Sample(path, read, guarded=True)


def _make_checkpoint(folder: Path) -> Sample:
    from tempogan_eddy.stored import read_checkpoint
    from tempogan_eddy.training.checkpoint import save_checkpoint

    path = folder / "checkpoint_epoch_1.pth"
    # Written out, because torch imports its compiler with the first optimiser, which takes seconds.
    adam = {"lr": 1e-4, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0, "amsgrad": False, "params": [0, 1]}
    state = {
        "generator": _generator().state_dict(),
        "ema": {},
        "optimizer_g": {"state": {}, "param_groups": [adam]},
        "epoch": 1,
        "step": 3,
        "best_score": 1.5,
    }
    save_checkpoint(path, state, _config())
    return Sample(path, lambda: _plain(read_checkpoint(path)), guarded=True)


def _make_onnx(folder: Path) -> Sample:
    from tempogan_eddy.export import export_model
    from tempogan_eddy.weights import Model

    path = folder / "model.onnx"
    export_model(Model.from_config(_generator(), _config(), "small", METADATA), path)
    return Sample(path, _inspected(path))


def _make_configuration(folder: Path) -> Sample:
    path = folder / "config.json"
    path.write_text(_config().to_json().replace("{", "{  # a comment", 1))
    return Sample(path, _inspected(path))


def _scores() -> str:
    score = {"value": 2.5, "low": None, "high": None}
    storm = {"storm": "200101", "frames": 4, "scale": 4, "scores": {"reconstructed": {"rmse": score}}}
    return json.dumps({"storms": [storm]}, indent=2)


def _make_scores(folder: Path) -> Sample:
    path = folder / "scores.json"
    path.write_text(_scores())
    return Sample(path, _inspected(path))


def _make_report(folder: Path) -> Sample:
    from tempogan_eddy.display.report_parts import scores_element

    path = folder / "report.html"
    path.write_text(f"<!doctype html><title>scores</title>{scores_element(_scores())}<p>the end</p>")
    return Sample(path, _inspected(path))


def _make_film(folder: Path) -> Sample:
    from tempogan_eddy.display.movie import opencv

    path, cv2 = folder / "storm.mp4", opencv()
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 6, (64, 48))
    for picture in _pictures():
        writer.write(np.asarray(picture.convert("RGB")))
    writer.release()
    return Sample(path, _inspected(path))


def _pictures() -> list[Any]:
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 255, (3, 48, 64), np.uint8)
    return [Image.fromarray(picture) for picture in noise]


def _animation(folder: Path, suffix: str) -> Sample:
    path = folder / f"storm{suffix}"
    first, *others = _pictures()
    first.save(path, save_all=True, append_images=others, duration=100)
    return Sample(path, _inspected(path))


def _make_gif(folder: Path) -> Sample:
    return _animation(folder, ".gif")


def _make_webp(folder: Path) -> Sample:
    return _animation(folder, ".webp")


def _make_animated_png(folder: Path) -> Sample:
    return _animation(folder, ".png")


def _sequence() -> Any:
    from training_cases import moving_clouds

    return moving_clouds(frames=3, size=32)


def _make_png_frames(folder: Path) -> Sample:
    from tempogan_eddy.io import save_sequence

    save_sequence(_sequence(), folder / "frames", format="png")
    return Sample(folder / "frames" / "frame_002.png", _frames(folder / "frames"), guarded=True)


def _basin(folder: Path) -> Path:
    import h5py

    frames = folder / "WP" / "image" / "200101"
    frames.mkdir(parents=True)
    rows = ["year,month,day,hour,grade,lat,lng,pressure,wind,file_1,mask_1,mask_1_pct"]
    for hour, values in enumerate(_sequence().values):
        name = f"20010701{hour:02d}-200101-GMS5-1.h5"
        with h5py.File(frames / name, "w") as file:
            image = file.create_dataset("Infrared", data=values.astype("f8"), compression="gzip")
            image.attrs["units"] = np.bytes_("K (kelvin)")
            file.attrs["history"] = "made"
        rows.append(f"2001,7,1,{hour},3,12.5,140.1,1002,35,{name},12,16.7")
    (folder / "WP" / "metadata").mkdir()
    (folder / "WP" / "metadata" / "200101.csv").write_text("\n".join(rows) + "\n")
    (folder / "WP" / "metadata.json").write_text(json.dumps({"200101": {"name": "DURIAN", "season": 2001}}))
    return frames


def _make_digital_typhoon(folder: Path) -> Sample:
    frames = _basin(folder)
    return Sample(min(frames.iterdir()), _inspected(frames))


def _make_best_track(folder: Path) -> Sample:
    frames = _basin(folder)
    return Sample(folder / "WP" / "metadata" / "200101.csv", _inspected(frames))


def _make_storm_metadata(folder: Path) -> Sample:
    frames = _basin(folder)
    return Sample(folder / "WP" / "metadata.json", _inspected(frames))


def _make_netcdf_classic(folder: Path) -> Sample:
    path = folder / "storm.nc"
    _sequence().to_dataset(name="tb").to_netcdf(path, engine="scipy", format="NETCDF3_64BIT")
    return Sample(path, _inspected(path))


def _make_netcdf4(folder: Path) -> Sample:
    from tempogan_eddy.io import save_sequence

    path = folder / "storm.nc"
    save_sequence(_sequence(), path)
    return Sample(path, _frames(path))


def _zarr(folder: Path, version: int, target: str) -> Sample:
    store = folder / "storm.zarr"
    _sequence().to_dataset(name="tb").chunk(time=1).to_zarr(store, zarr_format=version, consolidated=False)
    return Sample(store / target, _inspected(store))


def _make_zarr2_metadata(folder: Path) -> Sample:
    return _zarr(folder, 2, "tb/.zarray")


def _make_zarr2_attributes(folder: Path) -> Sample:
    return _zarr(folder, 2, "tb/.zattrs")


def _make_zarr2_chunk(folder: Path) -> Sample:
    return _zarr(folder, 2, "tb/1.0.0")


def _make_zarr3_group(folder: Path) -> Sample:
    return _zarr(folder, 3, "zarr.json")


def _make_zarr3_metadata(folder: Path) -> Sample:
    return _zarr(folder, 3, "tb/zarr.json")


def _make_zarr3_chunk(folder: Path) -> Sample:
    return _zarr(folder, 3, "tb/c/1/0/0")


def _make_zarr3_times(folder: Path) -> Sample:
    return _zarr(folder, 3, "time/c/0")


def _own_zarr(folder: Path, target: str) -> Sample:
    from tempogan_eddy.io import save_sequence

    save_sequence(_sequence(), folder / "storm.zarr")
    return Sample(folder / "storm.zarr" / target, _frames(folder / "storm.zarr"), guarded=True)


def _make_own_zarr_group(folder: Path) -> Sample:
    return _own_zarr(folder, "zarr.json")


def _make_own_zarr_metadata(folder: Path) -> Sample:
    return _own_zarr(folder, "brightness_temperature/zarr.json")


def _make_own_zarr_chunk(folder: Path) -> Sample:
    return _own_zarr(folder, "brightness_temperature/c/0/0/0")


def _make_own_zarr_times(folder: Path) -> Sample:
    return _own_zarr(folder, "time/c/0")


def _store(folder: Path, target: str) -> Sample:
    from tempogan_eddy.dataset.pack import pack
    from tempogan_eddy.dataset.store import open_storms
    from tempogan_eddy.io import save_sequence

    save_sequence(_sequence(), folder / "storms" / "clouds.nc")
    store = pack(folder / "storms", folder / "packed.zarr", _config())

    def read() -> object:
        _inspected(store)()
        return [
            [
                storm.kelvins.tobytes(),
                storm.flow_previous.tobytes(),
                storm.flow_next.tobytes(),
                storm.entry.times.tobytes(),
            ]
            for storm in open_storms(store).values()
        ]

    return Sample(store / target, read, guarded=True)


def _make_packed_store(folder: Path) -> Sample:
    return _store(folder, "zarr.json")


def _make_packed_frames(folder: Path) -> Sample:
    return _store(folder, "clouds/brightness_temperature/zarr.json")


def _make_packed_flow(folder: Path) -> Sample:
    return _store(folder, "clouds/flow_next/c/0/0/0/0")


KINDS = list(samples(Path()))

if __name__ == "__main__":
    place, flips_each, cuts_each, first, *chosen = sys.argv[1:]
    main(Path(place), int(flips_each), int(cuts_each), int(first), chosen)
