"""TrivialAugment: one operation for each image, all of them done on the whole batch at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from zoo.api import Augmentation, DataError, Field, Finding, Setting
from zoo_images.augmentations import BLUE, GREEN, RED, choose

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import Tensor

OPERATIONS = (
    "identity",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
    "rotate",
    "brightness",
    "color",
    "contrast",
    "sharpness",
    "posterize",
    "solarize",
    "autocontrast",
    "equalize",
)
STEPS = 30  # from no strength to the full one
SHEAR, PIXELS, DEGREES, FACTOR, BITS = 0.99, 32, 135, 0.99, 6  # the full strengths


@dataclass(frozen=True, kw_only=True)
class TrivialAugment(Augmentation):
    """Change each image by one of fourteen operations, drawn evenly, with one of 31 strengths, drawn evenly.

    Operations, ranges and signs are those of torchvision's TrivialAugmentWide on float images, with its defaults:
    pixels are taken from the nearest place, and what comes from outside is black. Images have 1 or 3 channels.

    Source: Müller and Hutter 2021, arXiv:2103.10158, algorithm 1 with the wide space.
    """

    strength: Annotated[float, Field(ge=0, le=1, description="Scales all ranges; 1: those of the paper.")] = 1.0
    probability: Annotated[float, Field(ge=0, le=1, description="Share of the images that are changed.")] = 1.0

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        channels = setting.info.image[0]
        if channels not in (1, 3):
            yield Finding(f"found trivial_augment for images of {channels} channels", "images of 1 or 3")

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        import torch

        if images.shape[1] not in (1, 3):
            raise DataError(f"trivial_augment: found images of {images.shape[1]} channels; wanted 1 or 3")
        images = images.to(torch.float32)  # under autocast a generator may make bf16
        count, device = (len(images),), images.device
        operation = torch.randint(len(OPERATIONS), count, generator=generator, device=device)
        level = torch.randint(STEPS + 1, count, generator=generator, device=device) / STEPS * self.strength
        sign = 1 - 2 * torch.randint(2, count, generator=generator, device=device)
        if self.probability < 1:
            changed = torch.rand(count, generator=generator, device=device) < self.probability
            operation = torch.where(changed, operation, OPERATIONS.index("identity"))
        return apply(images, operation, level, sign)


def apply(images: Tensor, operation: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    """Change images (N, C, H, W) in 0..1, each by its own operation: an index into OPERATIONS, with a level in 0..1 and
    a sign, 1 or -1, which some have no use for; all (N,).
    """
    chosen = {name: operation == index for index, name in enumerate(OPERATIONS)}
    signed = {name: one * level * sign for name, one in chosen.items()}
    images = _moved(images, signed)
    images = _blended(images, signed)
    images = _posterized(images, chosen["posterize"], level)
    images = _solarized(images, chosen["solarize"], level)
    images = _stretched(images, chosen["autocontrast"])
    return _equalized(images, chosen["equalize"])


def _moved(images: Tensor, signed: dict[str, Tensor]) -> Tensor:
    """Shear about the upper left corner, rotate about the centre, or translate by whole pixels.

    Multiplied out by hand: as a product of matrices it would be rounded to tf32 or bf16 where those are allowed.
    """
    import torch
    from torch.nn import functional

    height, width = images.shape[2:]
    angle = signed["rotate"] * math.radians(DEGREES)
    shear_x, shear_y = signed["shear_x"] * SHEAR, signed["shear_y"] * SHEAR
    right, down = ((signed[name] * PIXELS).trunc() for name in ("translate_x", "translate_y"))
    # Where each pixel comes from, counted in pixels from the centre.
    y = torch.arange(height, device=images.device)[:, None] - (height - 1) / 2
    x = torch.arange(width, device=images.device) - (width - 1) / 2
    cosine, sine, shear_x, shear_y, right, down = (
        one.view(-1, 1, 1) for one in (angle.cos(), angle.sin(), shear_x, shear_y, right, down)
    )
    from_x = x * cosine - y * sine + (y + height / 2) * shear_x - right
    from_y = y * cosine + x * sine + (x + width / 2) * shear_y - down
    grid = torch.stack([from_x * 2 / width, from_y * 2 / height], 3)
    return functional.grid_sample(images, grid, mode="nearest", padding_mode="zeros", align_corners=False)


def _blended(images: Tensor, signed: dict[str, Tensor]) -> Tensor:
    """Move away from or towards black, the pixel's own grey, the mean grey, or the image made soft."""
    import torch

    gray = images
    if images.shape[1] == 3:
        red, green, blue = images.split(1, 1)
        gray = red * RED + green * GREEN + blue * BLUE
    brightness, color, contrast, sharpness = (
        FACTOR * signed[name].view(-1, 1, 1, 1) for name in ("brightness", "color", "contrast", "sharpness")
    )
    factor = 1 + brightness + color + contrast + sharpness
    other = -color * gray - contrast * gray.mean((1, 2, 3), keepdim=True) - sharpness * _softened(images)
    # Clamping stops the gradient of black and white, which an image that is not blended keeps.
    return choose(factor != 1, torch.addcmul(other, images, factor).clamp_(0, 1), images)


def _softened(images: Tensor) -> Tensor:
    """Average each pixel, weighing 5, with its eight neighbours; those of the border stay."""
    if min(images.shape[2:]) <= 2:
        return images
    rows = (images[:, :, :-2] + images[:, :, 1:-1]).add_(images[:, :, 2:])
    nine = (rows[..., :-2] + rows[..., 1:-1]).add_(rows[..., 2:])
    softened = images.clone()
    softened[:, :, 1:-1, 1:-1] = nine.add_(images[:, :, 1:-1, 1:-1], alpha=4).div_(13)
    return softened


def _posterized(images: Tensor, chosen: Tensor, level: Tensor) -> Tensor:
    """Keep the upper 8 to 2 bits of each value."""
    import torch

    bits = (8 - BITS * level).round().to(torch.int64)
    levels = (torch.ones_like(bits) << bits).view(-1, 1, 1, 1)
    return choose(chosen, torch.minimum((images * levels).floor_(), levels - 1) / levels, images)


def _solarized(images: Tensor, chosen: Tensor, level: Tensor) -> Tensor:
    """Invert the values from a threshold on, which is lower at a higher level."""
    import torch

    threshold = torch.where(chosen, 1 - level, 2.0).view(-1, 1, 1, 1)
    return torch.lerp(images, 1 - images, (images >= threshold).to(images.dtype))


def _stretched(images: Tensor, chosen: Tensor) -> Tensor:
    """Spread the values of each channel over 0..1."""
    import torch

    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    used = chosen.view(-1, 1, 1, 1) & (high > low)
    return (images - torch.where(used, low, 0.0)) / torch.where(used, high - low, 1.0)


def _equalized(images: Tensor, chosen: Tensor) -> Tensor:
    """Spread the ranks of the values of each channel evenly, as Pillow's ImageOps.equalize does on 8 bits."""
    import torch

    values = (images.detach() * 255.999).to(torch.int64).flatten(2)
    counts = values.new_zeros(*values.shape[:2], 256).scatter_add_(2, values, torch.ones_like(values))
    brightest = counts.gather(2, values.amax(2, keepdim=True))
    step = (values.shape[2] - brightest) // 255
    below = counts.cumsum(2) - counts
    table = ((below + step // 2) // step.clamp(min=1)).clamp(max=255)
    table = torch.where(step > 0, table, torch.arange(256, device=images.device)) / 255
    return choose(chosen, table.gather(2, values).view_as(images), images)
