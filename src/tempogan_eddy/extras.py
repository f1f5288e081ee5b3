"""Libraries that only some commands need, and the extra of this package that installs each."""

import importlib
from typing import Any

from tempogan_eddy.errors import InputError

__all__ = ["not_installed", "require", "without_extra"]

EXTRAS = {
    "distributed": "cluster",
    "aiohttp": "s3",
    "fastapi": "view",
    "gcsfs": "gs",
    "jinja2": "report",
    "lightning": "train",
    "markupsafe": "report",
    "matplotlib": "report",
    "onnx": "export",
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "s3fs": "s3",
    "tensorboard": "train",
    "uvicorn": "view",
}
"""The extra of each library."""


def require(library: str) -> Any:
    """Import a library of `EXTRAS`; raise the error of `not_installed` if it is missing."""
    try:
        return importlib.import_module(library)
    except ModuleNotFoundError:
        raise not_installed(library) from None


def not_installed(library: str, extra: str | None = None) -> InputError:
    """Return the error for a missing library, which names its extra, or another one that installs it too."""
    extra = extra or EXTRAS[library]
    return InputError(f"The library {library} is not installed; run: pip install 'tempogan-eddy[{extra}]'.")


def without_extra(error: ModuleNotFoundError) -> InputError | None:
    """Return the error of `not_installed` for a failed import, or None if the module belongs to no extra."""
    library = (error.name or "").partition(".")[0]
    return not_installed(library) if library in EXTRAS else None
