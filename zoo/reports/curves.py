"""The lines of metrics of one or more trainings as charts: over seeds the mean, and a band of one deviation."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from zoo.drawing import charts
from zoo.drawing.charts import Line, Point
from zoo.drawing.page import Block, Chart, Grid, Section, Text
from zoo.evaluation.spread import deviation
from zoo.training.run import Run

Metrics = Sequence[Mapping[str, Any]]
FAMILIES = ("loss", "accuracy", "gradient_norm")  # figures that share a chart, by what their names hold
ACCURACIES = ("top1", "top5", "top1_flip", "top5_flip")
KEPT_APART = ("step", "seconds", "images", "updates", "remarks", "lr")
NOT_DRAWN = ("_images", "_std", "_mean")
RATE, THROUGHPUT = "learning rate", "throughput"
PERCENT = ("accuracy",)
ORDER = ("loss", "accuracy")
LOG_FROM = 50.0  # a quotient of largest and smallest from which a loss or a norm is shown by magnitude


class Series(NamedTuple):
    """A figure over the steps, of each training by its own number."""

    name: str
    panel: str
    values: Mapping[int, Mapping[int, float]]  # by step, by training

    @property
    def line(self) -> Line:
        return Line(self.name, [_point(step, list(found.values())) for step, found in sorted(self.values.items())])


def _point(step: int, values: list[float]) -> Point:
    mean, spread = statistics.fmean(values), deviation(values) or 0.0
    return Point(step, mean, mean - spread, mean + spread)


def series_of(trainings: Mapping[int, Metrics]) -> list[Series]:
    """Return every figure of the metrics of one or more trainings, in the order in which they first stand there."""
    found: dict[tuple[str, str], dict[int, dict[int, float]]] = {}
    for number, metrics in trainings.items():
        for panel, name, step, value in _figures(metrics):
            if math.isfinite(value):
                found.setdefault((panel, name), {}).setdefault(step, {})[number] = value
    return [Series(name, panel, values) for (panel, name), values in found.items()]


def _figures(metrics: Metrics) -> Iterator[tuple[str, str, int, float]]:
    """Yield each figure with the panel that it stands in, its step and its value."""
    before: Mapping[str, Any] = {"images": 0, "seconds": 0.0}
    for record in metrics:
        step = int(record.get("step", 0))
        for key, value in record.items():
            if key not in KEPT_APART and not key.endswith(NOT_DRAWN) and isinstance(value, (int, float)):
                yield panel_of(key), key.replace("_", " "), step, float(value)
        for role, rate in record.get("lr", {}).items():
            yield RATE, role, step, float(rate)
        if "images" in record and "seconds" in record:
            seconds = record["seconds"] - before["seconds"]
            if seconds > 0 and record["images"] > before["images"]:
                yield THROUGHPUT, "images a second", step, (record["images"] - before["images"]) / seconds
            before = record


def panel_of(key: str) -> str:
    """Return which chart a figure stands in: with those of its kind, or alone."""
    plain = key.removeprefix("validation_")
    if plain in ACCURACIES:
        return "accuracy"
    return next((family for family in FAMILIES if family in plain), plain)


def section(runs: Mapping[int, Run]) -> Section | None:
    """Return the curves of the trainings of one spec; None where there are none yet."""
    found = series_of({seed: run.metrics() for seed, run in runs.items()})
    if not found:
        return None
    panels: dict[str, list[Series]] = {}
    for one in found:
        panels.setdefault(one.panel, []).append(one)
    first = [name for name in ORDER if name in panels]
    last = [name for name in (RATE, THROUGHPUT) if name in panels]
    middle = [name for name in panels if name not in (*first, *last)]
    blocks: list[Block] = []
    if len(runs) > 1:
        blocks.append(Text(f"Lines are means over {len(runs)} seeds, bands one sample standard deviation.", "faint"))
    titles = {name: name.replace("_", " ").capitalize() for name in (*first, *middle, *last)}
    blocks.append(Grid([panel_chart(title, panels[name]) for name, title in titles.items()]))
    return Section("Curves", blocks, name="curves")


def panel_chart(title: str, found: Sequence[Series]) -> Chart:
    """Return the chart of figures that share a panel."""
    name = found[0].panel
    lines = [one.line for one in found]
    every = [point.y for line in lines for point in line.points]
    log = name in ("loss", "gradient_norm") and min(every) > 0 and max(every) / min(every) > LOG_FROM
    percent = name in PERCENT
    spec = charts.lines(lines, y="images/s" if name == THROUGHPUT else "", percent=percent, log=log)
    return Chart(title, " ".join(_said(line, percent) for line in lines), spec)


def _said(line: Line, percent: bool) -> str:
    """Say in words what a line does."""
    first, last = line.points[0], line.points[-1]

    def shown(value: float) -> str:
        return f"{value:.1%}" if percent else f"{value:.4g}"

    if len(line.points) == 1:
        return f"{line.name}: {shown(last.y)} at step {last.x:,.0f}."
    return f"{line.name}: from {shown(first.y)} at step {first.x:,.0f} to {shown(last.y)} at step {last.x:,.0f}."


def remarks(metrics: Metrics) -> list[str]:
    """Return what the task remarked, each topic where it came up."""
    found: list[str] = []
    lasting: set[str] = set()
    for record in (one for one in metrics if "lr" in one):
        topics: Mapping[str, str] = record.get("remarks", {})
        found += [f"Step {record['step']:,}: {topics[topic]}" for topic in sorted(topics.keys() - lasting)]
        lasting = set(topics)
    return found
