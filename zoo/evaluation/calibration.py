"""Whether a metric can be trusted: real images, damaged more and more, must get worse figures."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zoo.data.dataset import Dataset
from zoo.data.sampler import generator, stratified_split
from zoo.evaluation.metric import Evidence, Measurement
from zoo.random import derive_seed

Metric = Callable[[Evidence], list[Measurement]]


@dataclass(frozen=True)
class Damage:
    """One kind of damage at one strength; `level` says in words how strong it is."""

    name: str
    level: str
    apply: Callable[[Tensor, Tensor], Tensor]


def ladder(classes: int) -> Iterator[Damage]:
    """Yield the damages, each kind from weak to strong. They take images (N, 3, H, W) uint8 and labels (N,)."""
    for sigma in (0.5, 1.0, 2.0):
        yield Damage("blur", f"sigma {sigma:g} px", _pixels(partial(blurred, sigma=sigma)))
    for deviation in (8, 16, 32):
        yield Damage("noise", f"deviation {deviation}", _pixels(partial(noisy, deviation=deviation)))
    for quality in (75, 40, 15):
        yield Damage("jpeg", f"quality {quality}", _pixels(partial(compressed, quality=quality)))
    for turns in (0.05, 0.15, 0.5):
        yield Damage("hue", f"{turns:g} turns", _pixels(partial(recoloured, turns=turns)))
    for share in (0.1, 0.2, 0.5):
        dropped = max(1, round(classes * share))
        yield Damage("dropped classes", f"{dropped} of {classes}", partial(without, classes=dropped))
    for share in (0.5, 0.9, 0.99):
        yield Damage("duplicates", f"{share:.0%} copies", partial(repeated, share=share))


def calibrate(
    metric: Metric, dataset: Dataset, count: int, device: torch.device, *, other_data: bool = False
) -> Iterator[dict[str, Any]]:
    """Yield a row for training images as they are, then one for each damage: its name, level, and figures.

    `count` training images, the same share of each class, are held against all test images. other_data: by
    networks, too, whose data sets are other ones here. Raises DataError when there are fewer images.
    """
    chosen = np.arange(len(dataset.train.labels))
    if count < len(chosen):
        _, chosen = stratified_split(dataset.train.labels, count, generator(0, "calibration"))
    images = torch.from_numpy(np.array(dataset.train.images[chosen]))
    labels = torch.from_numpy(np.array(dataset.train.labels[chosen]))
    real = torch.from_numpy(np.array(dataset.test.images))
    whole = Damage("none", "training images", lambda images, labels: images)
    for damage in (whole, *ladder(dataset.info.classes)):
        damaged = damage.apply(images, labels)
        found = metric(Evidence("test", real, partial(_first, damaged), device, other_data=other_data))
        yield {"damage": damage.name, "level": damage.level, **{one.name: one.mean for one in found}}


def blurred(images: Tensor, sigma: float) -> Tensor:
    """Return images under a Gaussian of `sigma` pixels."""
    radius = max(1, round(3 * sigma))
    weights = torch.exp(-(torch.arange(-radius, radius + 1).float() / sigma).square() / 2)
    weights = (weights / weights.sum()).view(1, 1, -1)
    flat = images.flatten(0, 1)[:, None].float()
    padded = torch.nn.functional.pad(flat, [radius] * 4, mode="reflect")
    rows = torch.nn.functional.conv2d(padded, weights[:, :, None, :])
    return _bytes(torch.nn.functional.conv2d(rows, weights[:, :, :, None])).view_as(images)


def noisy(images: Tensor, deviation: float) -> Tensor:
    """Return images with normal noise on every value, of `deviation` in 0..255."""
    random = torch.Generator().manual_seed(derive_seed(0, "calibration noise"))
    return _bytes(images + torch.randn(images.shape, generator=random) * deviation)


def compressed(images: Tensor, quality: int) -> Tensor:
    """Return images written as JPEG and read again."""

    def through(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, format="jpeg", quality=quality)
        return Image.open(file).convert("RGB")

    return _each(images, through)


def recoloured(images: Tensor, turns: float) -> Tensor:
    """Return images whose hue is turned by a part of the colour wheel."""

    def turned(image: Image.Image) -> Image.Image:
        values = np.array(image.convert("HSV"))
        values[:, :, 0] += np.uint8(round(turns * 255))
        return Image.fromarray(values, "HSV").convert("RGB")

    return _each(images, turned)


def without(images: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Return as many images as before, those of the last `classes` classes replaced by others."""
    kept = (labels < labels.max() + 1 - classes).nonzero()[:, 0]
    chosen = kept[torch.arange(len(images)) % len(kept)]
    return images[chosen]


def repeated(images: Tensor, labels: Tensor, share: float) -> Tensor:
    """Return as many images as before, `share` of them copies of the others."""
    kept = max(1, round(len(images) * (1 - share)))
    random = torch.Generator().manual_seed(derive_seed(0, "calibration copies"))
    chosen = torch.randperm(len(images), generator=random)[:kept].repeat(-(-len(images) // kept))[: len(images)]
    return images[chosen]


def _pixels(change: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda images, labels: change(images)


def _first(images: Tensor, count: int, seed: int) -> Tensor:
    return images[:count]


def _each(images: Tensor, change: Callable[[Image.Image], Image.Image]) -> Tensor:
    found = [np.asarray(change(Image.fromarray(image))) for image in images.permute(0, 2, 3, 1).numpy()]
    return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2).contiguous()


def _bytes(values: Tensor) -> Tensor:
    return values.round().clamp(0, 255).to(torch.uint8)
