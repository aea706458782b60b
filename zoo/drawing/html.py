"""A page as one HTML file: no scripts, no other files, everything that a user wrote escaped."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Any, TypeAlias

from zoo.drawing.page import (
    Bar,
    Block,
    Chart,
    Code,
    Details,
    Drawing,
    Facts,
    Grid,
    Listing,
    Page,
    Picture,
    Section,
    Table,
    Text,
)
from zoo.drawing.style import STYLE

#: Charts as Vega-Lite writes them become SVG elements, all at once.
Draw: TypeAlias = Callable[[Sequence[Mapping[str, Any]]], Sequence[str]]

#: The page asks nobody for anything, and says so to the browser.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def html(page: Page, draw: Draw | None = None) -> str:
    """Return a page as the text of an HTML file. `draw` is called once where there are charts."""
    specs = [spec for one in page.charts() for spec in (one.spec, one.wide) if spec is not None]
    drawn = iter(draw(specs) if draw is not None and specs else [])
    linked = [one for one in page.sections if one.name]
    links = "".join(f'<a href="#{escape(one.name)}">{escape(one.title)}</a>' for one in linked)
    head = _blocks(page.head, drawn)
    body = "".join(_section(one, drawn) for one in page.sections)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(page.title)}</title>
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>
<body><h1>{escape(page.title)}</h1>
{head}{f"<nav>{links}</nav>" if len(linked) > 2 else ""}
{body}{f"<footer>{escape(page.footer)}</footer>" if page.footer else ""}</body></html>
"""


def _section(one: Section, drawn: Iterator[str]) -> str:
    name = f' id="{escape(one.name)}"' if one.name else ""
    title = f"<h{one.level}>{escape(one.title)}</h{one.level}>" if one.title else ""
    return f"<section{name}>{title}\n{_blocks(one.blocks, drawn)}</section>\n"


def _blocks(blocks: Sequence[Block], drawn: Iterator[str]) -> str:
    return "".join(f"{_block(one, drawn)}\n" for one in blocks)


def _block(block: Block, drawn: Iterator[str]) -> str:
    match block:
        case Text(text, tone):
            return f"<p{_class(tone)}>{escape(text)}</p>"
        case Facts(pairs):
            return f"<dl>{''.join(f'<div><dt>{escape(a)}</dt><dd>{escape(b)}</dd></div>' for a, b in pairs)}</dl>"
        case Listing(items, tone):
            return f"<ul{_class(tone)}>{''.join(f'<li>{escape(one)}</li>' for one in items)}</ul>"
        case Table():
            return _table(block)
        case Chart():
            return _chart(block, drawn)
        case Drawing(svg):
            return f"<figure>{svg}</figure>"
        case Picture():
            return _picture(block)
        case Grid(blocks, small):
            return f'<div class="charts{" small" if small else ""}">{_blocks(blocks, drawn)}</div>'
        case Details(summary, blocks, opened):
            shown = " open" if opened else ""
            return f"<details{shown}><summary>{escape(summary)}</summary>{_blocks(blocks, drawn)}</details>"
        case Code(text):
            return f"<pre>{escape(text)}</pre>"


def _class(*names: str) -> str:
    given = " ".join(name for name in names if name)
    return f' class="{given}"' if given else ""


def _table(table: Table) -> str:
    kinds = [
        _class("number" if name in table.right else "", "minor" if name in table.minor else "")
        for name in table.columns
    ]
    head = "".join(f"<th{kind}>{escape(name)}</th>" for name, kind in zip(table.columns, kinds, strict=True))
    lines = []
    for index, row in enumerate(table.rows):
        cells = [_cell(cell, kind) for cell, kind in zip(row, kinds, strict=True)]
        if table.indents and table.indents[index]:
            cells[0] = cells[0].replace("<td", f'<td style="padding-left:{0.8 * table.indents[index]:.1f}rem"', 1)
        lines.append(f"<tr{_class(table.tones[index] if table.tones else '')}>{''.join(cells)}</tr>")
    inner = f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f'<div class="scroll" tabindex="0"><table>{inner}</table></div>'


def _cell(cell: str | Bar, kind: str) -> str:
    if isinstance(cell, str):
        return f"<td{kind}>{escape(cell)}</td>"
    place = f"left:{100 * cell.start:.2f}%;width:{100 * cell.length:.2f}%"
    bar = f'<i{_class(cell.tone, "span" if cell.faint else "")} style="{place}"></i>' if cell.length else ""
    mark = f'<b style="left:{100 * cell.mark:.2f}%"></b>' if cell.mark is not None else ""
    kinds = _class("bar number", "minor" if "minor" in kind else "")
    return f'<td{kinds}>{escape(cell.text)}<span class="track">{bar}{mark}</span></td>'


def _chart(chart: Chart, drawn: Iterator[str]) -> str:
    parts = [_named(next(drawn), chart.alt, "narrow" if chart.wide is not None else "")]
    if chart.wide is not None:
        parts.append(_named(next(drawn), chart.alt, "wide"))
    return _figure("".join(parts), chart.title, chart.caption, chart.span)


def _named(svg: str, alt: str, kind: str) -> str:
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(alt)}"{_class(kind)} ', 1)


def _picture(one: Picture) -> str:
    data = base64.b64encode(one.data).decode()
    image = f'<img{_class("small" if one.small else "")} alt="{escape(one.alt)}" src="data:{one.kind};base64,{data}">'
    return _figure(image, one.title, one.caption, one.span)


def _figure(inner: str, title: str, caption: str, span: bool) -> str:
    said = (f"<b>{escape(title)}</b>" if title else "") + escape(caption)
    return (
        f"<figure{_class('span' if span else '')}>{f'<figcaption>{said}</figcaption>' if said else ''}{inner}</figure>"
    )
