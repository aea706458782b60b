"""`zoo schema`: the JSON Schema of specs, from what is installed."""

from __future__ import annotations

import click

from zoo.cli import options


@click.command(short_help="Print the JSON Schema of specs, for editors.")
def schema() -> None:
    """Print the JSON Schema of specs, for editors.

    It is made from what is installed, plugins included. An editor with the YAML language server completes and
    underlines a spec that begins with `# yaml-language-server: $schema=zoo.schema.json`, after
    `zoo schema > zoo.schema.json`.
    """
    from zoo.plugins import installed
    from zoo.spec.json_schema import spec_schema

    options.print_json(spec_schema(installed().registry))
