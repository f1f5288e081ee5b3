"""A diagnostic model of NVIDIA's earth2studio: infrared fields in, the same fields on a finer grid out.

It follows the protocol ``earth2studio.models.dx.base.DiagnosticModel`` and needs nothing of that package.
"""

import math
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.io.grids.refining import refine_grid
from tempogan_eddy.reconstruction import reconstruct
from tempogan_eddy.weights import Model, model_of

__all__ = ["Coordinates", "TyphoonDetail"]

Coordinates = OrderedDict[str, np.ndarray]
"""Dimensions in their order, each with its coordinate: ``CoordSystem`` of earth2studio."""


class TyphoonDetail(nn.Module):
    """Reconstruct brightness temperature on a finer grid, as a diagnostic model.

    Parameters
    ----------
    model
        From `load_model`, or what `load_model` takes.
    variables
        Names of the infrared channels in the input, each reconstructed on its own. In earth2studio's lexicon
        ``abi13c`` is the infrared window of GOES, ``ahi13`` that of Himawari.
    sensor
        The sensor that saw the fields, as `SensorModel.parse` reads it; the area mean by default.
    dimensions
        Names of the last two dimensions, rows first.

    Raises
    ------
    InputError
        The model or the sensor cannot be read.
    """

    place: Tensor

    def __init__(
        self,
        model: Model | str | Path = "eddy",
        variables: tuple[str, ...] = ("abi13c",),
        sensor: str | None = None,
        dimensions: tuple[str, str] = ("lat", "lon"),
    ) -> None:
        super().__init__()
        self.model = model_of(model)
        self.sensor = SensorModel.parse(sensor, self.model.scale) if sensor else None
        self.variables, self.dimensions = variables, dimensions
        self.register_buffer("place", torch.empty(0), persistent=False)  # follows `to`

    def input_coords(self) -> Coordinates:
        """Return the dimensions of the input; empty coordinates may be any."""
        spatial = {name: np.empty(0) for name in self.dimensions}
        return OrderedDict({"batch": np.empty(0), "variable": np.array(self.variables)} | spatial)

    def output_coords(self, input_coords: Mapping[str, np.ndarray]) -> Coordinates:
        """Return the dimensions of the output: cell centres of the finer grid, all else as in the input.

        Raises
        ------
        ValueError
            The last three dimensions are not ``variable`` and the two of space, or the variables differ.
        """
        wanted = ["variable", *self.dimensions]
        if list(input_coords)[-3:] != wanted:
            raise ValueError(f"The last dimensions are {list(input_coords)[-3:]}; they must be {wanted}.")
        if list(input_coords["variable"]) != list(self.variables):
            raise ValueError(f"The variables are {list(input_coords['variable'])}; expected {list(self.variables)}.")
        return OrderedDict(input_coords) | self._finer(input_coords)

    @torch.inference_mode()
    def __call__(self, x: Tensor, coords: Mapping[str, np.ndarray]) -> tuple[Tensor, Coordinates]:
        """Reconstruct fields.

        Parameters
        ----------
        x
            (..., variable, h, w) in kelvin, NaN where missing.
        coords
            The dimensions of ``x`` in their order.

        Returns
        -------
        Tensor
            (..., variable, h * scale, w * scale) float32 in kelvin, on the device of ``x``.
        Coordinates
            As `output_coords` returns.

        Raises
        ------
        InputError
            The values are not kelvin.
        """
        output = self.output_coords(coords)
        if x.ndim != len(coords):
            raise ValueError(f"The tensor has {x.ndim} dimensions; the coordinates name {len(coords)}.")
        *leading, height, width = x.shape
        frames = x.detach().cpu().float().numpy().reshape(math.prod(leading), height, width)
        highres = reconstruct(
            frames, self.model, kelvin=True, sensor=self.sensor, trust_sensor=True, device=self.place.device
        )
        scale = self.model.scale
        return torch.from_numpy(highres).reshape(*leading, height * scale, width * scale).to(x.device), output

    def _finer(self, coords: Mapping[str, np.ndarray]) -> Coordinates:
        """Return the coordinates of space on the finer grid."""
        rows, columns = self.dimensions
        places = {rows: ("y", np.asarray(coords[rows])), columns: ("x", np.asarray(coords[columns]))}
        sizes = [len(values) for _, values in places.values()]
        if 0 in sizes:
            return OrderedDict((name, values) for name, (_, values) in places.items())
        grid = refine_grid(xr.DataArray(np.broadcast_to(0.0, sizes), dims=("y", "x"), coords=places), self.model.scale)
        return OrderedDict((name, grid[name].values) for name in self.dimensions)
