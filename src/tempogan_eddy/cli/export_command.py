"""The command export: a model for programs without PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tempogan_eddy.cli import options

__all__ = ["export"]


def export(
    model: Annotated[
        Path,
        typer.Argument(
            help="faithful, eddy, a .safetensors model or a .pth checkpoint.", autocompletion=options.model_names
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file, NAME.onnx.")],
    detail: Annotated[float | None, typer.Option(help="With eddy: from 0 (faithful) to 1.")] = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Write a model as ONNX: kelvin in, kelvin out, frames of any size."""
    from tempogan_eddy.export import export_model
    from tempogan_eddy.io.ownership import refuse_to_replace_input
    from tempogan_eddy.weights import load_model

    refuse_to_replace_input(output, [model])
    loaded = load_model(model, detail)
    export_model(loaded, output, overwrite=overwrite)
    scale = loaded.scale
    print(f"{output}: kelvin (N, 1, h, w) to kelvin (N, 1, {scale}h, {scale}w), {output.stat().st_size / 1e6:.1f} MB")
