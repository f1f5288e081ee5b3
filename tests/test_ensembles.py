"""Ensembles: values of one member are those of the plain sequence, in memory and in files."""

import numpy as np
import pytest
import xarray as xr

import tempogan_eddy
from tempogan_eddy.checking import check
from tempogan_eddy.config import load_config
from tempogan_eddy.dataset.source import open_source
from tempogan_eddy.errors import InputError
from tempogan_eddy.inspection import inspect
from tempogan_eddy.io import adapt, as_sequence, open_sequence, save_sequence, select_time
from tempogan_eddy.io.align import align_grid
from tempogan_eddy.io.frames import FrameReader


@pytest.fixture
def ensemble(make_sequence):
    """Three members of one storm, each with values of its own."""
    members = [make_sequence(frames=5, seed=number, missing=7) for number in range(3)]
    return xr.concat(members, xr.Variable("member", [4, 5, 6]), coords="minimal", compat="override").assign_attrs(
        members[0].attrs
    )


def same(da, expected):
    assert da.dims == expected.dims
    np.testing.assert_array_equal(da.values, expected.values)


@pytest.mark.parametrize("name", ["e.nc", "e.zarr"])
@pytest.mark.parametrize("precision", ["exact", "packed"])
def test_files_give_back_every_member(ensemble, tmp_path, name, precision):
    done: list[int] = []
    save_sequence(ensemble, tmp_path / name, precision=precision, on_frame=done.append)
    opened = open_sequence(tmp_path / name)
    assert opened.dims == ("member", "time", "y", "x") and opened["member"].values.tolist() == [4, 5, 6]
    assert done == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(opened["lat"], ensemble["lat"])
    for number in range(3):
        plain = ensemble.isel(member=number, drop=True)
        save_sequence(plain, tmp_path / f"{number}{name}", precision=precision)
        same(opened.isel(member=number), open_sequence(tmp_path / f"{number}{name}"))
    facts = inspect(tmp_path / name)
    assert facts["e" if "e" in facts else "200101"]["members"] == 3
    assert check([tmp_path / name]).usable


def test_frames_computed_together_and_in_any_order_of_dimensions(ensemble):
    sequence = as_sequence(ensemble.transpose("y", "member", "x", "time"))
    assert sequence.dims == ("member", "time", "y", "x")
    for da in (sequence, sequence.compute(), sequence.chunk({"time": 2, "member": 1})):
        reader = FrameReader(da)
        same(xr.DataArray(reader.frame(3), dims=("member", "y", "x")), ensemble.isel(time=3, drop=True))
    back = as_sequence(ensemble.isel(time=[2, 0, 1]))
    same(back, ensemble.isel(time=[0, 1, 2]))
    assert select_time(sequence, "2001-07-01T01").sizes == {"member": 3, "time": 1, "y": 12, "x": 10}


def test_files_of_one_hour_each_are_joined_member_by_member(ensemble, tmp_path):
    for number, hour in enumerate(ensemble["time"].dt.strftime("%Y%m%d%H").values):
        save_sequence(ensemble.isel(time=[number]), tmp_path / f"e_{hour}.nc", precision="exact")
    same(open_sequence(tmp_path), as_sequence(ensemble))
    one = ensemble.isel(member=[0], time=[0]).assign_coords(time=ensemble["time"][:1] + np.timedelta64(6, "h"))
    save_sequence(one, tmp_path / "e_2001070106.nc")
    with pytest.raises(InputError, match="holds 2 sequences"):
        open_sequence(tmp_path)


def test_a_foreign_file_may_call_its_members_otherwise(ensemble, tmp_path):
    foreign = ensemble.transpose("time", "member", "y", "x").rename(member="number").drop_attrs()
    foreign.assign_attrs(units="K").to_netcdf(tmp_path / "f.nc")
    opened = open_sequence(tmp_path / "f.nc")
    same(opened, ensemble)
    assert opened["member"].values.tolist() == [4, 5, 6] and "number" not in opened.coords


@pytest.mark.parametrize("options", [{}, {"sensor": "gaussian", "noise_kelvin": 0.5, "seed": 3}])
def test_coarsening_an_ensemble_coarsens_each_member(ensemble, options):
    coarse = tempogan_eddy.coarsen(ensemble, 2, **options)
    assert coarse.dims == ("member", "time", "y", "x") and coarse["member"].values.tolist() == [4, 5, 6]
    for number in range(3):
        same(coarse.isel(member=number), tempogan_eddy.coarsen(ensemble.isel(member=number), 2, **options))


def test_arrays_of_one_time_and_datasets_are_adapted_and_restored(ensemble):
    frame = ensemble.isel(time=0).rename(y="row", x="col", member="realization").transpose("row", "col", "realization")
    coarse = tempogan_eddy.coarsen(frame, 2)
    assert coarse.dims == frame.dims and coarse.sizes == {"row": 6, "col": 5, "realization": 3}
    np.testing.assert_array_equal(coarse.isel(realization=1), tempogan_eddy.coarsen(ensemble.isel(time=0, member=1), 2))
    dataset = tempogan_eddy.coarsen(ensemble.to_dataset(name="Tb"), 2)
    same(dataset["Tb"].isel(member=2), tempogan_eddy.coarsen(ensemble.isel(member=2), 2))


def test_an_ensemble_is_aligned_as_its_members_are(ensemble):
    coarse = tempogan_eddy.coarsen(ensemble, 2)
    turned = coarse.isel(y=slice(None, None, -1))
    _, back = align_grid(as_sequence(ensemble), turned, 2, ("fine", "coarse"))
    same(back, coarse)
    _, plain = align_grid(as_sequence(ensemble[0]), turned.isel(member=0), 2, ("fine", "coarse"))
    same(back.isel(member=0), plain)


@pytest.mark.parametrize("format", ["png", "digital-typhoon"])
def test_formats_of_one_member_refuse_an_ensemble(ensemble, tmp_path, format):
    with pytest.raises(InputError, match=rf"{format} holds one member, not 3; write NetCDF or Zarr, or one"):
        save_sequence(ensemble, tmp_path / "out", format=format)
    assert not (tmp_path / "out").exists()


def test_what_needs_one_member_says_so(ensemble, tmp_path):
    save_sequence(ensemble, tmp_path / "e.nc")
    for held in (ensemble, tmp_path / "e.nc"):
        with pytest.raises(
            InputError, match=r"is an ensemble of 3 .*da\.isel\(member=0\); of a file --select member=0"
        ):
            adapt(held)
    with pytest.raises(InputError, match="ensemble of 3 members"):
        open_source(tmp_path / "e.nc", load_config())
