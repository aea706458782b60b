"""Activations and schedules as curves: of text for a terminal, and as SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import NamedTuple

from zoo.builder import Builder
from zoo.drawing.style import colours
from zoo.errors import ZooError
from zoo.network.layer import Layer
from zoo.spec.schema import ComponentSpec

SPAN = 4.0  # activations are drawn from -SPAN to SPAN
STEPS = 1000  # of a training that has no length of its own
POINTS = 241
COLUMNS, ROWS = 60, 12  # characters at most, each of two by four dots
SCALE = 11  # characters before it
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a Braille character, by row and column
BLANK = 0x2800
WIDTH, HEIGHT, LEFT, TOP = 480, 280, 56, 34  # pixels


class Curve(NamedTuple):
    """A function drawn: its name, what runs along the axis, and its points in order."""

    name: str
    axis: str
    points: list[tuple[float, float]]

    @property
    def range(self) -> tuple[float, float]:
        """The least and the largest value, apart at least a little."""
        values = [value for _, value in self.points]
        least, most = min(values), max(values)
        return (least, most) if most - least > 1e-9 else (least - 0.5, most + 0.5)


def curve_of(spec: ComponentSpec, builder: Builder, steps: int = STEPS) -> Curve | None:
    """Return the curve of an activation or a schedule; None for what has none."""
    try:
        if spec.component.kind == "schedule":
            factor = builder.bind(spec)(steps)
            marks = sorted({round(index * (steps - 1) / (POINTS - 1)) for index in range(POINTS)})
            return Curve(spec.name, f"step of {steps:,}", [(step, float(factor(step))) for step in marks])
        if spec.component.kind != "activation":
            return None
        function = _function(builder.bind(spec))
        places = [SPAN * (2 * index / (POINTS - 1) - 1) for index in range(POINTS)]
        return None if function is None else Curve(spec.name, "x", [(x, function(x)) for x in places])
    except (ZooError, ValueError, ArithmeticError):
        return None  # what is wrong is told where it is used


def _function(layer: Layer) -> Callable[[float], float] | None:
    """Return an activation as a function of one value: its own formula, or else what its module does."""
    own: Callable[[float], float] | None = getattr(layer, "curve", None)
    if own is not None:
        return own
    if tuple(layer.shape((2,))) != (2,):
        return None
    import torch

    module = layer.module((1,)).eval()
    return lambda x: float(module(torch.tensor([[x]])).detach())


def lines(curve: Curve, *, dots: bool, columns: int = COLUMNS) -> Iterator[str]:
    """Yield the curve as text with its scales, in at most `columns` beside them; without `dots` in letters that every
    terminal has.
    """
    least, most = curve.range
    columns = max(16, min(columns, COLUMNS))
    height, width = (4 * ROWS, 2 * columns) if dots else (ROWS, columns)
    cells = [[0] * columns for _ in range(ROWS)]
    first, last = curve.points[0][0], curve.points[-1][0]
    before: int | None = None
    for column in range(width):
        place = first + (last - first) * column / max(1, width - 1)
        value = _between(curve.points, place)
        row = round((most - value) / (most - least) * (height - 1))
        # A steep part is drawn through, so that the line does not break.
        for one in range(min(row, row if before is None else before), max(row, row if before is None else before) + 1):
            mark = DOTS[one % 4][column % 2] if dots else 1
            cells[one // 4 if dots else one][column // 2 if dots else column] |= mark
        before = row
    labels = {0: f"{most:.3g}", ROWS - 1: f"{least:.3g}"}
    for index, row_of in enumerate(cells):
        text = "".join(chr(BLANK + cell) if dots and cell else "*" if cell else " " for cell in row_of)
        yield f"{labels.get(index, ''):>8} | {text}".rstrip()
    axis = f"{first:g}"
    yield f"{'':>8} +-{'-' * columns}"
    yield f"{'':>11}{axis}{curve.axis:^{columns - len(axis) - len(f'{last:g}')}}{last:g}"


def _between(points: list[tuple[float, float]], place: float) -> float:
    """Return the value at a place by a line between the points around it."""
    from bisect import bisect_left

    index = min(max(1, bisect_left(points, (place,))), len(points) - 1) if len(points) > 1 else 0
    if not index:
        return points[0][1]
    (x, a), (y, b) = points[index - 1], points[index]
    return a + (b - a) * (place - x) / (y - x)


def svg(curve: Curve) -> str:
    """Return the curve as the text of an SVG file."""
    least, most = curve.range
    first, last = curve.points[0][0], curve.points[-1][0]
    wide, high = WIDTH - LEFT - 16, HEIGHT - TOP - 34

    def x(place: float) -> float:
        return LEFT + wide * (place - first) / ((last - first) or 1)

    def y(value: float) -> float:
        return TOP + high * (most - value) / (most - least)

    path = " ".join(f"{x(place):.1f},{y(value):.1f}" for place, value in curve.points)
    axes = [f'<line class="axis" x1="{LEFT}" y1="{TOP}" x2="{LEFT}" y2="{TOP + high}"/>']
    axes += [f'<line class="axis" x1="{LEFT}" y1="{TOP + high}" x2="{LEFT + wide}" y2="{TOP + high}"/>']
    if least < 0 < most:
        axes.append(f'<line class="zero" x1="{LEFT}" y1="{y(0):.1f}" x2="{LEFT + wide}" y2="{y(0):.1f}"/>')
    if first < 0 < last:
        axes.append(f'<line class="zero" x1="{x(0):.1f}" y1="{TOP}" x2="{x(0):.1f}" y2="{TOP + high}"/>')
    texts = [
        f'<text x="{LEFT}" y="20" class="title">{escape(curve.name)}</text>',
        *(f'<text x="{LEFT - 6}" y="{y(one) + 4:.1f}" class="end">{one:.4g}</text>' for one in (most, least)),
        f'<text x="{LEFT}" y="{HEIGHT - 14}">{first:g}</text>',
        f'<text x="{LEFT + wide}" y="{HEIGHT - 14}" class="end">{last:g}</text>',
        f'<text x="{LEFT + wide / 2:g}" y="{HEIGHT - 14}" class="middle">{escape(curve.axis)}</text>',
    ]
    style = (
        f":root {{ {colours(0)} }} @media (prefers-color-scheme: dark) {{ :root {{ {colours(1)} }} }} "
        'text { font: 12px ui-sans-serif, system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: var(--ink); } '
        ".title { font-size: 15px; font-weight: 600; } .end { text-anchor: end; } .middle { text-anchor: middle; } "
        ".paper { fill: var(--paper); } .axis { stroke: var(--faint); } .zero { stroke: var(--rule); } "
        "polyline { fill: none; stroke: var(--c1); stroke-width: 2; }"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img"><title>{escape(curve.name)}</title><style>{style}</style>'
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>{"".join(axes)}<polyline points="{path}"/>'
        f"{''.join(texts)}</svg>\n"
    )
