"""The engines that can compute the residual of a generator, and the choice among them.

An engine computes the residual only, in low precision where that is harmless. `Generator.combine` then adds it to the
interpolated frame in float32, so that every engine keeps the lowres values.
"""

import copy
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from tempogan_eddy.device import computes_bf16, exact_convolutions
from tempogan_eddy.errors import InputError, reason_of
from tempogan_eddy.export import residual_to_onnx
from tempogan_eddy.extras import not_installed
from tempogan_eddy.model.scaling import from_kelvin
from tempogan_eddy.model.tempogan import Generator
from tempogan_eddy.weights import Model

__all__ = ["ENGINES", "PRECISIONS", "Engine", "bf16_error_kelvin", "open_engine"]

log = logging.getLogger(__name__)

Compute = Callable[[Tensor], Tensor]

ENGINES = ("torch", "compiled", "onnxruntime", "openvino")
OF_TORCH = ("torch", "compiled")  # on every device, without another library
PRECISIONS = ("auto", "fp32", "bf16")

# RMS on the scene of `bf16_error_kelvin`. A model trained for 900 steps has 0.02 K there and 0.012 to 0.015 K on frames
# of two typhoons; imagers are specified for a noise of 0.1 K. The largest difference (0.2 K) belongs to one pixel at a
# sharp edge and grows with the size of the frame, so it does not decide.
BF16_LIMIT_KELVIN = 0.05


@dataclass(frozen=True)
class Engine:
    """The residual of a generator, ready to compute.

    Call it with scaled frames (N, 1, h, w), float32, of any size; it returns the residual (N, scale ** 2, h, w),
    float32, on their device. Several threads may call it at once.

    Parameters
    ----------
    name
        One of `ENGINES`.
    precision
        ``fp32`` or ``bf16``.
    device
        Where it computes.
    generator
        Its own copy of the generator, on the device, for `Generator.combine`.
    compute
        The function that a call runs.
    lock
        For callers that compute whole frames: two at once would share the device and take no less time.
    """

    name: str
    precision: str
    device: torch.device
    generator: Generator
    compute: Compute
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __call__(self, frames: Tensor) -> Tensor:
        """(N, 1, h, w) to (N, scale ** 2, h, w)."""
        return self.compute(frames)


def open_engine(
    model: Model, engine: str = "auto", device: str | torch.device = "cpu", precision: str = "auto"
) -> Engine:
    """Make the residual of a model ready to compute.

    Parameters
    ----------
    model
        Copied; later changes have no effect.
    engine
        One of `ENGINES`, or ``auto`` for the fastest that is installed and works. ``onnxruntime`` and ``openvino`` need
        the CPU. ``compiled`` is ``torch`` through `torch.compile`, which takes time at the first frame of each size;
        if it does not work here, ``torch`` computes. ``auto`` never chooses it.
    device
        Where to compute.
    precision
        ``fp32``, ``bf16``, or ``auto`` for bf16 where the device computes it and `bf16_error_kelvin` is small.

    Raises
    ------
    InputError
        The engine or precision is unknown, not installed, broken, or not available on this device.
    """
    device = torch.device(device)
    _check(engine, device, precision)
    plain = model.generator if isinstance(model.generator, Generator) else model.plain
    generator = copy.deepcopy(plain).to(device, torch.float32)
    model = replace(model, generator=generator)
    if precision == "auto":
        precision = _harmless_precision(model, engine, device)
    engines = _fastest_first(device, precision) if engine == "auto" else [engine]
    name, compute = _first_that_works(engines, generator, precision)
    log.info("The network computes with %s in %s on %s", name, precision, device.type)
    return Engine(name, precision, device, generator, compute)


