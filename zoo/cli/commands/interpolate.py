"""`zoo interpolate`: ways through the latent space of a run's generator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from zoo.cli import options


@click.command(short_help="Draw ways between images of a trained generator.")
@click.argument("name")
@click.option("--rows", type=click.IntRange(1, 64), default=8, show_default=True, help="Ways, one a row.")
@click.option("--columns", type=click.IntRange(2, 64), default=10, show_default=True, help="Images on each way.")
@click.option(
    "--way",
    type=click.Choice(("linear", "spherical", "both")),
    default="both",
    show_default=True,
    help="A straight line, an arc, or one row of each.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of the ends.")
@click.option("--label", "names", multiple=True, metavar="CLASS", help="A class; several share the rows.")
@click.option("--out", type=click.Path(path_type=Path), metavar="PATH", help="The .png to write.")
@options.overrides
@options.other_data
@options.as_json
def interpolate(
    name: str,
    rows: int,
    columns: int,
    way: str,
    seed: int,
    names: Sequence[str],
    out: Path | None,
    overrides: Sequence[str],
    other_data: bool,
    as_json: bool,
) -> None:
    """Draw ways between images of a trained generator.

    Each row goes from one latent point to another, in a straight line and along the arc. NAME is a published entry,
    or the folder that `zoo train` named at its end.
    """
    import torch

    from zoo import api
    from zoo.cli.commands.sample import class_numbers, save
    from zoo.cli.terminal import Terminal
    from zoo.generation.interpolation import WAYS, Way, between
    from zoo.generation.pictures import grid, save_picture

    if out and out.suffix.lower() != ".png":
        raise click.UsageError(f"--out {out}: wanted the name of a .png")
    trained = api.load(name, overrides=overrides, other_data=other_data)
    path = out or trained.source.samples / f"interpolation-{seed}.png"
    ends = trained.latents(range(2 * rows), seed=seed)
    classes = class_numbers(trained, names, rows) if names else trained.labels(range(rows))
    ways: list[Way] = [one for one in WAYS if way in (one, "both")]
    found, heads = [], []
    for row in range(rows):
        for one in ways:
            found.append(between(ends[2 * row], ends[2 * row + 1], columns, one))
            heads.append(one)
    labels = [classes[index // len(ways)] for index in range(len(found)) for _ in range(columns)]
    images = trained.generate(torch.cat(found), labels)
    save(lambda: save_picture(grid(images, columns, rows=heads), path), path)
    if as_json:
        options.print_json(
            {"run": str(trained.source.label), "checkpoint": str(trained.checkpoint), "seed": seed, "out": str(path)}
        )
    else:
        Terminal().line(str(path))
