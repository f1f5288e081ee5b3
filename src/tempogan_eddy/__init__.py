"""TempoGAN-Eddy: the fine detail of typhoon infrared image sequences, in kelvin.

Names are imported when first used, so that the command line starts at once.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "InputError": "tempogan_eddy.errors",
    "TyphoonDataset": "tempogan_eddy.dataset.typhoon",
    "TempoGANTrainer": "tempogan_eddy.training.trainer",
    "evaluate": "tempogan_eddy.evaluation",
    "load_config": "tempogan_eddy.config",
    "load_model": "tempogan_eddy.weights",
    "open_sequence": "tempogan_eddy.io",
    "open_sequences": "tempogan_eddy.io",
    "reconstruct": "tempogan_eddy.reconstruction",
    "save_sequence": "tempogan_eddy.io",
    "simulate_storm": "tempogan_eddy.synthesis",
}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tempogan_eddy' has no attribute '{name}'")
