"""Ranges of brightness temperature that several parts share, in kelvin, each named once."""

__all__ = ["CELSIUS_ZERO", "GREY_KELVIN", "INFRARED_KELVIN", "SCALED_KELVIN"]

CELSIUS_ZERO = 273.15
"""0 degrees Celsius."""

SCALED_KELVIN = (170.0, 320.0)
"""What a model scales to 0 and 1 by default, and the data range of PSNR and SSIM."""

GREY_KELVIN = SCALED_KELVIN
"""The ends of a grey scale: of pictures, and of grey PNG frames by default."""

INFRARED_KELVIN = (170.0, 310.0)
"""From the coldest tops to warm sea: the ends of the colours of infrared pictures."""
