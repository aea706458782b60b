"""What reports of runs and of entries share: figures and classes as tables, and how numbers are read."""

from __future__ import annotations

from collections.abc import Mapping

from zoo.drawing.page import Details, Table

FIGURES = ("validation", "train", "test")
TEST = "Figures of the test images are what was measured before; this report did not look at them."


def figure_table(figures: Mapping[str, Mapping[str, str]]) -> Table:
    """Return figures by name, a column for each split."""
    splits = [split for split in (*FIGURES, *figures) if split in figures]
    splits = list(dict.fromkeys(splits))
    names = dict.fromkeys(name for split in splits for name in figures[split])
    rows = [(name.replace("_", " "), *(figures[split].get(name, "") for split in splits)) for name in names]
    return Table(("figure", *splits), rows, right=splits)


def class_table(per_class: Mapping[str, float | None]) -> Details:
    """Return the top-1 of each class on the test images, as it was stored, the worst first."""
    known = sorted((value, name) for name, value in per_class.items() if value is not None)
    rows = [(name, f"{value:.1%}") for value, name in known]
    told = "Top-1 of each class on the test images, as it was measured before"
    return Details(told, [Table(("class", "test top1"), rows, right=("test top1",))])


def duration(seconds: float) -> str:
    """Return seconds as 42 s, 3:07 min or 2:05:09 h."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min" if minutes else f"{rest} s"


def spread(value: float, std: float | None) -> str:
    """Return a mean with its deviation, where it has one."""
    return f"{value:.4g}" if std is None else f"{value:.4f} ± {std:.4f}"
