"""Every error that a user can meet: one tree, one exit code per class."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

MOST_PROBLEMS = 100  # that are told; who has more, mends these first
_NUMBER = re.compile(r"\d+")


class Position(NamedTuple):
    """A place in a text that a user wrote; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a spec.

    `path` is the dotted place in the spec ("" for the whole document), `found` says what stands there,
    `wanted` what could stand there, `hint` what to do.
    """

    at: Position | None
    path: str
    found: str
    wanted: str = ""
    hint: str = ""

    def __str__(self) -> str:
        place = ": ".join(part for part in (str(self.at or ""), self.path) if part)
        text = f"{place}: {self.found}" if place else self.found
        if self.wanted:
            text += f"; wanted {self.wanted}"
        return f"{text}\n    {self.hint}" if self.hint else text

    def to_data(self) -> dict[str, Any]:
        """Return the problem as plain data."""
        return {
            "file": self.at.file if self.at else None,
            "line": self.at.line if self.at else None,
            "column": self.at.column if self.at else None,
            "path": self.path,
            "found": self.found,
            "wanted": self.wanted,
            "hint": self.hint,
        }


class ZooError(Exception):
    """Base of all errors that Zoo raises on purpose; its text is complete and is shown without a traceback."""

    exit_code = 1


class SpecError(ZooError):
    """A spec cannot work. Holds every problem found, in document order; of very many the first, and how many `more`."""

    exit_code = 3

    def __init__(self, problems: Iterable[Problem]) -> None:
        every = ordered(problems)
        self.problems: tuple[Problem, ...] = every[:MOST_PROBLEMS]
        self.more = len(every) - len(self.problems)
        told = [str(problem) for problem in self.problems]
        super().__init__("\n".join([*told, *([f"and {self.more:,} more problems"] if self.more else [])]))


class PluginError(ZooError):
    """A plugin is broken, or two plugins claim one name."""

    exit_code = 4


class DataError(ZooError):
    """A data set is missing, incomplete or not what its spec says."""

    exit_code = 5


class RunError(ZooError):
    """A run folder or checkpoint cannot be used."""

    exit_code = 6


class BusyError(RunError):
    """Another process is at work in a run folder."""


class TrainingError(ZooError):
    """Training cannot go on, for example because the loss is no longer finite."""

    exit_code = 7


class ShelfError(ZooError):
    """A published entry is not what its certificate says, or a name on the shelf is missing or taken."""

    exit_code = 8


class DeliveryError(ZooError):
    """A network cannot be delivered: its target lacks something, or what came out is not what went in."""

    exit_code = 9


class Interrupted(ZooError):
    """Training was stopped from outside and its state is saved. The exit code is the shell's for that signal."""

    def __init__(self, message: str, signal_name: str = "SIGINT") -> None:
        super().__init__(message)
        self.exit_code = 128 + signal.Signals[signal_name]


class BudgetError(ZooError):
    """A spec breaks a limit; the exit code is that of the limit, as in `zoo check`."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class ShapeError(ZooError):
    """A layer cannot take the shape that reaches it.

    `trail` names the layers from the network's top down to the one that refused, such as ("3", "layers", "0");
    `at` is the place of the innermost of them that was written in a spec; `blocks` are the spec's blocks that it
    stands in, from the innermost out, each with the place of its use; `others` are those of other branches.
    """

    exit_code = 3

    def __init__(
        self,
        message: str,
        trail: Sequence[str] = (),
        at: Position | None = None,
        others: Sequence[ShapeError] = (),
        blocks: Sequence[tuple[str, Position | None]] = (),
    ) -> None:
        self.message = message
        self.trail = tuple(trail)
        self.at = at
        self.others = tuple(others)
        self.blocks = tuple(blocks)
        inside = "".join(f", in the block {name}" + (f" used at {at}" if at else "") for name, at in self.blocks)
        super().__init__((f"layer {'.'.join(self.trail)}: {message}" if self.trail else message) + inside)

    def inside(self, name: str, at: Position | None = None, block: str = "") -> ShapeError:
        """Return the same error, seen from what holds the layer under `name`; `block`: the layer is one of these."""
        others = [other.inside(name, at, block) for other in self.others]
        blocks = (*self.blocks, (block, at)) if block else self.blocks
        trail = (name, *self.trail) if name else self.trail
        return ShapeError(self.message, trail, self.at or at, others, blocks)

    def placed(self, at: Position | None) -> ShapeError:
        """Return the same error, at `at` where no layer of it was written in a spec."""
        others = [other.placed(at) for other in self.others]
        return ShapeError(self.message, self.trail, self.at or at, others, self.blocks)

    def beside(self, others: Iterable[ShapeError]) -> ShapeError:
        """Return the same error together with others that do not follow from it."""
        return ShapeError(self.message, self.trail, self.at, (*self.others, *others), self.blocks)

    def each(self) -> Iterator[ShapeError]:
        """Yield this error and those beside it, however deep."""
        yield self
        for other in self.others:
            yield from other.each()


def closest(name: str, names: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the one of `names` that `name` means, or "" when none is near."""
    from zoo.hints import nearest

    found = nearest(name, names)
    return f"did you mean {found!r}?" if found else ""


def listing(names: Iterable[str], limit: int = 12) -> str:
    """Return `names` sorted and joined by commas, cut after `limit` with the number left out."""
    ordered = sorted(names)
    shown = ", ".join(ordered[:limit])
    return f"{shown} and {len(ordered) - limit} more" if len(ordered) > limit else shown or "none"


def ordered(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return each problem once, in document order, however many ways lead to its place, as into a block."""
    unique: dict[object, Problem] = {}
    for one in problems:
        unique.setdefault((one.at, one.found, one.wanted) if one.at and one.at.line else one, one)
    return tuple(sorted(unique.values(), key=_document_order))


def _document_order(problem: Problem) -> tuple[str, int, int, str]:
    at = problem.at or Position("", 0, 0)
    return (at.file, at.line, at.column, _NUMBER.sub(lambda found: found[0].zfill(9), problem.path))
