"""What a generator makes: samples, how they came to be over the training, ways between them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.drawing.page import Picture, Text
from zoo.errors import RunError
from zoo.generation.film import film

if TYPE_CHECKING:
    from zoo.evaluation.trained import Trained

WAYS, COLUMNS = 4, 7
FILM_ROWS, FRAMES = 8, 8


def kept(folder: Path, image: tuple[int, ...]) -> Iterator[Picture | Text]:
    """Yield what the pictures show that a training kept in `folder`."""
    found = sorted(folder.glob("step-*.png"), key=_step)
    if not found:
        return
    caption = f"The same latents as at every other step; at step {_step(found[-1]):,}, not chosen."
    alt = f"A grid of generated images at step {_step(found[-1]):,} of the training"
    yield Picture("Samples", alt, found[-1].read_bytes(), caption=caption)
    if len(found) > 1:
        yield _film(folder, image)


def _step(path: Path) -> int:
    digits = path.stem.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else -1


def _film(folder: Path, image: tuple[int, ...]) -> Picture | Text:
    try:
        picture = film(folder, image, rows=FILM_ROWS, frames=FRAMES)
    except RunError as error:
        return Text(str(error), "warning")
    caption = "A row for each of the same latents, a column for each step, which stands above."
    return Picture("Film", "Generated images of the same latents at several steps", png(picture), caption=caption)


def drawn(trained: Trained) -> Picture:
    """Return ways between images of drawing seed 0, along the arc."""
    import torch

    from zoo.generation.interpolation import between
    from zoo.generation.pictures import grid

    ends = trained.latents(range(2 * WAYS))
    ways = torch.cat([between(ends[2 * row], ends[2 * row + 1], COLUMNS, "spherical") for row in range(WAYS)])
    labels = [label for label in trained.labels(range(WAYS)) for _ in range(COLUMNS)]
    picture = grid(trained.generate(ways, labels), COLUMNS)
    caption = f"{WAYS} ways along the arc between latents of drawing seed 0, not chosen."
    alt = f"{WAYS} rows of generated images, each changing from one to another"
    return Picture("Interpolation", alt, png(picture), caption=caption)


def png(picture: Any) -> bytes:
    """Return a PIL picture as the bytes of a PNG."""
    file = io.BytesIO()
    picture.save(file, format="png", optimize=True)
    return file.getvalue()
