"""A ranking as a picture: the figure against parameters, the line of the best, and the results of others as marks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from itertools import pairwise
from typing import NamedTuple

from zoo.challenges.judging import shown
from zoo.challenges.leaderboard import Ranking, Row

WIDTH, HEIGHT = 460, 320
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 42  # margins around the plot
RADIUS = 5
LETTER, LINE = 6.6, 14  # pixels that a letter of a label takes, and a line of it


class Box(NamedTuple):
    """A part of the picture that a label or a mark takes."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        apart = self.right < other.left or other.right < self.left
        return not (apart or self.bottom < other.top or other.bottom < self.top)


class Label(NamedTuple):
    """Where a text stands: its anchor ("" at its start, middle, end) with its place, and the room that it takes."""

    anchor: str
    at: float
    box: Box


class Axis(NamedTuple):
    """A scale from values to pixels, with the values that are written beside it."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: list[float], start: float, end: float) -> Axis:
        """Return an axis that shows all of `values` with room around them."""
        low, high = min(values), max(values)
        room = (high - low) * 0.12 or abs(high) * 0.1 or 1.0
        return cls(low - room if low - room > 0 or low < 0 else 0.0, high + room, start, end)

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, about: int = 5) -> list[float]:
        """Return round values on the axis, some `about` of them."""
        raw = (self.high - self.low) / about
        unit = 10.0 ** math.floor(math.log10(raw))
        step = unit * next(factor for factor in (1, 2, 5, 10) if factor * unit >= raw)
        first = math.ceil(self.low / step)
        return [index * step for index in range(first, math.floor(self.high / step) + 1)]


def svg(ranking: Ranking) -> str:
    """Return the picture of a ranking as an SVG element; colours come from the page's style.

    Each label stands where it meets no other, as far as there is room. Entries that did not verify are left out.
    Of a single result there is no picture.
    """
    rows = [row for row in ranking.rows if not row.problems]
    if len(rows) < 2:
        return ""
    metric = ranking.challenge.metric
    factor = 100 if metric.percent else 1
    x = Axis.over([float(row.parameters) for row in rows], LEFT, WIDTH - RIGHT)
    spread = [value for row in rows for value in (row.value - (row.std or 0), row.value + (row.std or 0))]
    y = Axis.over([value * factor for value in spread], HEIGHT - BOTTOM, TOP)
    corners = _frontier(ranking, x, y, factor)
    path = "L".join(f"{px:.1f} {py:.1f}" for px, py in corners)
    parts = [*_axes(ranking, x, y), f'<path class="frontier" d="M{path}"/>' if path else ""]
    places = {row.name: (x.at(row.parameters), y.at(row.value * factor)) for row in rows}
    taken = [Box(px - RADIUS, py - RADIUS, px + RADIUS, py + RADIUS) for px, py in places.values()]
    taken += [Box(min(a, c), min(b, d), max(a, c), max(b, d)) for (a, b), (c, d) in pairwise(corners)]
    for row in rows:
        px, py = places[row.name]
        parts += _mark(ranking, row, px, py, (row.std or 0) * abs(y.at(factor) - y.at(0)))
        label = _free(row.name, px, py, taken)
        taken.append(label.box)
        kind = f"label {label.anchor}" if row.rank else f"label faint {label.anchor}"
        parts.append(
            f'<text class="{kind}" x="{label.at:.1f}" y="{label.box.bottom - 4:.1f}">{escape(row.name)}</text>'
        )
    title = f"{ranking.challenge.title}: {ranking.title} against parameters"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="board" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _axes(ranking: Ranking, x: Axis, y: Axis) -> Iterator[str]:
    for value in y.ticks():
        place = y.at(value)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{place:.1f}" y2="{place:.1f}"/>'
        yield f'<text class="faint end" x="{LEFT - 7}" y="{place + 4:.1f}">{value:g}</text>'
    for value in x.ticks():
        place = x.at(value)
        yield f'<line class="grid" x1="{place:.1f}" x2="{place:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        yield f'<text class="faint middle" x="{place:.1f}" y="{HEIGHT - BOTTOM + 16}">{thousands(value)}</text>'
    unit = ", %" if ranking.challenge.metric.percent else ""
    name = f"{ranking.short}{unit}, {ranking.challenge.metric.better} is better"
    middle = (TOP + HEIGHT - BOTTOM) / 2
    yield f'<text class="faint middle" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}">trained parameters</text>'
    yield f'<text class="faint middle" transform="translate(13 {middle}) rotate(-90)">{escape(name)}</text>'


def _frontier(ranking: Ranking, x: Axis, y: Axis, factor: int) -> list[tuple[float, float]]:
    """Return the corners of the line of the best figure that so many parameters reach: level, then a step at the next
    entry.
    """
    corners: list[tuple[float, float]] = []
    for row in ranking.frontier:
        place = x.at(row.parameters)
        if corners:
            corners.append((place, corners[-1][1]))
        corners.append((place, y.at(row.value * factor)))
    return [*corners, (WIDTH - RIGHT, corners[-1][1])] if corners else []


def _mark(ranking: Ranking, row: Row, px: float, py: float, spread: float) -> Iterator[str]:
    said = f"{row.name}: {shown(ranking.challenge.metric, row.value, row.std)}, {row.parameters:,} parameters"
    title = f"<title>{escape(said + (f' ({row.source})' if row.source else ''))}</title>"
    if row.source:
        yield f'<path class="reference" d="M{px - 6:.1f} {py:.1f}l6 -6 6 6 -6 6z">{title}</path>'
        return
    if spread:
        yield f'<line class="spread" x1="{px:.1f}" x2="{px:.1f}" y1="{py - spread:.1f}" y2="{py + spread:.1f}"/>'
    yield f'<circle class="entry" cx="{px:.1f}" cy="{py:.1f}" r="{RADIUS}">{title}</circle>'


def _free(text: str, px: float, py: float, taken: list[Box]) -> Label:
    """Return where a label stands: beside its mark where it meets nothing, else where it meets least."""
    width, away = len(text) * LETTER, RADIUS + 4
    labels = []
    for middle in (py, py - LINE, py + LINE, py - 1.8 * LINE, py + 1.8 * LINE):
        for anchor, at, left in (("", px + away, px + away), ("end", px - away, px - away - width)):
            labels.append(Label(anchor, at, Box(left, middle - LINE / 2, left + width, middle + LINE / 2)))
        if middle != py:
            labels.append(
                Label("middle", px, Box(px - width / 2, middle - LINE / 2, px + width / 2, middle + LINE / 2))
            )
    inside = [
        one for one in labels if one.box.left >= LEFT and one.box.right <= WIDTH and one.box.bottom < HEIGHT - BOTTOM
    ]
    return min(inside or labels, key=lambda one: sum(one.box.meets(other) for other in taken))


def thousands(value: float) -> str:
    """Return a number of parameters as people write it on an axis: 95k, 1.2M."""
    return f"{value / 1e6:g}M" if value >= 1e6 else f"{value / 1e3:g}k" if value >= 1e3 else f"{value:g}"
