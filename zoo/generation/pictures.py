"""Pictures that people look at: grids of images, written whole or not at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from zoo.files import write_atomically

if TYPE_CHECKING:
    from torch import Tensor

GAP = 2  # pixels between images, before they are enlarged
LEAST = 64  # side in pixels below which an image is enlarged
PAPER, INK = 255, 40  # grey of what lies between, and of text
LINE = 18  # height of a line of text


def grid(
    images: Tensor, columns: int | None = None, *, title: str = "", rows: Sequence[str] = (), heads: Sequence[str] = ()
) -> Image.Image:
    """Return `images` (N, C, H, W) uint8, of one or three channels, row by row in one picture.

    Small images are enlarged by a whole factor, each pixel a square. columns: as in a square unless given; `title`
    stands above all, `heads` above the columns, and `rows` before the rows.
    """
    count, channels, height, width = images.shape
    columns = columns or max(1, math.ceil(math.sqrt(count)))
    lines = max(1, -(-count // columns))
    sheet = np.full((lines * (height + GAP) + GAP, columns * (width + GAP) + GAP, channels), PAPER, dtype=np.uint8)
    for index, image in enumerate(images.permute(0, 2, 3, 1).numpy()):
        row, column = divmod(index, columns)
        top, left = GAP + row * (height + GAP), GAP + column * (width + GAP)
        sheet[top : top + height, left : left + width] = image
    factor = enlarged(height, width)
    sheet = sheet.repeat(factor, 0).repeat(factor, 1)
    picture = Image.fromarray(sheet[:, :, 0] if channels == 1 else sheet)
    if not (title or rows or heads):
        return picture
    return _captioned(picture.convert("RGB"), (height + GAP) * factor, (width + GAP) * factor, title, rows, heads)


def enlarged(height: int, width: int) -> int:
    """Return the whole factor by which a grid enlarges its images."""
    return max(1, -(-LEAST // max(height, width)))


def cells(picture: Image.Image, count: int, height: int, width: int) -> np.ndarray:
    """Return the first `count` images, (count, height, width, 3) uint8, of a grid without text made of such images.

    Raises ValueError when the picture is no such grid.
    """
    factor = enlarged(height, width)
    small = np.asarray(picture.convert("RGB"))[::factor, ::factor]
    columns, rest = divmod(small.shape[1] - GAP, width + GAP)
    if rest or (small.shape[0] - GAP) % (height + GAP) or columns * (small.shape[0] // (height + GAP)) < count:
        raise ValueError(f"a picture of {picture.width}x{picture.height} is no grid of {width}x{height} images")
    found = []
    for index in range(count):
        row, column = divmod(index, columns)
        top, left = GAP + row * (height + GAP), GAP + column * (width + GAP)
        found.append(small[top : top + height, left : left + width])
    return np.stack(found)


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a PNG and the folders above it."""
    write_atomically(path, lambda temporary: picture.save(temporary, format="png"))


def _captioned(
    picture: Image.Image, height: int, width: int, title: str, rows: Sequence[str], heads: Sequence[str]
) -> Image.Image:
    font = ImageFont.load_default(size=12)
    left = max((int(font.getlength(text)) + 10 for text in rows), default=0)
    top = LINE * (bool(title) + bool(heads))
    needed = max(left + picture.width, int(font.getlength(title)) + 10)
    sheet = Image.new("RGB", (needed, top + picture.height), (PAPER,) * 3)
    sheet.paste(picture, (left, top))
    draw = ImageDraw.Draw(sheet)
    ink = (INK,) * 3
    if title:
        draw.text((5, LINE / 2), title, fill=ink, font=font, anchor="lm")
    for index, text in enumerate(heads):
        draw.text((left + index * width + width / 2, top - LINE / 2), text, fill=ink, font=font, anchor="mm")
    for index, text in enumerate(rows):
        draw.text((left - 5, top + index * height + height / 2), text, fill=ink, font=font, anchor="rm")
    return sheet
