"""Files that other tools read: recognise them by their first bytes and advise how to make a DataArray of them."""

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tempogan_eddy.io.values.units import text_of

__all__ = ["Foreign", "advice_for_variables", "foreign_format", "foreign_store"]

HEAD_BYTES = 1024
SAVED = 'tempogan_eddy.save_sequence(tempogan_eddy.reconstruct({}), "highres.nc")'

BESIDE_DATA = {
    *("text", "a table of numbers as text", "a PDF document", "a document"),
    *("a JPEG picture", "a picture or film", "a model"),
}

# A text, or a function of the file's name that returns it. `_filled` replaces the words PATH, FILE, BASE and PARENT.
Advice = str | Callable[[str], str]


@dataclass(frozen=True)
class Foreign:
    """A file that another tool reads: its format, as a sentence continues after "is", and the remedy."""

    path: Path
    format: str
    advice: str

    @property
    def is_data(self) -> bool:
        """Whether it holds images, or should; texts and pictures only accompany them."""
        return self.format not in BESIDE_DATA

    @property
    def line(self) -> str:
        """The sentence alone, in one line."""
        return str(self).splitlines()[0].rstrip(":")

    def __str__(self) -> str:
        """Return one sentence, perhaps with lines of Python below."""
        return f"{self.path} is {self.format}; {self.advice}"


