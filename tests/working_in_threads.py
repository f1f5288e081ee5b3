"""Draw, export and estimate flow in four threads at once: python working_in_threads.py FOLDER."""

import logging
import sys
import threading
import warnings
from pathlib import Path

import cv2
import matplotlib as mpl

from tempogan_eddy import coarsen, evaluate, load_model, reconstruct
from tempogan_eddy.dataset.flow import estimate_flow
from tempogan_eddy.display.figures import save_spectra
from tempogan_eddy.display.report_storm import error_charts, spectrum_chart
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


def place(suffix: str) -> Path:
    return folder / f"{threading.get_ident()}{suffix}"


def spectra() -> bytes:
    return save_spectra(scored, place("-spectra.png"), overwrite=True).read_bytes()


def charts() -> str:
    return f"{spectrum_chart(scored)}{error_charts(scored)}"


def export() -> bytes:
    export_model(model, place(".onnx"), overwrite=True)
    return place(".onnx").read_bytes()


def flow() -> bytes:
    return estimate_flow(*truth.values[:2]).tobytes()


def settings() -> tuple[object, ...]:
    return list(warnings.filters), dict(mpl.rcParams), cv2.getNumThreads()


works = (spectra, charts, export, flow)
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
if settings() != before:
    wrong.append("a setting of the process has changed")
print(wrong[:3] or "all as alone")
