from collections import namedtuple

import numpy as np
import pytest
import xarray as xr

from tempogan_eddy.io import open_sequence
from tempogan_eddy.io.variables.channel import channel_of, preferred

WavelengthRange = namedtuple("WavelengthRange", "min central max unit")  # as satpy's


@pytest.mark.parametrize(
    ("name", "attrs", "kind"),
    [
        # GridSat, HURSAT, merged IR, ISCCP
        ("irwin_cdr", {"long_name": "NOAA FCDR of Brightness Temperature near 11 microns"}, "window"),
        ("irwin_cdr", {}, "window"),
        ("irwin_2", {"long_name": "irwin_2"}, "split window"),
        ("irwvp", {"long_name": "NOAA FCDR of Brightness Temperature near 6.7 microns"}, "water vapour"),
        ("irwvp", {}, "water vapour"),
        ("irwin_vza_adj", {}, "other quantity"),
        ("IRWIN", {}, "window"),
        ("IRSPL", {}, "split window"),
        ("IRNIR", {}, "shortwave"),
        ("IRCO2", {}, "CO2"),
        ("VSCHN", {}, "visible"),
        # TC PRIMED, HURSAT-MW
        ("TB_A89.0H", {}, "microwave"),
        ("TB85V", {}, "microwave"),
        ("Tb", {"long_name": "brightness temperature at 36.5 GHz"}, "microwave"),
        # ABI, AHI, AGRI, AMI, SEVIRI, FCI, MVIRI, GMS, INSAT and VIIRS
        ("CMI_C13", {}, "window"),
        ("CMI_C08", {}, "water vapour"),
        ("CMI_C02", {}, "visible"),
        ("tbb_13", {}, "window"),
        ("tbb_15", {}, "split window"),
        ("tbb_07", {}, "shortwave"),
        ("B12", {"platform_name": "Himawari-8"}, "ozone"),
        ("B14", {}, "window"),
        ("C12", {"platform_name": "FY-4A", "sensor": "agri"}, "window"),
        ("C13", {"platform_name": "FY-4A"}, "split window"),
        ("C13", {"platform_name": "FY-4B"}, "window"),
        ("NOMChannel09", {"platform": "FY-4A"}, "water vapour"),
        ("IR_108", {}, "window"),
        ("IR_120", {}, "split window"),
        ("IR_039", {}, "shortwave"),
        ("IR_016", {}, "near infrared"),
        ("IR_087", {}, "8.6 micrometre window"),
        ("IR_097", {}, "ozone"),
        ("WV_062", {}, "water vapour"),
        ("VIS006", {}, "visible"),
        ("ir_105", {}, "window"),
        ("IR105", {}, "window"),
        ("WV063", {}, "water vapour"),
        ("SW038", {}, "shortwave"),
        ("ch9", {"platform": "MSG3", "instrument": "SEVIRI"}, "window"),
        ("ch5", {"platform": "MSG3"}, "water vapour"),
        ("IR1", {}, "window"),
        ("IR10_8um", {}, "window"),
        ("IR2", {"platform_name": "GMS-5"}, "split window"),
        ("IR3", {}, "water vapour"),
        ("TIR1", {}, "window"),
        ("MIR", {}, "shortwave"),
        ("10_7", {"platform_name": "GOES-12"}, "window"),
        ("channel_4", {"platform": "GOES-12"}, "window"),
        ("31", {"platform_name": "EOS-Terra", "sensor": "modis"}, "window"),
        ("Infrared", {}, "window"),
        # words and texts
        ("bt", {"long_name": "10.4 um brightness temperature"}, "window"),
        ("bt", {"long_name": "Brightness temperature at 10.5-12.5 \u00b5m"}, "window"),
        ("bt", {"description": "6.7 micron channel"}, "water vapour"),
        ("bt", {"long_name": "water vapor channel"}, "water vapour"),
        ("bt", {"long_name": "Water-vapour brightness temperature"}, "water vapour"),
        ("bt", {"long_name": "thermal infrared brightness temperature"}, "window"),
        ("bt", {"long_name": "dirty longwave window"}, "split window"),
        ("bt", {"long_name": "shortwave infrared"}, "shortwave"),
        ("Tb", {"long_name": "uncertainty of brightness temperature"}, "other quantity"),
        ("sst", {"long_name": "Sea surface temperature"}, "other quantity"),
        ("temp_11_00um", {}, "window"),
        ("temp_12_00um_nom", {}, "split window"),
        ("temp_06_70um", {}, "water vapour"),
        ("ch4_11um", {}, "window"),
        ("temp_10_4um", {}, None),
        ("channel_4_11um", {}, None),
        ("bt11", {}, None),
        ("BT_12", {}, None),
        ("bt_11", {"platform_name": "Himawari-8"}, "8.6 micrometre window"),
        ("BT13", {}, "window"),
        # wavelengths as attributes
        ("bt", {"wavelength": 10.8}, "window"),
        ("bt", {"wavelength": np.array([9.8, 10.8, 11.8])}, "window"),
        ("bt", {"wavelength": "[ 9.8 10.5 11.2]"}, "window"),
        ("bt", {"wavelength": "(5.35, 6.25, 7.15)"}, "water vapour"),
        ("bt", {"center_wavelength": "11.5~12.5um"}, "split window"),
        ("bt", {"central_wavelength": "1.03e-5"}, "window"),
        ("bt", {"central_wavelength": "12.0 um"}, "split window"),
        ("bt", {"center_wavelength": b"10.8um"}, "window"),
        ("bt", {"central_wavelength": 6200, "central_wavelength_units": "nm"}, "water vapour"),
        ("bt", {"central_wavelength": 1.03e-5}, "window"),
        ("bt", {"central_wavenumber": 933.2}, "window"),
        ("bt", {"wavelength": "10.8 \u00b5m (9.8-11.8 \u00b5m)"}, "window"),
        ("bt", {"wavelength": {"min": 5.35, "central": 6.25, "max": 7.15}}, "water vapour"),
        ("bt", {"wavelength": '{"min": 5.35, "central": 6.25, "max": 7.15, "unit": "um"}'}, "water vapour"),
        ("bt", {"wavelength": WavelengthRange(9.8, 10.8, 11.8, "um")}, "window"),
        ("irwvp", {"wavelength": 10.8}, "window"),
        # nothing tells
        ("Tb", {"long_name": "Brightness Temperature"}, None),
        ("brightness_temperature", {"title": "GridSat-B1: window and water vapour"}, None),
        ("data", {"channel": "4"}, None),
        ("var9", {}, None),
    ],
)
def test_the_channel_follows_from_names_texts_and_wavelengths(name, attrs, kind):
    assert channel_of(name, attrs).kind == kind


