import gzip
import io
import pickle
import re
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from tempogan_eddy import InputError, open_sequence
from tempogan_eddy.io import save_sequence
from tempogan_eddy.io.files.foreign import advice_for_variables, foreign_format


def packed(archive):
    buffer = io.BytesIO()
    if archive == "tar":
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            tar.addfile(tarfile.TarInfo("in.nc"))
    else:
        with zipfile.ZipFile(buffer, "w") as zipped:
            zipped.writestr("in.nc", b"CDF\1")
    return buffer.getvalue()


def picture(format):
    buffer = io.BytesIO()
    Image.new("L", (8, 8), 90).save(buffer, format)
    return buffer.getvalue()


def stored(save, value):
    buffer = io.BytesIO()
    save(buffer, value)
    return buffer.getvalue()


HSD = struct.pack("<BHHB16s", 1, 282, 11, 0, b"Himawari-8") + bytes(300)
AWX = struct.pack("<12s9h8sh", b"ESLF170A.AWX", 0, 40, 2112, 248, 1200, 3, 1200, 1, 0, b"SAT2004", 0) + bytes(99)
GINI = b"TIGE02 KNES 071530\r\r\n" + bytes(range(100))
HRIT = b"\0\0\x10\0" + bytes(range(60))
PROSE = b"This folder holds the images of one storm.\n"

