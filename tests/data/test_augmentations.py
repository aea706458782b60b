"""Augmentations: torchvision's operations, with parameters of torchvision's distributions, drawn for each image."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
import torch
from data_support import evenly
from host import HostForbidden
from scipy import stats
from torch import Tensor
from torchvision.transforms import ColorJitter, RandomCrop
from torchvision.transforms import functional as reference

from zoo.builder import Builder
from zoo.errors import DataError
from zoo.registry import Registry
from zoo.spec.resolve import Resolver
from zoo_images import augmentations
from zoo_images.augmentations import mix, shift_hue

CORNERS = [(y, x) for y in range(5) for x in range(5)]  # of a window that is 4 pixels smaller than its image


def bind(registry: Registry, data: Any) -> Any:
    return Builder(registry).bind(Resolver(registry).component_from(("augmentation",), data))


def images(count: int = 16, side: int = 8) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


EACH = ["horizontal_flip", "random_crop", {"color_jitter": {"hue": 0.1, "contrast": 0.3}}, "cutout", "trivial_augment"]


@pytest.mark.parametrize("name", EACH)
def test_an_augmentation_keeps_shape_and_range_and_is_repeatable(name: Any, registry: Registry) -> None:
    augmentation, before = bind(registry, name), images()
    one, same, other = (augmentation(before, generator(seed)) for seed in (0, 0, 1))
    assert one.shape == before.shape
    assert one.min() >= 0
    assert one.max() <= 1
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(before, images())


@pytest.mark.parametrize("name", EACH)
def test_an_augmentation_asks_nothing_of_the_host(name: Any, registry: Registry) -> None:
    augmentation, before, random = bind(registry, name), images(), generator()
    with HostForbidden():
        augmentation(before, random)


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


def test_the_gradients_of_colours_are_right() -> None:
    before = (images(3, 4).double() * 0.8 + 0.1).requires_grad_()
    change, order = torch.tensor([[0.1, -0.2, 0.15]] * 3).double(), torch.tensor([[0, 1, 2], [2, 0, 1], [1, 2, 0]])
    assert torch.autograd.gradcheck(lambda one: mix(one, change, order, [0, 1, 2]), before)
    turns = torch.tensor([0.05, -0.2, 0.31]).double().view(-1, 1, 1, 1)
    assert torch.autograd.gradcheck(lambda one: shift_hue(one, turns), before)


@pytest.mark.parametrize("name", EACH)
def test_images_of_bf16_are_taken(name: Any, registry: Registry) -> None:
    """Under autocast a generator may make them."""
    after = bind(registry, name)(images().bfloat16(), generator())
    expected = bind(registry, name)(images().bfloat16().float(), generator())
    torch.testing.assert_close(after.float(), expected, atol=0.01, rtol=0)


def test_a_crop_is_the_same_with_and_without_gradients(registry: Registry) -> None:
    crop, before = bind(registry, "random_crop"), images(6)
    for layout in (torch.contiguous_format, torch.channels_last):
        laid_out = before.contiguous(memory_format=layout)
        plain = crop(laid_out, generator())
        assert torch.equal(plain, crop(laid_out.clone().requires_grad_(), generator()))


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
    after = mix(before, factors[:, None] - 1, torch.zeros(4, 1, dtype=torch.int64), [operation])
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


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue"])
def test_the_factors_of_a_jitter_are_spread_as_those_of_torchvision(name: str, registry: Registry) -> None:
    """From 1 - strength to 1 + strength, for hue from -strength to strength; two orange pixels show them."""
    before = torch.tensor([0.6, 0.5, 0.4]).view(1, 3, 1, 1).repeat(5000, 1, 1, 2)
    before[:, :, :, 1] -= 0.2
    after = bind(registry, {"color_jitter": {name: 0.05}})(before, generator())
    red, green, blue = after[:, :, 0, 0].unbind(1)
    read = {
        "brightness": red / 0.6 - 1,
        "contrast": (red - after[:, 0, 0, 1]) / 0.2 - 1,
        "saturation": (red - blue) / 0.2 - 1,
        "hue": ((green - blue) / 0.2 - 0.5) / 6,  # a twelfth of a turn from red, which green leads a sixth away
    }[name]
    assert stats.kstest(read.numpy(), stats.uniform(-0.05, 0.1).cdf).pvalue > 1e-3
    torch.manual_seed(0)
    theirs = ColorJitter(**{name: 0.05})
    drawn = [
        ColorJitter.get_params(theirs.brightness, theirs.contrast, theirs.saturation, theirs.hue) for _ in range(5000)
    ]
    centre = 0.0 if name == "hue" else 1.0
    column = 1 + ["brightness", "contrast", "saturation", "hue"].index(name)
    assert stats.ks_2samp(read.numpy(), [one[column] - centre for one in drawn], method="asymp").pvalue > 1e-3


def test_all_orders_of_a_jitter_are_equally_likely(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same factors for all images, each order gives another picture, by which it is told."""
    draw, calls = augmentations.uniform, []

    def factors_alike(images: Tensor, random: torch.Generator, *shape: int) -> Tensor:
        calls.append(shape)
        drawn = draw(images, random, *shape)
        return drawn if len(calls) > 1 else torch.tensor([0.9, 0.1, 0.95, 0.8]).expand_as(drawn)

    monkeypatch.setattr(augmentations, "uniform", factors_alike)
    strengths = {"brightness": 0.5, "contrast": 0.5, "saturation": 0.9, "hue": 0.5}
    before = with_greys(1)
    after = bind(registry, {"color_jitter": strengths})(before.expand(6000, -1, -1, -1), generator())
    changes = [*zip(OPERATIONS, (1.4, 0.6, 1.81), strict=True), (reference.adjust_hue, 0.3)]
    pictures = []
    for order in permutations(changes):
        wanted = before
        for operation, factor in order:
            wanted = operation(wanted, factor)
        pictures.append(wanted)
    away = torch.cdist(after.flatten(1), torch.cat(pictures).flatten(1), p=float("inf"))
    nearest = away.topk(2, largest=False)
    assert nearest.values[:, 0].max() < 1e-5
    assert nearest.values[:, 1].min() > 1e-4
    assert evenly(nearest.indices[:, 0], 24)


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


