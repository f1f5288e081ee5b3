"""Pieces of HTML: tables of facts, pictures within the page, legends."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from math import ceil

from PIL import Image

from tempogan_eddy.display.colours import ColourTable

__all__ = ["STYLES", "data_uri", "facts", "keys", "legend", "png_uri"]

# Class of the style sheet by method; others are grey.
STYLES = {
    "truth": "truth",
    "reconstructed": "reconstructed",
    "bicubic": "bicubic",
    "back-projected bicubic": "back-projected",
    "nearest": "nearest",
}


def facts(rows: Mapping[str, object]) -> str:
    """A table of two columns; values that say nothing are left out."""
    lines = [
        f"<tr><th>{escape(str(name))}</th><td>{_text(value)}</td></tr>"
        for name, value in rows.items()
        if value not in (None, "", [])
    ]
    return '<table class="plain"><tbody>' + "".join(lines) + "</tbody></table>"


def keys(methods: Sequence[str]) -> str:
    """The colours of the methods."""
    items = "".join(f'<li class="{STYLES.get(name, "nearest")}">{escape(name)}</li>' for name in methods)
    return f'<ul class="keys">{items}</ul>'


def data_uri(content: bytes, kind: str) -> str:
    """Bytes as an address that holds them."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def png_uri(picture: Image.Image) -> str:
    """A picture as an address that holds it, without loss."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return data_uri(buffer.getvalue(), "image/png")


def legend(table: ColourTable, name: str, step: int, *, signed: bool = False) -> str:
    """The colours of a table from end to end, with its kelvins."""
    low, high = table.limits

    def percent(kelvin: float) -> str:
        return f"{100 * (kelvin - low) / (high - low):.2f}%"

    stops = ", ".join(f"rgb{colour} {percent(kelvin)}" for kelvin, colour in table.stops)

    def label(tick: int) -> str:
        text = f"{tick:+d}".replace("-", "−") if signed and tick else str(tick)
        kind = "first" if tick == low else "last" if tick == high else "inner"  # those at the ends stay within
        return f'<span class="{kind}" style="left:{percent(tick)}">{text}</span>'

    ticks = "".join(map(label, range(ceil(low / step) * step, int(high) + 1, step)))
    return (
        f'<div class="legend"><div class="name">{escape(name)}</div>'
        f'<div class="ramp" style="background:linear-gradient(90deg, {stops})"></div>'
        f'<div class="ticks">{ticks}</div></div>'
    )


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return (", " if all(isinstance(part, int | float) for part in value) else "<br>").join(
            _text(part) for part in value
        )
    if isinstance(value, Mapping):
        return ", ".join(f"{escape(str(key))} {_text(part)}" for key, part in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return escape(str(value))