def bf16_error_kelvin(model: Model) -> float:
    """Return the RMS difference in kelvin between the highres frames of a model in bf16 and in fp32.

    The scene is the same at every call: 64 x 64 lowres pixels of sharp, cold cloud over a warm sea.
    """
    generator = model.plain
    low, high = model.specification.kelvin_range
    frames = from_kelvin(_scene(), (low, high)).to(next(generator.parameters()).device)
    exact, rounded = (
        generator.combine(frames, _torch_engine(generator, precision)(frames)) for precision in ("fp32", "bf16")
    )
    return float((rounded - exact).square().mean().sqrt()) * (high - low)


def _harmless_precision(model: Model, engine: str, device: torch.device) -> str:
    if engine == "onnxruntime" or not computes_bf16(device):
        return "fp32"
    error = bf16_error_kelvin(model)
    precision = "bf16" if error < BF16_LIMIT_KELVIN else "fp32"
    log.info("bf16 changes the result by %.4f K RMS; %g K are allowed, so %s", error, BF16_LIMIT_KELVIN, precision)
    return precision


def _fastest_first(device: torch.device, precision: str) -> list[str]:
    """Return the engines that are installed, fastest first; torch always works and is last.

    Milliseconds for 128 x 128 lowres pixels, 8 blocks, least of 25 interleaved rounds (EPYC 9004, torch 2.13, openvino
    2026.4, onnxruntime 1.32); all are ready within a second:

    =============  =======  =============  =============  ============  =============
    engine         threads  64 ch., fp32   64 ch., bf16   32 ch., fp32  32 ch., bf16
    =============  =======  =============  =============  ============  =============
    torch          1 / 2    214 / 128      104 / 63       55 / 32       28 / 17
    onnxruntime    1 / 2    188 / 110      none           48 / 36       none
    openvino       1 / 2    191 / 102      95 / 55        50 / 31       26 / 19
    =============  =======  =============  =============  ============  =============
    """
    if device.type != "cpu":
        return ["torch"]
    order = ("openvino", "torch") if precision == "bf16" else ("openvino", "onnxruntime", "torch")
    return [engine for engine in order if not _missing(engine)]


def _first_that_works(engines: list[str], generator: Generator, precision: str) -> tuple[str, Compute]:
    """Build the first engine that works; an installed library may still be broken, too old or too new."""
    *others, last = engines
    for engine in others:
        try:
            return engine, _BUILDERS[engine](generator, precision)
        except Exception as error:
            log.warning(
                "The engine %s is installed but does not work (%s); the next is tried", engine, reason_of(error)
            )
    try:
        return last, _BUILDERS[last](generator, precision)
    except Exception as error:
        raise InputError(f"The engine {last} does not work here ({reason_of(error)}); use another.") from error


def _scene() -> Tensor:
    """Return (1, 1, 64, 64) kelvin: cloud of 200 K with sharp edges above a sea of 295 K, and texture in both."""
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    waves = torch.sin(rows / 7) + torch.sin(columns / 5) + torch.sin((rows + columns) / 11)
    return (torch.where(waves > 0.5, 200.0, 295.0) + 4 * waves + 2 * torch.sin(rows * columns / 50))[None, None]


def _missing(engine: str) -> list[str]:
    """Return the libraries that an engine needs and that are not installed; a folder of that name is no library."""
    libraries = () if engine in OF_TORCH else (engine, "onnx")
    return [name for name in libraries if (spec := find_spec(name)) is None or spec.origin is None]


def _check(engine: str, device: torch.device, precision: str) -> None:
    if engine not in ("auto", *ENGINES):
        raise InputError(f"Unknown engine {engine!r}; use auto, {', '.join(ENGINES)}.")
    if precision not in PRECISIONS:
        raise InputError(f"Unknown precision {precision!r}; use {', '.join(PRECISIONS)}.")
    if precision == "bf16" and not computes_bf16(device):
        raise InputError(f"The device {device.type} does not compute in bf16 here; use the precision auto or fp32.")
    if engine in ("auto", *OF_TORCH):
        return
    if device.type != "cpu":
        raise InputError(
            f"The engine {engine} computes on the CPU, not on {device.type}; use torch, or the device cpu."
        )
    if precision == "bf16" and engine == "onnxruntime":
        raise InputError("The engine onnxruntime computes in fp32 only; use another precision or engine.")
    for library in _missing(engine):
        raise not_installed(library, engine)


