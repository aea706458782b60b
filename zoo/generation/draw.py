"""Images out of a generator: each a pure function of the seed and of its own number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from zoo.data.dataset import DataInfo
from zoo.data.sampler import generator
from zoo.training.devices import precision
from zoo.training.task import GenerativeTask

BATCH = 256  # images at once; they do not depend on it


def draw(
    task: GenerativeTask,
    networks: Mapping[str, nn.Module],
    info: DataInfo,
    numbers: Sequence[int],
    seed: int,
    device: torch.device,
    labels: Sequence[int] | None = None,
) -> Tensor:
    """Return the images of `seed` with these numbers: (N, C, H, W) uint8 on the CPU.

    labels: of each image; without them a conditional task's images go through the classes in turn by their numbers.
    The networks are left in evaluation mode.
    """
    if labels is None:
        labels = [number % info.classes for number in numbers]
    found = latents(task, info, numbers, seed)
    return generate(task, networks, info, found, torch.tensor(labels, dtype=torch.int64), device)


def latents(task: GenerativeTask, info: DataInfo, numbers: Sequence[int], seed: int) -> Tensor:
    """Return the normal latent values of the images with these numbers: (N, ...) float32 on the CPU."""
    shape = task.latent(info)
    drawn = [generator(seed, "latent", number).standard_normal(shape, dtype=np.float32) for number in numbers]
    return torch.from_numpy(np.stack(drawn)) if drawn else torch.empty(0, *shape)


def generate(
    task: GenerativeTask,
    networks: Mapping[str, nn.Module],
    info: DataInfo,
    latents: Tensor,
    labels: Tensor,
    device: torch.device,
) -> Tensor:
    """Return the images of `latents` (N, ...), and of `labels` (N,) where the task takes them.

    They are (N, C, H, W) uint8 on the CPU. The networks are left in evaluation mode.
    """
    for network in networks.values():
        network.eval()
    parts = []
    with torch.inference_mode(), precision(device, "fp32"):
        for values, classes in zip(latents.split(BATCH), labels.split(BATCH), strict=True):
            given = classes.to(device) if task.conditional else None
            images = task.generate(networks, values.to(device), given, info)
            parts.append(images.float().clamp(0, 1).mul(255).round().to(torch.uint8).cpu())
    return torch.cat(parts) if parts else torch.empty(0, *info.image, dtype=torch.uint8)
