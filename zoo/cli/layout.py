"""How wide the columns of a table are: numbers stay whole, and what has no room is left out by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

GAP = 2  # blanks between columns
FOLDED = 16  # columns that text needs to be read in
SHORTENED = 12  # columns that a name needs to be told from others
_NUMBER = re.compile(r"[\d,.±%+\-x]+")


@dataclass
class Column:
    """A column of cells as wide as its widest; `least` is the narrowest that it may become."""

    name: str
    cells: Sequence[str]
    width: int
    least: int

    @classmethod
    def of(cls, name: str, cells: Sequence[str], measure: Callable[[str], int], fold: bool) -> Column:
        """Return a column that is whole, or may be folded between words and never within a number."""
        width = max(map(measure, (name, *cells)))
        if not fold:
            return cls(name, cells, width, width)
        words = (word for cell in cells for word in cell.split() if _NUMBER.fullmatch(word))
        return cls(name, cells, width, min(width, max((FOLDED, measure(name), *map(measure, words)))))


def fitted(columns: Sequence[Column], room: int, drop: Sequence[str], shorten: Sequence[str]) -> list[Column]:
    """Return the columns that are shown in `room`, with their widths; none where no choice of them fits.

    First those of `drop` go, in their order, then those of `shorten` are cut.
    """
    shown = list(columns)
    for name in (*drop, ""):
        if _least(shown) <= room:
            break
        if name:
            shown = [one for one in shown if one.name != name]
    for one in shown:
        if one.name in shorten and (missing := _least(shown) - room) > 0:
            one.least = min(one.least, max(SHORTENED, one.least - missing))
    if _least(shown) > room:
        return []
    left, waiting = room - GAP * (len(shown) - 1), sorted(shown, key=lambda one: one.width)
    while waiting:
        # Each takes an equal share of what the narrower ones left, and leaves the others what they need.
        one, *waiting = waiting
        share = min(left // (len(waiting) + 1), left - sum(other.least for other in waiting))
        one.width = min(one.width, max(one.least, share))
        left -= one.width
    return shown


def _least(columns: Sequence[Column]) -> int:
    return sum(one.least for one in columns) + GAP * (len(columns) - 1)


def packed(line: str, room: int, measure: Callable[[str], int]) -> list[str]:
    """Return `line` in pieces that fit into `room`, broken at its commas alone, so that a figure stays by its name."""
    pieces: list[str] = []
    for part in line.split(", "):
        longer = f"{pieces[-1]}, {part}" if pieces else part
        if pieces and measure(longer) <= room:
            pieces[-1] = longer
        else:
            pieces.append(part)
    return pieces
