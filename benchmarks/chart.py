"""A picture of training speed: a bar for each variant, as many times as fast as the naive loop, with its range."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from benchmarks import train

WIDTH, LINE, NAMES, BARS = 760, 24, 190, 480  # pixels; BARS: the width of the longest bar
STYLE = """
text { font: 12px ui-sans-serif, system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2933; }
.title { font-size: 14px; font-weight: 600; } .name { text-anchor: end; } .faint { fill: #7b8794; }
.zoo { fill: #2f6f9f; } .baseline { fill: #9aa5b1; } .range { stroke: #1f2933; stroke-width: 1.2; }
.one { stroke: #b3261e; stroke-width: 1.2; stroke-dasharray: 4 3; }
"""


def svg(models: list[dict[str, Any]]) -> str:
    """Return the picture of the models' results, as the text of an SVG file."""
    parts: list[str] = []
    top = 10
    for result in models:
        drawn = list(_model(result, top))
        parts += drawn
        top += LINE * (len(_bars(result)) + 2)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}" '
        f'role="img"><title>Training speed</title><style>{STYLE}</style>'
        f'<rect width="{WIDTH}" height="{top}" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _bars(result: dict[str, Any]) -> list[tuple[str, float, float, float]]:
    speeds = [(name, train.speed(result, name)) for name in result["names"] if name not in result["same_as"]]
    return [(name, *one) for name, one in speeds if one is not None]


def _model(result: dict[str, Any], top: float) -> Iterator[str]:
    bars = _bars(result)
    scale = BARS / max((most for *_, most in bars), default=1.0)
    title = f"{train.TITLES[result['model']]}: times as fast as the naive loop"
    yield f'<text class="title" x="16" y="{top + LINE * 0.7:.1f}">{escape(title)}</text>'
    for index, (name, ratio, least, most) in enumerate(bars):
        y = top + LINE * (index + 1.2)
        middle = y + LINE * 0.35
        kind = "zoo" if name.startswith("zoo") else "baseline"
        yield f'<text class="name" x="{NAMES - 10}" y="{middle + 4:.1f}">{escape(name)}</text>'
        yield f'<rect class="{kind}" x="{NAMES}" y="{y:.1f}" width="{ratio * scale:.1f}" height="{LINE * 0.7:.1f}"/>'
        yield f'<line class="range" x1="{NAMES + least * scale:.1f}" x2="{NAMES + most * scale:.1f}" '
        yield f'y1="{middle:.1f}" y2="{middle:.1f}"/>'
        yield f'<text x="{NAMES + most * scale + 8:.1f}" y="{middle + 4:.1f}">{ratio:.2f}</text>'
    x, bottom = NAMES + scale, top + LINE * (len(bars) + 1.2)
    yield f'<line class="one" x1="{x:.1f}" x2="{x:.1f}" y1="{top + LINE:.1f}" y2="{bottom:.1f}"/>'
