"""The terminal: the only module that imports rich."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Literal

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from zoo.cli.layout import GAP, Column, fitted, packed
from zoo.text import visible

Stream = Literal["results", "status"]
UNBOUNDED = 100_000  # columns: what is read by a program is never folded
SHORTEST_BAR = 8


class Terminal:
    """One stream to whoever runs Zoo: "results" is stdout, "status" is stderr.

    Text is printed as it is (no markup). Styles and redrawing are for terminals; elsewhere lines are plain, without
    colour, and as long as they are. `NO_COLOR` is honoured. A `file` takes the place of the stream.
    """

    def __init__(self, stream: Stream = "results", *, file: IO[str] | None = None) -> None:
        self._console = _Console(stderr=stream == "status", file=file, markup=False, highlight=False, emoji=False)
        if not self.is_terminal:
            self._console.width = UNBOUNDED

    @property
    def is_terminal(self) -> bool:
        return self._console.is_terminal

    @property
    def width(self) -> int:
        """How many columns a line has."""
        return self._console.width

    def has(self, text: str) -> bool:
        """Return whether the stream can show the letters of `text`."""
        try:
            text.encode(self._console.encoding)
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    def line(self, text: str = "", *, style: str = "") -> None:
        """Print one line; the terminal itself breaks one that is too long, so that it can be copied whole."""
        self._console.print(Text(visible(text), style=style), soft_wrap=True)

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        right: Collection[str] = (),
        fold: Collection[str] = (),
        drop: Sequence[str] = (),
        shorten: Sequence[str] = (),
    ) -> None:
        """Print aligned columns with a heading; no number is ever cut, and what has no room is named under the table.

        right: columns of numbers. Where the terminal is too narrow, those of `fold` are folded, those of `drop` are
        left out in their order, those of `shorten` end in an ellipsis; at last each row becomes lines of its own.
        """
        cells = [[visible(cell, keep="") for cell in row] for row in rows]
        whole = [
            Column.of(name, column, cell_len, name in fold)
            for name, column in zip(columns, list(zip(*cells, strict=True)) or [()] * len(columns), strict=True)
        ]
        shown = fitted(whole, self._console.width, drop, shorten)
        if not shown:
            self._records(columns, cells)
            return
        table = Table(box=None, padding=(0, GAP, 0, 0), header_style="bold", pad_edge=False)
        for one in shown:
            justify: Literal["left", "right"] = "right" if one.name in right else "left"
            cut: Literal["fold", "ellipsis"] = "fold" if one.name in fold else "ellipsis"
            table.add_column(
                Text(one.name), justify=justify, width=one.width, no_wrap=one.name not in fold, overflow=cut
            )
        for row in zip(*(one.cells for one in shown), strict=True):
            table.add_row(*map(Text, row))
        self._unpadded(table)
        if len(shown) < len(whole):
            left_out = ", ".join(one.name for one in whole if one not in shown)
            self.line(f"no room for {left_out}; a wider terminal shows more, --json everything", style="dim")

    def _records(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        for index, row in enumerate(rows):
            if index:
                self.line()
            for name, cell in zip(columns, row, strict=True):
                if cell:
                    self.line(f"{name}: {cell}" if name else cell)

    def _unpadded(self, table: Table) -> None:
        with self._console.capture() as captured:
            self._console.print(table)
        file = self._console.file
        file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
        file.flush()

    @contextmanager
    def area(self) -> Iterator[Area]:
        """Yield lines at the bottom of a terminal that are drawn again and again; other lines go above them."""
        area = Area(self._console)
        try:
            yield area
        finally:
            area.close()


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let the command end as any other whose reader went away."""
        raise


class Area:
    """A bar with text on both sides, and lines under it, drawn in place."""

    def __init__(self, console: Console) -> None:
        # What others print meanwhile goes above the area, unless it goes into a file.
        printed = sys.stdout.isatty()
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop", redirect_stdout=printed)
        self._live.start()

    def draw(self, before: str, share: float, after: str, lines: Iterable[str] = ()) -> None:
        """Draw `before`, a bar that is filled by `share` (0..1), `after`, and `lines`, folded between their figures."""
        before, after, width = visible(before), visible(after), self._live.console.width
        room = width - cell_len(before) - cell_len(after) - 2
        drawn: list[RenderableType] = []
        if room >= SHORTEST_BAR:
            head = Table.grid(padding=(0, 1))
            for _ in range(3):
                head.add_column(no_wrap=True)
            head.add_row(Text(before), ProgressBar(total=1, completed=share, width=min(30, room)), Text(after))
            drawn.append(head)
        else:
            lines = (", ".join(part for part in (before, after) if part), *lines)
        drawn += [Text(part) for line in lines for part in packed(visible(line), width, cell_len)]
        self._live.update(Group(*drawn), refresh=True)

    def line(self, text: str) -> None:
        """Print a line above the area."""
        self._live.console.print(Text(visible(text)))

    def close(self) -> None:
        """Leave what was drawn last, and give the cursor back."""
        self._live.stop()


def ask(question: str) -> bool:
    """Ask on stderr for yes or no; where nobody can answer, the answer is no."""
    if not sys.stdin.isatty():
        return False
    print(f"{visible(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
