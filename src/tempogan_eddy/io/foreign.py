"""Files that other tools read: recognise them by their first bytes and advise how to make a DataArray of them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tempogan_eddy.io.units import text_of

__all__ = ["Foreign", "advice_for_variables", "foreign_format"]

HEAD_BYTES = 1024
SAVED = 'tempogan_eddy.save_sequence(tempogan_eddy.reconstruct({}), "fine.nc")'

BESIDE_DATA = {
    *("text", "a table of numbers as text", "a PDF document", "a document"),
    *("a JPEG picture", "a picture or film", "a model"),
}

HEADING = re.compile(rb"(\x01\r\r\n[\d ]+\r\r\n)?([A-Z]{4}\d\d) [A-Z]{4} \d{6}")  # of the WMO

Test = Callable[[bytes, str], bool]
Advice = Callable[[Path], str]


@dataclass(frozen=True)
class Foreign:
    """A file that another tool reads.

    Parameters
    ----------
    path : Path
        The file.
    format : str
        Its format, as a sentence continues after "is".
    advice : str
        The remedy, perhaps with lines of Python below.
    """

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
        """Return one sentence, with the lines of Python below."""
        return f"{self.path} is {self.format}; {self.advice}"


def foreign_format(path: str | Path) -> Foreign | None:
    """Recognise a file that this package does not read itself.

    Parameters
    ----------
    path : str or Path
        A file; only its first kilobyte is read.

    Returns
    -------
    Foreign or None
        Its format and the remedy; None for a folder, an unknown format, and NetCDF, HDF5 and PNG, which this package
        reads.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return None
    for format, test, advice in _RULES:
        if test(head, path.name):
            return Foreign(path, format, advice(path))
    return None


def advice_for_variables(names: Iterable[Any], attrs: Mapping[Any, Any], path: str | Path) -> Foreign | None:
    """Recognise a NetCDF or HDF5 file that holds radiances or counts in place of temperatures.

    Parameters
    ----------
    names : iterable of str
        Its variables, those of groups by their own name or by their path, and its groups.
    attrs : mapping
        Its attributes.
    path : str or Path
        The file.
    """
    path, present = Path(path), {str(name).rsplit("/", 1)[-1] for name in names}
    said = " ".join(text_of(attrs.get(key, "")) for key in ("platform_ID", "platform", "title", "Satellite Name"))
    for format, needed, mark, advice in _RADIANCES:
        if needed <= present and re.search(mark, f"{path.name} {said}"):
            return Foreign(path, format, advice(path))
    return None


def _starts(*magics: bytes, at: int = 0, named: str = "") -> Test:
    """Test the first bytes, and the name by a pattern."""
    pattern = re.compile(named, re.IGNORECASE)
    return lambda head, name: head[at:].startswith(magics) and bool(pattern.search(name))


def _named(pattern: str) -> Test:
    return _starts(b"", named=pattern)


def _telegram(kind: bytes) -> Test:
    """Test for GRIB or BUFR, which may stand behind the heading of a telegram."""
    return lambda head, name: head.startswith(kind) or bool(HEADING.match(head) and kind in head[:80])


def _is_gini(head: bytes, name: str) -> bool:
    heading = HEADING.match(head)
    return bool(heading and heading[2].startswith(b"T") and re.match(rb"\s*\r\r\n", head[heading.end() :]))


def _is_matlab_4(head: bytes, name: str) -> bool:
    """Test for type, rows, columns, imaginary flag and length of a name, as five small 32-bit numbers."""
    sane = head[1:2] in (b"\0", b"\3", b"\4") and head[2:4] == b"\0\0" and len(head) > 20
    return name.lower().endswith(".mat") and sane


def _is_text(head: bytes, name: str) -> bool:
    cut = head[: head.rfind(b"\n") + 1] or head  # the last character may be cut
    try:
        text = cut.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter in "\t\r\n\f" for letter in text)


