"""Evaluation: networks in inference mode, in fp32, over every image of a set once, in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from zoo.data.dataset import DataInfo
from zoo.data.device import DeviceSet
from zoo.training.devices import laid_out, precision
from zoo.training.task import Batch, Task

BATCH = 512  # images at once; figures do not depend on it


def evaluate_networks(
    task: Task, networks: Mapping[str, nn.Module], images: DeviceSet, info: DataInfo
) -> dict[str, Any]:
    """Return the task's figures over all of `images`. The networks are left in evaluation mode."""
    for network in networks.values():
        network.eval()
    with torch.inference_mode(), precision(images.device, "fp32"):
        return task.evaluate(networks, _batches(images), info)


def _batches(images: DeviceSet) -> Iterator[Batch]:
    for pixels, labels in images.batches(BATCH):
        scaled = pixels.to(torch.float32).div_(255)
        yield Batch(laid_out(scaled), labels)
