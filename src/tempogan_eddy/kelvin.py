"""Ranges of brightness temperature that several parts share, in kelvin, each named once."""

__all__ = ["CELSIUS_ZERO", "FLOW_KELVIN", "GREY_KELVIN", "INFRARED_KELVIN", "SCALED_KELVIN", "VALID_KELVIN"]

CELSIUS_ZERO = 273.15
"""0 degrees Celsius."""

VALID_KELVIN = (160.0, 330.0)
"""No cloud top is colder and hardly any ground warmer in the infrared window.

The upper end is not valid itself: 330.0 K is the byte 255 of merged infrared, which means missing.
"""

SCALED_KELVIN = (170.0, 320.0)
"""What a model scales to 0 and 1 by default, and the data range of PSNR and SSIM."""

GREY_KELVIN = SCALED_KELVIN
"""The ends of a grey scale: of pictures, and of grey PNG frames by default."""

INFRARED_KELVIN = (170.0, 310.0)
"""From the coldest tops to warm sea: the ends of the colours of infrared pictures, and of the 8 bits that tOF sees."""

FLOW_KELVIN = (180.0, 310.0)
"""Black and white in the images between which training estimates the flow."""
