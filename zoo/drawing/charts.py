"""The charts of reports, as Vega-Lite writes them: plain data in, plain data out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from zoo.drawing.style import SERIES

WIDTH, HEIGHT = 350, 230  # pixels of a chart that stands alone on a narrow page
WIDE = 760
MOST_POINTS = 240  # of a line
MOST_NAMES = 24  # of classes, beside the rows of a matrix
FAINT = 0.16

_TEXT = {"labelColor": "var(--faint)", "titleColor": "var(--faint)", "labelFontSize": 11, "titleFontSize": 11}
CONFIG: dict[str, Any] = {
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {
        **_TEXT,
        "titleFontWeight": "normal",
        "gridColor": "var(--rule)",
        "domainColor": "var(--rule)",
        "tickColor": "var(--rule)",
        "labelOverlap": True,
    },
    "legend": {
        **_TEXT,
        "labelColor": "var(--ink)",
        "orient": "top",
        "title": None,
        "labelLimit": 300,
        "columns": 2,
        "columnPadding": 26,
    },
    "range": {"category": SERIES},
    "line": {"strokeWidth": 1.8},
}


class Point(NamedTuple):
    """A value at a place on an axis, with the band around it."""

    x: float
    y: float
    low: float
    high: float


class Line(NamedTuple):
    """A line with its name; `points` in order."""

    name: str
    points: Sequence[Point]


def _chart(layers: Sequence[Mapping[str, Any]], *, width: int = WIDTH, height: int = HEIGHT) -> dict[str, Any]:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": width,
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "background": None,
        "padding": {"left": 8, "right": 8, "top": 2, "bottom": 2},
        "config": CONFIG,
        "layer": list(layers),
    }


def _axis(field: str, title: str = "", *, zero: bool = False, log: bool = False, **axis: Any) -> dict[str, Any]:
    scale: dict[str, Any] = {"type": "log", "nice": False} if log else {"zero": zero, "nice": True}
    return {
        "field": field,
        "type": "quantitative",
        "scale": scale,
        "axis": {"title": title or None, "tickCount": 5, **axis},
    }


def lines(found: Sequence[Line], *, x: str = "step", y: str = "", percent: bool = False, log: bool = False) -> Any:
    """Return lines over a common axis, each with its band where it has one."""
    points = [(line.name, one) for line in found for one in _thinned(line.points)]
    names = [line.name for line in found]
    single = all(len(line.points) < 2 for line in found)
    symbol = {"symbolType": "circle"} if single else {"symbolType": "stroke", "symbolStrokeWidth": 3}
    scale = {"domain": names, "range": [SERIES[index % len(SERIES)] for index in range(len(names))]}
    legend = symbol if len(names) > 1 else None
    color = {"field": "name", "type": "nominal", "scale": scale, "legend": legend}
    base = {"x": _axis("x", x, format="~s", grid=False), "description": {"field": "name"}}
    drawn = _axis("y", y, log=log, format=".1~%" if percent else ".4~g")
    layers: list[dict[str, Any]] = []
    if any(one.low < one.high for _, one in points):
        band = {**base, "color": color, "y": {**drawn, "field": "low"}, "y2": {"field": "high"}}
        layers.append({"mark": {"type": "area", "opacity": 1, "fillOpacity": 0.2, "line": False}, "encoding": band})
    mark: dict[str, Any] = {"type": "point", "filled": True} if single else {"type": "line", "clip": True}
    layers.append({"mark": mark, "encoding": {**base, "color": color, "y": drawn}})
    return {**_chart(layers), "data": {"values": [{"name": name, **one._asdict()} for name, one in points]}}


def _thinned(points: Sequence[Point]) -> Sequence[Point]:
    """Return as many of the points as a line needs, the first and the last among them."""
    if len(points) <= MOST_POINTS:
        return points
    step = (len(points) - 1) / (MOST_POINTS - 1)
    return [points[round(index * step)] for index in range(MOST_POINTS)]


class Cell(NamedTuple):
    """How often (`times`) what is in `row` was taken for what is in `column`, and its share of the row."""

    row: int
    column: int
    times: int
    share: float


def matrix(cells: Sequence[Cell], names: Sequence[str], *, tips: bool = True) -> Any:
    """Return a matrix of truths (rows) against answers (columns), the darker the larger the share of the truth."""
    size = len(names)
    named = size <= MOST_NAMES
    values = [
        {
            "row": cell.row,
            "column": cell.column,
            "share": cell.share,
            **({"tip": _taken(names, cell)} if tips else {}),
        }
        for cell in cells
        if cell.times
    ]
    domain = list(range(size))
    plain = {"ticks": False, "domain": False, "grid": False, "labels": False}
    lookup = "[" + ",".join(map(json.dumps, names)) + "][datum.value]"
    labels = {"labels": True, "labelExpr": lookup, "labelLimit": 190, "labelFontSize": 10} if named else {}
    scale = {"domain": domain, "paddingInner": 0.06 if named else 0}
    rect = {
        "mark": {"type": "rect", "fill": "var(--c1)", "aria": tips},
        "encoding": {
            "x": {
                "field": "column",
                "type": "ordinal",
                "scale": scale,
                "axis": {**plain, "title": "taken for" + (", in the order of the rows" if named else "")},
            },
            "y": {
                "field": "row",
                "type": "ordinal",
                "scale": scale,
                "axis": {**plain, "title": None if named else "is", **labels},
            },
            "opacity": {
                "field": "share",
                "type": "quantitative",
                "scale": {"type": "sqrt", "domain": [0, 1], "range": [0.03, 1]},
                "legend": None,
            },
            **({"description": {"field": "tip"}} if tips else {}),
        },
    }
    return {
        **_chart([rect], width=WIDTH + (70 if named else 0), height=WIDTH - (70 if named else 0)),
        "data": {"values": values},
    }


def _taken(names: Sequence[str], cell: Cell) -> str:
    if cell.row == cell.column:
        return f"{names[cell.row]}: {cell.times} right ({cell.share:.0%})"
    return f"{names[cell.row]} taken for {names[cell.column]}: {cell.times} ({cell.share:.0%})"


class Bin(NamedTuple):
    """Answers whose confidence lies in `start`..`end`: how many, which share is right, how sure on average."""

    start: float
    end: float
    answers: int
    accuracy: float
    confidence: float


def reliability(bins: Sequence[Bin]) -> Any:
    """Return how often answers of each confidence are right, beside the diagonal of one that knows how sure to be."""
    values = [
        {
            **one._asdict(),
            "tip": f"confidence {one.start:.0%} to {one.end:.0%}: {one.accuracy:.0%} of {one.answers:,} right",
        }
        for one in bins
        if one.answers
    ]
    marks = [0, 0.25, 0.5, 0.75, 1]
    x = _axis("start", "confidence", grid=False, format=".0%", values=marks)
    y = _axis("accuracy", "right", format=".0%", values=marks)
    x["scale"] = y["scale"] = {"domain": [0, 1]}
    bars = {
        "mark": {"type": "bar", "fill": "var(--c1)", "fillOpacity": 0.75},
        "encoding": {"x": x, "x2": {"field": "end"}, "y": y, "y2": {"datum": 0}, "description": {"field": "tip"}},
    }
    diagonal = {
        "data": {"values": [{"start": 0, "accuracy": 0}, {"start": 1, "accuracy": 1}]},
        "mark": {"type": "line", "stroke": "var(--mark)", "strokeDash": [5, 4], "strokeWidth": 1.5, "aria": False},
        "encoding": {"x": x, "y": y},
    }
    return {**_chart([bars, diagonal]), "data": {"values": values}}


def histogram(bins: Sequence[Bin]) -> Any:
    """Return how many answers have each confidence."""
    values = [{**one._asdict(), "tip": f"confidence {one.start:.0%} to {one.end:.0%}: {one.answers:,}"} for one in bins]
    x = _axis("start", "confidence", grid=False, format=".0%")
    x["scale"] = {"domain": [0, 1]}
    bars = {
        "mark": {"type": "bar", "fill": "var(--c5)", "fillOpacity": 0.75},
        "encoding": {
            "x": x,
            "x2": {"field": "end"},
            "y": _axis("answers", "answers", zero=True, format="~s"),
            "y2": {"datum": 0},
            "description": {"field": "tip"},
        },
    }
    return {**_chart([bars]), "data": {"values": values}}


class Mark(NamedTuple):
    """A result in a picture of figure against cost. best: no other beats it."""

    name: str
    x: float
    y: float
    best: bool


def scatter(marks: Sequence[Mark], *, x: str, y: str, percent: bool = False) -> Any:
    """Return results as points, those that no other beats full and joined."""
    values = [{**one._asdict(), "tip": f"{one.name}: {y} {one.y:.4g}, {x} {one.x:,.6g}"} for one in marks]
    vertical = _axis("y", y, format=".1~%" if percent else ".4~g")
    place = {"x": _axis("x", x, format="~s", grid=False), "y": vertical}
    line = {
        "transform": [{"filter": "datum.best"}],
        "mark": {
            "type": "line",
            "interpolate": "step-after",
            "stroke": "var(--c2)",
            "strokeDash": [5, 3],
            "strokeWidth": 1.4,
            "aria": False,
        },
        "encoding": {**place, "order": {"field": "x", "type": "quantitative"}},
    }
    points = {
        "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1},
        "encoding": {
            **place,
            "color": {
                "field": "best",
                "type": "nominal",
                "legend": None,
                "scale": {"domain": [True, False], "range": ["var(--c2)", "var(--c1)"]},
            },
            "fillOpacity": {"condition": {"test": "datum.best", "value": 1}, "value": 0.55},
            "description": {"field": "tip"},
        },
    }
    return {**_chart([line, points]), "data": {"values": values}}


class Axis(NamedTuple):
    """One of the axes of parallel coordinates: its name, and the texts of its two ends."""

    name: str
    low: str
    high: str


class Thread(NamedTuple):
    """A trial: its place on each axis in 0..1 (None where it has no value), and how good it was in 0..1."""

    name: str
    places: Sequence[float | None]
    quality: float


def parallel(axes: Sequence[Axis], threads: Sequence[Thread], *, upright: bool) -> Any:
    """Return parallel coordinates: an axis for each value, a line for each trial, the stronger the better it was.

    upright: the axes stand beside each other, for a wide page; else they lie one above the other.
    """
    order = [axis.name for axis in axes]
    # The best are drawn last, over the others.
    values = [
        {"trial": thread.name, "axis": axis.name, "rank": rank, "place": place, "quality": thread.quality}
        for thread in sorted(threads, key=lambda one: one.quality)
        for rank, (axis, place) in enumerate(zip(axes, thread.places, strict=True))
        if place is not None
    ]
    across = {"domain": [0, 1], "nice": False, "zero": False}
    along = {
        "field": "axis",
        "type": "nominal",
        "sort": order,
        "scale": {"type": "point", "padding": 0.3},
        "axis": {
            "title": None,
            "grid": True,
            "ticks": False,
            "domain": False,
            "labelColor": "var(--ink)",
            "labelLimit": 200,
            **({"labelAngle": 0, "orient": "top", "labelPadding": 20} if upright else {"labelLimit": 120}),
        },
    }
    value = {"field": "place", "type": "quantitative", "scale": across, "axis": None}
    one, other = ("x", "y") if upright else ("y", "x")
    line = {
        "mark": {"type": "line", "stroke": "var(--c1)"},
        "encoding": {
            one: along,
            other: value,
            "detail": {"field": "trial", "type": "nominal"},
            "description": {"field": "trial"},
            "order": {"field": "rank", "type": "quantitative"},
            "opacity": {
                "field": "quality",
                "type": "quantitative",
                "legend": None,
                "scale": {"domain": [0, 1], "range": [FAINT, 1]},
            },
            "strokeWidth": {
                "field": "quality",
                "type": "quantitative",
                "legend": None,
                "scale": {"domain": [0, 1], "range": [1, 2.6]},
            },
        },
    }
    ends = [
        {"axis": axis.name, "place": place, "text": text}
        for axis in axes
        for place, text in ((0, axis.low), (1, axis.high))
    ]
    mark: dict[str, Any] = {"type": "text", "fill": "var(--faint)", "fontSize": 11, "stroke": "var(--paper)"}
    if upright:
        mark["dy"] = {"expr": "datum.place > 0.5 ? -9 : 11"}
    else:
        mark |= {"dy": -9, "align": {"expr": "datum.place > 0.5 ? 'right' : 'left'"}}
    texts = {
        "data": {"values": ends},
        "mark": {**mark, "strokeWidth": 3},
        "encoding": {one: along, other: value, "text": {"field": "text", "type": "nominal"}},
    }
    size = {"width": WIDE, "height": 320} if upright else {"width": WIDTH, "height": max(HEIGHT, 62 * len(axes))}
    return {**_chart([line, texts], **size), "data": {"values": values}}


def bars(shares: Mapping[str, float], *, x: str) -> Any:
    """Return named shares as lying bars, the largest first."""
    values = [{"name": name, "share": share, "text": f"{share:.0%}"} for name, share in shares.items()]
    y = {
        "field": "name",
        "type": "nominal",
        "sort": None,
        "axis": {"title": None, "ticks": False, "domain": False, "labelColor": "var(--ink)", "labelLimit": 160},
    }
    bar = {
        "mark": {"type": "bar", "fill": "var(--c1)", "height": {"band": 0.65}},
        "encoding": {"y": y, "x": _axis("share", x, zero=True, format=".0%"), "description": {"field": "text"}},
    }
    text = {
        "mark": {"type": "text", "align": "left", "dx": 4, "fill": "var(--ink)", "fontSize": 11},
        "encoding": {"y": y, "x": _axis("share", x, zero=True, format=".0%"), "text": {"field": "text"}},
    }
    return {**_chart([bar, text], height=max(90, 34 * len(shares) + 50)), "data": {"values": values}}
