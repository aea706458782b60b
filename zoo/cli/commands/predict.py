"""`zoo predict`: what a classifier says of image files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from zoo.cli import options


@click.command(short_help="Name the classes of image files.")
@click.argument("name")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE...")
@click.option("--top", type=click.IntRange(1), default=5, show_default=True, help="How many classes of each image.")
@options.ground
@options.levels
@options.overrides
@options.other_data
@options.as_json
def predict(
    name: str,
    images: Sequence[Path],
    top: int,
    ground: str,
    levels: tuple[float, float] | None,
    overrides: Sequence[str],
    other_data: bool,
    as_json: bool,
) -> None:
    """Name the classes of image files.

    NAME is a published entry or the folder of a run. Images of any size and mode are taken; those of another size are
    cut to the shape of the training images around their middle, scaled, and marked as such. The shares are the softmax
    of the logits. --ground and --range are best as they were for the training images: `zoo data show` tells.
    """
    import numpy as np
    import torch

    from zoo import api
    from zoo.cli.terminal import Terminal
    from zoo.data.decoding import decode_file
    from zoo.data.files import require_image_file
    from zoo.data.pixels import Reading

    how = Reading.checked(ground=ground, levels=levels)
    for path in images:
        require_image_file(path)
    trained = api.load(name, overrides=overrides, other_data=other_data)
    channels, height, width = trained.info.image
    decoded = [decode_file(path, channels, height, width, how) for path in images]
    shares = trained.probabilities(torch.from_numpy(np.stack([one.pixels for one in decoded])))
    best, names = shares.topk(min(top, shares.shape[1]), dim=1), trained.class_names
    found: list[dict[str, Any]] = [
        {
            "image": str(path),
            "size": [one.width, one.height],
            "resized": (one.width, one.height) != (width, height),
            "classes": [
                {"class": names[index], "probability": share} for index, share in zip(indices, values, strict=True)
            ],
        }
        for path, one, indices, values in zip(images, decoded, best.indices.tolist(), best.values.tolist(), strict=True)
    ]
    if as_json:
        options.print_json({"name": trained.source.label, "weights": str(trained.checkpoint), "images": found})
        return
    terminal = Terminal()
    for index, (path, one, row) in enumerate(zip(images, decoded, found, strict=True)):
        if index:
            terminal.line()
        note = f" (cut and scaled from {one.width}x{one.height} to {width}x{height})" if row["resized"] else ""
        terminal.line(f"{path}{note}", style="bold")
        rows = [(each["class"], f"{each['probability']:.1%}") for each in row["classes"]]
        terminal.table(("class", "probability"), rows, right=("probability",), fold=("class",))