def foreign_format(path: str | Path) -> Foreign | None:
    """Recognise, by its first kilobyte and its name, a file that this package does not read itself.

    Return None for a folder, an unknown format, and NetCDF, HDF5 and PNG, which this package reads.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return None
    for format, magic, named, advice in _RULES:
        if re.match(magic, head, re.DOTALL) and re.search(named, path.name, re.IGNORECASE):
            return Foreign(path, format, _filled(advice, path))
    if not _is_text(head):
        return None
    if _is_table(head, path.name):
        return Foreign(
            path, "a table of numbers as text", _filled(_array("numpy.genfromtxt(PATH, delimiter=',')"), path)
        )
    return Foreign(path, "text", _NO_SEQUENCE)


def foreign_store(path: Path, reason: str) -> Foreign | None:
    """Recognise a Zarr store that holds references, or no names of dimensions, by why it could not be opened."""
    if (path / ".zmetadata").is_file() and "record_size" in (path / ".zmetadata").read_text(errors="ignore"):
        return Foreign(path, "a set of references for kerchunk", _filled(_REFERENCES, path))
    if "array already exists" in reason:
        return Foreign(path, "one Zarr array without coordinates", _filled(_IN_MEMORY % "zarr.open_array(PATH)", path))
    if "_ARRAY_DIMENSIONS" in reason or "dimension_names" in reason:
        opened = _IN_MEMORY % "zarr.open_group(PATH)['NAME']"
        return Foreign(path, "a Zarr store whose arrays do not name their dimensions", _filled(opened, path))
    return None


def advice_for_variables(names: Iterable[Any], attrs: Mapping[Any, Any], path: str | Path) -> Foreign | None:
    """Recognise a NetCDF or HDF5 file of radiances or counts by its variables and groups, attributes and name."""
    path, present = Path(path), {str(name).rsplit("/", 1)[-1] for name in names}
    stated = " ".join(text_of(attrs.get(key, "")) for key in ("platform_ID", "platform", "title", "Satellite Name"))
    for format, needed, mark, advice in _RADIANCES:
        if needed <= present and re.search(mark, f"{path.name} {stated}"):
            return Foreign(path, format, _filled(advice, path))
    return None


def _filled(advice: Advice, path: Path) -> str:
    """Return advice with the path as Python writes it (PATH, PARENT) or as a shell does (FILE, BASE: no suffix)."""
    words = {"PATH": repr(str(path)), "PARENT": repr(str(path.parent))}
    words |= {"FILE": shlex.quote(str(path)), "BASE": shlex.quote(str(path.with_suffix("")))}
    text = advice if isinstance(advice, str) else advice(path.name)
    return re.sub(r"\b(PATH|PARENT|FILE|BASE)\b", lambda word: words[word[0]], text)


def _is_text(head: bytes) -> bool:
    cut = head[: head.rfind(b"\n") + 1] or head  # the last character may be cut
    try:
        text = cut.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter in "\t\r\n\f" for letter in text)


def _is_table(text: bytes, name: str) -> bool:
    """Return whether a text holds lines of numbers between commas, semicolons, tabs or blanks."""
    lines = text.decode("utf-8-sig", errors="ignore").splitlines()
    return name.lower().endswith((".csv", ".tsv")) or bool(
        lines and re.fullmatch(r"\s*[-+.\deEnaN]+([\s,;]+[-+.\deEnaN]+)+\s*,?", lines[-2 if len(lines) > 1 else 0])
    )


def _code(introduction: str, *lines: str) -> str:
    return "\n    ".join((introduction + ":", *lines))


def _array(opened: str) -> str:
    return _code("if it holds kelvin, give its array", f"kelvin = {opened}", SAVED.format("kelvin, kelvin=True"))


def _unpack(command: str, verb: str = "unpack") -> str:
    return f"{verb} it first ({command}) and give what comes out."


def _satpy(reader: str, channel: str, band: str = "(?!)", folder: bool = False) -> Advice:
    """Advise satpy's two lines; if ``band`` matches the file's name, its first group names the channel.

    With ``folder``, one image spans several files of a folder: segments, or a prologue and an epilogue.
    """
    files = f"satpy.find_files_and_readers(base_dir=PARENT, reader={reader!r})" if folder else "[PATH]"

    def advice(name: str) -> str:
        found = re.search(band, name)
        loaded = repr(found[1] if found else channel)
        scene = f"scene = satpy.Scene({files}, reader={reader!r}); scene.load([{loaded}])"
        return _code("satpy reads it", scene, SAVED.format(f"scene[{loaded}]"))

    return advice


_ANEW = "the download did not finish or the disk was full: fetch it again."
_LOGIN = (
    "the server answered with a page, often to log in, in place of the data: log in (NASA Earthdata: a .netrc file and "
    "curl -n -L -b cookies -c cookies -O URL) and download it again."
)
_NO_SEQUENCE = "it holds no brightness temperatures on a grid: get the images as NetCDF."
_LOSSY = "its values are colours, not kelvin: get the data as NetCDF, or as PNG whose grey stands for kelvin."
_PICKLE = "it could run any code, so it is not opened; save its array where it was made: da.to_netcdf('in.nc')."
_MODEL = "give it with --model, and as input the data that it is for."
_HSD = _satpy("ahi_hsd", "B13", r"_(B\d\d)_", folder=True)
_GINI = _code(
    "MetPy reads its counts, which stand for kelvin as GINI defines",
    "counts = xarray.open_dataset(PATH, engine='gini')['IR']",
    "da = xarray.where(counts <= 176, 330 - counts / 2, 418 - counts).assign_attrs(units='K')",
    SAVED.format("da"),
)
_AWX = _code(
    "the package awx reads it; an image's table gives 0.01 K (a TBB grid holds kelvin already: da = file.values)",
    "file = awx.Awx(PATH); levels = 4 * file.values.astype(int)",
    "da = levels.copy(data=file.calibration[levels.values] / 100).assign_attrs(units='K')",
    SAVED.format("da"),
)
_GRIB = _code(
    "cfgrib reads it (pip install cfgrib); print(data) lists the names of its variables",
    "data = xarray.open_dataset(PATH, engine='cfgrib')",
    SAVED.format("data['clbt']"),
)
_TCIR = _code(
    "its first channel is infrared; pandas reads its storms and times (pip install tables)",
    "info = pandas.read_hdf(PATH, 'info').reset_index(drop=True); info = info[info['ID'] == info['ID'][0]]",
    "times = pandas.to_datetime(info['time'].astype(str), format='%Y%m%d%H').values",
    "kelvin = h5py.File(PATH)['matrix'][info.index, :, :, 0]",
    "da = xarray.DataArray(kelvin, {'time': times}, ('time', 'y', 'x'), attrs={'units': 'K'})",
    SAVED.format("da"),
)
_IN_MEMORY = "if it holds kelvin, give the array in Python: tempogan_eddy.reconstruct(%s[:], kelvin=True)."
_REFERENCES = _code(
    "kerchunk reads it (pip install kerchunk); print(data) lists the names of its variables",
    "data = xarray.open_dataset(PATH, engine='kerchunk')",
    SAVED.format("data['NAME']"),
)
_HDF4 = _code(
    "pyhdf reads it; apply the scale and the offset that its attributes state",
    "values = pyhdf.SD.SD(PATH).select('NAME')[:]",
    SAVED.format("values * scale + offset, kelvin=True"),
)
_TIFF = _code(
    "rioxarray reads it, if its values are kelvin",
    "da = rioxarray.open_rasterio(PATH, mask_and_scale=True).squeeze('band', drop=True).assign_attrs(units='K')",
    SAVED.format("da"),
)
_MERGED = _code(
    "its bytes are kelvin less 75, 255 is missing",
    "kelvin = numpy.fromfile(PATH, 'u1').reshape(2, 3298, 9896) + 75.0; kelvin[kelvin == 330] = numpy.nan",
    SAVED.format("kelvin, kelvin=True"),
)
_AREA = (
    "order the images as NetCDF (NOAA CLASS offers both) and read them with satpy's reader goes-imager_nc, or save "
    "them as NetCDF with McIDAS-V."
)

_HEADING = rb"(\x01\r\r\n[\d ]+\r\r\n)?%s[A-Z]{3}\d\d [A-Z]{4} \d{6}"  # of the WMO, before GINI, GRIB or BUFR
_TELEGRAM = rb"(?=" + _HEADING % rb"[A-Z]" + rb").{0,76}"
_TEXT = rb"(\xef\xbb\xbf)?\s*"
_KERCHUNK = rb'\{\s*"(version"\s*:\s*\d+\s*,\s*"(refs|templates)|refs|\.zgroup|\.zmetadata)"'

# Format, pattern for the first bytes, pattern for the name, advice. The first rule that fits decides.
_RULES: list[tuple[str, bytes, str, Advice]] = [
    ("empty (0 bytes)", rb"\Z", "", _ANEW),
    ("nothing but zeros at its beginning", rb"\0{17,}\Z", "", _ANEW),
    ("compressed Himawari Standard Data (HSD)", rb"BZh", r"^HS_H\d\d_.*\.bz2$", _HSD),
    ("Himawari Standard Data (HSD)", rb".{6}Himawari", "", _HSD),
    (
        *("gridded Himawari data of CEReS", rb"", r"^\d{12}\.(tir|sir|vis|ext)\.\d\d\..*geoss(\.bz2)?$"),
        _satpy("ahi_l1b_gridded_bin", "B13"),
    ),
    ("merged infrared in its first format", rb"", r"^merg_\d{10}_4km-pixel$", _MERGED),
    ("a model", rb"", r"\.(safetensors|pth|onnx)$", _MODEL),
    ("a GMS-5 VISSR archive", rb"", r"^VISSR_\d{8}_\d{4}_.*\.IMG", _satpy("gms5-vissr_l1b", "IR1", r"_(IR\d)\.")),
    ("Himawari HRIT", rb"\0\0\x10", r"^IMG_DK\d\dB\d\d_", _satpy("ahi_hrit", "B13", folder=True)),
    ("MTSAT-1R HRIT", rb"\0\0\x10", r"MTSAT1", _satpy("jami_hrit", "IR1", folder=True)),
    ("MTSAT HRIT", rb"\0\0\x10", r"MTSAT2|^IMG_DK\d\d(IR\d|VIS)_", _satpy("mtsat2-imager_hrit", "IR1", folder=True)),
    ("Meteosat HRIT", rb"\0\0\x10", r"-000-MSG", _satpy("seviri_l1b_hrit", "IR_108", folder=True)),
    ("Electro-L HRIT", rb"\0\0\x10", r"-000-GOMS", _satpy("electrol_hrit", "10_7", folder=True)),
    ("GOES HRIT", rb"\0\0\x10", r"-000-GOES", _satpy("goes-imager_hrit", "10_7", folder=True)),
    ("Meteosat SEVIRI in native format", rb"FormatName", "", _satpy("seviri_l1b_native", "IR_108")),
    ("GRIB", rb"(%s)?GRIB" % _TELEGRAM, "", _GRIB),
    ("BUFR", rb"(%s)?BUFR" % _TELEGRAM, "", _NO_SEQUENCE),
    ("a GINI image", _HEADING % rb"T" + rb"\s*\r\r\n", "", _GINI),
    ("compressed GINI", rb"\x1f\x8b|BZh", r"\.gini\.(gz|bz2)$", _GINI),
    ("Fengyun AWX", rb".{14}(\x28\0|\0\x28).{14}SAT", "", _AWX),
    # Type, rows, columns, imaginary flag and length of a name, as five small 32-bit numbers.
    ("a MATLAB file, version 4", rb".[\0\3\4]\0\0.{17}", r"\.mat$", _array("scipy.io.loadmat(PATH)['NAME']")),
    ("a McIDAS AREA file", rb"\0{4}(\0\0\0\x04|\x04\0\0\0)", "", _AREA),
    ("a MATLAB file, version 7.3", rb"MATLAB 7\.3", "", _array("h5py.File(PATH)['NAME'][:].T")),
    ("a MATLAB file", rb"MATLAB 5\.0", "", _array("scipy.io.loadmat(PATH)['NAME']")),
    ("MODIS data in HDF4", rb"\x0e\x03\x13\x01", r"^M[OY]D02", _satpy("modis_l1b", "31")),
    ("HDF4", rb"\x0e\x03\x13\x01", "", _HDF4),
    ("a TIFF image", rb"II[*+]\0|MM\0[*+]", "", _TIFF),
    ("a JPEG picture", rb"\xff\xd8\xff|\0\0\0\x0cjP|\xffO\xffQ", "", _LOSSY),
    ("a picture or film", rb"GIF8|\x1aE\xdf\xa3|.{8}WEBP|.{4}ftyp", "", _LOSSY),
    ("a PGM, PPM or BMP picture", rb"P[256]\n|P5 |BM.{4}\0{4}", "", _unpack("magick FILE BASE.png", verb="convert")),
    ("a FITS file", rb"SIMPLE  =", "", _array("astropy.io.fits.getdata(PATH)")),
    ("an IDL save file", rb"SR\0[\x04\x06]", "", _array("scipy.io.readsav(PATH)['NAME']")),
    ("a document", rb"PK\x03\x04|\xd0\xcf\x11\xe0", r"\.(xlsx?|docx?|pptx?|odt|kmz)$", _NO_SEQUENCE),
    ("a NumPy array", rb"\x93NUMPY", "", _array("numpy.load(PATH)")),
    ("data of PyTorch", rb"PK\x03\x04", r"\.(pt|ckpt)$", _PICKLE),
    ("NumPy arrays", rb"PK\x03\x04", r"\.npz$", _array("numpy.load(PATH)['NAME']")),
    ("a gzipped tar archive", rb"\x1f\x8b", r"\.(tgz|tar\.gz)$", _unpack("tar xzf FILE")),
    ("compressed by gzip", rb"\x1f\x8b", "", _unpack("gunzip -k FILE")),
    ("compressed by compress", rb"\x1f\x9d", "", _unpack("uncompress FILE")),
    ("compressed by bzip2", rb"BZh", "", _unpack("bunzip2 -k FILE")),
    ("compressed by xz", rb"\xfd7zXZ\0", "", _unpack("unxz -k FILE")),
    ("compressed by Zstandard", rb"\x28\xb5\x2f\xfd", "", _unpack("unzstd FILE")),
    ("compressed by LZ4", rb"\x04\x22\x4d\x18", "", _unpack("unlz4 FILE")),
    ("a zip archive", rb"PK(\x03\x04|\x05\x06)", "", _unpack("unzip FILE -d BASE")),
    ("a 7-Zip archive", rb"7z\xbc\xaf\x27\x1c", "", _unpack("7z x FILE")),
    ("a RAR archive", rb"Rar!\x1a\x07", "", _unpack("unrar x FILE")),
    ("a tar archive", rb".{257}ustar", "", _unpack("tar xf FILE")),
    ("a Python pickle", rb"\x80[\x02-\x05]", "", _PICKLE),
    ("a PDF document", rb"%PDF", "", _NO_SEQUENCE),
    ("a pointer of Git LFS, not the file itself", rb"version https://git-lfs", "", "fetch it: git lfs pull."),
    ("a pointer of git-annex, not the file itself", rb"/annex/objects/", "", "fetch it: git annex get."),
    ("a set of references for kerchunk", _TEXT + _KERCHUNK, "", _REFERENCES),
    (
        "a GrADS descriptor",
        rb"(\*[^\n]*\n|\s)*(?i:dset)\s",
        "",
        _unpack("cdo -f nc import_binary FILE BASE.nc", "convert"),
    ),
    ("an HTML page", _TEXT + rb"(?i:<!doctype html|<html|<head)", "", _LOGIN),
    ("an XML message", _TEXT + rb"<(\?xml|Error)", "", _LOGIN),
]

# Format, variables that it has, pattern for its name or attributes, advice.
_RADIANCES: list[tuple[str, set[str], str, Advice]] = [
    ("the data set TCIR of tropical cyclones", {"matrix", "axis0"}, "", _TCIR),
    ("GOES ABI radiance (level 1b)", {"Rad"}, "", _satpy("abi_l1b", "C13", r"-M\d(C\d\d)_")),
    ("GEO-KOMPSAT-2A AMI level 1b", {"image_pixel_values"}, "", _satpy("ami_l1b", "IR105")),
    ("Fengyun-4B AGRI level 1", {"NOMChannel12"}, r"FY-?4[B-Z]", _satpy("agri_fy4b_l1", "C13")),
    ("Fengyun-4A AGRI level 1", {"NOMChannel12"}, "", _satpy("agri_fy4a_l1", "C12")),
    ("INSAT-3D imager level 1b", {"IMG_TIR1"}, "", _satpy("insat3d_img_l1b_h5", "TIR1")),
    ("MTG FCI level 1c", {"effective_radiance"}, "", _satpy("fci_l1c_nc", "ir_105", folder=True)),
    ("Meteosat SEVIRI level 1.5 in NetCDF", {"ch9", "ch10"}, "", _satpy("seviri_l1b_nc", "IR_108")),
    ("Meteosat MVIRI FCDR counts", {"count_ir"}, "", _satpy("mviri_l1b_fiduceo_nc", "IR")),
    ("GOES imager counts (NOAA CLASS)", {"data", "bands", "lineRes"}, "", _satpy("goes-imager_nc", "10_7")),
    ("VIIRS level 1b", {"I05"}, r"V\w\d\dIMG|VL1BI", _satpy("viirs_l1b", "I05", folder=True)),
    ("VIIRS SDR", {"BrightnessTemperatureFactors"}, "", _satpy("viirs_sdr", "I05", folder=True)),
    ("MERSI level 1b", {"EV_250_Emissive"}, "", _satpy("mersi2_l1b", "24", folder=True)),
    ("MERSI level 1b", {"EV_1KM_Emissive"}, "", _satpy("mersi2_l1b", "24", folder=True)),
]
