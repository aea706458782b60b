"""Augmentations: batched, on the images' device, with parameters of its own for every image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from zoo.api import Augmentation, DataError, Field, Finding, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        flipped = uniform(images, generator, 1) < self.probability
        return choose(flipped, images.flip(3), images)


@dataclass(frozen=True, kw_only=True)
class RandomCrop(Augmentation):
    """Pad all sides, then cut out the old size at a place drawn for each image."""

    padding: Annotated[int, Field(ge=1, le=256, description="Pixels added on each side.")] = 4
    mode: Literal["reflect", "zeros"] = "reflect"

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        height, width = setting.info.image[1:]
        found = f"found {self.padding} for images of {width}x{height}"
        if self.mode == "reflect" and self.padding >= min(height, width):
            yield Finding(found, "less than their sides, or mode: zeros", "padding")
        elif self.padding * 2 > min(height, width):
            yield Finding(
                found, "at most half a side, so that half of an image stays in sight", "padding", warning=True
            )

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
        corner = (uniform(images, generator, 2) * (2 * self.padding + 1)).long()
        rows = corner[:, :1] + torch.arange(height, device=images.device)
        tall, wide = padded.shape[2:]
        if not images.requires_grad:
            # Whole rows, each from where it begins in memory; the gradient would take `width` times the memory.
            start = torch.arange(0, count * channels * tall * wide, tall * wide, device=images.device)
            start = start.view(count, channels, 1) + (rows * wide + corner[:, 1:])[:, None, :]
            return padded.reshape(-1).unfold(0, width, 1).index_select(0, start.view(-1)).view_as(images)
        columns = corner[:, 1:] + torch.arange(width, device=images.device)
        rows = rows[:, None, :, None].expand(count, channels, height, wide)
        columns = columns[:, None, None, :].expand(count, channels, height, width)
        return padded.gather(2, rows).gather(3, columns)


@dataclass(frozen=True, kw_only=True)
class Cutout(Augmentation):
    """Set a square at a random place, which may reach over the border, to mid grey.

    Source: DeVries and Taylor 2017, arXiv:1708.04552.
    """

    size: Annotated[int, Field(ge=1, le=4096, description="Side of the square in pixels.")] = 8

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        height, width = setting.info.image[1:]
        if self.size >= max(height, width):
            found = f"found {self.size}, which can hide an image of {width}x{height} whole"
            yield Finding(found, "less than a side", "size", warning=True)

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        import torch

        height, width = images.shape[2:]
        centre = uniform(images, generator, 2, 1)
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

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        channels = setting.info.image[0]
        if channels != 3:
            yield Finding(f"found color_jitter for images of {channels} channels", "images of 3")
        if not (self.brightness or self.contrast or self.saturation or self.hue):
            wanted = "a strength, such as brightness: 0.1"
            yield Finding("found color_jitter without a strength, which changes nothing", wanted, warning=True)

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        import torch

        if images.shape[1] != 3:
            raise DataError(f"color_jitter: found images of {images.shape[1]} channels; wanted 3")
        # Drawn for all four, so that switching one off leaves the others' numbers as they are.
        drawn, keys = uniform(images, generator, 4), uniform(images, generator, 4)
        images = images.to(torch.float32)  # under autocast a generator may make bf16
        turns = _between(-self.hue, self.hue, drawn[:, HUE]).view(-1, 1, 1, 1)
        strengths = (self.brightness, self.contrast, self.saturation)
        used = [operation for operation, strength in enumerate(strengths) if strength]
        if not used:
            return shift_hue(images, turns) if self.hue else images
        changes = [_between(max(-1.0, -strengths[one]), strengths[one], drawn[:, one]) for one in used]
        own_keys = torch.stack([keys[:, one] for one in used], 1)
        order = own_keys.argsort(1)
        change = torch.stack(changes, 1).gather(1, order)
        if not self.hue:
            return mix(images, change, order, used)
        # Turning the hue costs most, so it is done once for all images, between what an image's order puts before
        # it and what it puts after.
        before = change * (own_keys < keys[:, HUE:]).gather(1, order)
        images = shift_hue(mix(images, before, order, used), turns)
        return mix(images, change - before, order, used)


def mix(images: Tensor, change: Tensor, order: Tensor, used: list[int]) -> Tensor:
    """Change brightness, contrast and saturation of images (N, 3, H, W), each image in its own order.

    change: (N, slots), the factor less 1; 0 changes nothing. order: (N, slots), the operation, as an index into `used`.
    Each is `factor * image + (1 - factor) * other`, where the other is black, the mean grey, or the pixel's own grey.
    """
    import torch

    none = torch.zeros_like(change)
    to_mean, to_gray = (-change * (order == used.index(one)) if one in used else none for one in (CONTRAST, SATURATION))
    weights = torch.stack([1 + change, to_mean, to_gray])[..., None, None, None].unbind(2)
    for slot, (factor, to_mean, to_gray) in enumerate(weights):
        red, green, blue = images.split(1, 1)
        other = (red * RED).add_(green, alpha=GREEN).add_(blue, alpha=BLUE)
        mean = other.mean((2, 3), keepdim=True)
        other = other.mul_(to_gray).add_(mean * to_mean)
        # In place, but for the images that were given: memory that is at hand is faster than new one.
        images = (images.mul_(factor) if slot else images * factor).add_(other).clamp_(0, 1)
    return images


def shift_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Turn the hue of images (N, 3, H, W) by `turns` (N, 1, 1, 1) of the colour wheel.

    Source: the hexcone model of Smith 1978, Color gamut transform pairs, written without cases. With channels scaled
    to 0..1 from the lowest to the highest, a hue is (1 + green + blue - red) / 6 of a turn away from red, towards
    green or towards blue; and each channel is clamp(2 - 6 d, 0, 1), with d its own distance from the hue.
    """
    import torch

    red, green, blue = images.split(1, 1)
    low = torch.minimum(torch.minimum(red, green), blue)
    spread = torch.maximum(torch.maximum(red, green), blue) - low
    from_red = (green + blue).sub_(red).sub_(low).add_(spread)
    hue = (from_red.copysign_(green - blue) / (6 * spread).clamp_(min=1e-30)).add_(turns)
    away = hue - torch.arange(3, device=images.device).view(1, 3, 1, 1) / 3
    away = away.sub_(away.round()).abs_()
    return away.mul_(-6).add_(2).clamp_(0, 1).mul_(spread).add_(low)


def choose(chosen: Tensor, changed: Tensor, images: Tensor) -> Tensor:
    """Return the images (N, C, H, W) that are `chosen` (N, ...) as `changed`, which is overwritten, others as they are.

    Weights of 0 and 1 choose exactly, and on a CPU several times faster than torch.where.
    """
    kept = ~chosen.view(-1, 1, 1, 1)
    return changed.lerp_(images, kept.to(images.dtype))


def uniform(images: Tensor, generator: torch.Generator, *shape: int) -> Tensor:
    """Draw numbers in 0..1 of shape (N, *shape) on the images' device."""
    import torch

    return torch.rand(len(images), *shape, generator=generator, device=images.device)


def _between(low: float, high: float, drawn: Tensor) -> Tensor:
    return low + drawn * (high - low)
