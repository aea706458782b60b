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
    indices = torch.cat([one.indices for one in found])
    # Those found are measured again: sums of squares of whole images are rounded in fp32.
    exact = [
        (image.double() - others[chosen].flatten(1).double()).square().mean(1).sqrt()
        for image, chosen in zip(images.flatten(1), indices, strict=True)
    ]
    return Nearest(torch.stack(exact).float(), indices)
