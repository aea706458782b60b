"""The terminal: the only module that imports rich."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Literal

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

Stream = Literal["results", "status"]
UNBOUNDED = 100_000  # columns: what is read by a program is never folded


class Terminal:
    """One stream to whoever runs Zoo: "results" is stdout, "status" is stderr.

    Text is printed as it is (no markup). Styles and redrawing are for terminals; elsewhere lines are plain, without
    colour, and as long as they are. `NO_COLOR` is honoured. A `file` takes the place of the stream.
    """

    def __init__(self, stream: Stream = "results", *, file: IO[str] | None = None) -> None:
        self._console = Console(stderr=stream == "status", file=file, markup=False, highlight=False, emoji=False)
        if not self.is_terminal:
            self._console.width = UNBOUNDED

    @property
    def is_terminal(self) -> bool:
        return self._console.is_terminal

    def has(self, text: str) -> bool:
        """Return whether the stream can show the letters of `text`."""
        try:
            text.encode(self._console.encoding)
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    def line(self, text: str = "", *, style: str = "") -> None:
        """Print one line; the terminal itself breaks one that is too long, so that it can be copied whole."""
        self._console.print(Text(text, style=style), soft_wrap=True)

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        right: Collection[str] = (),
        fold: Collection[str] = (),
    ) -> None:
        """Print aligned columns with a heading.

        right: columns of numbers; fold: columns of text that are folded where the terminal is too narrow.
        """
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
        for name in columns:
            justify: Literal["left", "right"] = "right" if name in right else "left"
            table.add_column(Text(name), justify=justify, no_wrap=name not in fold, overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        self._unpadded(table)

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


class Area:
    """A bar with text on both sides, and lines under it, drawn in place."""

    def __init__(self, console: Console) -> None:
        # What others print meanwhile goes above the area, unless it goes into a file.
        printed = sys.stdout.isatty()
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop", redirect_stdout=printed)
        self._live.start()

    def draw(self, before: str, share: float, after: str, lines: Iterable[str] = ()) -> None:
        """Draw `before`, a bar that is filled by `share` (0..1), `after`, and `lines`; nothing is folded."""
        head = Table.grid(padding=(0, 1))
        for _ in range(3):
            head.add_column(no_wrap=True)
        head.add_row(Text(before), ProgressBar(total=1, completed=share, width=30), Text(after))
        body = [Text(line, no_wrap=True, overflow="ellipsis") for line in lines]
        self._live.update(Group(head, *body), refresh=True)

    def line(self, text: str) -> None:
        """Print a line above the area."""
        self._live.console.print(Text(text))

    def close(self) -> None:
        """Leave what was drawn last, and give the cursor back."""
        self._live.stop()


def ask(question: str) -> bool:
    """Ask on stderr for yes or no; where nobody can answer, the answer is no."""
    if not sys.stdin.isatty():
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
