"""Text in pictures, in the font that comes with pillow."""

from functools import cache

from PIL import Image, ImageDraw, ImageFont

from tempogan_eddy.errors import InputError

__all__ = ["font_of", "shortened", "undrawable"]


@cache
def font_of(size: int) -> ImageFont.FreeTypeFont:
    """Return the built-in font of a size in pixels."""
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise InputError("This pillow was built without FreeType and cannot draw text; install pillow from a wheel.")
    return font


def undrawable(text: str) -> str:
    """Return the characters of a text that the built-in font, of mostly Latin letters, cannot draw."""
    nothing = _drawn("\uffff")
    return "".join(sorted({letter for letter in text if not letter.isspace() and _drawn(letter) == nothing}))


def _drawn(letter: str) -> bytes:
    picture = Image.new("L", (32, 32))
    ImageDraw.Draw(picture).text((4, 24), letter, 255, font_of(16), anchor="ls")
    return picture.tobytes()


def shortened(text: str, font: ImageFont.FreeTypeFont, room: float) -> str:
    """Cut a text to the room for it."""
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(text + "…") > room:
        text = text[:-1]
    return text.rstrip() + "…" if text else ""
