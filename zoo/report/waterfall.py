"""Where a network's budget goes, as a picture: a line for each part, whose bars begin where the last ones ended."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import NamedTuple

from zoo.checking import NetworkReport, Report, Row, rows
from zoo.spec.writer import write_yaml

PLAIN = ("sequence", "repeat")  # composites that say little by their name
MOST_LINES = 36  # of one network, before its parts are shown less deep
LINE = 22  # pixels
NAME, SHAPE, PARAMETERS, MACS, WIDTH = 16, 330, 600, 870, 1036  # where names, shapes and bars begin, and the whole
BAR = 150  # the width of a full bar
GAP, SHARE = 10, 52  # between numbers and bars; the width of a share
STYLE = """
text { font: 12px ui-sans-serif, system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2933; }
.head { font-weight: 600; } .title { font-size: 15px; font-weight: 600; }
.faint { fill: #7b8794; } .number { text-anchor: end; font-variant-numeric: tabular-nums; }
.parameters { fill: #2f6f9f; } .macs { fill: #c8803c; } .group { opacity: 0.22; }
.rule { stroke: #d5dae0; stroke-width: 1; } .cap { stroke: #b3261e; stroke-width: 1.5; stroke-dasharray: 4 3; }
"""


class Line(NamedTuple):
    """One line of the picture: a row of the tree, how often it stands in the network, whether its parts follow, and
    where its bars begin.
    """

    row: Row
    indent: int
    times: int
    opened: bool
    parameters_before: int
    macs_before: int

    @property
    def parameters(self) -> int:
        return self.row.cost.parameters * self.times

    @property
    def macs(self) -> int:
        return self.row.cost.macs * self.times


def lines(one: NetworkReport, parameters: int = 0, most: int = MOST_LINES) -> list[Line]:
    """Return a network's parts from the top down, as deep as `most` lines allow, at least its first parts.

    Parts that cost neither parameters nor multiply-adds are left out, and so are those that hold but one part. The
    bars begin at `parameters`.
    """
    whole, *parts = rows(one.network, one.input)
    tree = _costly(parts or [whole])  # a network written in Python has no parts to show
    depths = sorted({row.depth for row, _ in tree})
    fitting = [depth for depth in depths if len(_shown(tree, depth)) <= most]
    shown = _shown(tree, max(fitting, default=depths[0] if depths else 0))
    found: list[Line] = []
    open_depths: list[int] = []
    macs = 0
    for (row, times), following in zip(shown, [*shown[1:], None], strict=True):
        while open_depths and open_depths[-1] >= row.depth:
            open_depths.pop()
        opened = following is not None and following[0].depth > row.depth
        line = Line(row, len(open_depths), times, opened, parameters, macs)
        found.append(line)
        open_depths.append(row.depth)
        if not opened:
            parameters, macs = parameters + line.parameters, macs + line.macs
    return found


def _costly(tree: list[Row]) -> list[tuple[Row, int]]:
    """Return the rows that cost something, each with how often it stands in the network."""
    found: list[tuple[Row, int]] = []
    above: list[tuple[int, int]] = []  # depth and times of the composites around a row
    for row in tree:
        while above and above[-1][0] >= row.depth:
            above.pop()
        times = row.times * (above[-1][1] if above else 1)
        above.append((row.depth, times))
        if row.cost.parameters or row.cost.macs:
            found.append((row, times))
    return found


def _shown(tree: list[tuple[Row, int]], deepest: int) -> list[tuple[Row, int]]:
    """Return the rows down to a depth, with one in place of those that hold but one other."""
    found: list[tuple[Row, int]] = []
    for row, times in tree:
        if row.depth > deepest:
            continue
        above = found[-1] if found else None
        if above is not None and above[0].depth < row.depth and _all_of(above, (row, times)):
            outer = above[0]
            named = outer if outer.layer not in PLAIN else row._replace(depth=outer.depth)
            found[-1] = (named._replace(times=outer.times * row.times, cost=row.cost), times)
        else:
            found.append((row, times))
    return found


def _all_of(outer: tuple[Row, int], inner: tuple[Row, int]) -> bool:
    """Whether the inner row is all that the outer one costs."""
    return all(
        getattr(outer[0].cost, name) * outer[1] == getattr(inner[0].cost, name) * inner[1]
        for name in ("parameters", "macs")
    )


def svg(report: Report) -> str:
    """Return a picture of every network of a checked spec, as the text of an SVG file."""
    parts: list[str] = []
    top, before = 12, 0
    for role, one in report.networks.items():
        # Networks that share a limit follow each other under it.
        shared = report.cap(role) == report.cap(next(iter(report.networks)))
        found = lines(one, before if shared else 0)
        parts += _network(report, role, found, top, before if shared else 0)
        before += one.cost.parameters
        top += LINE * (len(found) + 4)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}" '
        f'role="img"><title>{escape(report.spec.name)}</title><style>{STYLE}</style>'
        f'<rect width="{WIDTH}" height="{top}" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def page(report: Report) -> str:
    """Return the picture with the spec's figures, its limits and its text, as one HTML file that needs no other."""
    spec = report.spec
    verdicts = "".join(f"<li>{'kept' if one.kept else 'broken'}: {escape(str(one))}</li>" for one in report.verdicts)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(spec.name)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: {WIDTH}px; padding: 0 1rem;
color: #1f2933; background: #fff; }} svg {{ max-width: 100%; height: auto; }} pre {{ overflow: auto; }}</style></head>
<body><h1>{escape(spec.name)}</h1><p>{escape(spec.summary)}</p><ul>{verdicts}</ul>
{svg(report)}<details><summary>The spec, with every default filled in ({spec.hash[:8]})</summary>
<pre>{escape(write_yaml(spec.to_data()))}</pre></details></body></html>
"""


def _network(report: Report, role: str, found: list[Line], top: int, before: int) -> Iterator[str]:
    one = report.networks[role]
    bound, limit = report.cap(role)
    full = max(bound, before + one.cost.parameters, 1)
    title = f"{report.spec.name}, {role}: {one.cost.parameters:,} parameters"
    yield _text(NAME, top + LINE * 0.7, title + (f", limit {limit}" if limit else ""), "title")
    head = top + LINE * 1.8
    yield _text(NAME, head, "layer", "head")
    yield _text(SHAPE, head, "output", "head")
    yield _text(PARAMETERS - GAP, head, f"parameters, share of {'limit' if limit else 'all'}", "head number")
    yield _text(MACS - GAP, head, "multiply-adds", "head number")
    yield f'<line class="rule" x1="{NAME}" x2="{WIDTH - NAME}" y1="{head + 7}" y2="{head + 7}"/>'
    for index, line in enumerate(found):
        row, middle = line.row, top + LINE * (index + 2.9)
        left = NAME + 14 * line.indent
        yield _text(left, middle, _name(row), "", int((SHAPE - left - 8) / 7))
        yield _text(SHAPE, middle, "x".join(map(str, row.output)), "faint")
        for kind, value, column, start, whole in (
            ("parameters", line.parameters, PARAMETERS, line.parameters_before, full),
            ("macs", line.macs, MACS, line.macs_before, max(one.cost.macs, 1)),
        ):
            if value:
                share = f"{value / full:.1%}" if kind == "parameters" else ""
                yield _text(column - GAP - (SHARE if share else 0), middle, f"{value:,}", "number")
                yield _text(column - GAP, middle, share, "faint number")
                group = " group" if line.opened else ""
                yield f'<rect class="{kind}{group}" x="{column + BAR * start / whole:.1f}" y="{middle - 11:.1f}" '
                yield f'width="{max(1.0, BAR * value / whole):.1f}" height="14"/>'
    if limit:
        place = PARAMETERS + BAR * bound / full
        bottom = top + LINE * (len(found) + 2.4)
        yield f'<line class="cap" x1="{place:.1f}" x2="{place:.1f}" y1="{head + 8}" y2="{bottom}"/>'


def _name(row: Row) -> str:
    layer = row.name if row.layer in PLAIN and row.name[:1].isalpha() else row.layer
    times = f"{row.times} x " if row.times > 1 else ""
    uses = f" ({row.uses} times)" if row.uses > 1 else ""
    return f"{times}{layer} {row.options}".rstrip() + uses


def _text(x: float, y: float, text: str, kind: str, most: int = 200) -> str:
    shown = text if len(text) <= most else text[: max(1, most - 1)] + "…"
    full = f"<title>{escape(text)}</title>" if shown != text else ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{full}{escape(shown)}</text>'
