"""Augmentations: torchvision's operations, with parameters of torchvision's distributions, drawn for each image."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.transforms import functional as reference

from zoo.builder import Builder
from zoo.registry import Registry
from zoo.spec.resolve import Resolver
from zoo_images.augmentations import jitter, shift_hue


def bind(registry: Registry, data: Any) -> Any:
    return Builder(registry).bind(Resolver(registry).component_from(("augmentation",), data))


def images(count: int = 16, side: int = 8) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    "name", ["horizontal_flip", "random_crop", {"color_jitter": {"hue": 0.1, "contrast": 0.3}}, "cutout"]
)
def test_an_augmentation_keeps_shape_and_range_and_is_repeatable(name: Any, registry: Registry) -> None:
    augmentation, before = bind(registry, name), images()
    one, same, other = (augmentation(before, generator(seed)) for seed in (0, 0, 1))
    assert one.shape == before.shape
    assert one.min() >= 0
    assert one.max() <= 1
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(before, images())


OPERATIONS = [
    (0, reference.adjust_brightness, [0.0, 0.5, 1.0, 1.7]),
    (1, reference.adjust_contrast, [0.0, 0.5, 1.0, 1.7]),
    (2, reference.adjust_saturation, [0.0, 0.5, 1.0, 1.7]),
    (3, reference.adjust_hue, [-0.5, -0.2, 0.0, 0.1, 0.5]),
]


@pytest.mark.parametrize(("operation", "theirs", "factors"), OPERATIONS)
def test_each_colour_operation_is_that_of_torchvision(operation: int, theirs: Any, factors: list[float]) -> None:
    before = images(len(factors))
    before[0, :, 0, 0], before[0, :, 0, 1], before[0, :, 0, 2] = 0.0, 1.0, 0.3  # black, white and grey have no hue
    table = torch.tensor(factors)[:, None].expand(-1, 4).contiguous()
    after = jitter(before, torch.full((len(factors),), operation), table, [0, 1, 2, 3])
    for image, result, factor in zip(before, after, factors, strict=True):
        torch.testing.assert_close(result, theirs(image, factor), atol=1e-5, rtol=0)


def test_the_hue_of_pure_colours_turns(registry: Registry) -> None:
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    turned = shift_hue(red, torch.full((1, 1, 1, 1), 1 / 3))
    torch.testing.assert_close(turned.flatten(), torch.tensor([0.0, 1.0, 0.0]), atol=1e-6, rtol=0)


def test_brightness_factors_are_spread_as_those_of_torchvision(registry: Registry) -> None:
    # A dark grey image shows its factor: 0.25 * factor, drawn evenly from 0.6 to 1.4.
    grey = torch.full((20_000, 3, 1, 1), 0.25)
    factors = bind(registry, {"color_jitter": {"brightness": 0.4}})(grey, generator())[:, 0, 0, 0] / 0.25
    assert 0.6 <= factors.min() < 0.601
    assert 1.399 < factors.max() <= 1.4 + 1e-6
    evenly = torch.linspace(0.6, 1.4, 20_000)
    assert (factors.sort().values - evenly).abs().max() < 0.012  # Kolmogorov-Smirnov at about one in a thousand


def test_the_order_of_operations_is_drawn_for_each_image(registry: Registry) -> None:
    strengths = {"brightness": 0.5, "contrast": 0.5}
    before = images(1).expand(400, -1, -1, -1)
    after = bind(registry, {"color_jitter": strengths})(before, generator())
    drawn = torch.rand(400, 4, generator=generator())
    keys_generator = generator()
    torch.rand(400, 4, generator=keys_generator)
    keys = torch.rand(400, 4, generator=keys_generator)
    brightness_first = keys[:, 0] < keys[:, 1]
    assert 150 < int(brightness_first.sum()) < 250
    for index in range(40):
        b, c = (0.5 + drawn[index, :2]).tolist()
        steps = [(reference.adjust_brightness, b), (reference.adjust_contrast, c)]
        wanted = before[0]
        for step, factor in steps if brightness_first[index] else steps[::-1]:
            wanted = step(wanted, factor)
        torch.testing.assert_close(after[index], wanted, atol=1e-5, rtol=0)


def test_a_flip_mirrors_about_half_of_the_images(registry: Registry) -> None:
    before = images(1000, 4)
    after = bind(registry, "horizontal_flip")(before, generator())
    flipped = torch.tensor([torch.equal(one, other.flip(2)) for one, other in zip(after, before, strict=True)])
    kept = torch.tensor([torch.equal(one, other) for one, other in zip(after, before, strict=True)])
    assert bool((flipped | kept).all())
    assert 430 < int(flipped.sum()) < 570


@pytest.mark.parametrize("mode", ["reflect", "zeros"])
def test_a_crop_is_a_window_of_the_padded_image(mode: str, registry: Registry) -> None:
    before = images(200, 6)
    after = bind(registry, {"random_crop": {"padding": 2, "mode": mode}})(before, generator())
    padded = torch.nn.functional.pad(before, [2] * 4, mode="reflect" if mode == "reflect" else "constant")
    places = set()
    for image, result in zip(padded, after, strict=True):
        found = [(y, x) for y in range(5) for x in range(5) if torch.equal(image[:, y : y + 6, x : x + 6], result)]
        assert found
        places.add(found[0])
    assert len(places) == 25


def test_cutout_greys_a_square(registry: Registry) -> None:
    before = torch.ones(50, 3, 16, 16)
    grey = (bind(registry, {"cutout": 4})(before, generator()) == 0.5).all(1)
    assert int(grey.sum((1, 2)).max()) == 16
    assert int(grey.sum((1, 2)).min()) >= 4
