"""The pictures of a model card."""

from __future__ import annotations

from pathlib import Path

import torch

from zoo.data.dataset import Dataset
from zoo.evaluation.trained import Trained
from zoo.generation.interpolation import between
from zoo.generation.pictures import grid, save_picture
from zoo.publishing.certificate import SpotCheck
from zoo.publishing.spot_check import subset
from zoo.training.task import GenerativeTask

SHOWN = 12  # images with what a classifier says of them
DRAWN = 64
WAYS, COLUMNS = 4, 10


def draw_pictures(trained: Trained, dataset: Dataset, checked: SpotCheck, folder: Path) -> dict[str, str]:
    """Write the pictures into an entry's folder; return what each shows, by its file."""
    if isinstance(trained.task, GenerativeTask):
        return _generated(trained, folder)
    chosen = subset(dataset.test.images, dataset.test.labels, SHOWN, checked.seed)
    images, labels = torch.from_numpy(dataset.test.images[chosen].copy()), dataset.test.labels[chosen]
    rows = []
    for probabilities, label in zip(trained.probabilities(images), labels, strict=True):
        share, said = (one.item() for one in probabilities.max(0))
        truth, answer = dataset.class_names[label], dataset.class_names[int(said)]
        rows.append(f"{truth}, {share:.0%}" if truth == answer else f"{truth}, taken for {answer}, {share:.0%}")
    save_picture(grid(images, 1, rows=rows), folder / "predictions.png")
    said = "the class, what a wrong answer takes it for, and how sure the answer is"
    shown = f"{SHOWN} test images, chosen by a hash of their pixels: {said}"
    return {"predictions.png": shown}


def _generated(trained: Trained, folder: Path) -> dict[str, str]:
    save_picture(grid(trained.draw(range(DRAWN))), folder / "samples.png")
    ends = trained.latents(range(2 * WAYS))
    ways = torch.cat([between(ends[2 * row], ends[2 * row + 1], COLUMNS, "spherical") for row in range(WAYS)])
    labels = [label for label in trained.labels(range(WAYS)) for _ in range(COLUMNS)]
    save_picture(grid(trained.generate(ways, labels), COLUMNS), folder / "interpolation.png")
    return {
        "samples.png": f"the first {DRAWN} images of drawing seed 0, not chosen",
        "interpolation.png": f"{WAYS} ways along the arc between images of drawing seed 0, not chosen",
    }
