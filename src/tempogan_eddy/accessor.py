"""``da.eddy``: reconstruct, coarsen and evaluate as methods of xarray's objects.

Importing this module registers them. ``import tempogan_eddy`` imports it where xarray is imported already, and so does
the first use of any name of the package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import xarray as xr

if TYPE_CHECKING:
    from pathlib import Path

    from tempogan_eddy.evaluation import Evaluation
    from tempogan_eddy.weights import Model

__all__ = ["Eddy"]

Held = TypeVar("Held", xr.DataArray, xr.Dataset)


@xr.register_dataset_accessor("eddy")
@xr.register_dataarray_accessor("eddy")
class Eddy(Generic[Held]):
    """What TempoGAN-Eddy does with one DataArray or Dataset."""

    def __init__(self, held: Held) -> None:
        self._held: Held = held

    def reconstruct(self, model: Model | str | Path = "eddy", **options: Any) -> Held:
        """Rebuild the fine detail; see `tempogan_eddy.reconstruct` for the options."""
        from tempogan_eddy.reconstruction import reconstruct

        return reconstruct(self._held, model, **options)

    def coarsen(self, scale: int = 4, **options: Any) -> Held:
        """See it with a coarser instrument; see `tempogan_eddy.coarsen` for the options."""
        from tempogan_eddy.dataset.coarsening import coarsen

        return coarsen(self._held, scale, **options)

    def evaluate(self, truth: Any, lowres: Any = None, **options: Any) -> Evaluation:
        """Score it, a reconstruction, against the truth; see `tempogan_eddy.evaluate` for the options."""
        from tempogan_eddy.evaluation import evaluate

        return evaluate(truth, self._held, lowres, **options)
