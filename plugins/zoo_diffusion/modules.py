"""The torch modules of the U-Net."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo_diffusion.forward import FREQUENCIES

HIGHEST = 1000.0  # radians over the whole of time, of the fastest of the frequencies


class Block(nn.Module):
    """Norm, depthwise convolution, scale and shift by the embedding, a widened mixing of channels; residual."""

    def __init__(self, width: int, *, expansion: int, kernel: int, groups: int, embedding: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width)
        self.depthwise = nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width)
        self.modulation = nn.Linear(embedding, 2 * width)
        self.widen = nn.Conv2d(width, expansion * width, 1)
        self.narrow = nn.Conv2d(expansion * width, width, 1)
        nn.init.zeros_(self.narrow.weight)  # a block begins as nothing

    def forward(self, images: Tensor, embedded: Tensor) -> Tensor:
        scale, shift = self.modulation(embedded)[:, :, None, None].chunk(2, 1)
        inner = torch.addcmul(shift, self.depthwise(self.norm(images)), 1 + scale)
        return images + self.narrow(functional.silu(self.widen(inner)))


class Attention(nn.Module):
    """Every pixel looks at every other; residual. (N, C, H, W) to the same."""

    def __init__(self, width: int, *, heads: int, groups: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(groups, width)
        self.mixed = nn.Conv2d(width, 3 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, images: Tensor) -> Tensor:
        count, width, height, across = images.shape
        mixed = self.mixed(self.norm(images)).reshape(count, 3, self.heads, width // self.heads, height * across)
        query, key, value = mixed.transpose(3, 4).unbind(1)
        seen = functional.scaled_dot_product_attention(query, key, value)
        return images + self.out(seen.transpose(2, 3).reshape(count, width, height, across))


class UNet(nn.Module):
    """Images (N, C, H, W), times (N,) in 0..1 and labels (N,) to images of the same size."""

    frequencies: Tensor

    def __init__(
        self,
        *,
        channels: int,
        given: int,
        classes: int,
        widths: Sequence[int],
        blocks: int,
        expansion: int,
        kernel: int,
        groups: int,
        embedding: int,
        heads: int,
    ) -> None:
        super().__init__()

        def stack(width: int) -> nn.ModuleList:
            options = {"expansion": expansion, "kernel": kernel, "groups": groups, "embedding": embedding}
            return nn.ModuleList(Block(width, **options) for _ in range(blocks))

        steps = torch.arange(FREQUENCIES) / max(1, FREQUENCIES - 1)
        self.register_buffer("frequencies", torch.exp(steps * math.log(HIGHEST)), persistent=False)
        self.time = nn.Sequential(nn.Linear(2 * FREQUENCIES, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.label = nn.Embedding(classes, embedding) if classes else None
        self.first = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.down = nn.ModuleList(stack(width) for width in widths)
        self.narrower = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in pairwise(widths))
        self.attention = Attention(widths[-1], heads=heads, groups=groups) if heads else nn.Identity()
        self.wider = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.joined = nn.ModuleList(nn.Conv2d(2 * width, width, 1) for width in widths[:-1])
        self.up = nn.ModuleList(stack(width) for width in widths[:-1])
        self.norm = nn.GroupNorm(groups, widths[0])
        self.last = nn.Conv2d(widths[0], given, 3, padding=1)
        nn.init.zeros_(self.last.weight)

    def forward(self, images: Tensor, time: Tensor, labels: Tensor | None = None) -> Tensor:
        angles = time[:, None] * self.frequencies
        embedded = self.time(torch.cat([angles.sin(), angles.cos()], 1))
        if self.label is not None:
            embedded = embedded + self.label(labels)
        embedded = functional.silu(embedded)
        images = self.first(images)
        kept = []
        for level, blocks in enumerate(self.down):
            if level:
                images = self.narrower[level - 1](functional.avg_pool2d(images, 2))
            for block in blocks:  # type: ignore[attr-defined]
                images = block(images, embedded)
            kept.append(images)
        images = self.attention(images)
        for level in reversed(range(len(self.up))):
            images = functional.interpolate(self.wider[level](images), scale_factor=2.0)
            images = self.joined[level](torch.cat([images, kept[level]], 1))
            for block in self.up[level]:  # type: ignore[attr-defined]
                images = block(images, embedded)
        return self.last(functional.silu(self.norm(images)))