@pytest.mark.parametrize("probability", [0.0, 0.2, 0.5, 1.0])
def test_a_flip_mirrors_a_share_of_the_images(probability: float, registry: Registry) -> None:
    before = images(2000, 4)
    after = bind(registry, {"horizontal_flip": probability})(before, generator())
    flipped = [torch.equal(one, reference.hflip(other)) for one, other in zip(after, before, strict=True)]
    kept = [torch.equal(one, other) for one, other in zip(after, before, strict=True)]
    assert all(one or other for one, other in zip(flipped, kept, strict=True))
    assert stats.binomtest(sum(flipped), 2000, probability).pvalue > 1e-3


@pytest.mark.parametrize("mode", ["reflect", "zeros"])
def test_a_crop_is_that_of_torchvision_with_corners_spread_as_its_own(mode: str, registry: Registry) -> None:
    before = images(2500, 6)
    after = bind(registry, {"random_crop": {"padding": 2, "mode": mode}})(before, generator())
    padded = reference.pad(before, [2], padding_mode="reflect" if mode == "reflect" else "constant")
    found = torch.stack([(reference.crop(padded, y, x, 6, 6) == after).flatten(1).all(1) for y, x in CORNERS])
    assert bool((found.sum(0) == 1).all())
    torch.manual_seed(0)
    theirs = {RandomCrop.get_params(padded[0], (6, 6))[:2] for _ in range(1000)}
    assert theirs == set(CORNERS)
    assert evenly(found.to(torch.int64).argmax(0), 25)


@pytest.mark.parametrize("size", [3, 4])
def test_a_cutout_is_a_square_around_a_centre_anywhere(size: int, registry: Registry) -> None:
    """torchvision erases only what lies whole in an image; the paper's squares reach over the border."""
    before = images(3000, 6)
    after = bind(registry, {"cutout": size})(before, generator())
    found = []
    for y in range(6):
        for x in range(6):
            top, left, bottom, right = (max(0, one - size // 2) for one in (y, x, y + size, x + size))
            erased = reference.erase(before, top, left, bottom - top, right - left, torch.tensor(0.5))
            found.append((erased == after).flatten(1).all(1))
    table = torch.stack(found)
    assert bool((table.sum(0) == 1).all())
    assert evenly(table.to(torch.int64).argmax(0), 36)
