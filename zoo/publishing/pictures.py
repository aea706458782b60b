"""The pictures of a model card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

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
    if trained.info.items != "images":
        return {}
    chosen = subset(dataset.test.images, dataset.test.labels, SHOWN, checked.seed)
    images, labels = torch.from_numpy(dataset.test.images[chosen].copy()), dataset.test.labels[chosen]
    answers, told = trained.answers(images), f"{SHOWN} test images, chosen by a hash of their pixels"
    if trained.task.predicts == "items":
        again = answers.clamp(0, 1).mul(255).round().to(torch.uint8)
        save_picture(grid(torch.stack([images, again], 1).flatten(0, 1), 2), folder / "predictions.png")
        return {"predictions.png": f"{told}, each beside what the networks make of it"}
    said, names = _SAID[trained.task.predicts], dataset.class_names
    rows = [said(answer, label, names) for answer, label in zip(answers, labels, strict=True)]
    save_picture(grid(images, 1, rows=rows), folder / "predictions.png")
    return {"predictions.png": f"{told}: {_SHOWS[trained.task.predicts]}"}


def _class(probabilities: Tensor, label: np.integer[Any], names: Sequence[str]) -> str:
    share, said = (one.item() for one in probabilities.max(0))
    truth, answer = names[int(label)], names[int(said)]
    return f"{truth}, {share:.0%}" if truth == answer else f"{truth}, taken for {answer}, {share:.0%}"


def _classes(probabilities: Tensor, label: np.ndarray, names: Sequence[str]) -> str:
    best = probabilities.topk(min(3, len(names))).indices.tolist()
    true = ", ".join(name for name, there in zip(names, label, strict=True) if there)
    return f"{true}: {', '.join(f'{names[one]} {probabilities[one]:.0%}' for one in best)}"


def _numbers(numbers: Tensor, label: np.ndarray, names: Sequence[str]) -> str:
    pairs = zip(label.ravel().tolist()[:3], numbers.flatten().tolist(), strict=False)
    return ", ".join(f"{true:.4g}: {said:.4g}" for true, said in pairs)


_SAID: dict[str, Any] = {"class": _class, "classes": _classes, "numbers": _numbers}
_SHOWS = {
    "class": "the class, what a wrong answer takes it for, and how sure the answer is",
    "classes": "the classes, then those that the network finds most probable",
    "numbers": "the number, and what the network says",
}


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
