"""`zoo diff`: what changed between two specs, and what that costs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import options

if TYPE_CHECKING:
    from zoo.budget import Figures

LONG = 60  # letters of a value, from which it is cut


@click.command(short_help="Show what changed between two specs, and what that costs.")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@options.overrides
@options.as_json
def diff(before: str, after: str, overrides: Sequence[str], as_json: bool) -> None:
    """Show what changed between two specs, and what that costs.

    A and B are files or names of shipped specs; --set changes B alone, so that `zoo diff SPEC SPEC --set ...` shows
    what a setting does. Defaults are filled in first: two ways to write the same differ in nothing.
    """
    from zoo import api
    from zoo.cli.terminal import Terminal
    from zoo.spec.difference import MISSING, differences

    reports = [api.check(before), api.check(after, overrides=overrides)]
    changes = list(differences(reports[0].spec.to_data(), reports[1].spec.to_data()))
    figures = _figures(reports[0].total, reports[1].total)
    networks = {
        role: _figures(reports[0].networks[role].figures, one.figures)
        for role, one in reports[1].networks.items()
        if role in reports[0].networks
    }
    if as_json:
        plain = [
            {"path": path} | {k: v for k, v in (("before", old), ("after", new)) if v is not MISSING}
            for path, old, new in changes
        ]
        options.print_json({"changes": plain, "networks": networks, "total": figures})
        return
    terminal = Terminal()
    if not changes:
        terminal.line("they say the same")
        return
    rows = [(path, _shown(old, MISSING), _shown(new, MISSING)) for path, old, new in changes]
    terminal.table(("changed", "A", "B"), rows, fold=("A", "B"))
    terminal.line()
    parts = {**(networks if len(reports[1].networks) > 1 else {}), "together": figures}
    costs = [
        (f"{role} {name}" if len(parts) > 1 else name, *(f"{value:,}" for value in one[:2]), f"{one[2]:+,}")
        for role, found in parts.items()
        for name, one in found.items()
    ]
    terminal.table(("figure", "A", "B", "change"), costs, right=("A", "B", "change"))


def _figures(before: Figures, after: Figures) -> dict[str, tuple[int, int, int]]:
    """Return each figure of both, and the change."""
    return {name: (old, new, new - old) for name, old, new in zip(before._fields, before, after, strict=True)}


def _shown(value: Any, missing: object) -> str:
    if value is missing:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= LONG else text[: LONG - 3] + "..."