def test_the_channel_follows_from_scalar_coordinates():
    da = xr.DataArray(np.zeros((2, 2)), dims=("y", "x"), name="CMI")
    by_wavelength = da.assign_coords(band_wavelength=((), 10.33, {"units": "um"}))
    by_number = da.expand_dims(band=1).assign_coords(band_id=("band", np.array([9], "i1")))
    by_standard_name = da.assign_coords(
        w=((), 6.2e-6, {"standard_name": "sensor_band_central_radiation_wavelength", "units": "m"})
    )
    assert channel_of("CMI", da.attrs, by_wavelength.coords).kind == "window"
    assert channel_of("CMI", da.attrs, by_number.coords).kind == "water vapour"
    assert channel_of("CMI", da.attrs, by_standard_name.coords).kind == "water vapour"
    assert str(channel_of("CMI", da.attrs, by_wavelength.coords)) == "window, 10.3 um"
    assert str(channel_of("x", {})) == "unknown"


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["irwin_cdr", "irwin_2", "irwvp"], "irwin_cdr"),
        (["irwin_cdr", "irwin_vza_adj", "irwvp"], "irwin_cdr"),
        (["IR_108", "WV_062", "IR_039"], "IR_108"),
        (["IR_108", "IR_120"], None),
        (["tbb_13", "tbb_15"], None),
        (["tbb_13", "tbb_08", "tbb_07"], "tbb_13"),
        (["tbb_15", "tbb_08"], None),
        (["irwin_cdr", "temperature"], None),
        (["IRWIN", "sst"], "IRWIN"),
        (["irwvp", "IR_039"], None),
        (["one", "two"], None),
        ([], None),
    ],
)
def test_the_window_is_chosen_only_if_it_is_unambiguous(names, chosen):
    da = xr.DataArray(np.zeros((1, 2, 2)), dims=("time", "y", "x"), attrs={"units": "K"})
    assert preferred(dict.fromkeys(names, da)) == chosen


@pytest.mark.parametrize(("name", "kind"), [("tbb_08", "water vapour"), ("IR_108", "window"), ("Tb", None)])
def test_the_reader_keeps_a_name_that_states_the_channel(make_sequence, tmp_path, name, kind):
    frames = make_sequence().compute().rename(name)
    frames.attrs = {"units": "K", "long_name": "Brightness temperature"}
    frames.to_netcdf(tmp_path / "in.nc")
    da = open_sequence(tmp_path / "in.nc")
    assert channel_of(da.name, da.attrs, da.coords).kind == kind
