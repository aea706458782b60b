"""`zoo list`: what a spec can name, and what ships: specs, trained networks, challenges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from zoo.cli import options, units
from zoo.cli.specs import shelf_entries, shipped_challenges, shipped_specs
from zoo.cli.terminal import Terminal
from zoo.errors import closest
from zoo.plugins import installed
from zoo.registry import KINDS

#: What ships, by the heading that it is listed under.
SHIPPED: dict[str, tuple[str, str, Callable[[], list[dict[str, str]]]]] = {
    "specs": ("spec", "what `zoo check` and `zoo train` know by name", shipped_specs),
    "shelf": (
        "published",
        "trained networks that `zoo evaluate`, `predict` and `sample` know by name",
        shelf_entries,
    ),
    "challenges": ("challenge", "what `zoo check --challenge` knows by name", shipped_challenges),
}


class Kind(click.ParamType[str]):
    """A kind of component, in singular or plural, or what ships."""

    name = "kind"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        for kind in (*KINDS, *SHIPPED):
            if value.lower() in (kind, units.plural(kind), kind.removesuffix("s")):
                return kind
        names = [*KINDS, *SHIPPED]
        hint = closest(value, names) or f"wanted one of {', '.join(names)}"
        raise click.UsageError(f"found {value!r}; {hint}", ctx)


@click.command("list", short_help="List what a spec can name, and what ships.")
@click.argument("kind", type=Kind(), required=False)
@options.as_json
def list_components(kind: str | None, as_json: bool) -> None:
    """List what a spec can name, and what ships.

    KIND is a kind of component (layer, activation, optimizer, ...), `specs`, `shelf` for the trained networks that are
    published, or `challenges`; without it, all are listed.
    """
    components = [] if kind in SHIPPED else _components(kind)
    ships = {heading: SHIPPED[heading][2]() for heading in SHIPPED if kind in (None, heading)}
    if as_json:
        found = [{"kind": SHIPPED[heading][0], **one} for heading, part in ships.items() for one in part]
        options.print_json(components + found)
        return
    terminal = Terminal()
    for heading in KINDS:
        part = [one for one in components if one["kind"] == heading]
        if part or kind == heading:
            rows = [(one["name"], one["provider"]["plugin"], one["summary"]) for one in part]
            _section(terminal, heading, KINDS[heading], rows)
    for heading, shipped in ships.items():
        rows = [(one["name"], one["provider"], one["summary"]) for one in shipped]
        _section(terminal, heading, SHIPPED[heading][1], rows)


def _components(kind: str | None) -> list[dict[str, Any]]:
    registry = installed().registry
    return [
        {
            "kind": one.kind,
            "name": one.name,
            "summary": one.summary,
            "source": one.source,
            "provider": options.provider_data(registry.provider(one)),
        }
        for one in registry
        if kind in (None, one.kind)
    ]


def _section(terminal: Terminal, name: str, meaning: str, rows: list[tuple[str, str, str]]) -> None:
    terminal.line(f"{name}: {meaning}", style="bold")
    if rows:
        terminal.table(("name", "from", "summary"), rows, fold=("summary",), drop=("from",))
    else:
        terminal.line("none is installed")
    terminal.line()
