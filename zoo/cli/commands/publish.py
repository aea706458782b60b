"""`zoo publish`: finished runs become an entry of the shelf."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from zoo.cli import options

FOLDER = click.Path(path_type=Path)


@click.command(short_help="Make finished runs an entry of the shelf.")
@click.argument("runs", nargs=-1, required=True, type=FOLDER, metavar="RUN...")
@click.option("--name", metavar="NAME", help="The entry's name; that of the spec unless given.")
@click.option("--to", type=FOLDER, metavar="FOLDER", default="shelf", show_default=True, help="The shelf's folder.")
@click.option("--note", "notes", multiple=True, metavar="TEXT", help="A sentence for the card; can be repeated.")
@options.as_json
def publish(runs: Sequence[Path], name: str | None, to: Path, notes: Sequence[str], as_json: bool) -> None:
    """Make finished runs an entry of the shelf.

    RUN is the folder of a finished run. Several runs of one spec that differ in the seed alone, or a run of several
    seeds, make means and deviations. Each is checked and counted again. The entry holds the spec, the weights of the
    lowest seed, a certificate, a model card and pictures; none is overwritten.
    """
    from zoo import api
    from zoo.cli.terminal import Terminal

    entry = api.publish(runs, name=name, to=to, notes=notes)
    certificate = entry.certificate
    if as_json:
        options.print_json({"entry": entry.label, "folder": str(entry.folder), "certificate": certificate.to_data()})
        return
    terminal = Terminal()
    seeds = ", ".join(map(str, certificate.seeds))
    terminal.line(f"{entry.label}: published, n = {len(certificate.seeds)} (seeds {seeds})", style="bold green")
    terminal.line()
    rows = [
        (split, figure, f"{one.mean:.4f}", "" if one.std is None else f"{one.std:.4f}", str(one.n))
        for split, figures in certificate.figures.items()
        for figure, one in figures.items()
    ]
    if rows:
        terminal.table(("images", "figure", "mean", "deviation", "n"), rows, right=("mean", "deviation", "n"))
        terminal.line()
    terminal.line(f"weights: {certificate.weights.bytes:,} bytes, those of seed {certificate.shipped_seed}")
    terminal.line(f"entry:   {entry.folder}")
    terminal.line(f"next:    zoo evaluate {entry.label}")
