"""Line charts as SVG text: two axes, a few lines, nothing to install."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 40, 50
COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700")
TICKS = 5
_NICE = (1, 2, 5, 10)


class Line(NamedTuple):
    """One thing that was measured at several points."""

    name: str
    points: Sequence[tuple[float, float]]


def draw(title: str, x_label: str, y_label: str, lines: Sequence[Line]) -> str:
    """The points measured stand at equal distances: they are chosen, not a scale."""
    xs = sorted({x for line in lines for x, _ in line.points})
    top = round_up(max(y for line in lines for _, y in line.points))
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def at(x: float, y: float) -> tuple[float, float]:
        across = (xs.index(x) + 0.5) / len(xs)
        return LEFT + width * across, TOP + height * (1 - y / top)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}"'
        f' viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(WIDTH / 2, 22, title, anchor="middle", size=15),
        _text(LEFT + width / 2, HEIGHT - 12, x_label, anchor="middle"),
        _text(LEFT, TOP - 8, y_label, anchor="middle"),
    ]
    for number in range(TICKS + 1):
        value = top * number / TICKS
        _, y = at(xs[0], value)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{LEFT + width}" stroke="#d0d7de"/>')
        parts.append(_text(LEFT - 8, y + 4, f"{value:,g}", anchor="end"))
    for value in xs:
        parts.append(_text(at(value, 0)[0], TOP + height + 18, f"{value:,g}", anchor="middle"))
    for number, line in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        parts.extend(_curve([at(x, y) for x, y in line.points], colour))
        parts.append(
            _text(
                LEFT + width + 12, TOP + 18 * (number + 1), line.name, anchor="start", fill=colour
            )
        )
    return "\n".join([*parts, "</svg>", ""])


def round_up(value: float) -> float:
    """1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return float(next(nice * power for nice in _NICE if nice * power >= value * (1 - 1e-9)))


def _curve(points: Sequence[tuple[float, float]], colour: str) -> Iterator[str]:
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for x, y in points:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'


def _text(
    x: float, y: float, text: str, *, anchor: str, size: int = 12, fill: str = "black"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
        f' fill="{fill}">{escape(text)}</text>'
    )
