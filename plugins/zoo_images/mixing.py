"""Augmentations that mix images of a batch, and their labels: batched, on the device, drawn for each image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from zoo.api import Field, Finding, Mixing, Setting
from zoo_images.augmentations import uniform

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import Tensor

Alpha = Annotated[float, Field(gt=0, le=1000, description="Shares are drawn from Beta(alpha, alpha).")]
Probability = Annotated[float, Field(ge=0, le=1, description="Of an image to be mixed.")]


@dataclass(frozen=True, kw_only=True)
class Mixup(Mixing):
    """Blend each image, and its label, with another one of the batch.

    Source: Zhang et al. 2017, arXiv:1710.09412, section 2, with a share for each image.
    """

    alpha: Alpha = 0.2
    probability: Probability = 1.0

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        yield from _alone(setting)

    def mix(self, images: Tensor, labels: Tensor, classes: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        import torch

        if len(images) == 1:
            return images, labels
        other = partners(images, generator)
        share = drawn_shares(images, self.alpha, self.probability, generator)
        images = torch.lerp(images, images.index_select(0, other), share.view(-1, 1, 1, 1))
        return images, mixed_labels(labels, other, share, classes)


@dataclass(frozen=True, kw_only=True)
class CutMix(Mixing):
    """Paste a box of another image of the batch over each image; labels count by the area that each image has.

    The box has the image's proportions and its centre anywhere, so that it may reach over the border.

    Source: Yun et al. 2019, arXiv:1905.04899, equations 1 and 2, with a box for each image.
    """

    alpha: Alpha = 1.0
    probability: Probability = 1.0

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        yield from _alone(setting)

    def mix(self, images: Tensor, labels: Tensor, classes: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        import torch

        if len(images) == 1:
            return images, labels
        other = partners(images, generator)
        share = drawn_shares(images, self.alpha, self.probability, generator)
        centre = uniform(images, generator, 2)
        rows, columns = (
            _interval(centre[:, axis], share.sqrt() / 2, side) for axis, side in enumerate(images.shape[2:])
        )
        inside = (rows[:, None, :, None] & columns[:, None, None, :]).to(images.dtype)
        images = torch.lerp(images, images.index_select(0, other), inside)
        return images, mixed_labels(labels, other, inside.mean((1, 2, 3)), classes)


def _interval(centre: Tensor, half: Tensor, side: int) -> Tensor:
    """Return which of `side` pixels lie within `half` of a centre, both (N,) in parts of the side, as (N, side)."""
    import torch

    centre, half = (centre * side).floor()[:, None], (half * side).floor()[:, None]
    place = torch.arange(side, device=centre.device)
    return (place >= centre - half) & (place < centre + half)


def partners(images: Tensor, generator: torch.Generator) -> Tensor:
    """Draw for each image (N, ...) the index of another one, (N,).

    All go on by the same number of places, from 1 to N - 1: the sampler has shuffled them already, none meets itself
    as it would in a permutation, each is used once, and a second mixing brings other ones together.
    """
    import torch

    count = len(images)
    places = torch.randint(1, count, (1,), generator=generator, device=images.device)
    return (torch.arange(count, device=images.device) + places) % count


def drawn_shares(images: Tensor, alpha: float, probability: float, generator: torch.Generator) -> Tensor:
    """Draw the share (N,) that its partner has in each image (N, ...): 0, or with a probability Beta(alpha, alpha).

    Source: Bailey 1994, Polar generation of random variates with the t-distribution: with U and V uniform in 0..1,
    T = sqrt(n (U^(-2/n) - 1)) cos(2 pi V) has the t-distribution of n degrees of freedom; then, with n = 2 alpha,
    (1 + T / sqrt(n + T^2)) / 2 has Beta(alpha, alpha). No draw is refused, so the work is always the same.
    """
    import torch

    chosen, first, second = uniform(images, generator, 3).unbind(1)
    cosine = torch.cos(2 * math.pi * second)
    squared = torch.expm1(-first.log() / alpha) * cosine.square()  # T^2 / n
    # The lesser of share and rest, by a formula that is as exact near 0.
    lesser = 0.5 / ((1 + squared) * (1 + torch.rsqrt(1 + 1 / squared)))
    share = torch.where(cosine < 0, lesser, 1 - lesser)
    return torch.where(chosen < probability, share, 0.0)


def mixed_labels(labels: Tensor, other: Tensor, share: Tensor, classes: int) -> Tensor:
    """Return labels, (N,) int64 or (N, classes) shares, as shares in which image `other` has `share`, all (N,)."""
    import torch

    if labels.dim() == 1:
        labels = (labels[:, None] == torch.arange(classes, device=labels.device)).to(torch.float32)
    return torch.lerp(labels, labels.index_select(0, other), share[:, None])


def _alone(setting: Setting) -> Iterator[Finding]:
    if setting.batch == 1:
        yield Finding("found one image a step, which has no other to be mixed with", "2 or more", warning=True)
