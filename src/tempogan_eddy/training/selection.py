"""The rule that selects the best model of a run."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tempogan_eddy.config import TrainingConfig

__all__ = ["Rank", "Selection", "rank"]


@dataclass(frozen=True, order=True)
class Rank:
    """A candidate's place: smaller is better.

    Attributes
    ----------
    missed
        Whether its RMSE is above the bound; such a candidate comes after all others.
    score
        RMSE or LSD over bicubic's, to compare candidates of one kind.
    """

    missed: bool = True
    score: float = math.inf


def rank(config: TrainingConfig, metrics: Mapping[str, float], bicubic: Mapping[str, float], epoch: int) -> Rank:
    """Rank a candidate by ``training.score`` and ``training.max_rmse``.

    ``rmse``, ``lsd`` and ``crps`` compare that one metric; ``last`` prefers the later epoch. ``lsd_within_rmse`` takes
    the least LSD of the candidates whose RMSE is at most ``max_rmse`` times bicubic's, and the least RMSE while there
    is none.
    """
    if config.score == "last":
        return Rank(False, -epoch)
    if config.score == "crps":
        return Rank(False, metrics["crps"])
    ratios = {name: metrics[name] / bicubic[name] for name in ("rmse", "lsd")}
    if config.score != "lsd_within_rmse":
        return Rank(False, ratios[config.score])
    missed = ratios["rmse"] > config.max_rmse
    return Rank(missed, ratios["rmse" if missed else "lsd"])


class Selection:
    """The best candidate so far by the rule of a configuration, and for how many epochs none was better.

    ``ranks`` are those of all candidates, by epoch.
    """

    def __init__(self, config: TrainingConfig) -> None:
        self.rule = f"{config.score} {config.max_rmse}" if config.score == "lsd_within_rmse" else config.score
        self.restart()

    def restart(self) -> None:
        """Forget all candidates."""
        self.best, self.stale = Rank(), 0
        self.details: dict[str, Any] = {}
        self.ranks: dict[int, Rank] = {}

    def offer(self, candidate: Rank, details: dict[str, Any], *, counts: bool = True) -> bool:
        """Return whether a candidate is the best so far, and then keep its details for the model file.

        ``counts`` says whether an epoch without a better candidate counts towards early stopping.
        """
        self.ranks[details.get("epoch", 0)] = candidate
        if candidate < self.best:
            self.best, self.stale, self.details = candidate, 0, details
            return True
        self.stale += counts
        return False

    def state(self) -> dict[str, Any]:
        """Return the part of a checkpoint that `restore` needs."""
        return {
            "best_score": self.best.score,
            "best_missed": self.best.missed,
            "best_rule": self.rule,
            "best_details": self.details,
            "epochs_without_improvement": self.stale,
            "ranks": {epoch: [rank.missed, rank.score] for epoch, rank in self.ranks.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> bool:
        """Go on from a checkpoint; if it followed another rule, begin anew and return False."""
        self.restart()
        if state.get("best_rule") != self.rule:
            return False
        self.best, self.details = Rank(bool(state["best_missed"]), state["best_score"]), dict(state["best_details"])
        self.stale = state["epochs_without_improvement"]
        self.ranks = {epoch: Rank(bool(missed), score) for epoch, (missed, score) in state.get("ranks", {}).items()}
        return True
