"""The command `zoo widths`."""

from __future__ import annotations

import click


@click.command("widths", short_help="Say how parameters grow with one option of a network.")
@click.argument("spec")
@click.option("--option", default="width", show_default=True, help="The architecture's option to change.")
@click.option("--values", default="8,16,24,32", show_default=True, help="The values to try.")
def widths(spec: str, option: str, values: str) -> None:
    """Say how the parameters and multiply-adds of SPEC grow with one option of its networks."""
    import zoo

    networks = zoo.load_spec(spec).networks
    for value in values.split(","):
        overrides = [
            f"networks.{role}.architecture.{network.architecture.name}.{option}={value}"
            for role, network in networks.items()
        ]
        total = zoo.check(spec, overrides=overrides).total
        click.echo(f"{option} {value:>4}: {total.parameters:>10,} parameters {total.macs:>14,} multiply-adds")
