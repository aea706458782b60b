"""Augmentations: batched, on the images' device, with parameters of its own for every image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from zoo.api import Augmentation, DataError, Field

if TYPE_CHECKING:
    import torch
    from torch import Tensor

RED, GREEN, BLUE = 0.2989, 0.587, 0.114  # their weights in torchvision's rgb_to_grayscale
BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)
Strength = Annotated[float, Field(ge=0, le=10, description="Factors are drawn from 1 - this to 1 + this.")]


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
        if self.mode == "reflect" and self.padding >= min(height, width):
            raise DataError(
                f"random_crop: found padding {self.padding} for images of {width}x{height}; wanted less than their "
                "sides, or mode: zeros"
            )
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

    Distributions and operations are those of torchvision's ColorJitter on tensors: factors are uniform, all orders
    equally likely, and values clamped to 0..1 after each operation.
    """

    brightness: Strength = 0.0
    contrast: Strength = 0.0
    saturation: Strength = 0.0
    hue: Annotated[
        float, Field(ge=0, le=0.5, description="Turns of the colour wheel are drawn from -this to this.")
    ] = 0.0

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        import torch

        if images.shape[1] != 3:
            raise DataError(f"color_jitter: found images of {images.shape[1]} channels; wanted 3")
        # Drawn for all four, so that switching one off leaves the others' numbers as they are.
        drawn, keys = _uniform(images, generator, 4), _uniform(images, generator, 4)
        strengths = (self.brightness, self.contrast, self.saturation)
        factors = [_between(max(0.0, 1 - one), 1 + one, drawn[:, column]) for column, one in enumerate(strengths)]
        used = [operation for operation, strength in enumerate(strengths) if strength]
        if not self.hue:
            return mix(images, factors, keys, used)
        # Turning the hue costs most, so it is done once for all images, between what an image's order puts before
        # it and what it puts after; a factor of 1 changes nothing.
        early = [keys[:, column] < keys[:, HUE] for column in range(HUE)]
        images = mix(images, [torch.where(*pair, 1.0) for pair in zip(early, factors, strict=True)], keys, used)
        images = shift_hue(images, _between(-self.hue, self.hue, drawn[:, HUE]).view(-1, 1, 1, 1))
        return mix(images, [torch.where(one, 1.0, two) for one, two in zip(early, factors, strict=True)], keys, used)


def mix(images: Tensor, factors: list[Tensor], keys: Tensor, used: list[int]) -> Tensor:
    """Change brightness, contrast and saturation of images (N, 3, H, W), those of them that are `used`.

    factors: one tensor (N,) for each of the three. keys: (N, 4), an image's operations go in the order of its keys.
    Each is `factor * image + (1 - factor) * other`, where the other is black, the mean grey, or the pixel's own grey.
    """
    import torch

    if not used:
        return images
    order = torch.stack([keys[:, operation] for operation in used], 1).argsort(1)
    table = torch.stack([factors[operation] for operation in used], 1)
    for slot in range(len(used)):
        chosen = order[:, slot : slot + 1]
        factor = table.gather(1, chosen).view(-1, 1, 1, 1)
        rest = {operation: (1 - factor) * (chosen == column).view(-1, 1, 1, 1) for column, operation in enumerate(used)}
        if used == [BRIGHTNESS]:
            images = (images * factor).clamp_(0, 1)
            continue
        red, green, blue = images.split(1, 1)
        gray = torch.add(red * RED, green, alpha=GREEN).add_(blue, alpha=BLUE)
        other = gray * rest.get(SATURATION, 0.0)
        if CONTRAST in used:
            other = other + gray.mean((2, 3), keepdim=True) * rest[CONTRAST]
        images = torch.addcmul(other, images, factor).clamp_(0, 1)
    return images


def shift_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Turn the hue of images (N, 3, H, W) by `turns` (N, 1, 1, 1) of the colour wheel.

    Source: the hexcone model of Smith 1978, Color gamut transform pairs, with hue h in 0..6: red is
    low + spread * clamp(|h - 3| - 1, 0, 1), green and blue the same with 2 - |h - 2| and 2 - |h - 4|.
    """
    import torch

    top, low = images.amax(1, keepdim=True), images.amin(1, keepdim=True)
    spread = top - low
    safe = torch.where(spread == 0, 1.0, spread)
    red, green, blue = images.split(1, 1)
    hue = torch.where(
        top == red,
        (green - blue) / safe,
        torch.where(top == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    hue = hue + 6 * turns
    hue = hue - 6 * torch.floor(hue / 6)
    shares = torch.cat([(hue - 3).abs() - 1, 2 - (hue - 2).abs(), 2 - (hue - 4).abs()], 1)
    return torch.addcmul(low, spread, shares.clamp_(0, 1))


def _uniform(images: Tensor, generator: torch.Generator, *shape: int) -> Tensor:
    """Draw numbers in 0..1 of shape (N, *shape) on the images' device."""
    import torch

    return torch.rand(len(images), *shape, generator=generator, device=images.device)


def _between(low: float, high: float, drawn: Tensor) -> Tensor:
    return low + drawn * (high - low)