FILES = [
    ("HS_H08_20190101_0000_B13_FLDK_R20_S0110.DAT", HSD, "Himawari Standard Data", "reader='ahi_hsd'"),
    ("HS_H09_20230101_0000_B14_FLDK_R20_S0110.DAT.bz2", b"BZh91AY", "Himawari Standard Data", r"load\(\['B14'\]\)"),
    ("201901010000.tir.01.fld.geoss", b"\x07\x08" * 50, "CEReS", "reader='ahi_l1b_gridded_bin'"),
    ("VISSR_19960217_2331_IR1.A.IMG", b"\x01\x80" * 50, "GMS-5", "reader='gms5-vissr_l1b'"),
    ("IMG_DK01B13_201901010000_001", HRIT, "HRIT", "reader='ahi_hrit'"),
    ("HRIT_MTSAT1_20090101_0030_DK01IR1", HRIT, "MTSAT-1R HRIT", "reader='jami_hrit'"),
    ("H-000-MSG4__-MSG4________-IR_108___-000001___-201901010000-__", HRIT, "HRIT", "reader='seviri_l1b_hrit'"),
    ("in.nat", b"FormatName                  : NATIVE\n", "SEVIRI in native", "reader='seviri_l1b_native'"),
    ("TIGE02_KNES", GINI, "GINI", "engine='gini'"),
    ("WEST.gini.gz", gzip.compress(GINI), "GINI", "engine='gini'"),
    ("FY2G.AWX", AWX, "Fengyun AWX", r"awx\.Awx"),
    ("AREA0001", struct.pack(">64i", 0, 4, *range(62)), "McIDAS AREA", "goes-imager_nc"),
    ("AREA0002", struct.pack("<64i", 0, 4, *range(62)), "McIDAS AREA", "goes-imager_nc"),
    ("in.mat", b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(128) + bytes(9), "MATLAB", r"scipy\.io\.loadmat"),
    ("v73.mat", b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n", r"MATLAB file, version 7\.3", "h5py"),
    ("v4.mat", struct.pack("<5i", 0, 4, 4, 0, 3) + b"bt\0" + bytes(64), "MATLAB file, version 4", "loadmat"),
    ("MOD021KM.A2019001.0000.061.hdf", b"\x0e\3\x13\1" + bytes(40), "MODIS", "reader='modis_l1b'"),
    ("other.hdf", b"\x0e\3\x13\1" + bytes(40), "HDF4", r"pyhdf\.SD"),
    ("one.grb", b"GRIB\0\1\2\1" + bytes(40), "GRIB", "engine='cfgrib'"),
    ("two.grib2", b"GRIB\0\0\0\2" + bytes(40), "GRIB", "engine='cfgrib'"),
    ("telegram", b"TTAA00 KWBC 010000\r\r\nGRIB\0\0\0\2" + bytes(40), "GRIB", "engine='cfgrib'"),
    ("model.grb", b"\x01\r\r\n123 \r\r\nHTXA01 KWBC 010000\r\r\nGRIB\0\0\0\2" + bytes(40), "GRIB", "engine='cfgrib'"),
    ("in.bufr", b"BUFR\0\1\2\4" + bytes(40), "BUFR", "NetCDF"),
    ("in.tif", picture("TIFF"), "TIFF", r"rioxarray\.open_rasterio\(.*, mask_and_scale=True\)"),
    ("big.tif", b"II+\0\x08\0\0\0" + bytes(40), "TIFF", "rioxarray"),
    ("in.jpg", picture("JPEG"), "JPEG", "colours, not kelvin"),
    ("in.gif", picture("GIF"), "picture or film", "colours, not kelvin"),
    ("in.pgm", b"P5\n8 8\n255\n" + bytes(64), "PGM", "magick"),
    ("in.fits", b"SIMPLE  =                    T", "FITS", r"astropy\.io\.fits"),
    ("in.sav", b"SR\0\4" + bytes(40), "IDL", r"scipy\.io\.readsav"),
    ("in.xlsx", packed("zip"), "document", "NetCDF"),
    ("merg_2019122500_4km-pixel", bytes(range(256)), "merged infrared", r"numpy\.fromfile"),
    ("mine.pth", packed("zip"), "is a model", "--model"),
    ("in.npy", stored(np.save, np.ones((3, 4, 4))), "NumPy array", r"numpy\.load.*kelvin=True"),
    ("in.npz", stored(lambda file, a: np.savez(file, bt=a), np.ones(3)), "NumPy arrays", r"numpy\.load"),
    ("in.nc.gz", gzip.compress(b"CDF\1"), "compressed by gzip", r"gunzip -k '.*/in\.nc\.gz'"),
    ("in.tar.gz", gzip.compress(packed("tar")), "gzipped tar", "tar xzf"),
    ("in.nc.Z", b"\x1f\x9d\x90" + bytes(40), "compressed by compress", "uncompress"),
    ("in.nc.bz2", b"BZh91AY&SY", "compressed by bzip2", "bunzip2 -k"),
    ("in.nc.xz", b"\xfd7zXZ\0\0\4", "compressed by xz", "unxz -k"),
    ("in.nc.zst", b"\x28\xb5\x2f\xfd\x24\0", "compressed by Zstandard", "unzstd"),
    ("in.zip", packed("zip"), "zip archive", r"unzip '.*/in\.zip' -d '.*/in'"),
    ("in.tar", packed("tar"), "tar archive", "tar xf"),
    ("in.pkl", pickle.dumps(np.ones(3)), "pickle", "could run any code"),
    ("in.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF", "get the images as NetCDF"),
    ("merg.nc4", b"<!DOCTYPE html>\n<html><title>Earthdata Login</title>", "HTML page", "log in"),
    ("s3.nc", b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "XML message", "download it again"),
    ("empty.nc", b"", r"empty \(0 bytes\)", "fetch it again"),
    ("hollow.nc", bytes(4096), "nothing but zeros", "fetch it again"),
    ("pointer.nc", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS", "git lfs pull"),
    ("annexed.nc", b"/annex/objects/MD5E-s9--0.nc", "git-annex", "git annex get"),
    ("table.csv", b"lat,lon,bt\n10.5,120,251.2\n", "table of numbers", r"numpy\.genfromtxt"),
    ("grid.txt", b"251.2 250.1 249\n252 250 248.5\n253 251 1e2\n", "table of numbers", r"numpy\.genfromtxt"),
    ("refs.json", b'{"version": 1, "refs": {".zgroup": "{}"}}', "references for kerchunk", "engine='kerchunk'"),
    ("ir.ctl", b"* hourly\nDSET ^ir.bin\nUNDEF -999\n", "GrADS descriptor", r"cdo -f nc import_binary"),
    ("mine.pt", packed("zip"), "PyTorch", "could run any code"),
    ("notes.txt", PROSE, "is text", "get the images as NetCDF"),
    ("bulletin.txt", b"BMKG bulletin: " + PROSE, "is text", "get the images as NetCDF"),
    ("frame.bmp", b"BM\x36\x30\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", "BMP picture", "magick"),
    ("long.md", PROSE * 40 + "\u53f0\u98a8".encode() * 400, "is text", "get the images as NetCDF"),
]


def test_a_folder_of_such_files_is_refused_with_the_advice_for_the_first_that_holds_data(tmp_path):
    folder = tmp_path / "2019" / "12"
    folder.mkdir(parents=True)
    (folder / "README.txt").write_bytes(PROSE)
    (folder / "ir.tif").write_bytes(picture("TIFF"))
    with pytest.raises(
        InputError, match=rf"{tmp_path} holds no sequence .*; {folder}/ir.tif is a TIFF image; rioxarray"
    ):
        open_sequence(tmp_path)


@pytest.mark.parametrize(("name", "content", "format", "advice"), FILES, ids=[file[0] for file in FILES])
def test_a_file_of_another_tool_is_recognised_with_advice(tmp_path, name, content, format, advice):
    folder = tmp_path / "with blank"
    folder.mkdir()
    (folder / name).write_bytes(content)
    foreign = foreign_format(folder / name)
    assert foreign is not None
    assert str(foreign).startswith(f"{folder / name} is ")
    for pattern in (format, advice):
        assert re.search(pattern, str(foreign).replace("\n", " "))


@pytest.mark.parametrize("name", [file[0] for file in FILES])
def test_advised_lines_of_python_compile(tmp_path, name):
    content = next(file[1] for file in FILES if file[0] == name)
    (tmp_path / name).write_bytes(content)
    _, *lines = str(foreign_format(tmp_path / name)).split("\n    ")
    compile("\n".join(lines), name, "exec")
    if lines:
        assert lines[-1].startswith("tempogan_eddy.save_sequence(tempogan_eddy.reconstruct(")


@pytest.mark.parametrize("name", ["in.nc", "in.zarr", "pictures/in"])
def test_files_with_a_reader_are_not_foreign(make_sequence, tmp_path, name):
    save_sequence(make_sequence(), tmp_path / name, format="png" if "pictures" in name else None)
    for path in (tmp_path / name, *(tmp_path / name).glob("*.png")):
        assert foreign_format(path) is None
    assert foreign_format(tmp_path / "nowhere.nc") is None


@pytest.mark.parametrize("magic", [b"CDF\1", b"CDF\2", b"CDF\5", b"\x89HDF\r\n\x1a\n", b"\x89PNG\r\n\x1a\n"])
def test_a_broken_file_of_a_known_format_is_not_foreign(tmp_path, magic):
    (tmp_path / "in.nc").write_bytes(magic + bytes(range(40)))
    assert foreign_format(tmp_path / "in.nc") is None


def test_radiances_in_netcdf_are_recognised():
    abi = "OR_ABI-L1b-RadF-M6C14_G16_s20190010000_e20190010009_c20190010010.nc"
    told = str(advice_for_variables(["Rad", "DQF", "t"], {"platform_ID": "G16"}, abi))
    assert "GOES ABI radiance" in told
    assert "reader='abi_l1b'); scene.load(['C14'])" in told
    assert "agri_fy4b_l1" in str(advice_for_variables(["Data/NOMChannel12"], {"Satellite Name": "FY-4B"}, "in.hdf"))
    assert "agri_fy4a_l1" in str(advice_for_variables(["NOMChannel12"], {}, "FY4A-_AGRI--_N_DISK.HDF"))
    assert "pandas.read_hdf('TCIR.h5', 'info')" in str(advice_for_variables(["matrix", "info/axis0"], {}, "TCIR.h5"))
    assert "fci_l1c_nc" in str(advice_for_variables(["data/ir_105/measured/effective_radiance"], {}, "in.nc"))
    assert advice_for_variables(["CMI", "DQF"], {"platform_ID": "G16"}, "in.nc") is None
