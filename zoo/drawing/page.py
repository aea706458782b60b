"""What stands on a page: sections of charts, tables, pictures and text as plain data, which `html` writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias


class Bar(NamedTuple):
    """A number in a table with a bar under it, from `start` to `start + length` of its column, both in 0..1.

    tone: "" or "second", which of the page's colours it has; `faint`: it only spans what other bars show. `mark`: where
    in the column a limit lies.
    """

    text: str
    start: float
    length: float
    tone: str = ""
    faint: bool = False
    mark: float | None = None


@dataclass(frozen=True)
class Text:
    """A paragraph. tone: "", "faint", "warning", or "head" of what stands over a table."""

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Facts:
    """Names with what they are, each in a line."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Listing:
    """Sentences, one under the other."""

    items: Sequence[str]
    tone: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under a heading. right: columns of numbers; minor: those that a narrow page leaves out."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | Bar]]
    right: Sequence[str] = ()
    minor: Sequence[str] = ()
    indents: Sequence[int] = ()  # of the first column, by row
    tones: Sequence[str] = ()  # of the rows: "", "reference" or "unsound"


@dataclass(frozen=True)
class Chart:
    """A chart as Vega-Lite writes it. `alt` says in words what it shows.

    `wide` takes its place where the page is wide; `span`: it has the whole width.
    """

    title: str
    alt: str
    spec: Mapping[str, Any]
    caption: str = ""
    wide: Mapping[str, Any] | None = None
    span: bool = False


@dataclass(frozen=True)
class Drawing:
    """A finished SVG element, whose colours are those of the page's style and which says itself what it shows."""

    svg: str


@dataclass(frozen=True)
class Picture:
    """The bytes of a picture. small: of few pixels, which stay squares."""

    title: str
    alt: str
    data: bytes
    kind: str = "image/png"
    caption: str = ""
    small: bool = False
    span: bool = False


@dataclass(frozen=True)
class Grid:
    """Blocks beside each other, as many as the page is wide for."""

    blocks: Sequence[Block]
    small: bool = False  # many small pictures


@dataclass(frozen=True)
class Details:
    """Blocks that are shown when they are asked for."""

    summary: str
    blocks: Sequence[Block]
    opened: bool = False


@dataclass(frozen=True)
class Code:
    """Text that is shown as it is written."""

    text: str


Block: TypeAlias = Text | Facts | Listing | Table | Chart | Drawing | Picture | Grid | Details | Code


@dataclass(frozen=True)
class Section:
    """A part of a page under its title; a part of a part has `level` 3."""

    title: str
    blocks: Sequence[Block]
    level: int = 2
    name: str = ""  # by which it is linked


@dataclass(frozen=True)
class Page:
    """A page with its title and what stands under it before the first section."""

    title: str
    head: Sequence[Block] = ()
    sections: Sequence[Section] = field(default_factory=tuple)
    footer: str = ""

    def charts(self) -> Iterator[Chart]:
        """Yield every chart in the order of the page."""
        yield from _charts([*self.head, *(block for one in self.sections for block in one.blocks)])


def _charts(blocks: Sequence[Block]) -> Iterator[Chart]:
    for block in blocks:
        if isinstance(block, Chart):
            yield block
        elif isinstance(block, (Grid, Details)):
            yield from _charts(block.blocks)
