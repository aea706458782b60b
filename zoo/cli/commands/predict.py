"""`zoo predict`: what a trained network says of image files, or of the items of tables and arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import options

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.data.pixels import Reading
    from zoo.evaluation.trained import Trained

MOST = 20  # numbers of an item that are shown to a person


@click.command(short_help="Name the classes of image files, or predict the targets of tables.")
@click.argument("name")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--top", type=click.IntRange(1), default=5, show_default=True, help="How many classes of each item.")
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
    """Name the classes of image files, or predict the targets of tables.

    NAME is a published entry or the folder of a run. Images of any size and mode are taken; those of another size are
    cut to the shape of the training images around their middle, scaled, and marked as such. The shares are the softmax
    of the logits; where any number of classes may be there, the sigmoid of each. --ground and --range are best as they
    were for the training images: `zoo data show` tells.

    A network of other items takes files of them, as `zoo data add` does: of a table those columns that it was trained
    on, found by their names.
    """
    from zoo import api
    from zoo.data.files import require_image_file
    from zoo.data.pixels import Reading
    from zoo.data.tables import SUFFIXES
    from zoo.errors import RunError

    how = Reading.checked(ground=ground, levels=levels)
    tables = [path for path in images if path.suffix.lower() in SUFFIXES]
    for path in images if not tables else ():
        require_image_file(path)
    trained = api.load(name, overrides=overrides, other_data=other_data)
    if trained.classifying.predicts not in ("class", "classes", "numbers"):
        raise RunError(f"{trained.source.label}: its task, {trained.spec.task.name}, says nothing of single items")
    of_images = trained.info.items == "images" and not tables
    found = _images(trained, images, top, how) if of_images else _items(trained, images, top)
    if as_json:
        what = "images" if of_images else "items"
        options.print_json({"name": trained.source.label, "weights": str(trained.checkpoint), what: found})
        return
    _show(found, trained)


def _images(trained: Trained, paths: Sequence[Path], top: int, how: Reading) -> list[dict[str, Any]]:
    """Return what is said of image files."""
    import numpy as np
    import torch

    from zoo.data.decoding import decode_file

    channels, height, width = trained.info.image
    decoded = [decode_file(path, channels, height, width, how) for path in paths]
    said = _said(trained, trained.answers(torch.from_numpy(np.stack([one.pixels for one in decoded]))), top)
    return [
        {
            "image": str(path),
            "size": [one.width, one.height],
            "resized": (one.width, one.height) != (width, height),
            **answer,
        }
        for path, one, answer in zip(paths, decoded, said, strict=True)
    ]


def _items(trained: Trained, paths: Sequence[Path], top: int) -> list[dict[str, Any]]:
    """Return what is said of the items in files of tables and arrays."""
    import torch

    from zoo.data.arrays import items_of

    found: list[dict[str, Any]] = []
    for path in paths:
        answers = trained.answers(torch.from_numpy(items_of(path, trained.info)))
        found += [{"file": str(path), "item": row, **one} for row, one in enumerate(_said(trained, answers, top))]
    return found


def _said(trained: Trained, answers: Tensor, top: int) -> list[dict[str, Any]]:
    """Return the most probable classes of each item, or its numbers by their names."""
    names = trained.class_names
    if trained.task.predicts == "numbers":
        flat = answers.flatten(1).tolist()
        called = names or [str(index) for index in range(answers[0].numel())]
        return [{"numbers": dict(zip(called, row, strict=True))} for row in flat]
    best = answers.topk(min(top, answers.shape[1]), dim=1)
    return [
        {
            "classes": [
                {"class": names[index], "probability": share} for index, share in zip(indices, values, strict=True)
            ]
        }
        for indices, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]


def _show(found: Sequence[dict[str, Any]], trained: Trained) -> None:
    """Print what was found: a table for each image, one for all items of which only a number is known."""
    from zoo.cli.terminal import Terminal

    terminal = Terminal()
    if found and len(found[0].get("numbers", ())) in range(1, MOST) and "file" in found[0]:
        names = list(found[0]["numbers"])
        rows = [(str(one["item"]), *(f"{value:.6g}" for value in one["numbers"].values())) for one in found]
        terminal.table(("item", *names), rows, right=("item", *names))
        return
    for index, one in enumerate(found):
        if index:
            terminal.line()
        if "image" in one:
            size, (height, width) = "x".join(map(str, one["size"])), trained.info.image[1:]
            note = f" (cut and scaled from {size} to {width}x{height})" if one["resized"] else ""
            terminal.line(f"{one['image']}{note}", style="bold")
        else:
            terminal.line(f"{one['file']}, item {one['item']}", style="bold")
        if "classes" in one:
            rows = [(each["class"], f"{each['probability']:.1%}") for each in one["classes"]]
            terminal.table(("class", "probability"), rows, right=("probability",), fold=("class",))
        else:
            rows = [(name, f"{value:.6g}") for name, value in list(one["numbers"].items())[:MOST]]
            terminal.table(("number", "value"), rows, right=("value",), fold=("number",))
