"""Pictures that people look at: grids of images, written whole or not at all."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from zoo.files import write_atomically

if TYPE_CHECKING:
    from torch import Tensor

GAP = 2  # pixels between images, before they are enlarged
LEAST = 64  # side in pixels below which an image is enlarged
PAPER = 255  # grey of what lies between


def grid(images: Tensor, columns: int | None = None) -> Image.Image:
    """Return `images` (N, C, H, W) uint8, of one or three channels, row by row in one picture.

    Small images are enlarged by a whole factor, each pixel a square. columns: as in a square unless given.
    """
    count, channels, height, width = images.shape
    columns = columns or max(1, math.ceil(math.sqrt(count)))
    rows = max(1, -(-count // columns))
    sheet = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, channels), PAPER, dtype=np.uint8)
    for index, image in enumerate(images.permute(0, 2, 3, 1).numpy()):
        row, column = divmod(index, columns)
        top, left = GAP + row * (height + GAP), GAP + column * (width + GAP)
        sheet[top : top + height, left : left + width] = image
    factor = max(1, -(-LEAST // max(height, width)))
    sheet = sheet.repeat(factor, 0).repeat(factor, 1)
    return Image.fromarray(sheet[:, :, 0] if channels == 1 else sheet)


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a PNG and the folders above it."""
    write_atomically(path, lambda temporary: picture.save(temporary, format="png"))
