"""A data set of a user's own, another of the same name and shape, and what is trained on the first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zoo.data import store
from zoo.data.dataset import Dataset, ImageSet
from zoo.data.importer import make_dataset

RED, GREEN, BLUE = (220, 20, 20), (20, 220, 20), (20, 20, 220)
SPEC = """\
zoo: 1
name: fruit
task: classify
data: {images: fruit}
networks:
  classifier:
    architecture: {layers: [{conv: 4}, relu, global_average_pool, {linear: 2}]}
    optimizer: {adam: {lr: 0.05}}
train: {steps: 20, batch_size: 8, device: cpu, precision: fp32, log_every: 10, checkpoint_every: 10}
"""
CHALLENGE = """\
challenge: 1
name: fruit
title: Fruit
tasks: [classify]
data: {images: fruit}
budget: {parameters: 1000}
metric: {figure: top1, title: test accuracy, better: higher, images: 24, percent: true}
"""


def coloured(colours: dict[str, tuple[int, int, int]]) -> Dataset:
    """Return 12 training and 12 test images of 8x8 pixels of each class, nearly of its colour."""
    random = np.random.default_rng(0)

    def part() -> ImageSet:
        plain = np.array([colour for colour in colours.values() for _ in range(12)])
        noise = random.integers(-20, 20, (len(plain), 3, 8, 8))
        pixels = np.clip(plain[:, :, None, None] + noise, 0, 255).astype(np.uint8)
        return ImageSet(pixels, np.repeat(np.arange(len(colours)), 12))

    return make_dataset(part(), part(), tuple(colours))


def bring(colours: dict[str, tuple[int, int, int]]) -> None:
    store.save("fruit", coloured(colours))


def bring_first() -> None:
    bring({"cherry": RED, "lime": GREEN})


def bring_other() -> None:
    """Put another set in the place of the first, of the same shape and counts."""
    bring({"apple": GREEN, "cherry": BLUE})


def picture(path: Path, colour: tuple[int, int, int]) -> Path:
    Image.new("RGB", (8, 8), colour).save(path)
    return path


def edit(path: Path, where: str, value: Any) -> None:
    """Replace a value in a JSON file; `where` is its dotted place, and what is `...` is removed."""
    data = json.loads(path.read_text())
    *above, last = where.split(".")
    inner = data
    for key in above:
        inner = inner[key]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    path.write_text(json.dumps(data))
