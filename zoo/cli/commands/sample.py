"""`zoo sample`: images out of a run's generator, as one picture or as many files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from zoo.cli import options


@click.command(short_help="Draw images from a run's generator.")
@click.argument("run", type=click.Path(path_type=Path))
@options.overrides
@click.option("--count", type=click.IntRange(1, 1_000_000), default=64, show_default=True, help="How many images.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="An image depends on it alone.")
@click.option("--label", "labels", multiple=True, help="A class, by number or name; can be repeated.")
@click.option("--out", type=click.Path(path_type=Path), help="A .png for one picture, or a folder for one file each.")
@click.option("--neighbours", is_flag=True, help="Beside each image, the training images that are nearest to it.")
@click.option("--best", type=click.IntRange(1), help="Show this many that a judge likes best, and say so.", hidden=True)
@options.as_json
def sample(
    run: Path,
    overrides: Sequence[str],
    count: int,
    seed: int,
    labels: Sequence[str],
    out: Path | None,
    neighbours: bool,
    best: int | None,
    as_json: bool,
) -> None:
    """Draw images from a run's generator."""
