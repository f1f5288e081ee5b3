"""The models in the forms that other packages expect."""

from collections import OrderedDict

import numpy as np
import pytest
import torch

from tempogan_eddy import reconstruct
from tempogan_eddy.bridges.earth2studio import TyphoonDetail
from tempogan_eddy.errors import InputError
from training_cases import moving_clouds


@pytest.fixture
def fields():
    """(time, lead_time, variable, lat, lon) kelvins with a gap, and their coordinates."""
    clouds = torch.from_numpy(moving_clouds(frames=2, size=96).values)
    values = torch.nn.functional.avg_pool2d(clouds[:, None], 4)[:, None]
    values[0, 0, 0, 3:5, 6:9] = torch.nan
    hours = np.array(["2001-08-01T00", "2001-08-01T01"], "datetime64[ns]")
    grid = {"lat": np.linspace(30, 18.5, 24), "lon": np.linspace(120, 131.5, 24)}
    return values, OrderedDict(time=hours, lead_time=np.zeros(1, "timedelta64[h]"), variable=np.array(["tb"]), **grid)


def test_a_diagnostic_model_returns_what_reconstruct_returns(fields):
    values, coords = fields
    diagnostic = TyphoonDetail("faithful", ("tb",), sensor="gaussian,fwhm=1.0").to("cpu")
    highres, finer = diagnostic(values, coords)
    expected = reconstruct(
        values[:, 0, 0].numpy(), "faithful", sensor="gaussian,fwhm=1.0", kelvin=True, trust_sensor=True, device="cpu"
    )
    np.testing.assert_array_equal(highres[:, 0, 0].numpy(), expected)
    assert list(finer) == list(coords) and highres.shape == tuple(len(values) for values in finer.values())
    assert torch.isnan(highres[0, 0, 0, 12:20, 24:36]).all() and torch.isfinite(highres[1]).all()
    for name in ("lat", "lon"):  # each lowres centre is the mean of its four fine ones
        np.testing.assert_allclose(finer[name].reshape(-1, 4).mean(1), coords[name])


def test_what_a_diagnostic_model_cannot_take_is_refused(fields):
    values, coords = fields
    diagnostic = TyphoonDetail("faithful", ("tb",))
    assert list(diagnostic.output_coords(diagnostic.input_coords())) == ["batch", "variable", "lat", "lon"]
    with pytest.raises(ValueError, match="must be"):
        diagnostic(values, OrderedDict(reversed(coords.items())))
    with pytest.raises(ValueError, match="expected"):
        TyphoonDetail("faithful", ("other",))(values, coords)
    with pytest.raises(InputError):
        diagnostic(values - 273.15, coords)


def test_earth2studio_takes_it_as_a_diagnostic_model():
    base = pytest.importorskip("earth2studio.models.dx.base", reason="needs earth2studio", exc_type=ImportError)
    assert isinstance(TyphoonDetail("faithful"), base.DiagnosticModel)
