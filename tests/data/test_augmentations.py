"""Augmentations: torchvision's operations, with parameters of torchvision's distributions, drawn for each image."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.transforms import ColorJitter
from torchvision.transforms import functional as reference

from zoo.builder import Builder
from zoo.errors import DataError
from zoo.registry import Registry
from zoo.spec.resolve import Resolver
from zoo_images.augmentations import mix, shift_hue


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


@pytest.mark.parametrize(
    "name",
    [
        "horizontal_flip",
        "random_crop",
        {"random_crop": {"mode": "zeros"}},
        {"color_jitter": {"brightness": 0.2, "hue": 0.1, "contrast": 0.3, "saturation": 0.3}},
        "cutout",
    ],
)
def test_gradients_pass_through_an_augmentation(name: Any, registry: Registry) -> None:
    """A discriminator may see augmented images, from which the generator learns."""
    before = images().requires_grad_()
    bind(registry, name)(before, generator()).square().sum().backward()
    assert before.grad is not None
    assert torch.isfinite(before.grad).all()
    assert float((before.grad != 0).float().mean()) > 0.3


OPERATIONS = [reference.adjust_brightness, reference.adjust_contrast, reference.adjust_saturation]


def with_greys(count: int) -> Tensor:
    """Images whose first has black, white and grey, which have no hue, and two channels alike."""
    made = images(count)
    made[0, :, 0, 0], made[0, :, 0, 1], made[0, :, 0, 2] = 0.0, 1.0, 0.3
    made[0, :2, 0, 3] = 0.9
    return made


@pytest.mark.parametrize("operation", [0, 1, 2])
def test_each_mix_is_that_of_torchvision(operation: int) -> None:
    factors = torch.tensor([0.0, 0.5, 1.0, 1.7])
    before = with_greys(4)
    after = mix(before, [factors] * 3, torch.zeros(4, 4), [operation])
    for image, result, factor in zip(before, after, factors.tolist(), strict=True):
        torch.testing.assert_close(result, OPERATIONS[operation](image, factor), atol=1e-5, rtol=0)


def test_a_turn_of_hue_is_that_of_torchvision() -> None:
    turns = torch.tensor([-0.5, -0.2, 0.0, 0.1, 0.5])
    before = with_greys(5)
    after = shift_hue(before, turns.view(-1, 1, 1, 1))
    for image, result, turn in zip(before, after, turns.tolist(), strict=True):
        torch.testing.assert_close(result, reference.adjust_hue(image, turn), atol=1e-5, rtol=0)


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


@pytest.mark.parametrize(
    "strengths",
    [
        {"brightness": 0.5, "contrast": 0.5},
        {"brightness": 0.4, "saturation": 0.8, "hue": 0.3},
        {"brightness": 0.5, "contrast": 0.5, "saturation": 0.5, "hue": 0.5},
    ],
)
def test_the_order_of_operations_is_drawn_for_each_image(strengths: dict[str, float], registry: Registry) -> None:
    before = with_greys(60)
    after = bind(registry, {"color_jitter": strengths})(before, generator())
    random = generator()
    drawn, keys = torch.rand(60, 4, generator=random), torch.rand(60, 4, generator=random)
    b, c, s, h = (strengths.get(name, 0.0) for name in ("brightness", "contrast", "saturation", "hue"))
    low, high = torch.tensor([1 - b, 1 - c, 1 - s, -h]), torch.tensor([1 + b, 1 + c, 1 + s, h])
    factors, orders = (low + drawn * (high - low)).tolist(), keys.argsort(1).tolist()
    for image, result, own, order in zip(before, after, factors, orders, strict=True):
        wanted = image
        for operation in order:
            wanted = [*OPERATIONS, reference.adjust_hue][operation](wanted, own[operation])
        torch.testing.assert_close(result, wanted, atol=1e-5, rtol=0)
    assert len({tuple(order) for order in orders}) > 20


def test_jittered_colours_are_spread_as_those_of_torchvision(registry: Registry) -> None:
    strengths = {"brightness": 0.5, "contrast": 0.5, "saturation": 0.5, "hue": 0.2}
    one = images(1, 4)
    ours = bind(registry, {"color_jitter": strengths})(one.expand(4000, -1, -1, -1), generator())
    torch.manual_seed(0)
    theirs = torch.cat([ColorJitter(**strengths)(one) for _ in range(4000)])
    # Three standard errors of a difference of means at the widest spread that occurs, 0.3.
    assert (ours.mean(0) - theirs.mean(0)).abs().max() < 0.02
    assert (ours.std(0) - theirs.std(0)).abs().max() < 0.02


def test_color_jitter_needs_three_channels(registry: Registry) -> None:
    with pytest.raises(DataError) as caught:
        bind(registry, {"color_jitter": {"contrast": 0.1}})(torch.rand(2, 1, 8, 8), generator())
    assert str(caught.value) == "color_jitter: found images of 1 channels; wanted 3"


def test_a_crop_cannot_reflect_more_than_there_is(registry: Registry) -> None:
    with pytest.raises(DataError) as caught:
        bind(registry, {"random_crop": {"padding": 8}})(images(), generator())
    assert str(caught.value) == (
        "random_crop: found padding 8 for images of 8x8; wanted less than their sides, or mode: zeros"
    )


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
