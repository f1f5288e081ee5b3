"""The generator as ONNX, for programs without PyTorch: kelvin in, kelvin out."""

import io
import json
import math
import threading
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tempogan_eddy import __version__
from tempogan_eddy.cache import cached
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.errors import InputError
from tempogan_eddy.extras import require
from tempogan_eddy.fingerprint import network_digest
from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.io.ownership import Kind, check_place
from tempogan_eddy.model.scaling import from_kelvin, to_kelvin
from tempogan_eddy.model.tempogan import Generator
from tempogan_eddy.quiet import ignored_warnings
from tempogan_eddy.weights import Model

__all__ = ["ONNX", "ONNX_FORMAT", "export_model", "residual_to_onnx"]

ONNX_FORMAT = "tempogan-eddy-onnx"

# The networks need no newer operators than those of 18 (2022); runtimes read every older file, but no newer one.
OPSET = 18

PRODUCER = "tempogan-eddy"


def _is_export(path: Path) -> bool:
    """Return whether the producer, one of the first fields, is this package; other tools replace it."""
    with path.open("rb") as file:
        return b"\x12" + bytes([len(PRODUCER)]) + PRODUCER.encode() in file.read(32)


ONNX = Kind("an ONNX export", _is_export)
_EXPORTING = threading.Lock()  # the exporter of torch keeps its state for the whole process


class _Residual(nn.Module):
    """`Generator.detail` as the forward pass."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator
        self.channels = generator.head.weight.shape[1]

    def forward(self, frames: Tensor) -> Tensor:
        return self.generator.detail(frames)


class _InKelvin(_Residual):
    """The whole model of one sensor, kelvin in and kelvin out."""

    def __init__(self, model: Model) -> None:
        super().__init__(model.plain)
        self.kelvin_range, self.sensor = model.kelvin_range, model.projecting_sensor

    def forward(self, frames: Tensor) -> Tensor:
        highres = to_kelvin(self.generator(from_kelvin(frames, self.kelvin_range)), self.kelvin_range)
        return self.sensor.project(highres, frames) if self.sensor else highres


def residual_to_onnx(generator: Generator) -> bytes:
    """Export the residual of a generator as an ONNX file in memory; keep it in the user's cache.

    Returns
    -------
    bytes
        ``frames`` (N, C, h, w), scaled, to ``residual`` (N, scale ** 2, h, w): float32, every size free. C is the
        number of input channels of the first convolution: 1, or 2 for frames in two parts.

    Raises
    ------
    InputError
        onnx is not installed.
    """
    import onnx

    network = _Residual(generator)
    key = f"{network_digest(generator)} {__version__} {torch.__version__} {onnx.__version__}"
    example = torch.zeros(1, network.channels, 8, 8)
    return cached("residual.onnx", key, lambda: _export(network, example, ["frames", "residual"], ["height", "width"]))


def _export(network: _Residual, example: Tensor, names: list[str], sizes: list[str]) -> bytes:
    """Export a network from (N, C, height, width) to (N, C', *sizes), called ``names``; without sizes, of one size."""
    free = [{0: "batch", 2: "height", 3: "width"}, {0: "batch"} | dict(zip((2, 3), sizes, strict=False))]
    content = io.BytesIO()  # a full disk cannot refuse it
    network.eval()(example)  # what a sensor computes once becomes constant
    with _EXPORTING, ignored_warnings():
        # The newer exporter (dynamo=True) takes 7 s for the same graph where this one takes 0.5 s (CPU time of one
        # core, torch 2.13), needs onnxscript, and stores the paths of source files of this machine.
        torch.onnx.export(
            network,
            (example,),
            content,  # type: ignore[arg-type]
            input_names=names[:1],
            output_names=names[1:],
            dynamic_axes=dict(zip(names, free if sizes else [{0: "batch"}] * 2, strict=True)),
            opset_version=OPSET,
            dynamo=False,
        )
    return content.getvalue()


def export_model(
    model: Model,
    path: str | Path,
    sensor: SensorModel | str | None = None,
    size: tuple[int, int] | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Write the model of one sensor as an ONNX file, aside and then renamed.

    The file maps ``lowres`` (N, 1, h, w) to ``highres`` (N, 1, h * scale, w * scale): brightness temperature in
    kelvin, float32, without NaN; N, h and w are free. Its metadata describe the numbers.

    Parameters
    ----------
    path
        Ends in ``.onnx``.
    sensor
        The sensor that saw the lowres frames, or its text; the model's own by default.
    size
        The h and w that the file is for. A sensor whose footprint is not the block needs them: the projection onto what
        it measured depends on the size.
    overwrite
        Overwrite even a file of another program.

    Raises
    ------
    InputError
        onnx is not installed, the path does not end in ``.onnx`` or cannot be written, the model does not adapt to the
        sensor, or the sensor needs a size.
    """
    path = Path(path)
    if path.suffix != ".onnx":
        raise InputError(f"{path} does not end in .onnx; give the exported model a name that does.")
    check_place(path, ONNX, overwrite=overwrite)
    onnx = require("onnx")
    if isinstance(sensor, str):
        sensor = SensorModel.parse(sensor, model.scale)
    if sensor and not model.adapts and sensor != model.sensor:
        raise InputError(
            f"The model {model.name} was trained for one sensor, {model.sensor.text}; leave the sensor out."
        )
    model = model.for_sensor(sensor)
    network = _InKelvin(model)
    if network.sensor and not size:
        raise InputError(
            f"The projection of the sensor {network.sensor.text} depends on the size of the frames; state it "
            "with --size ROWS,COLUMNS."
        )
    names = ["lowres", "highres"]
    example = torch.full((1, 1, *(size or (8, 8))), 250.0)
    sizes = [] if size else ["highres_height", "highres_width"]
    exported = onnx.load_from_string(_export(network, example, names, sizes))
    exported.producer_name, exported.producer_version = PRODUCER, __version__
    onnx.helper.set_model_props(exported, _describe(model))
    onnx.checker.check_model(exported, full_check=True)
    with written_aside(path, ONNX, overwrite=overwrite) as partial:
        partial.write_bytes(exported.SerializeToString())


def _describe(model: Model) -> dict[str, str]:
    facts = {
        "format": ONNX_FORMAT,
        "version": __version__,
        "use": (
            "lowres: brightness temperature in kelvin, (N, 1, h, w) float32 without NaN (fill gaps first); "
            f"highres: kelvin on the {model.scale} times finer grid. "
            "Detail finer than the input's pixels is plausible, not observed."
        ),
        "kelvin_range": list(model.kelvin_range),
        "scale": model.scale,
        **model.sensor.attributes(),
        "lr_consistency": model.plain.lr_consistency,
        "training_data": "; ".join(model.metadata.get("training_data", [])) or "not recorded",
        "metadata": model.metadata,
        "config": json.dumps(model.config),
    }
    return {
        key: value if isinstance(value, str) else json.dumps(_finite(value), allow_nan=False)
        for key, value in facts.items()
    }


def _finite(value: Any) -> Any:
    """Replace NaN and infinity, which strict readers of JSON refuse, by null."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
