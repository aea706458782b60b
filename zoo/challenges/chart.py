"""A ranking as a picture: the figure against parameters, the line of the best, and the results of others as marks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from typing import NamedTuple

from zoo.challenges.judging import shown
from zoo.challenges.leaderboard import Ranking, Row

WIDTH, HEIGHT = 560, 340
LEFT, RIGHT, TOP, BOTTOM = 58, 16, 14, 44  # margins around the plot
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
    """
    rows = [row for row in ranking.rows if not row.problems]
    if not rows:
        return ""
    metric = ranking.challenge.metric
    factor = 100 if metric.percent else 1
    x = Axis.over([float(row.parameters) for row in rows], LEFT, WIDTH - RIGHT)
    spread = [value for row in rows for value in (row.value - (row.std or 0), row.value + (row.std or 0))]
    y = Axis.over([value * factor for value in spread], HEIGHT - BOTTOM, TOP)
    parts = [*_axes(ranking, x, y), *_frontier(ranking, x, y, factor)]
    places = {row.name: (x.at(row.parameters), y.at(row.value * factor)) for row in rows}
    taken = [Box(px - RADIUS, py - RADIUS, px + RADIUS, py + RADIUS) for px, py in places.values()]
    for row in rows:
        px, py = places[row.name]
        parts += _mark(ranking, row, px, py, (row.std or 0) * abs(y.at(factor) - y.at(0)))
        box = _free(row.name, px, py, taken)
        taken.append(box)
        kind = "label" if row.rank else "label faint"
        parts.append(f'<text class="{kind}" x="{box.left:.1f}" y="{box.bottom - 4:.1f}">{escape(row.name)}</text>')
    title = f"{ranking.challenge.title}: {ranking.title} against parameters"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _axes(ranking: Ranking, x: Axis, y: Axis) -> Iterator[str]:
    for value in y.ticks():
        place = y.at(value)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{place:.1f}" y2="{place:.1f}"/>'
        yield f'<text class="tick end" x="{LEFT - 7}" y="{place + 4:.1f}">{value:g}</text>'
    for value in x.ticks():
        place = x.at(value)
        yield f'<line class="grid" x1="{place:.1f}" x2="{place:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        yield f'<text class="tick middle" x="{place:.1f}" y="{HEIGHT - BOTTOM + 16}">{thousands(value)}</text>'
    unit = ", %" if ranking.challenge.metric.percent else ""
    name = f"{ranking.title}{unit}, {ranking.challenge.metric.better} is better"
    middle = (TOP + HEIGHT - BOTTOM) / 2
    # A long name, with an extractor's in it, is cut; the table has it whole.
    short = (
        name
        if len(name) <= 46
        else f"{ranking.title.partition('[')[0].replace('_', ' ')}, {ranking.challenge.metric.better} is better"
    )
    yield f'<text class="axis middle" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}">trained parameters</text>'
    yield f'<text class="axis middle" transform="translate(13 {middle}) rotate(-90)">{escape(short)}</text>'


def _frontier(ranking: Ranking, x: Axis, y: Axis, factor: int) -> Iterator[str]:
    """Yield the line of the best figure that so many parameters reach: level, then a step at the next entry."""
    best = ranking.frontier
    if not best:
        return
    path, before = "", 0.0
    for row in best:
        px, py = x.at(row.parameters), y.at(row.value * factor)
        path += f"L{px:.1f} {before:.1f}L{px:.1f} {py:.1f}" if path else f"M{px:.1f} {py:.1f}"
        before = py
    yield f'<path class="frontier" d="{path}L{WIDTH - RIGHT} {before:.1f}"/>'


def _mark(ranking: Ranking, row: Row, px: float, py: float, spread: float) -> Iterator[str]:
    said = f"{row.name}: {shown(ranking.challenge.metric, row.value, row.std)}, {row.parameters:,} parameters"
    title = f"<title>{escape(said + (f' ({row.source})' if row.source else ''))}</title>"
    if row.source:
        yield f'<path class="reference" d="M{px - 6:.1f} {py:.1f}l6 -6 6 6 -6 6z">{title}</path>'
        return
    if spread:
        yield f'<line class="spread" x1="{px:.1f}" x2="{px:.1f}" y1="{py - spread:.1f}" y2="{py + spread:.1f}"/>'
    yield f'<circle class="entry" cx="{px:.1f}" cy="{py:.1f}" r="{RADIUS}">{title}</circle>'


def _free(text: str, px: float, py: float, taken: list[Box]) -> Box:
    """Return where a label stands: beside its mark where it meets nothing, else where it meets least."""
    width = len(text) * LETTER
    away = RADIUS + 4
    boxes = [
        Box(left, middle - LINE / 2, left + width, middle + LINE / 2)
        for middle in (py, py - LINE, py + LINE, py - 1.7 * LINE, py + 1.7 * LINE)
        for left in (px + away, px - away - width, px - width / 2)
        if middle != py or left != px - width / 2
    ]
    inside = [box for box in boxes if box.left >= LEFT and box.right <= WIDTH - 2 and box.top >= TOP - 8] or boxes
    return min(inside, key=lambda box: sum(box.meets(other) for other in taken))


def thousands(value: float) -> str:
    """Return a number of parameters as people write it on an axis: 95k, 1.2M."""
    return f"{value / 1e6:g}M" if value >= 1e6 else f"{value / 1e3:g}k" if value >= 1e3 else f"{value:g}"