def _is_table(head: bytes, name: str) -> bool:
    """Test for lines of numbers between commas, semicolons, tabs or blanks."""
    if not _is_text(head, name):
        return False
    lines = head.decode("utf-8-sig", errors="ignore").splitlines()
    return name.lower().endswith((".csv", ".tsv")) or bool(
        lines and re.fullmatch(r"\s*[-+.\deEnaN]+([\s,;]+[-+.\deEnaN]+)+\s*,?", lines[-2 if len(lines) > 1 else 0])
    )


def _fixed(advice: str) -> Advice:
    return lambda path: advice


def _code(introduction: str, *lines: str) -> Advice:
    """Advise lines of Python; ``PATH`` in a line is the file."""
    text = "\n    ".join((introduction + ":", *lines))
    return lambda path: text.replace("PATH", repr(str(path)))


def _satpy(reader: str, channel: str, band: str = "", folder: bool = False) -> Advice:
    """Advise satpy's two lines; if ``band`` matches the file's name, its first group names the channel.

    With ``folder``, one image spans several files of a folder: segments, or a prologue and an epilogue.
    """
    files = f"satpy.find_files_and_readers(base_dir=FOLDER, reader={reader!r})" if folder else "[PATH]"

    def advice(path: Path) -> str:
        found = re.search(band, path.name) if band else None
        name = repr(found[1] if found else channel)
        scene = f"scene = satpy.Scene({files}, reader={reader!r}); scene.load([{name}])"
        lines = _code("satpy reads it", scene, SAVED.format(f"scene[{name}]"))(path)
        return lines.replace("FOLDER", repr(str(path.parent)))

    return advice


def _unpack(command: str, *without: str, verb: str = "unpack") -> Advice:
    """Advise a command; ``FILE`` in it is the file, and ``FOLDER`` the file's path without the suffixes given."""

    def advice(path: Path) -> str:
        folder = str(path)
        for suffix in without:
            folder = folder.removesuffix(suffix)
        filled = command.replace("FILE", shlex.quote(str(path))).replace("FOLDER", shlex.quote(folder))
        return f"{verb} it first ({filled}) and give what comes out."

    return advice


_ANEW = _fixed("the download did not finish or the disk was full: fetch it again.")
_LOGIN = _fixed(
    "the server answered with a page, often to log in, in place of the data: log in (NASA Earthdata: a .netrc file and "
    "curl -n -L -b cookies -c cookies -O URL) and download it again."
)
_NO_SEQUENCE = "it holds no brightness temperatures on a grid: get the images as NetCDF."
_LOSSY = "its values are colours, not kelvin: get the data as NetCDF, or as PNG whose grey stands for kelvin."
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
_HDF4 = _code(
    "pyhdf reads it; apply the scale and the offset that its attributes state",
    "values = pyhdf.SD.SD(PATH).select('NAME')[:]",
    SAVED.format("values * scale + offset, kelvin=True"),
)
_TIFF = _code(
    "rioxarray reads it, if its values are kelvin",
    "da = rioxarray.open_rasterio(PATH, masked=True).squeeze('band', drop=True).assign_attrs(units='K')",
    SAVED.format("da"),
)
_MERGED = _code(
    "its bytes are kelvin less 75, 255 is missing",
    "kelvin = numpy.fromfile(PATH, 'u1').reshape(2, 3298, 9896) + 75.0; kelvin[kelvin == 330] = numpy.nan",
    SAVED.format("kelvin, kelvin=True"),
)
_AREA = _fixed(
    "order the images as NetCDF (NOAA CLASS offers both) and read them with satpy's reader goes-imager_nc, or save "
    "them as NetCDF with McIDAS-V."
)


def _array(opened: str) -> Advice:
    return _code("if it holds kelvin, give its array", f"kelvin = {opened}", SAVED.format("kelvin, kelvin=True"))


