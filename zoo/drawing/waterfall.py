"""Where a network's budget goes, as a picture: a line for each part, whose bars begin where the last ones ended."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import NamedTuple

from zoo.checking import NetworkReport, Report, Row, rows
from zoo.drawing.page import Bar, Block, Code, Details, Listing, Page, Section, Table, Text
from zoo.drawing.style import colours
from zoo.spec.writer import write_yaml

PLAIN = ("sequence", "repeat")  # composites that say little by their name
MOST_LINES = 36  # of one network, before its parts are shown less deep
LINE = 22  # pixels
NAME, SHAPE, PARAMETERS, MACS, WIDTH = 16, 330, 600, 870, 1036  # where names, shapes and bars begin, and the whole
BAR = 150  # the width of a full bar
GAP, SHARE = 10, 52  # between numbers and bars; the width of a share
STYLE = f"""
:root {{ {colours(0)} }} @media (prefers-color-scheme: dark) {{ :root {{ {colours(1)} }} }}
text {{ font: 12px ui-sans-serif, system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: var(--ink); }}
.paper {{ fill: var(--paper); }} .head {{ font-weight: 600; }} .title {{ font-size: 15px; font-weight: 600; }}
.faint {{ fill: var(--faint); }} .number {{ text-anchor: end; font-variant-numeric: tabular-nums; }}
.parameters {{ fill: var(--c1); }} .macs {{ fill: var(--c2); }} .group {{ opacity: .3; }}
.rule {{ stroke: var(--rule); stroke-width: 1; }}
.cap {{ stroke: var(--mark); stroke-width: 1.5; stroke-dasharray: 4 3; }}
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
        f'<rect class="paper" width="{WIDTH}" height="{top}"/>{"".join(parts)}</svg>\n'
    )


def section(report: Report) -> Section:
    """Return what the networks of a checked spec cost, layer by layer, with the limits, as a section of a page."""
    blocks: list[Block] = [
        Listing([f"{'kept' if one.kept else 'broken'}: {one}" for one in report.verdicts])
        if report.verdicts
        else Text("No limits.")
    ]
    before = 0
    for role, one in report.networks.items():
        shared = report.cap(role) == report.cap(next(iter(report.networks)))
        _, limit = report.cap(role)
        title = f"{role}: {one.cost.parameters:,} parameters" + (f", limit {limit}" if limit else "")
        blocks += [Text(title, "head"), _table(report, role, before if shared else 0)]
        before += one.cost.parameters
    return Section("Where the budget goes", blocks, name="budget")


def _table(report: Report, role: str, before: int) -> Table:
    one = report.networks[role]
    bound, limit = report.cap(role)
    found = lines(one, before)
    full, macs = max(bound, before + one.cost.parameters, 1), max(one.cost.macs, 1)
    mark = bound / full if limit else None
    shares = f"parameters, share of {'limit' if limit else 'all'}"
    rows = [
        (
            _name(line.row),
            "x".join(map(str, line.row.output)),
            Bar(
                f"{line.parameters:,} · {line.parameters / full:.1%}" if line.parameters else "",
                line.parameters_before / full,
                line.parameters / full,
                faint=line.opened,
                mark=mark,
            ),
            Bar(
                f"{line.macs:,}" if line.macs else "",
                line.macs_before / macs,
                line.macs / macs,
                tone="second",
                faint=line.opened,
            ),
        )
        for line in found
    ]
    columns = ("layer", "output", shares, "multiply-adds")
    return Table(columns, rows, right=columns[2:], minor=("output",), indents=[line.indent for line in found])


def page(report: Report) -> Page:
    """Return the spec's limits, where its budget goes, and its text, as a page."""
    spec = report.spec
    details = Details(f"With every default filled in ({spec.hash[:8]})", [Code(write_yaml(spec.to_data()))])
    head = [Text(spec.summary)] if spec.summary else []
    return Page(spec.name, head, [section(report), Section("Spec", [details], name="spec")])


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
