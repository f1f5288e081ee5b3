"""TempoGAN-Eddy: the fine detail of typhoon infrared image sequences, in kelvin.

Names are imported when first used, so that the command line starts at once. With xarray imported, DataArrays have the
accessor ``eddy``: see `tempogan_eddy.accessor`.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors and type checkers, which cannot see lazy imports
    from tempogan_eddy.config import load_config as load_config
    from tempogan_eddy.dataset.coarsening import coarsen as coarsen
    from tempogan_eddy.dataset.sensor_comparison import compare_sensor as compare_sensor
    from tempogan_eddy.dataset.sensor_estimate import estimate_sensor as estimate_sensor
    from tempogan_eddy.dataset.typhoon import TyphoonDataset as TyphoonDataset
    from tempogan_eddy.errors import InputError as InputError
    from tempogan_eddy.evaluation.comparison import evaluate as evaluate
    from tempogan_eddy.io import open_sequence as open_sequence
    from tempogan_eddy.io import open_sequences as open_sequences
    from tempogan_eddy.io import save_sequence as save_sequence
    from tempogan_eddy.io import save_summary as save_summary
    from tempogan_eddy.reconstruction.sequences import reconstruct as reconstruct
    from tempogan_eddy.synthesis import simulate_storm as simulate_storm
    from tempogan_eddy.training.trainer import TempoGANTrainer as TempoGANTrainer
    from tempogan_eddy.weights import load_model as load_model

__version__ = "0.1.0"

_HOMES = {
    "InputError": "tempogan_eddy.errors",
    "TyphoonDataset": "tempogan_eddy.dataset.typhoon",
    "TempoGANTrainer": "tempogan_eddy.training.trainer",
    "coarsen": "tempogan_eddy.dataset.coarsening",
    "compare_sensor": "tempogan_eddy.dataset.sensor_comparison",
    "estimate_sensor": "tempogan_eddy.dataset.sensor_estimate",
    "evaluate": "tempogan_eddy.evaluation",
    "load_config": "tempogan_eddy.config",
    "load_model": "tempogan_eddy.weights",
    "open_sequence": "tempogan_eddy.io",
    "open_sequences": "tempogan_eddy.io",
    "reconstruct": "tempogan_eddy.reconstruction",
    "save_sequence": "tempogan_eddy.io",
    "save_summary": "tempogan_eddy.io",
    "simulate_storm": "tempogan_eddy.synthesis",
}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tempogan_eddy' has no attribute '{name}'")
    try:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        from tempogan_eddy.extras import without_extra

        raise without_extra(error) or error from None
    _register_accessor()
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})


def _register_accessor() -> None:
    """Give DataArrays their ``eddy`` if xarray is imported; importing it here would slow ``--help``."""
    if "xarray" in sys.modules:
        importlib.import_module("tempogan_eddy.accessor")


_register_accessor()
