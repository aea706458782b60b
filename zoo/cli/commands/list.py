"""`zoo list`: what a spec can name, the specs that ship, and the trained networks on the shelf."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli import options, units
from zoo.cli.specs import shelf_entries, shipped_specs
from zoo.cli.terminal import Terminal
from zoo.errors import closest
from zoo.plugins import installed
from zoo.registry import KINDS

SPECS, SHELF = "specs", "shelf"
MEANINGS = {
    SPECS: "what `zoo check` and `zoo train` know by name",
    SHELF: "trained networks that `zoo evaluate`, `predict` and `sample` know by name",
}


class Kind(click.ParamType[str]):
    """A kind of component, in singular or plural, `specs` or `shelf`."""

    name = "kind"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        for kind in (*KINDS, *MEANINGS):
            if value.lower() in (kind, units.plural(kind), kind.removesuffix("s")):
                return kind
        names = [*KINDS, *MEANINGS]
        hint = closest(value, names) or f"wanted one of {', '.join(names)}"
        raise click.UsageError(f"found {value!r}; {hint}", ctx)


@click.command("list", short_help="List what a spec can name, and the specs that ship.")
@click.argument("kind", type=Kind(), required=False)
@options.as_json
def list_components(kind: str | None, as_json: bool) -> None:
    """List what a spec can name, and the specs that ship.

    KIND is a kind of component (layer, activation, optimizer, ...), `specs`, or `shelf` for the trained networks that
    are published; without it, all are listed.
    """
    components = [] if kind in MEANINGS else _components(kind)
    specs = shipped_specs() if kind in (None, SPECS) else []
    entries = shelf_entries() if kind in (None, SHELF) else []
    if as_json:
        found = [{"kind": "spec", **one} for one in specs] + [{"kind": "published", **one} for one in entries]
        options.print_json(components + found)
        return
    terminal = Terminal()
    for heading in KINDS if kind is None else (kind,):
        part = [one for one in components if one["kind"] == heading]
        if heading in MEANINGS or (kind is None and not part):
            continue
        _section(
            terminal,
            heading,
            KINDS[heading],
            [(one["name"], one["provider"]["plugin"], one["summary"]) for one in part],
        )
    for heading, listed in ((SPECS, specs), (SHELF, entries)):
        if kind == heading or (kind is None and listed):
            rows = [(one["name"], one["provider"], one["summary"]) for one in listed]
            _section(terminal, heading, MEANINGS[heading], rows)


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
        terminal.table(("name", "from", "summary"), rows, fold=("summary",))
    else:
        terminal.line("none is installed")
    terminal.line()
