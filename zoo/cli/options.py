"""What several commands share: `--json`, `--set`, and the document that `--json` prints."""

from __future__ import annotations

from typing import Any

import click

from zoo.files import json_text
from zoo.registry import Provider
from zoo.text import visible

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
overrides = click.option(
    "--set",
    "overrides",
    metavar="PATH=VALUE",
    multiple=True,
    help="Change the spec for this command, such as train.seed=1; can be repeated.",
)
other_data = click.option(
    "--other-data", "other_data", is_flag=True, help="Go on although the data are not those that it was trained on."
)

ground = click.option(
    "--ground",
    default="white",
    show_default=True,
    metavar="COLOUR",
    help="The colour behind what is transparent, by name or as #rrggbb.",
)
levels = click.option(
    "--range",
    "levels",
    type=(float, float),
    metavar="BLACK WHITE",
    help="Black and white in greys of more than 8 bits; without it 0 and 65535 in those of 16 bits.",
)


def print_json(data: Any) -> None:
    """Print `data` on stdout as one JSON document; numbers that are not finite become null."""
    click.echo(visible(json_text(data, default=str)))


def provider_data(provider: Provider) -> dict[str, str]:
    """Return who provides a component as plain data."""
    return {"plugin": provider.plugin, "package": provider.distribution, "version": provider.version}
