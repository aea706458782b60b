"""The training images that are nearest to a generated one: is it copying?"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

BLOCK = 512  # images compared at once


class Nearest(NamedTuple):
    """distances (N, k): root mean squared difference of the pixels, in 0..255; indices (N, k) into the others."""

    distances: Tensor
    indices: Tensor


def nearest(images: Tensor, others: Tensor, count: int = 3) -> Nearest:
    """Return the `count` of `others` nearest to each of `images`, both (N, C, H, W) uint8 on the CPU, by pixels."""
    flat = others.flatten(1).float()
    squares = flat.square().sum(1)
    found = []
    for block in images.flatten(1).float().split(BLOCK):
        distances = squares - 2 * block @ flat.T + block.square().sum(1, keepdim=True)
        found.append(distances.topk(min(count, len(others)), dim=1, largest=False))
    pixels = flat.shape[1]
    distances = torch.cat([one.values for one in found]).clamp_min(0).div(pixels).sqrt()
    return Nearest(distances, torch.cat([one.indices for one in found]))
