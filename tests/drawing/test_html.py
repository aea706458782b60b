"""A page as HTML: escaped, named, and each chart where it belongs."""

from __future__ import annotations

import re

from zoo.drawing.html import html
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
from zoo.drawing.style import COLOURS, STYLE

EVIL = '<script>alert("1")</script> & "more"'


def test_everything_that_a_user_wrote_is_escaped() -> None:
    chart = Chart(EVIL, EVIL, {"n": 0}, caption=EVIL)
    blocks: list[Block] = [
        Text(EVIL, "faint"),
        Facts([(EVIL, EVIL)]),
        Listing([EVIL]),
        Table((EVIL,), [(EVIL,), (Bar(EVIL, 0, 1),)]),
        Picture(EVIL, EVIL, b"x", caption=EVIL),
        Details(EVIL, [Code(EVIL)]),
        Grid([chart]),
    ]
    text = html(Page(EVIL, blocks, [Section(EVIL, blocks, name=EVIL)], EVIL), lambda specs: ["<svg ></svg>"] * 2)
    assert "<script" not in text
    assert 'alert("1")' not in text


def test_charts_are_drawn_at_once_and_stand_in_their_order() -> None:
    asked: list[int] = []

    def draw(specs):  # type: ignore[no-untyped-def]
        asked.append(len(specs))
        return [f"<svg data-n='{one['n']}'></svg>" for one in specs]

    charts = [Chart(f"chart {n}", f"alt {n}", {"n": n}, wide={"n": 10 + n} if n == 1 else None) for n in range(3)]
    page = Page("x", [charts[0]], [Section("a", [Grid([charts[1]]), Details("more", [charts[2]])])])
    found = re.findall(r"aria-label=\"(alt \d)\"(?: class=\"(\w+)\")? data-n='(\d+)'", html(page, draw))
    assert found == [("alt 0", "", "0"), ("alt 1", "narrow", "1"), ("alt 1", "wide", "11"), ("alt 2", "", "2")]
    assert asked == [4]


def test_a_page_without_charts_needs_nobody_to_draw() -> None:
    text = html(Page("x", [Drawing("<svg><title>a</title></svg>")]))
    assert "<figure><svg><title>a</title></svg></figure>" in text


def test_the_browser_is_told_to_ask_nobody() -> None:
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in html(Page("x"))


def test_bars_begin_where_the_last_ones_ended() -> None:
    table = Table(("n",), [(Bar("1", 0, 0.25, mark=1.0),), (Bar("3", 0.25, 0.75, tone="second", faint=True),)])
    text = html(Page("x", [table]))
    assert '<i style="left:0.00%;width:25.00%"></i><b style="left:100.00%"></b>' in text
    assert '<i class="second span" style="left:25.00%;width:75.00%"></i>' in text


def luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return sum(one * weight for one, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_colours_can_be_read_on_paper_and_cards_light_and_dark() -> None:
    for mode in (0, 1):
        for ground in ("paper", "card"):
            for name in ("ink", "faint", "mark", "good", "c1"):
                found = contrast(COLOURS[name][mode], COLOURS[ground][mode])
                assert found >= 4.5, (name, ground, mode, found)
            for name in ("c2", "c3", "c4", "c5", "c6"):
                assert contrast(COLOURS[name][mode], COLOURS[ground][mode]) >= 3


def test_only_named_colours_are_used() -> None:
    assert set(re.findall(r"var\(--(\w+)\)", STYLE)) <= set(COLOURS)
