"""The generator as ONNX, for programs without PyTorch: kelvin in, kelvin out, frames of any size.

The graph is written down node by node, beside the two methods of `Generator` that it repeats; tests hold it
against them. torch.onnx takes 6 s for the same graph, needs two more libraries, and leaves the paths of this
machine's source files in it.
"""

from __future__ import annotations

import importlib
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tempogan_eddy import __version__
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.io.ownership import Kind, check_place
from tempogan_eddy.model.tempogan import Generator
from tempogan_eddy.weights import Model

if TYPE_CHECKING:
    import onnx

__all__ = ["ONNX", "ONNX_FORMAT", "detail_to_onnx", "export_model", "not_installed", "require"]

ONNX_FORMAT = "tempogan-eddy-onnx"

# The newest operators needed are those of 18 (2022); runtimes read every older file, but no newer one.
OPSET, IR_VERSION = 18, 8

PRODUCER = "tempogan-eddy"


def _is_export(path: Path) -> bool:
    """Whether the producer, which other tools replace by themselves, is this package; it is among the first fields."""
    with path.open("rb") as file:
        return b"\x12" + bytes([len(PRODUCER)]) + PRODUCER.encode() in file.read(32)


ONNX = Kind("an ONNX export", _is_export)


def require(library: str, extra: str) -> Any:
    """Import an optional library.

    Raises
    ------
    InputError
        It is not installed; the message names the extra that brings it.
    """
    try:
        return importlib.import_module(library)
    except ModuleNotFoundError:
        raise not_installed(library, extra) from None


def not_installed(library: str, extra: str) -> InputError:
    """The sentence for a library that is not there."""
    return InputError(f"The library {library} is not installed; run: pip install 'tempogan-eddy[{extra}]'.")


class _Graph:
    """ONNX nodes in the order in which they are computed, and the weights they read."""

    def __init__(self, onnx: Any) -> None:
        self.onnx = onnx
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, value: Tensor | float | list[int]) -> str:
        """The name of a constant."""
        name = f"weight{len(self.weights)}"
        numbers = torch.as_tensor(value).detach().cpu().contiguous().numpy()
        self.weights.append(self.onnx.numpy_helper.from_array(numbers, name))
        return name

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """The name of what ``operator`` makes of the inputs."""
        name = f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, [name], **attributes))
        return name

    def convolve(self, features: str, layer: Any) -> str:
        """A 3x3 convolution that sees zero beyond the edge."""
        weight, bias = self.weight(layer.weight), self.weight(layer.bias)
        return self.node("Conv", features, weight, bias, pads=[1, 1, 1, 1])

    def to_model(self, source: str, target: str, channels: tuple[int, int], sizes: list[str]) -> onnx.ModelProto:
        """The checked graph from ``source``, (N, C, height, width), to the last node, (N, C', *sizes)."""
        helper, float32 = self.onnx.helper, self.onnx.TensorProto.FLOAT
        self.nodes[-1].output[0] = target
        graph = helper.make_graph(
            self.nodes,
            "generator",
            [helper.make_tensor_value_info(source, float32, ["batch", channels[0], "height", "width"])],
            [helper.make_tensor_value_info(target, float32, ["batch", channels[1], *sizes])],
            self.weights,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name=PRODUCER,
            producer_version=__version__,
        )
        self.onnx.checker.check_model(model, full_check=True)
        return model


def _add_detail(graph: _Graph, generator: Generator, frames: str) -> str:
    """`Generator.detail` in ONNX."""
    shallow = graph.convolve(graph.node("Sub", frames, graph.weight(0.5)), generator.head)
    deep = shallow
    block: Any
    for block in generator.blocks:
        inner = graph.node("Relu", graph.convolve(deep, block.first))
        deep = graph.node("Add", deep, graph.convolve(inner, block.second))
    deep = graph.node("Add", shallow, graph.convolve(deep, generator.body))
    return graph.convolve(deep, generator.tail)


