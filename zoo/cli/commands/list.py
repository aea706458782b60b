"""`zoo list`: what a spec can name, and the specs that ship."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli import options, units
from zoo.cli.specs import shipped_specs
from zoo.cli.terminal import Terminal
from zoo.errors import closest
from zoo.plugins import installed
from zoo.registry import KINDS

SPECS = "specs"


class Kind(click.ParamType[str]):
    """A kind of component, in singular or plural, or `specs`."""

    name = "kind"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        for kind in (*KINDS, SPECS):
            if value.lower() in (kind, units.plural(kind), kind.removesuffix("s")):
                return kind
        names = [*KINDS, SPECS]
        hint = closest(value, names) or f"wanted one of {', '.join(names)}"
        raise click.UsageError(f"found {value!r}; {hint}", ctx)


@click.command("list", short_help="List what a spec can name, and the specs that ship.")
@click.argument("kind", type=Kind(), required=False)
@options.as_json
def list_components(kind: str | None, as_json: bool) -> None:
    """List what a spec can name, and the specs that ship.

    KIND is a kind of component (layer, activation, optimizer, ...) or `specs`; without it, all are listed.
    """
    components = [] if kind == SPECS else _components(kind)
    specs = shipped_specs() if kind in (None, SPECS) else []
    if as_json:
        options.print_json(components + [{"kind": "spec", **one} for one in specs])
        return
    terminal = Terminal()
    for heading in KINDS if kind is None else (kind,):
        part = [one for one in components if one["kind"] == heading]
        if heading == SPECS or (kind is None and not part):
            continue
        _section(
            terminal,
            heading,
            KINDS[heading],
            [(one["name"], one["provider"]["plugin"], one["summary"]) for one in part],
        )
    if kind in (None, SPECS):
        _section(
            terminal,
            SPECS,
            "what `zoo check` and `zoo train` know by name",
            [(one["name"], one["provider"], one["summary"]) for one in specs],
        )


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
