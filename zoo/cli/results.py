"""What `train` and `evaluate` print of a measured run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.cli import units
from zoo.cli.terminal import Terminal
from zoo.training.task import Task

LONG = 20  # letters of a name, from which a figure has a line of its own
Figures = Mapping[str, Mapping[str, Any]]


def headline(task: Task, figures: Figures) -> str:
    """Return all splits in one line, as the paper states its results: a loss for the first split alone."""
    parts: list[str] = []
    for index, (split, one) in enumerate(figures.items()):
        stated = task.headline(split, one).split(", ")
        parts += stated if index == 0 else [part for part in stated if not part.startswith(f"{split} loss:")] or stated
    return ", ".join(parts)


def show_figures(figures: Figures, terminal: Terminal) -> None:
    """Print the figures that are single numbers, a line for each split; where names are long, a column."""
    names = [name for name, value in next(iter(figures.values())).items() if isinstance(value, (int, float))]
    if max(map(len, names), default=0) > LONG:
        columns = [(name, *(units.figure(one[name]) for one in figures.values())) for name in names]
        terminal.table(("figure", *figures), columns, right=tuple(figures))
        return
    rows = [(split, *(units.figure(one[name]) for name in names)) for split, one in figures.items()]
    terminal.table(("split", *names), rows, right=names)
