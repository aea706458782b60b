"""The torch modules of the conditional architectures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm as normed

Wrap = Callable[[nn.Module], nn.Module]


class ConditionalNorm(nn.Module):
    """Batch norm whose scale and shift come from an embedded label: (N, C, H, W) and (N, E) to (N, C, H, W)."""

    def __init__(self, channels: int, embedding: int, wrap: Wrap) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale = wrap(nn.Linear(embedding, channels))
        self.shift = wrap(nn.Linear(embedding, channels))

    def forward(self, images: Tensor, embedded: Tensor) -> Tensor:
        scale, shift = self.scale(embedded), self.shift(embedded)
        return torch.addcmul(shift[:, :, None, None], self.norm(images), 1 + scale[:, :, None, None])


class ConditionalGenerator(nn.Module):
    """Latents (N, L) and labels (N,) to images (N, C, H, W) in -1..1."""

    def __init__(
        self,
        *,
        latent: int,
        channels: int,
        side: int,
        classes: int,
        widths: Sequence[int],
        embedding: int,
        in_latent: bool,
        in_norm: bool,
        spectral_norm: bool,
    ) -> None:
        super().__init__()
        wrap: Wrap = normed if spectral_norm else _same
        self.side, self.in_latent, self.in_norm = side, in_latent, in_norm
        self.embedding = nn.Embedding(classes, embedding)
        self.first = wrap(nn.Linear(latent + embedding * in_latent, widths[0] * side * side))
        self.norms = nn.ModuleList(
            ConditionalNorm(width, embedding, wrap) if in_norm else nn.BatchNorm2d(width) for width in widths
        )
        pairs = pairwise(widths)
        self.steps = nn.ModuleList(wrap(nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False)) for a, b in pairs)
        self.last = wrap(nn.Conv2d(widths[-1], channels, 3, padding=1))

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        embedded = self.embedding(labels)
        first = torch.cat([latents, embedded], 1) if self.in_latent else latents
        images = self.first(first).unflatten(1, (-1, self.side, self.side))
        for index, norm in enumerate(self.norms):
            if index:
                images = self.steps[index - 1](images)
            images = (norm(images, embedded) if self.in_norm else norm(images)).relu()
        return torch.tanh(self.last(images))


class ProjectionDiscriminator(nn.Module):
    """Images (N, C, H, W) and labels (N,) to logits (N, 1)."""

    def __init__(self, *, channels: int, classes: int, stem: int, widths: Sequence[int], spectral_norm: bool) -> None:
        super().__init__()
        wrap: Wrap = normed if spectral_norm else _same
        layers: list[nn.Module] = [wrap(nn.Conv2d(channels, stem, 3, padding=1)), nn.LeakyReLU(0.1)]
        for before, width in zip([stem, *widths], widths, strict=False):
            layers += [wrap(nn.Conv2d(before, width, 4, 2, 1)), nn.LeakyReLU(0.1)]
        self.features = nn.Sequential(*layers)
        self.logit = wrap(nn.Linear(widths[-1], 1))
        self.embedding = wrap(nn.Embedding(classes, widths[-1]))

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        features = self.features(images).sum((2, 3))
        return self.logit(features) + (self.embedding(labels) * features).sum(1, keepdim=True)


def _same(module: nn.Module) -> nn.Module:
    return module
