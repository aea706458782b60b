"""What `train` and `evaluate` print of a measured run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zoo.cli import units
from zoo.cli.terminal import Terminal
from zoo.errors import RunError
from zoo.training.task import Task

if TYPE_CHECKING:
    from zoo.reports.account import Account

LONG = 20  # letters of a name, from which a figure has a line of its own
Figures = Mapping[str, Mapping[str, Any]]


def headline(task: Task, figures: Figures) -> str:
    """Return all splits in one line, as the paper states its results: a loss for the first split alone."""
    parts: list[str] = []
    for index, (split, one) in enumerate(figures.items()):
        # What was not finite came back from a file as null.
        known = {name: math.nan if value is None else value for name, value in one.items()}
        try:
            stated = task.headline(split, known).split(", ")
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(
                f"the figures of {split} are not what the task {type(task).__name__} states ({type(error).__name__}: "
                f"{error}); they were changed by hand or are damaged; measure again with `zoo evaluate`"
            ) from error
        parts += stated if index == 0 else [part for part in stated if not part.startswith(f"{split} loss:")] or stated
    return ", ".join(parts)


def show_seeds(found: Mapping[str, Any], each: Mapping[str, Figures], terminal: Terminal) -> None:
    """Print what `over_seeds` gives, a table for each split: mean, standard deviation, and each seed's own figures."""
    for split, means in found["mean"].items():
        seeds = [f"seed {seed}" for seed in each]
        rows = [
            (
                name,
                _with_spread(mean, found["std"][split][name]),
                *(_shown(one[split][name]) for one in each.values()),
            )
            for name, mean in means.items()
            if name != "images"
        ]
        terminal.line(f"{split}, mean ± standard deviation over seeds, n = {found['n']}", style="bold")
        terminal.line()
        terminal.table((split, "mean ± std", *seeds), rows, right=("mean ± std", *seeds), drop=seeds[::-1])
        terminal.line()


def show_figures(figures: Figures, terminal: Terminal) -> None:
    """Print the figures that are single numbers, a line for each split; where names are long, a column."""
    names = [name for name, value in next(iter(figures.values())).items() if isinstance(value, (int, float))]
    if max(map(len, names), default=0) > LONG:
        columns = [(name, *(_shown(one.get(name)) for one in figures.values())) for name in names]
        terminal.table(("figure", *figures), columns, right=tuple(figures))
        return
    rows = [(split, *(_shown(one.get(name)) for name in names)) for split, one in figures.items()]
    terminal.table(("split", *names), rows, right=names)


def show_splits(account: Account, terminal: Terminal) -> None:
    """Print a run's single figures, a column for each split; over several seeds mean and deviation."""
    from zoo.evaluation.spread import deviation
    from zoo.reports.account import mean

    def shown(values: Mapping[int, float]) -> str:
        return units.spread(mean(values), deviation(list(values.values()))) if values else ""

    names = dict.fromkeys(name for figures in account.figures.values() for name in figures)
    if names:
        rows = [(name, *(shown(figures.get(name, {})) for figures in account.figures.values())) for name in names]
        terminal.table(("figure", *account.figures), rows, right=tuple(account.figures))
        terminal.line()


def show_validation(account: Account, terminal: Terminal) -> None:
    """Draw how the first figure went on the held-out images, where it was measured more than once."""
    from zoo.drawing import curve

    points = account.validation
    if len(points) > 1:
        drawn = curve.Curve("", "step", points)
        terminal.line(f"validation {account.main}", style="bold")
        for line in curve.lines(drawn, dots=terminal.has(chr(curve.BLANK)), columns=terminal.width - curve.SCALE):
            terminal.line(line)
        terminal.line()


def _with_spread(mean: float, std: float | None) -> str:
    return f"{mean:.4f} (n = 1)" if std is None else f"{mean:.4f} ± {std:.4f}"


def _shown(value: Any) -> str:
    """Return a figure as people read it; nothing where there is none, as the deviation of one value."""
    return units.figure(value) if isinstance(value, (int, float)) else ""