def _add_combination(graph: _Graph, generator: Generator, frames: str, detail: str) -> str:
    """`Generator.combine` in ONNX, of frames with one channel."""
    if generator.lr_consistency:
        mean = graph.node("ReduceMean", detail, graph.weight([1]), keepdims=1)
        detail = graph.node("Sub", detail, mean)
    padded = graph.node("Pad", frames, graph.weight([0, 0, 2, 2, 0, 0, 2, 2]), mode="edge")
    coarse = graph.node("Conv", padded, graph.weight(generator.interpolation))
    places = graph.node("Add", coarse, detail)
    return graph.node("DepthToSpace", places, blocksize=generator.upsample_factor, mode="CRD")


def detail_to_onnx(generator: Generator) -> bytes:
    """The learned branch alone, as an ONNX file in memory.

    Returns
    -------
    bytes
        ``frames`` (N, C, h, w), scaled, to ``detail`` (N, scale ** 2, h, w): float32, every size free. C is
        what the first convolution takes: 1, or 2 for frames in two parts.

    Raises
    ------
    InputError
        onnx is not installed.
    """
    graph = _Graph(require("onnx", "export"))
    _add_detail(graph, generator, "frames")
    channels = generator.head.weight.shape[1], generator.upsample_factor**2
    model = graph.to_model("frames", "detail", channels, ["height", "width"])
    return model.SerializeToString()


def export_model(model: Model, path: str | Path, *, overwrite: bool = False) -> None:
    """Write the whole generator as an ONNX file, aside and then renamed.

    The file maps ``coarse`` (N, 1, h, w) to ``fine`` (N, 1, h * scale, w * scale): brightness temperature in
    kelvin, float32, without NaN; N, h and w are free. Its metadata say what the numbers mean.

    Parameters
    ----------
    path
        Ends in ``.onnx``.
    overwrite
        Replace a file that this package did not write, too.

    Raises
    ------
    InputError
        onnx is not installed, the path does not end in ``.onnx``, or it cannot be written.
    """
    path = Path(path)
    if path.suffix != ".onnx":
        raise InputError(f"{path} does not end in .onnx; give the exported model a name that does.")
    check_place(path, ONNX, overwrite=overwrite)
    onnx = require("onnx", "export")
    graph = _Graph(onnx)
    low, high = model.kelvin_range
    offset, span = graph.weight(float(low)), graph.weight(float(high - low))
    frames = graph.node("Div", graph.node("Sub", "coarse", offset), span)
    fine = _add_combination(graph, model.generator, frames, _add_detail(graph, model.generator, frames))
    graph.node("Add", graph.node("Mul", fine, span), offset)
    proto = graph.to_model("coarse", "fine", (1, 1), ["fine_height", "fine_width"])
    onnx.helper.set_model_props(proto, _describe(model))
    with written_aside(path, ONNX, overwrite=overwrite) as partial:
        partial.write_bytes(proto.SerializeToString())


def _describe(model: Model) -> dict[str, str]:
    facts = {
        "format": ONNX_FORMAT,
        "version": __version__,
        "use": (
            "coarse: brightness temperature in kelvin, (N, 1, h, w) float32 without NaN (fill gaps first); "
            f"fine: kelvin on the {model.scale} times finer grid. "
            "Detail finer than the input's pixels is plausible, not observed."
        ),
        "kelvin_range": list(model.kelvin_range),
        "scale": model.scale,
        **model.sensor.attributes(),
        "lr_consistency": model.generator.lr_consistency,
        "training_data": "; ".join(model.metadata.get("training_data", [])) or "not recorded",
        "metadata": model.metadata,
        "config": json.dumps(model.config),
    }
    return {
        key: value if isinstance(value, str) else json.dumps(_finite(value), allow_nan=False)
        for key, value in facts.items()
    }


def _finite(value: Any) -> Any:
    """The same with null for NaN and infinity, which JSON has not and strict readers refuse."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
