"""Charts as SVG for a page: colours come from the page's style sheet, so that one chart suits light, dark and paper."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

import numpy as np
from numpy.typing import NDArray

__all__ = ["Axis", "Line", "chart"]

LEFT, RIGHT, TOP, BOTTOM = 58, 14, 12, 46

Values = NDArray[np.floating]


@dataclass(frozen=True)
class Line:
    """A line with, if known, its interval as a band.

    Attributes
    ----------
    style : str
        Class of the style sheet: the method.
    x, y : (N,) arrays
        Where y is not finite the line is broken.
    low, high : (N,) arrays, optional
    """

    style: str
    x: Values
    y: Values
    low: Values | None = None
    high: Values | None = None


@dataclass(frozen=True)
class Axis:
    """What an axis shows, from and to where; `log` for decades."""

    label: str
    low: float
    high: float
    log: bool = False

    def place(self, values: Values | float) -> Values:
        """Where values lie, 0 to 1."""
        values = np.asarray(values, dtype=np.float64)
        if self.log:
            values = np.log10(np.maximum(values, 1e-300))
            return (values - log10(self.low)) / (log10(self.high) - log10(self.low))
        return (values - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """Round values and how they are written."""
        if self.log:
            powers = range(ceil(log10(self.low) - 1e-9), floor(log10(self.high) + 1e-9) + 1)
            thinned = max(1, len(powers) // 6)
            return [(10.0**power, _power(power)) for power in powers if power % thinned == 0]
        raw = (self.high - self.low) / 6
        scale = 10.0 ** floor(log10(raw))
        step = next(scale * factor for factor in (1.0, 2.0, 5.0, 10.0) if scale * factor >= raw)
        first = ceil(self.low / step - 1e-9)
        count = floor(self.high / step + 1e-9) - first + 1
        values = [(first + n) * step + 0.0 for n in range(count)]
        return [(value, f"{value:.10g}".replace("-", "−")) for value in values]


def chart(
    lines: Sequence[Line],
    x: Axis,
    y: Axis,
    *,
    title: str,
    marker: tuple[float, str] | None = None,
    bars: Sequence[tuple[float, float, float]] = (),
    size: tuple[int, int] = (500, 320),
) -> str:
    """Draw lines over a common pair of axes.

    Parameters
    ----------
    lines : sequence of Line
        The last one lies on top.
    x, y : Axis
    title : str
        For people who do not see it.
    marker : (x, text), optional
        A vertical line with a word beside it.
    bars : sequence of (from, to, height)
        Grey bars from the foot; height 0 to 1 of the whole.
    size : (width, height)

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    width, height = size
    frame = _Frame(x, y, LEFT, TOP, width - LEFT - RIGHT, height - TOP - BOTTOM)
    parts = [f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">']
    parts += [f"<title>{escape(title)}</title>"]
    parts += frame.bars(bars) + frame.grid()
    if marker:
        parts += frame.marker(*marker)
    parts.append(frame.inside())
    parts += [frame.band(line) for line in lines if line.low is not None and line.high is not None]
    parts += [frame.line(line) for line in lines]
    parts.append("</svg>")
    return "\n".join([*parts, "</svg>"])


@dataclass(frozen=True)
class _Frame:
    """The rectangle that the axes span, in pixels."""

    x: Axis
    y: Axis
    left: int
    top: int
    width: int
    height: int

    def points(self, x: Values, y: Values) -> NDArray[np.float64]:
        """Pixels (N, 2); far outside values are held near, so that nothing overflows."""
        across = self.left + self.x.place(x) * self.width
        down = self.top + (1 - np.clip(self.y.place(y), -0.5, 1.5)) * self.height
        return np.stack([across, down], axis=-1)

    def grid(self) -> list[str]:
        """Lines, numbers and words of both axes."""
        bottom, right = self.top + self.height, self.left + self.width
        parts = []
        for value, text in self.x.ticks():
            at = self.points(np.array([value]), np.array([self.y.low]))[0, 0]
            parts.append(f'<path class="grid" d="M{at:.1f} {self.top}V{bottom}"/>')
            parts.append(f'<text x="{at:.1f}" y="{bottom + 17}" text-anchor="middle">{text}</text>')
        for value, text in self.y.ticks():
            at = self.points(np.array([self.x.low]), np.array([value]))[0, 1]
            parts.append(f'<path class="grid" d="M{self.left} {at:.1f}H{right}"/>')
            parts.append(f'<text x="{self.left - 7}" y="{at + 4:.1f}" text-anchor="end">{text}</text>')
        middle = self.top + self.height / 2
        parts.append(f'<path class="axis" d="M{self.left} {self.top}V{bottom}H{right}"/>')
        parts.append(
            f'<text class="label" x="{self.left + self.width / 2}" y="{bottom + 37}" text-anchor="middle">'
            f"{escape(self.x.label)}</text>"
        )
        parts.append(
            f'<text class="label" transform="translate(13 {middle}) rotate(-90)" text-anchor="middle">'
            f"{escape(self.y.label)}</text>"
        )
        return parts

    def line(self, line: Line) -> str:
        """One path; a new piece after each gap."""
        path, pen = [], "M"
        for (across, down), value in zip(self.points(line.x, line.y), line.y, strict=True):
            if not np.isfinite(value):
                pen = "M"
                continue
            path.append(f"{pen}{across:.1f} {down:.1f}")
            pen = "L"
        return f'<path class="line {line.style}" d="{"".join(path)}"/>'

    def band(self, line: Line) -> str:
        """The area between low and high."""
        assert line.low is not None and line.high is not None
        known = np.isfinite(line.low) & np.isfinite(line.high)
        upper = self.points(line.x[known], line.high[known])
        lower = self.points(line.x[known], line.low[known])[::-1]
        corners = " ".join(f"{across:.1f},{down:.1f}" for across, down in np.concatenate([upper, lower]))
        return f'<polygon class="band {line.style}" points="{corners}"/>'

    def bars(self, bars: Sequence[tuple[float, float, float]]) -> list[str]:
        """Bars from the foot."""
        parts, bottom = [], self.top + self.height
        for low, high, share in bars:
            first, last = (self.left + float(self.x.place(edge)) * self.width for edge in (low, high))
            tall = share * self.height
            parts.append(
                f'<rect class="bar" x="{first:.1f}" y="{bottom - tall:.1f}" '
                f'width="{max(0.5, last - first - 1):.1f}" height="{tall:.1f}"/>'
            )
        return parts

    def marker(self, value: float, text: str) -> list[str]:
        """A dashed line with a word at its top."""
        at = self.left + float(self.x.place(value)) * self.width
        return [
            f'<path class="marker" d="M{at:.1f} {self.top}V{self.top + self.height}"/>',
            f'<text class="label" x="{at - 6:.1f}" y="{self.top + 13}" text-anchor="end">{escape(text)}</text>',
        ]

    def inside(self) -> str:
        """Begin a picture in the picture, beyond whose sides nothing is drawn."""
        place = f"{self.left} {self.top} {self.width} {self.height}"
        x, y, width, height = place.split()
        return f'<svg x="{x}" y="{y}" width="{width}" height="{height}" viewBox="{place}">'


def _power(power: int) -> str:
    """A power of ten as it is written."""
    if -1 <= power <= 3:
        return f"{10.0**power:g}"
    digits = str(power).replace("-", "−").translate(str.maketrans("−0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{digits}"
