"""Tables of figures: aligned on a terminal, in Markdown on a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.ratios import Spread

NONE = "–"


@dataclass(frozen=True)
class Table:
    """A heading, columns, rows of as many cells, and notes under them. The first column is text, the others numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def text(self) -> str:
        """Return the table for a terminal."""
        lines = [list(self.columns), *map(list, self.rows)]
        widths = [max(len(line[index]) for line in lines) for index in range(len(self.columns))]
        shown = [
            "  ".join(
                cell.rjust(width) if index else cell.ljust(width)
                for index, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([self.title, *(f"  {line}" for line in [*shown, *self.notes])])

    def markdown(self) -> str:
        """Return the table for a page, its title left out."""
        lines = [self.columns, ["---", *["---:"] * (len(self.columns) - 1)], *self.rows]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return "\n\n".join([table, *(["\n".join(f"- {note}" for note in self.notes)] if self.notes else [])])


def number(value: float | None, digits: int = 1) -> str:
    """Return a number with so many digits after the point, or a dash."""
    return NONE if value is None else f"{value:,.{digits}f}"


def middle(spread: Spread | None, digits: int = 1) -> str:
    """Return the median."""
    return number(None if spread is None else spread.median, digits)


def between(spread: Spread | None, digits: int = 1) -> str:
    """Return the range."""
    return NONE if spread is None else f"{spread.least:,.{digits}f}–{spread.most:,.{digits}f}"
