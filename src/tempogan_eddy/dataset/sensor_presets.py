"""Named sensors: real instruments and archives, with the source of every number."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PRESETS", "Preset"]


@dataclass(frozen=True)
class Preset:
    """A sensor with a name.

    Attributes
    ----------
    name
        Of the preset.
    text
        The sensor, as `SensorModel.parse` reads it.
    instrument
        What it is.
    source
        Where the numbers stand.
    assumed
        The numbers that no source gives.
    """

    name: str
    text: str
    instrument: str
    source: str
    assumed: str = ""


_ALL = (
    Preset("area", "area", "mean over the block", "by definition"),
    Preset("seviri", "box,width=1.6,fwhm=0.47,noise=0.2,wavelength=10.8", "SEVIRI, Meteosat-8 to -11", ""),
    Preset("abi", "gaussian,fwhm=1.1,noise=0.1,wavelength=10.3", "ABI, GOES-16 to -19", ""),
    Preset("ahi", "gaussian,fwhm=1.1,noise=0.1,wavelength=10.4", "AHI, Himawari-8 and -9", ""),
    Preset("goes-imager", "box,width=1.0,width_x=1.75,noise=0.2,wavelength=10.7", "Imager, GOES-8 to -15", ""),
    Preset("vissr", "box,width=1.0,wavelength=11.5,quantum=0.5,cold_quantum=1", "VISSR, GMS-1 to -5", ""),
    Preset("jami", "gaussian,fwhm=1.1,noise=0.2,wavelength=10.8", "JAMI, MTSAT-1R", ""),
    Preset("gridsat", "box,width=0.5", "GridSat-B1", ""),
    Preset("isccp-dx", "nearest", "ISCCP DX", ""),
    Preset("hursat", "box,width=0.5", "HURSAT-B1", ""),
    Preset("merged-ir", "area,quantum=1", "merged IR (NCEP/CPC)", ""),
)

PRESETS = {preset.name: preset for preset in _ALL}
"""By name."""
