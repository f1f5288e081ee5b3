"""Average the weights of two models of one size, where one began with the weights of the other.

    python scripts/average_models.py FIRST SECOND OUT [--share 0.5]

Models that were trained further with other losses often have the merits of both between them (Wortsman et al., "Model
soups", ICML 2022). The scores of OUT are not those of either: start a run from it (`training.start_from`), whose first
score counts, and which fits the inflation of an ensemble.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from tempogan_eddy.errors import InputError
from tempogan_eddy.weights import load_model, save_model


def average(first: Path, second: Path, out: Path, share: float) -> None:
    """Write FIRST with weights that are moved towards those of SECOND by a share, 0 to 1."""
    models = [load_model(path) for path in (first, second)]
    ours, theirs = (model.generator.state_dict() for model in models)
    if {name: value.shape for name, value in ours.items()} != {name: value.shape for name, value in theirs.items()}:
        raise InputError(f"{first} and {second} have networks of different sizes.")
    for name, value in ours.items():
        value.lerp_(theirs[name], share)  # in place: these are the generator's own
    shares = zip(models, (1 - share, share), strict=True)
    mean = " and ".join(f"{part:g} of those of {model.history[-1]}" for model, part in shares)
    history = [*models[0].metadata.get("history", []), f"weights: {mean}"]
    save_model(out, replace(models[0], metadata={"history": history}))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="of the second model")
    options = parser.parse_args()
    average(options.first, options.second, options.out, options.share)


if __name__ == "__main__":
    main()
