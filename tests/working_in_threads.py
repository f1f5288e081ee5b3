"""Use the package in four threads at once: python working_in_threads.py FOLDER."""

import logging
import sys
import threading
from pathlib import Path

import cv2
import matplotlib as mpl
import zarr

from tempogan_eddy import coarsen, evaluate, load_config, load_model, open_sequence, reconstruct, save_sequence
from tempogan_eddy.checking import check
from tempogan_eddy.dataset.flow import estimate_flow
from tempogan_eddy.dataset.pack import pack
from tempogan_eddy.display.figures import save_spectra
from tempogan_eddy.display.report_storm import error_charts, spectrum_chart
from tempogan_eddy.evaluation.report import as_json
from tempogan_eddy.export import export_model
from training_cases import moving_clouds

ROUNDS = 1

logging.disable(logging.WARNING)
folder = Path(sys.argv[1])
truth = moving_clouds(frames=3, size=96)
lowres = coarsen(truth, 4).compute()
fine = reconstruct(lowres, "eddy").compute()
scored = evaluate(truth, fine, lowres, baselines=False)
model = load_model("eddy")
save_sequence(truth, folder / "truth.nc")


def place(suffix: str) -> Path:
    return folder / f"{threading.get_ident()}{suffix}"


def coarsened() -> bytes:
    return coarsen(truth, 4, sensor="seviri").values.tobytes()


def reconstructed() -> bytes:
    save_sequence(reconstruct(lowres, "eddy"), place(".zarr"), overwrite=True, precision="exact")
    with open_sequence(place(".zarr")) as sequence:
        return sequence.values.tobytes()


def checked() -> str:
    return repr(check([folder / "truth.nc"]))


def scores() -> str:
    return as_json([evaluate(truth, fine, lowres, metrics=["rmse", "lsd"], baselines=False)])


def packed() -> list[bytes]:
    store = pack(folder / "truth.nc", place("-packed.zarr"), load_config({}), overwrite=True)
    groups = dict(zarr.open_group(store, mode="r").groups()).values()
    return [array[:].tobytes() for group in groups for _, array in sorted(group.arrays())]


def spectra() -> bytes:
    return save_spectra(scored, place("-spectra.png"), overwrite=True).read_bytes()


def charts() -> str:
    return f"{spectrum_chart(scored)}{error_charts(scored)}"


def export() -> bytes:
    export_model(model, place(".onnx"), overwrite=True)
    return place(".onnx").read_bytes()


def flow() -> bytes:
    return estimate_flow(*truth.values[:2]).tobytes()


def settings() -> dict[str, object]:
    # Not the filters of warnings: matplotlib and pandas restore those of the process, so threads mix them up.
    return {"figures": dict(mpl.rcParams), "threads of OpenCV": cv2.getNumThreads()}


works = (coarsened, reconstructed, checked, scores, packed, spectra, charts, export, flow)
alone = {work: work() for work in works}
before = settings()
wrong: list[str] = []


def run(first: int) -> None:
    for number in range(first, first + ROUNDS * len(works)):
        work = works[number % len(works)]
        try:
            if work() != alone[work]:
                wrong.append(f"{work.__name__} differs")
        except BaseException as error:
            wrong.append(f"{work.__name__}: {error!r}")


sys.setswitchinterval(1e-5)
threads = [threading.Thread(target=run, args=(first,)) for first in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
after = settings()
wrong += [f"{name}: {was!r} before, {after[name]!r} after" for name, was in before.items() if after[name] != was]
print(wrong[:3] or "all as alone")
