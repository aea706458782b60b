"""Evaluation: networks in inference mode, in fp32, over every image of a set once, in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from zoo.data.dataset import DataInfo
from zoo.data.device import DeviceSet, as_input
from zoo.evaluation.metric import PredictionMetric
from zoo.training.devices import laid_out, precision
from zoo.training.task import Batch, Task

BATCH = 512  # images at once; figures do not depend on it


def evaluate_networks(
    task: Task,
    networks: Mapping[str, nn.Module],
    images: DeviceSet,
    info: DataInfo,
    metrics: Sequence[PredictionMetric] = (),
) -> dict[str, Any]:
    """Return the task's figures over all of `images`, then those of `metrics`.

    The networks are left in evaluation mode.
    """
    for network in networks.values():
        network.eval()
    with torch.inference_mode(), precision(images.device, "fp32"):
        figures = task.evaluate(networks, _batches(images), info)
        if metrics:
            answers, targets = _predictions(task, networks, images, info)
            for metric in metrics:
                figures |= metric(answers, targets)
    return figures


def _predictions(
    task: Task, networks: Mapping[str, nn.Module], images: DeviceSet, info: DataInfo
) -> tuple[Tensor, Tensor]:
    """Return what the networks answer, and what is true, of all of `images`, in one order on the CPU."""
    answers, targets = [], []
    for batch in _batches(images):
        answers.append(task.answers(task.predict(networks, batch.images, info).float()).cpu())
        targets.append((batch.images if task.predicts == "items" else batch.labels).cpu())
    return torch.cat(answers), torch.cat(targets)


def _batches(images: DeviceSet) -> Iterator[Batch]:
    for items, labels in images.batches(BATCH):
        yield Batch(laid_out(as_input(items)), labels)
