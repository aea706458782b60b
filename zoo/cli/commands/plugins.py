"""`zoo plugins`: who offers what, and what was dropped."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from zoo.cli import options, units
from zoo.cli.terminal import Terminal
from zoo.plugins import Plugin, assemble, discover


@click.command(short_help="List the plugins and what they offer.")
@options.as_json
def plugins(as_json: bool) -> None:
    """List the plugins and what they offer.

    A broken one is listed with the reason; names that two claim are told below.
    """
    found = discover()
    if as_json:
        options.print_json([_data(plugin) for plugin in found])
    else:
        rows = [
            (
                plugin.provider.plugin,
                f"{plugin.provider.distribution} {plugin.provider.version}".strip(),
                f"broken: {plugin.error}" if plugin.error else _offer(plugin),
            )
            for plugin in found
        ]
        Terminal().table(("plugin", "package", "it offers"), rows, fold=("it offers",), drop=("package",))
    for clash in assemble(found).clashes:
        Terminal("status").line(f"warning: {clash}", style="yellow")


def _data(plugin: Plugin) -> dict[str, Any]:
    return {
        **options.provider_data(plugin.provider),
        "components": dict(Counter(one.kind for one in plugin.components)),
        "specs": [str(folder) for folder in plugin.specs],
        "commands": [getattr(command, "name", None) for command in plugin.commands],
        "error": plugin.error,
    }


def _offer(plugin: Plugin) -> str:
    kinds = Counter(one.kind for one in plugin.components)
    parts = [f"{number} {units.plural(kind, number)}" for kind, number in kinds.items()]
    parts += [f"command {getattr(command, 'name', None)}" for command in plugin.commands]
    parts += [f"specs in {folder}" for folder in plugin.specs]
    return ", ".join(parts) or "nothing"
