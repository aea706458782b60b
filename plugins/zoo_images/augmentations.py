"""Augmentations: batched, on the images' device, with parameters of its own for every image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from zoo.api import Augmentation, Field

if TYPE_CHECKING:
    import torch
    from torch import Tensor

GRAY = (0.2989, 0.587, 0.114)  # weights of red, green and blue in torchvision's rgb_to_grayscale
Strength = Annotated[float, Field(ge=0, le=10, description="Factors are drawn from 1 - this to 1 + this.")]


def _uniform(images: Tensor, generator: torch.Generator, *shape: int) -> Tensor:
    """Draw numbers in 0..1 of shape (N, *shape) on the images' device."""
    import torch

    return torch.rand(len(images), *shape, generator=generator, device=images.device)


@dataclass(frozen=True, kw_only=True)
class HorizontalFlip(Augmentation):
    """Mirror each image left to right with a probability."""

    probability: Annotated[float, Field(ge=0, le=1)] = 0.5

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        import torch

        flipped = _uniform(images, generator, 1, 1, 1) < self.probability
        return torch.where(flipped, images.flip(3), images)


@dataclass(frozen=True, kw_only=True)
class RandomCrop(Augmentation):
    """Pad all sides, then cut out the old size at a place drawn for each image."""

    padding: Annotated[int, Field(ge=1, le=256, description="Pixels added on each side.")] = 4
    mode: Literal["reflect", "zeros"] = "reflect"

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        import torch

        count, channels, height, width = images.shape
        mode = "constant" if self.mode == "zeros" else "reflect"
        padded = torch.nn.functional.pad(images, [self.padding] * 4, mode=mode)
        corner = (_uniform(images, generator, 2) * (2 * self.padding + 1)).long()
        rows = corner[:, :1] + torch.arange(height, device=images.device)
        columns = corner[:, 1:] + torch.arange(width, device=images.device)
        rows = rows[:, None, :, None].expand(count, channels, height, padded.shape[3])
        columns = columns[:, None, None, :].expand(count, channels, height, width)
        return padded.gather(2, rows).gather(3, columns)


@dataclass(frozen=True, kw_only=True)
class Cutout(Augmentation):
    """Set a square at a random place, which may reach over the border, to mid grey.

    Source: DeVries and Taylor 2017, arXiv:1708.04552.
    """

    size: Annotated[int, Field(ge=1, le=4096, description="Side of the square in pixels.")] = 8

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        import torch

        height, width = images.shape[2:]
        centre = _uniform(images, generator, 2, 1)
        above = torch.arange(height, device=images.device) - (centre[:, 0] * height).floor() + self.size // 2
        left = torch.arange(width, device=images.device) - (centre[:, 1] * width).floor() + self.size // 2
        inside = ((above >= 0) & (above < self.size))[:, None, :, None] & ((left >= 0) & (left < self.size))[
            :, None, None
        ]
        return images.masked_fill(inside, 0.5)


@dataclass(frozen=True, kw_only=True)
class ColorJitter(Augmentation):
    """Change brightness, contrast, saturation and hue, each by a factor and in an order drawn for each image.

    The operations are those of torchvision's functional transforms on tensors, clamped to 0..1 after each.
    """

    brightness: Strength = 0.0
    contrast: Strength = 0.0
    saturation: Strength = 0.0
    hue: Annotated[
        float, Field(ge=0, le=0.5, description="Turns of the colour wheel are drawn from -this to this.")
    ] = 0.0

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        import torch

        strengths = (self.brightness, self.contrast, self.saturation, self.hue)
        used = [operation for operation, strength in enumerate(strengths) if strength]
        # Drawn for all four, so that switching one off leaves the others' numbers as they are.
        drawn, keys = _uniform(images, generator, 4), _uniform(images, generator, 4)
        low = images.new_tensor([max(0.0, 1 - strength) for strength in strengths[:3]] + [-self.hue])
        high = images.new_tensor([1 + strength for strength in strengths[:3]] + [self.hue])
        factors = low + drawn * (high - low)
        order = keys[:, used].argsort(1)
        for slot in range(len(used)):
            images = jitter(images, torch.tensor(used, device=images.device)[order[:, slot]], factors, used)
        return images


def jitter(images: Tensor, operation: Tensor, factors: Tensor, used: list[int]) -> Tensor:
    """Apply to each image one operation (N,) of 0 brightness, 1 contrast, 2 saturation, 3 hue, with its factor.

    factors: (N, 4). `used` lists the operations that occur.
    """
    import torch

    def mask(wanted: int) -> Tensor:
        return (operation == wanted).view(-1, 1, 1, 1)

    factor = factors.gather(1, operation[:, None]).view(-1, 1, 1, 1)
    gray = (images * images.new_tensor(GRAY).view(1, 3, 1, 1)).sum(1, keepdim=True)
    # The first three mix the image with black, with its mean grey, and with its own greys.
    other = torch.zeros_like(gray)
    if 1 in used:
        other = torch.where(mask(1), gray.mean((2, 3), keepdim=True), other)
    if 2 in used:
        other = torch.where(mask(2), gray, other)
    mixed = torch.lerp(other.expand_as(images), images, factor).clamp(0, 1)
    return torch.where(mask(3), shift_hue(images, factor), mixed) if 3 in used else mixed


def shift_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Turn the hue of images (N, 3, H, W) by `turns` (N, 1, 1, 1) of the colour wheel.

    Source: the hexcone model of Smith 1978, in the form f(n) = v - v s max(0, min(k, 4 - k, 1)), k = (n + 6 h) mod 6.
    """
    import torch

    top, lowest = images.amax(1, keepdim=True), images.amin(1, keepdim=True)
    spread = top - lowest
    safe = torch.where(spread == 0, torch.ones_like(spread), spread)
    red, green, blue = images.split(1, dim=1)
    hue = torch.where(
        top == red,
        (green - blue) / safe,
        torch.where(top == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    base = images.new_tensor([5.0, 3.0, 1.0]).view(1, 3, 1, 1)
    k = (base + hue + 6 * turns) % 6
    return top - spread * torch.minimum(k, 4 - k).clamp(0, 1)
