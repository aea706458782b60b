"""`zoo sample`: images out of a run's generator, as one picture or as many files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import options

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.evaluation.trained import Trained

PICTURED = 1024  # images in one picture, at most
NEIGHBOURS = 5


@click.command(short_help="Draw images from a trained generator.")
@click.argument("name")
@click.option("--count", type=click.IntRange(1, 10_000_000), default=64, show_default=True, help="How many images.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Another seed, others.")
@click.option("--label", "names", multiple=True, metavar="CLASS", help="A class, by number or name; can be repeated.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="PATH", help="A .png for one picture, or a folder of PNG files."
)
@click.option("--best", type=click.IntRange(1), metavar="N", help="Keep the N that the discriminator likes best.")
@click.option("--nearest", is_flag=True, help="Show the nearest training images beside each image.")
@click.option("--film", is_flag=True, help="Show the pictures that training kept, step by step, instead.")
@options.overrides
@options.other_data
@options.as_json
def sample(
    name: str,
    count: int,
    seed: int,
    names: Sequence[str],
    out: Path | None,
    best: int | None,
    nearest: bool,
    film: bool,
    overrides: Sequence[str],
    other_data: bool,
    as_json: bool,
) -> None:
    """Draw images from a trained generator.

    NAME is a published entry, or the folder that `zoo train` named at its end. An image depends on the seed, its
    number and its class alone. Without --label, a generator that takes classes goes through them in turn. --set changes
    how images are drawn, such as the steps and the guidance of a diffusion.
    """
    from zoo import api
    from zoo.cli.terminal import Terminal

    if film and (best or nearest or names):
        raise click.UsageError("--film goes without --best, --nearest and --label")
    as_files = out is not None and out.suffix.lower() != ".png"
    if as_files and (nearest or film):
        raise click.UsageError(f"--{'film' if film else 'nearest'} makes one picture; name a .png with --out")
    if best and best > count:
        raise click.UsageError(f"--best {best} of --count {count}: there are not so many")
    shown = best or count
    if shown > PICTURED and not (as_files or film):
        raise click.UsageError(f"{shown} images are too many for one picture; name a folder with --out")
    trained = api.load(name, overrides=overrides, other_data=other_data)
    facts: dict[str, Any] = {
        "run": str(trained.source.label),
        "checkpoint": str(trained.checkpoint),
        "step": trained.step,
    }
    if film:
        from zoo.generation.film import film as strip
        from zoo.generation.pictures import save_picture

        path = out or trained.source.samples / "film.png"
        save(lambda: save_picture(strip(trained.source.samples, trained.info.image), path), path)
    else:
        facts |= {"count": count, "seed": seed}
        labels = class_numbers(trained, names, count) if names else None
        path = out or trained.source.samples / f"{'best' if best else 'nearest' if nearest else 'seed'}-{seed}.png"
        images = trained.draw(range(count), seed=seed, labels=labels)
        classes = trained.labels(range(count), labels)
        title = ""
        if best:
            chosen = trained.judge(images, classes).topk(best).indices.tolist()
            images, classes = images[chosen], [classes[one] for one in chosen]
            title = f"chosen: the {best} of {count} that the discriminator likes best"
            facts |= {"chosen": chosen, "title": title}
        if as_files:
            save(lambda: _write_files(images, path), path)
        elif nearest:
            facts |= _nearest(trained, images, path, title)
        else:
            save(lambda: _picture(trained, images, classes if names else [], path, title), path)
    facts["out"] = str(path)
    if as_json:
        options.print_json(facts)
        return
    terminal = Terminal()
    if "distances" in facts:
        _tell(facts["distances"], terminal)
    terminal.line(str(path))


def class_numbers(trained: Trained, names: Sequence[str], count: int) -> list[int]:
    """Return the class of each of `count` images: those of `names` one after another, in equal parts.

    Raises RunError when there is no such class, or when the generator takes none.
    """
    import difflib

    from zoo.errors import RunError

    if not trained.generative.conditional:
        raise RunError(f"{trained.source.label}: its generator takes no classes; draw without --label")
    if len(names) > count:
        raise RunError(f"found {len(names)} classes for {count} of --count or --rows; wanted no more than those")
    known: tuple[str, ...] = ()
    found = []
    for name in names:
        if name.isdecimal():
            found.append(int(name))
            continue
        known = known or trained.class_names
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1) or known[:1]
            raise RunError(f"found the label {name!r}; wanted a class by number or name, such as {near[0]!r}")
        found.append(known.index(name))
    return [found[index * len(found) // count] for index in range(count)]


def _picture(trained: Trained, images: Tensor, classes: Sequence[int], path: Path, title: str) -> None:
    from zoo.generation.pictures import grid, save_picture

    kinds = list(dict.fromkeys(classes))
    columns, rows = None, []
    # A row can be named only if it holds one class.
    across = len(images) // max(1, len(kinds))
    if len(kinds) > 1 and list(classes) == [kind for kind in kinds for _ in range(across)]:
        columns, rows = across, [trained.class_names[one] for one in kinds]
    save_picture(grid(images, columns, title=title, rows=rows), path)


def _write_files(images: Tensor, folder: Path) -> None:
    """Write one PNG for each image, named by its place. Raises RunError when the folder holds anything."""
    from PIL import Image

    from zoo.errors import RunError

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder}: it is there and not empty; name a new folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(images.permute(0, 2, 3, 1).numpy()):
        Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(folder / f"{index:06d}.png")


def _nearest(trained: Trained, images: Tensor, path: Path, title: str) -> dict[str, Any]:
    """Save each image with its nearest training images, and return how near they are beside those of test images."""
    import torch

    from zoo.generation.neighbours import nearest
    from zoo.generation.pictures import grid, save_picture

    dataset = trained.dataset()
    training = torch.from_numpy(dataset.train.images[:].copy())
    found = nearest(images, training, NEIGHBOURS)
    held = nearest(torch.from_numpy(dataset.test.images[: max(256, len(images))].copy()), training, 1)
    rows = torch.cat([images[:, None], training[found.indices]], 1).flatten(0, 1)
    heads = ["drawn", *(f"{place}." for place in range(1, NEIGHBOURS + 1))]
    save(lambda: save_picture(grid(rows, NEIGHBOURS + 1, title=title, heads=heads), path), path)
    closest = found.distances[:, 0]
    return {
        "distances": {
            "images": {"median": float(closest.median()), "least": float(closest.min())},
            "test_images": {"median": float(held.distances.median()), "least": float(held.distances.min())},
        }
    }


def _tell(distances: dict[str, dict[str, float]], terminal: Any) -> None:
    rows = [
        (name, f"{one['median']:.1f}", f"{one['least']:.1f}")
        for name, one in zip(("these images", "test images"), distances.values(), strict=True)
    ]
    terminal.line("distance to the nearest training image: root mean squared difference of pixels in 0..255")
    terminal.table(("", "median", "least"), rows, right=("median", "least"))


def save(write: Any, path: Path) -> None:
    from zoo.errors import RunError

    try:
        write()
    except OSError as error:
        raise RunError(
            f"{path}: it cannot be written ({error.strerror or error}); name another place with --out"
        ) from error
