"""Named sensors: instruments and archives, with the source of every number or a mark that it is assumed.

A preset describes how a pixel of the named data sees the scene, on the grid of these data. Widths are in its pixels,
along y (north-south, across the scan) and along x (east-west, along the scan), near the subsatellite point.
"""

from dataclasses import dataclass

__all__ = ["PRESETS", "Preset"]


@dataclass(frozen=True)
class Preset:
    """A sensor with a name.

    Attributes
    ----------
    name
        What ``--sensor`` takes.
    text
        The sensor, as `SensorModel.parse` reads it.
    instrument
        Whose data these are.
    facts, sources
        What is documented, and where; each fact ends with the number of its source in brackets.
    assumed
        The numbers that no source gives, and why they were chosen.
    """

    name: str
    text: str
    instrument: str
    facts: str
    sources: tuple[str, ...] = ()
    assumed: str = "nothing"


_CATALOG = "ISCCP Catalog of Data and Products, section 3.5, https://www2.ncdc.noaa.gov/docs/isccp/html/c3/sec3-5.htm"
_SAMPLED = (
    "width=0.5, detectors of 4 to 5 km on a grid of 8 km; samples at the centres of pixels, although the nearest lies "
    "up to 5 km off; noise, of 8-bit counts"
)

_ALL = (
    Preset("area", "area", "mean over the block, kelvin", "the definition"),
    Preset(
        "seviri",
        "box,width=1.6,fwhm=0.47,wavelength=10.8,bits=10,noise=0.2",
        "SEVIRI on Meteosat-8 to -11, IR 10.8",
        "resolution of 4.8 km at a sampling distance of 3 km [1], 3.0016 km as measured [2]; 10 bits [3]",
        (
            "Schmetz et al. 2002, An introduction to Meteosat Second Generation, Bull. Am. Meteorol. Soc. 83, 977",
            "Burgdorf et al. 2022, IEEE J. Sel. Top. Appl. Earth Obs. 15, 3215, doi:10.36227/techrxiv.17031872",
            "EUMETSAT, High Rate SEVIRI service, https://www.eumetsat.int",
        ),
        "the shape, a box with a blur of fwhm=0.47; noise",
    ),
    Preset(
        "abi",
        "box,fwhm=0.7,wavelength=10.35,bits=12,noise=0.1",
        "ABI on GOES-16 to -19, band 13",
        "detectors of 56 microradians [1] on the fixed grid of 2 km; 10.35 µm, 12 bits [2]",
        (
            "Onboard calibration of the spectral response functions of the ABI's thermal IR channels by observation of "
            "the planet Mercury (abstract)",
            "CIMSS, proxy ABI data for compression studies, "
            "https://cimss.ssec.wisc.edu/goes/abi/bitdepthcompression/bitdepthcompression.html",
        ),
        "fwhm=0.7, diffraction at an aperture of 0.27 m; no effect of the resampling; noise",
    ),
    Preset(
        "ahi",
        "box,fwhm=0.7,wavelength=10.4,bits=12,noise=0.1",
        "AHI on Himawari-8 and -9, band 13",
        "grid of 2 km [1]; 10.4 µm [2]",
        (
            "Bessho et al. 2016, J. Meteorol. Soc. Japan 94, 151, doi:10.2151/jmsj.2016-009",
            "NWP SAF, https://nwp-saf.eumetsat.int/downloads/rtcoef_rttov12/ir_srf/rtcoef_himawari_8_ahi_srf.html",
        ),
        "the footprint, 12 bits and noise, as of ABI, its sister instrument",
    ),
    Preset(
        "goes-imager",
        "box,width=1,width_x=1.75,wavelength=10.7,bits=10,noise=0.15",
        "Imager on GOES-8 to -15, channel 4",
        "footprint of 112 microradians, sampled every 112 north-south and every 64 east-west [1]; 10.7 µm, 10 bits "
        "[2]; noise of 1 to 2 counts [3], of which 1.5 are 0.15 K at 300 K",
        (
            "GOES I-M DataBook, Space Systems/Loral, 1996",
            "NSSDCA 1994-022A-01, https://nssdc.gsfc.nasa.gov/nmc/experiment/display.action?id=1994-022A-01",
            "Kidder, Sensitivity of the GOES Imager infrared channels, "
            "http://www.comet.ucar.edu/class/satmet/kidder/sensitivity.html",
        ),
        "no blur by optics and electronics",
    ),
    Preset(
        "vissr",
        "box,width=1,width_x=1.46,wavelength=10.8,quantum=0.5,cold_quantum=1,noise=0.3",
        "VISSR on GMS-1 to -5, infrared",
        "lines 0.008 degrees (140 microradians, 5 km) apart [1]; 8 bits [2]; in 8-bit images 0.5 K a count above 242 K "
        "and 1 K below [3]; 10.8 µm on GMS-5 [4]",
        (
            "GCMD, VISSR on GMS, https://gcmd.earthdata.nasa.gov/kms/concept/3267ab9b-4e40-454c-ad9f-ec0832ff49ab",
            _CATALOG,
            "McIDAS Programmer's Manual, VISR areas, https://www.ssec.wisc.edu/mcidas/doc/prog_man/2015/formats-7.html",
            "NWP SAF, https://nwp-saf.eumetsat.int/downloads/rtcoef_rttov12/ir_srf/rtcoef_gms_5_imager_srf.html",
        ),
        "a footprint as wide as the distance of lines; width_x=1.46, from samples along a line 1.46 times closer: 3 of "
        "them and 2 lines both make 10 km [2]; noise; other wavelengths of GMS-1 to -4",
    ),
    Preset(
        "jami",
        "box,fwhm=0.5,wavelength=10.8,bits=10,noise=0.2",
        "JAMI on MTSAT-1R, IR1",
        "detectors of 2 km [1], pixels of 4 km [2], 10 bits [3], 10.3 to 11.3 µm [4]",
        (
            "Puschell, JAMI: a next generation GEO imager for MTSAT-1R, https://studylib.net/doc/13635663",
            "McIDAS SDI-104 Manual, MTSAT HRIT, https://www.ssec.wisc.edu/mcidas/doc/sdi_man/2007/mtsat_hrit-3.html",
            "CIMSS, https://cimss.ssec.wisc.edu/goes/abi/bitdepthcompression/bitdepthcompression_data.html",
            "Allmetsat, https://de.allmetsat.com/satellit-mtsat.php",
        ),
        "a pixel is the mean of its detector samples; fwhm=0.5; noise",
    ),
    Preset(
        "gridsat",
        "box,width=0.5,noise=0.2",
        "GridSat-B1",
        "the nearest sample of ISCCP B1 on a grid of 0.07 degrees (8 km) [1]; B1 are samples about 10 km apart [2], of "
        "GMS one pixel of three on every second line [3]",
        (
            "NOAA NCEI, GridSat-B1 CDR, https://www.ncei.noaa.gov/products/climate-data-records/"
            "geostationary-IR-channel-brightness-temperature, doi:10.7289/V59P2ZKR",
            "NCEI, ISCCP B1 information, https://www.ncdc.noaa.gov/gridsat/isccp-b1-info.php",
            _CATALOG,
        ),
        _SAMPLED,
    ),
    Preset(
        "isccp-dx",
        "nearest,noise=0.2",
        "ISCCP DX and B3",
        "one pixel of about 5 km every 30 km [1]",
        ("ISCCP, differences from regular DX data, http://isccp.giss.nasa.gov/projects/scarab-isccp/scarab-diff.html",),
        "which of the highres pixels: the central one; noise, of 8-bit counts",
    ),
    Preset(
        "hursat",
        "box,width=0.5,noise=0.2",
        "HURSAT-B1",
        "ISCCP B1 gridded to 8 km around the storm [1], B1 as for gridsat",
        ("NOAA NCEI, HURSAT, https://www.ncei.noaa.gov/products/hurricane-satellite-data, doi:10.1117/1.2712816",),
        f"nearest samples, as for gridsat; {_SAMPLED}",
    ),
    Preset(
        "merged-ir",
        "area,quantum=1",
        "NCEP/CPC merged IR",
        "pixels of 4 km from GOES, Meteosat and GMS, MTSAT and Himawari [1] [2]",
        (
            "Janowiak et al. 2001, Bull. Am. Meteorol. Soc. 82, 205",
            "NASA GES DISC, https://www.earthdata.nasa.gov/data/catalog/ges-disc-gpm-mergir-1",
        ),
        "footprints as wide as pixels; whole kelvins, which its files hold",
    ),
)

PRESETS = {preset.name: preset for preset in _ALL}
"""By name."""