# The first rule that fits decides, so general ones such as text come last.
_RULES: list[tuple[str, Test, Advice]] = [
    ("empty (0 bytes)", lambda head, name: not head, _ANEW),
    ("nothing but zeros at its beginning", lambda head, name: len(head) > 16 and not any(head), _ANEW),
    ("compressed Himawari Standard Data (HSD)", _starts(b"BZh", named=r"^HS_H\d\d_.*\.bz2$"), _HSD),
    ("Himawari Standard Data (HSD)", _starts(b"Himawari", at=6), _HSD),
    (
        "gridded Himawari data of CEReS",
        _named(r"^\d{12}\.(tir|sir|vis|ext)\.\d\d\..*geoss(\.bz2)?$"),
        _satpy("ahi_l1b_gridded_bin", "B13"),
    ),
    ("merged infrared in its first format", _named(r"^merg_\d{10}_4km-pixel$"), _MERGED),
    (
        "a model",
        _named(r"\.(safetensors|pth|onnx)$"),
        _fixed("give it with --model, and as input the data that it is for."),
    ),
    ("a GMS-5 VISSR archive", _named(r"^VISSR_\d{8}_\d{4}_.*\.IMG"), _satpy("gms5-vissr_l1b", "IR1", r"_(IR\d)\.")),
    *(
        (f"{satellite} HRIT", _starts(b"\0\0\x10", named=name), _satpy(reader, channel, folder=True))
        for satellite, name, reader, channel in (
            ("Himawari", r"^IMG_DK\d\dB\d\d_", "ahi_hrit", "B13"),
            ("MTSAT-1R", r"MTSAT1", "jami_hrit", "IR1"),
            ("MTSAT", r"MTSAT2|^IMG_DK\d\d(IR\d|VIS)_", "mtsat2-imager_hrit", "IR1"),
            ("Meteosat", r"-000-MSG", "seviri_l1b_hrit", "IR_108"),
            ("Electro-L", r"-000-GOMS", "electrol_hrit", "10_7"),
            ("GOES", r"-000-GOES", "goes-imager_hrit", "10_7"),
        )
    ),
    ("Meteosat SEVIRI in native format", _starts(b"FormatName"), _satpy("seviri_l1b_native", "IR_108")),
    ("GRIB", _telegram(b"GRIB"), _GRIB),
    ("BUFR", _telegram(b"BUFR"), _fixed(_NO_SEQUENCE)),
    ("a GINI image", _is_gini, _GINI),
    ("compressed GINI", _starts(b"\x1f\x8b", b"BZh", named=r"\.gini\.(gz|bz2)$"), _GINI),
    ("Fengyun AWX", lambda head, name: head[14:16] in (b"\x28\0", b"\0\x28") and head[30:33] == b"SAT", _AWX),
    ("a MATLAB file, version 4", _is_matlab_4, _array("scipy.io.loadmat(PATH)['NAME']")),
    ("a McIDAS AREA file", _starts(b"\0\0\0\0\0\0\0\4", b"\0\0\0\0\4\0\0\0"), _AREA),
    ("a MATLAB file, version 7.3", _starts(b"MATLAB 7.3"), _array("h5py.File(PATH)['NAME'][:].T")),
    ("a MATLAB file", _starts(b"MATLAB 5.0"), _array("scipy.io.loadmat(PATH)['NAME']")),
    ("MODIS data in HDF4", _starts(b"\x0e\3\x13\1", named=r"^M[OY]D02"), _satpy("modis_l1b", "31")),
    ("HDF4", _starts(b"\x0e\3\x13\1"), _HDF4),
    ("a TIFF image", _starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _TIFF),
    ("a JPEG picture", _starts(b"\xff\xd8\xff", b"\0\0\0\x0cjP", b"\xff\x4f\xff\x51"), _fixed(_LOSSY)),
    ("a picture or film", _starts(b"GIF8", b"\x1aE\xdf\xa3"), _fixed(_LOSSY)),
    ("a picture or film", lambda head, name: head[8:12] == b"WEBP" or head[4:8] == b"ftyp", _fixed(_LOSSY)),
    (
        "a PGM or PPM picture",
        _starts(b"P2\n", b"P5\n", b"P6\n", b"P5 "),
        _unpack("magick FILE FOLDER.png", ".pgm", ".ppm", verb="convert"),
    ),
    ("a FITS file", _starts(b"SIMPLE  ="), _array("astropy.io.fits.getdata(PATH)")),
    ("an IDL save file", _starts(b"SR\0\4", b"SR\0\6"), _array("scipy.io.readsav(PATH)['NAME']")),
    (
        "a document",
        _starts(b"PK\3\4", b"\xd0\xcf\x11\xe0", named=r"\.(xlsx?|docx?|pptx?|odt|kmz)$"),
        _fixed(_NO_SEQUENCE),
    ),
    ("a NumPy array", _starts(b"\x93NUMPY"), _array("numpy.load(PATH)")),
    ("NumPy arrays", _starts(b"PK\3\4", named=r"\.npz$"), _array("numpy.load(PATH)['NAME']")),
    ("a gzipped tar archive", _starts(b"\x1f\x8b", named=r"\.(tgz|tar\.gz)$"), _unpack("tar xzf FILE")),
    ("compressed by gzip", _starts(b"\x1f\x8b"), _unpack("gunzip -k FILE")),
    ("compressed by compress", _starts(b"\x1f\x9d"), _unpack("uncompress FILE")),
    ("compressed by bzip2", _starts(b"BZh"), _unpack("bunzip2 -k FILE")),
    ("compressed by xz", _starts(b"\xfd7zXZ\0"), _unpack("unxz -k FILE")),
    ("compressed by Zstandard", _starts(b"\x28\xb5\x2f\xfd"), _unpack("unzstd FILE")),
    ("compressed by LZ4", _starts(b"\x04\x22\x4d\x18"), _unpack("unlz4 FILE")),
    ("a zip archive", _starts(b"PK\3\4", b"PK\5\6"), _unpack("unzip FILE -d FOLDER", ".zip")),
    ("a 7-Zip archive", _starts(b"7z\xbc\xaf\x27\x1c"), _unpack("7z x FILE")),
    ("a RAR archive", _starts(b"Rar!\x1a\7"), _unpack("unrar x FILE")),
    ("a tar archive", _starts(b"ustar", at=257), _unpack("tar xf FILE")),
    (
        "a Python pickle",
        _starts(*(b"\x80" + bytes([version]) for version in range(2, 6))),
        _fixed("it could run any code, so it is not opened; save its array where it was made: da.to_netcdf('in.nc')."),
    ),
    ("a PDF document", _starts(b"%PDF"), _fixed(_NO_SEQUENCE)),
    (
        "a pointer of Git LFS, not the file itself",
        _starts(b"version https://git-lfs"),
        _fixed("fetch it: git lfs pull."),
    ),
    ("a pointer of git-annex, not the file itself", _starts(b"/annex/objects/"), _fixed("fetch it: git annex get.")),
    (
        "an HTML page",
        lambda head, name: bool(re.match(rb"(\xef\xbb\xbf)?\s*(<!doctype html|<html|<head)", head, re.I)),
        _LOGIN,
    ),
    ("an XML message", lambda head, name: bool(re.match(rb"(\xef\xbb\xbf)?\s*<(\?xml|Error)", head)), _LOGIN),
    ("a table of numbers as text", _is_table, _array("numpy.genfromtxt(PATH, delimiter=',')")),
    ("text", _is_text, _fixed(_NO_SEQUENCE)),
]

# Format, variables that it has, pattern for its name or attributes, advice.
_RADIANCES: list[tuple[str, set[str], str, Advice]] = [
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
