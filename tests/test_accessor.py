"""``da.eddy``, and what ``import tempogan_eddy`` brings along."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

import tempogan_eddy
from tempogan_eddy.config import load_config
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation import Settings
from tempogan_eddy.weights import Model, build_generator

PACKAGE = Path(tempogan_eddy.__file__).parent


@pytest.fixture(scope="module")
def model():
    config = load_config({"model": {"n_residual_blocks": 1, "channels": 4, "upsample_factor": 4}})
    torch.manual_seed(0)
    return Model.from_config(
        build_generator(config).eval().requires_grad_(False), config, "test", {"version": "0", "step": 1}
    )


@pytest.fixture
def held():
    values = np.random.default_rng(0).uniform(200, 300, (2, 48, 48)).astype("f4")
    times = np.array(["2019-10-09T00", "2019-10-09T01"], "M8[ns]")
    return xr.DataArray(values, dims=("time", "lat", "lon"), coords={"time": times}, name="tb", attrs={"units": "K"})


def test_the_accessor_does_what_the_functions_do(held, model):
    coarse = held.eddy.coarsen(4)
    assert coarse.identical(tempogan_eddy.coarsen(held, 4))
    fine = coarse.eddy.reconstruct(model)
    assert fine.identical(tempogan_eddy.reconstruct(coarse, model))
    options = {"baselines": False, "settings": Settings(resamples=2)}
    assert fine.eddy.evaluate(held, coarse, **options).scores == tempogan_eddy.evaluate(held, fine, **options).scores


def test_a_dataset_has_it_too(held):
    assert held.to_dataset(name="tb").eddy.coarsen(sensor="bicubic")["tb"].sizes["lat"] == 12


def test_what_an_accessor_cannot_take_is_refused_in_one_sentence(held):
    with pytest.raises(InputError, match="kelvin=True"):
        held.drop_attrs().eddy.coarsen()


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_package_imports_nothing_heavy():
    assert (
        run("import sys, tempogan_eddy; print([n for n in ('xarray', 'numpy', 'torch') if n in sys.modules])") == "[]"
    )


def test_the_accessor_is_there_whichever_is_imported_first():
    assert run("import xarray, tempogan_eddy; print(hasattr(xarray.DataArray, 'eddy'))") == "True"
    later = "import tempogan_eddy, xarray; tempogan_eddy.InputError; print(hasattr(xarray.DataArray, 'eddy'))"
    assert run(later) == "True"


def test_every_public_name_is_found_completed_and_known_to_type_checkers():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    declared = {alias.asname for node in guarded.body for alias in node.names}
    assert declared | {"__version__"} == set(tempogan_eddy.__all__)
    assert set(tempogan_eddy.__all__) <= set(dir(tempogan_eddy))
    for name, home in tempogan_eddy._HOMES.items():
        assert name in dir(importlib.import_module(home)) if "trainer" not in home else importlib.util.find_spec(home)
    assert (PACKAGE / "py.typed").exists()
    with pytest.raises(AttributeError, match="no attribute 'reconstuct'"):
        _ = tempogan_eddy.reconstuct


def test_the_released_model_is_the_default(held):
    fine = held[:1, :4, :4].eddy.reconstruct()
    assert fine.attrs["super_resolution_model"] == "eddy"
    assert fine.shape == (1, 16, 16)
