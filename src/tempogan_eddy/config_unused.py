"""Settings that only some trainings use: a configuration that sets one in vain is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tempogan_eddy.config import Config

__all__ = ["refuse_unused"]

OF_ENSEMBLES = ["lambda_relative", "lambda_patches", "lambda_steps", "lambda_coldest", "members"]
NOT_OF_ENSEMBLES = ["teacher", "content_distance", "lambda_adv_t", "lambda_feature", "lambda_traces", "gradient_frames"]
WITHOUT_SIGMA = ["area", "bicubic", "box", "nearest"]


def refuse_unused(config: Config) -> None:
    """Raise ValueError if a setting has no effect, and is neither its default nor a weight of 0.

    Widths and rates of discriminators may stay while the weights of their losses are 0.
    """
    model, kind, training = config.model, config.sensor.kind, config.training
    within = training.score == "lsd_within_rmse"
    rules = (
        (bool(model.textures), "training", OF_ENSEMBLES, "without an ensemble (model.textures = 0)"),
        (not model.textures, "training", NOT_OF_ENSEMBLES, "in an ensemble (model.textures > 0)"),
        (model.tails == 2, "training", ["lambda_mean"], "without a mean frame (model.tails = 1)"),
        (model.conditioned, "model", ["tails"], "without model.conditioned = true"),
        (training.lambda_adv_t > 0, "training", ["align_windows", "temporal_share"], "without Dt (lambda_adv_t = 0)"),
        (training.start_from is not None, "training", ["warm_up"], "without training.start_from"),
        (within, "training", ["max_rmse"], f"with training.score = {training.score}"),
        (training.score != "last", "training", ["early_stopping_patience"], "with training.score = last"),
        (kind not in WITHOUT_SIGMA, "sensor", ["sigma"], f"with sensor.kind = {kind}"),
    )
    for used, name, keys, where in rules:
        section = getattr(config, name)
        for key in [] if used else keys:
            value, default = getattr(section, key), type(section).model_fields[key].default
            if value != default and not (key.startswith("lambda_") and value == 0):
                raise ValueError(f"{name}.{key} = {json.dumps(value)} has no effect {where}; leave it out")