def _prepare(generator: Generator, precision: str) -> tuple[Generator, Compute]:
    """Return the network for a precision, and the function that prepares its input.

    For bf16 a frame enters as two: rounded to bf16, and the remainder. The rounded frame alone has steps of up to
    0.3 K, which cause most of the error: 0.049 K RMS, against 0.014 K with both, in the same time.
    """
    network = copy.deepcopy(generator).requires_grad_(False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if precision == "fp32":
        return network, lambda frames: frames
    network.head.weight = torch.nn.Parameter(network.head.weight.repeat(1, 2, 1, 1), requires_grad=False)
    return network, _in_two


def _in_two(frames: Tensor) -> Tensor:
    """(N, 1, h, w) to (N, 2, h, w); the network takes the middle of the range, 0.5, off each."""
    centred = frames - 0.5
    rounded = centred.bfloat16().float()
    return torch.cat([rounded, centred - rounded], dim=1) + 0.5


def _torch_engine(
    generator: Generator, precision: str, compiled: Callable[[Compute], Compute] = lambda plain: plain
) -> Compute:
    network, enter = _prepare(generator, precision)
    # Weights in bf16 give what autocast gives, without converting every one of them at every call.
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    detail = compiled(network.to(dtype).detail_of_centred)

    def compute(frames: Tensor) -> Tensor:
        with torch.inference_mode(), exact_convolutions() if dtype == torch.float32 else nullcontext():
            return detail((enter(frames) - 0.5).to(dtype, memory_format=torch.channels_last)).float()

    return compute


def _compiled(plain: Compute) -> Compute:
    """Return a function through `torch.compile`; the function as it is where that does not work."""
    compiled = torch.compile(plain, dynamic=False)
    works = True

    def detail(frames: Tensor) -> Tensor:
        nonlocal works
        if works:
            try:
                return compiled(frames)
            except Exception as error:  # a missing compiler shows at the first call
                log.warning("torch.compile does not work here (%s); torch computes uncompiled", reason_of(error))
                works = False
        return plain(frames)

    return detail


def _onnxruntime_engine(generator: Generator, precision: str) -> Compute:
    # Else its import writes an identity of the device into the home folder, and sends telemetry to its maker.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # Without this, threads that wait for the next frame take the cores from reading and writing.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(residual_to_onnx(generator), options, providers=["CPUExecutionProvider"])

    def compute(frames: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {"frames": frames.contiguous().numpy()})[0])

    return compute


def _openvino_engine(generator: Generator, precision: str) -> Compute:
    import openvino

    network, enter = _prepare(generator, precision)
    core = openvino.Core()
    settings: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
        # Two runs beside each other would be pinned to the same cores.
        "ENABLE_CPU_PINNING": False,
    }
    # Read, not converted from torch, which would ask for consent to telemetry. Sizes are free: the graph compiled
    # for one size is no faster.
    graph = core.read_model(residual_to_onnx(network))
    # OpenVINO gives the compiling thread a signal stack and frees it with the compiled model. A later signal such as
    # Ctrl-C would crash the process, so a thread compiles that receives no signals and ends.
    with ThreadPoolExecutor(1) as pool:
        compiled = pool.submit(core.compile_model, graph, "CPU", settings).result()

    def compute(frames: Tensor) -> Tensor:
        request = compiled.create_infer_request()  # one for each call: they are not for several threads
        return torch.from_numpy(request.infer([enter(frames).contiguous().numpy()])[0])

    return compute


_BUILDERS: dict[str, Callable[[Generator, str], Compute]] = {
    "torch": _torch_engine,
    "compiled": partial(_torch_engine, compiled=_compiled),
    "onnxruntime": _onnxruntime_engine,
    "openvino": _openvino_engine,
}
