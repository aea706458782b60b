"""A page with every kind of block, and answers to ask about."""

from __future__ import annotations

import numpy as np

from zoo.drawing import charts
from zoo.drawing.charts import Axis, Line, Mark, Point, Thread
from zoo.drawing.page import (
    Bar,
    Chart,
    Code,
    Details,
    Facts,
    Grid,
    Listing,
    Page,
    Picture,
    Section,
    Table,
    Text,
)
from zoo.reports import answers
from zoo.reports.answers import Answers, png

NAMES = ("maple_tree", "<b>oak</b> & elm", "a class with a name that is longer than any column", "bear")


def some_answers(count: int = 60) -> Answers:
    """Answers to random images of four classes in two groups; a third are wrong."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % 4
    said = np.where(np.arange(count) % 3 == 0, (labels + 1) % 4, labels)
    sure = random.uniform(0.3, 0.95, count)
    probabilities = np.full((count, 4), 0.0)
    probabilities[:] = ((1 - sure) / 3)[:, None]
    probabilities[np.arange(count), said] = sure
    images = random.integers(0, 256, (count, 3, 8, 8), dtype=np.uint8)
    return Answers(images, labels, probabilities, NAMES, ("trees", "animals"), (0, 0, 1, 1))


def everything() -> Page:
    """Return a page with every kind of block and chart."""
    points = [Point(step, 4 / (1 + step / 9), 3.5 / (1 + step / 9), 4.6 / (1 + step / 9)) for step in range(0, 200, 5)]
    axes = [Axis("adam.lr", "0.0001", "0.1"), Axis("width", "8", "32"), Axis("validation_top1", "0.1", "0.6")]
    threads = [Thread(f"trial-{n}", [n / 9, (n * 7 % 10) / 9, n / 9], n / 9) for n in range(10)]
    marks = [Mark(f"trial-{n}", 1000.0 * (n + 1), 0.2 + 0.05 * (n * 3 % 7), n % 3 == 0) for n in range(8)]
    upright, lying = (charts.parallel(axes, threads, upright=one) for one in (True, False))
    grid = Grid(
        [
            Chart("Loss", "loss falls", charts.lines([Line("loss", points), Line("validation loss", points[::4])])),
            Chart("Pareto", "figure against cost", charts.scatter(marks, x="parameters", y="validation_top1")),
            Chart("Importance", "lr decides", charts.bars({"adam.lr": 0.8, "width": 0.2}, x="share")),
            Chart("Values", "a line for each trial", lying, wide=upright, span=True),
        ]
    )
    table = Table(
        ("layer", "output", "parameters"),
        [("conv", "8x8", Bar("864 · 50.0%", 0, 0.5, mark=0.9)), ("linear", "10", Bar("864 · 50.0%", 0.5, 0.5))],
        right=("parameters",),
        minor=("output",),
        indents=(0, 1),
        tones=("", "reference"),
    )
    head = [Text("A summary with <i>marks</i> & signs"), Facts([("state", "finished"), ("seed", "0")])]
    blocks = [
        grid,
        table,
        Listing(["one", "two"], "warning"),
        Details("More", [Code("zoo: 1\nname: x\n")], opened=True),
    ]
    picture = Picture("A picture", "noise", png(some_answers().images[0]), caption="Noise.", small=True)
    sections = [Section("All", [*blocks, Grid([picture])], name="all"), *answers.sections(some_answers(), "Answers.")]
    return Page("A <title> & more", head, sections, "The foot.")
