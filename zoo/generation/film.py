"""A film strip: the same latents at several steps of a training, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import RunError
from zoo.generation.pictures import cells, grid


def film(folder: Path, image: tuple[int, ...], *, rows: int = 8, frames: int = 12) -> Any:
    """Return a PIL picture of `rows` latents at up to `frames` of the steps at which a run kept pictures in `folder`.

    Raises RunError when there are none.
    """
    import torch
    from PIL import Image

    kept = (path for path in folder.glob("step-*.png") if path.stem.removeprefix("step-").isdecimal())
    found = sorted(kept, key=lambda path: int(path.stem.removeprefix("step-")))
    if not found:
        raise RunError(f"{folder}: there are no pictures of the training; wanted a run with train.sample_every above 0")
    chosen = [found[index] for index in np.unique(np.linspace(0, len(found) - 1, frames).round().astype(int))]
    _, height, width = image
    columns = []
    for path in chosen:
        try:
            columns.append(cells(Image.open(path), rows, height, width))
        except (OSError, ValueError) as error:
            raise RunError(f"{path}: it cannot be read as a grid of samples ({error}); delete it") from error
    frames_by_row = np.stack(columns, axis=1).reshape(-1, height, width, 3)
    images = torch.from_numpy(np.ascontiguousarray(frames_by_row)).permute(0, 3, 1, 2)
    return grid(images, len(chosen), heads=[f"{int(path.stem.split('-')[1]):,}" for path in chosen])
