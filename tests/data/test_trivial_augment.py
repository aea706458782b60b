"""TrivialAugment: torchvision's operations, ranges and draws, on float images."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from data_support import evenly
from host import HostForbidden
from torch import Tensor
from torchvision.transforms.v2 import TrivialAugmentWide
from torchvision.transforms.v2 import functional as reference

from zoo.builder import Builder
from zoo.errors import DataError
from zoo.registry import Registry
from zoo.spec.resolve import Resolver
from zoo_images import trivial
from zoo_images.trivial import OPERATIONS, apply

#: torchvision's magnitudes by its names of the operations: a function of bins, height and width, and whether signed.
SPACE: dict[str, tuple[Callable[[int, int, int], Any], bool]] = TrivialAugmentWide._AUGMENTATION_SPACE


def shear(image: Tensor, x: float, y: float) -> Tensor:
    degrees = [math.degrees(math.atan(one)) for one in (x, y)]
    return reference.affine(image, angle=0.0, translate=[0, 0], scale=1.0, shear=degrees, center=[0, 0])


def translate(image: Tensor, x: float, y: float) -> Tensor:
    # torchvision's linspace gives 15.999999 for the middle strength, which it cuts off to 15; here that is 16.
    whole = [int(round(one, 5)) for one in (x, y)]
    return reference.affine(image, angle=0.0, translate=whole, scale=1.0, shear=[0.0, 0.0])


REFERENCE: dict[str, Callable[[Tensor, float], Tensor]] = {
    "Identity": lambda image, magnitude: image,
    "ShearX": lambda image, magnitude: shear(image, magnitude, 0),
    "ShearY": lambda image, magnitude: shear(image, 0, magnitude),
    "TranslateX": lambda image, magnitude: translate(image, magnitude, 0),
    "TranslateY": lambda image, magnitude: translate(image, 0, magnitude),
    "Rotate": lambda image, magnitude: reference.rotate(image, magnitude),
    "Brightness": lambda image, magnitude: reference.adjust_brightness(image, 1 + magnitude),
    "Color": lambda image, magnitude: reference.adjust_saturation(image, 1 + magnitude),
    "Contrast": lambda image, magnitude: reference.adjust_contrast(image, 1 + magnitude),
    "Sharpness": lambda image, magnitude: reference.adjust_sharpness(image, 1 + magnitude),
    "Posterize": lambda image, magnitude: reference.posterize(image, int(magnitude)),
    "Solarize": lambda image, magnitude: reference.solarize(image, magnitude),
    "AutoContrast": lambda image, magnitude: reference.autocontrast(image),
    "Equalize": lambda image, magnitude: reference.equalize(image),
}


def bind(registry: Registry, data: Any) -> Any:
    return Builder(registry).bind(Resolver(registry).component_from(("augmentation",), data))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(*shape: int) -> Tensor:
    """Images in which some channels are flat, dark, or bright alone."""
    made = torch.rand(*shape, generator=generator())
    made[0, 0] = 0.4
    made[1] *= 0.3
    made[2] = made[2] * 0.1 + 0.9
    made[3] = made[3].round()
    return made


def test_the_operations_are_those_of_torchvision_in_its_order() -> None:
    assert (
        [name.replace("_", "") for name in OPERATIONS]
        == [name.lower() for name in SPACE]
        == [*map(str.lower, REFERENCE)]
    )


# At a right angle sides of which one alone is odd would put every pixel half way between two, a matter of rounding.
@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 20, 14), (1, 27, 27), (3, 2, 6)], ids=str)
@pytest.mark.parametrize("name", SPACE)
def test_an_operation_equals_that_of_torchvision_at_each_of_its_magnitudes(
    name: str, shape: tuple[int, int, int]
) -> None:
    magnitudes, signed = SPACE[name]
    drawn = magnitudes(31, *shape[1:])
    signs = torch.tensor([1, -1]).repeat_interleave(31)
    before = images(62, *shape)
    operation = torch.full((62,), list(SPACE).index(name))
    after = apply(before, operation, (torch.arange(31) / 30).repeat(2), signs)
    for number, (image, result) in enumerate(zip(before, after, strict=True)):
        magnitude = 0.0 if drawn is None else float(drawn[number % 31])
        if signed:
            magnitude *= int(signs[number])
        torch.testing.assert_close(result, REFERENCE[name](image, magnitude), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["Posterize", "AutoContrast", "Equalize", "Rotate", "ShearX"])
def test_an_operation_on_values_of_8_bits_equals_that_of_torchvision(name: str) -> None:
    before = (images(62, 3, 32, 32) * 255).round() / 255
    before[4] = (before[4] * 5).round() / 5
    drawn = SPACE[name][0](31, 32, 32)
    level = (torch.arange(31) / 30).repeat(2)
    after = apply(before, torch.full((62,), list(SPACE).index(name)), level, torch.ones(62, dtype=torch.int64))
    for number, (image, result) in enumerate(zip(before, after, strict=True)):
        magnitude = 0.0 if drawn is None else float(drawn[number % 31])
        torch.testing.assert_close(result, REFERENCE[name](image, magnitude), atol=1e-5, rtol=0)


def test_images_of_a_batch_are_changed_apart() -> None:
    count = 14 * 7
    before, random = images(count, 3, 16, 16), generator(1)
    operation = torch.arange(count) % 14
    level = torch.randint(31, (count,), generator=random) / 30
    sign = 1 - 2 * torch.randint(2, (count,), generator=random)
    together = apply(before, operation, level, sign)
    for index in range(count):
        alone = apply(*(one[index : index + 1] for one in (before, operation, level, sign)))
        torch.testing.assert_close(together[index], alone[0], atol=1e-6, rtol=0)


def test_choice_strength_and_sign_are_drawn_as_by_torchvision(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It draws each with torch.randint and torch.rand: 14 operations, 31 magnitudes and 2 signs, all evenly."""
    seen: list[tuple[Tensor, ...]] = []
    monkeypatch.setattr(trivial, "apply", lambda images, *drawn: seen.append(drawn) or images)
    for strength in (1.0, 0.5, 0.0):
        bind(registry, {"trivial_augment": strength})(torch.zeros(50_000, 3, 1, 1), generator())
    (operation, level, sign), half, none = seen
    step = (level * 30).round().to(torch.int64)
    torch.testing.assert_close(level, step / 30)
    assert evenly(operation, 14)
    assert evenly(step, 31)
    assert bool((sign.abs() == 1).all())
    assert evenly((operation * 31 + step) * 2 + (sign > 0), 14 * 31 * 2)
    assert torch.equal(half[1], level / 2)
    assert not none[1].any()


def test_with_a_probability_the_others_stay_as_they_are(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []
    monkeypatch.setattr(trivial, "apply", lambda images, operation, *drawn: seen.append(operation) or images)
    augment = bind(registry, {"trivial_augment": {"probability": 0.3}})
    augment(torch.zeros(50_000, 3, 1, 1), generator())
    counts = seen[0].bincount(minlength=14) / 50_000
    assert torch.allclose(counts[1:], torch.full((13,), 0.3 / 14), atol=0.004)
    monkeypatch.undo()
    none = bind(registry, {"trivial_augment": {"probability": 0.0}})
    before = images(50, 3, 16, 16)
    torch.testing.assert_close(none(before, generator()), before, atol=1e-6, rtol=0)


def test_changed_images_are_spread_as_those_of_torchvision(registry: Registry) -> None:
    one = torch.rand(1, 3, 8, 8, generator=generator())
    ours = bind(registry, "trivial_augment")(one.expand(6000, -1, -1, -1), generator())
    torch.manual_seed(0)
    theirs = torch.cat([TrivialAugmentWide()(one) for _ in range(6000)])
    # Three standard errors of a difference of means at the widest spread that occurs, 0.4; more for 192 values.
    assert (ours.mean(0) - theirs.mean(0)).abs().max() < 0.03
    assert (ours.std(0) - theirs.std(0)).abs().max() < 0.03


def test_no_strength_moves_and_colours_nothing(registry: Registry) -> None:
    """Posterizing, solarizing, autocontrast and equalizing change an image at any strength, as in torchvision."""
    before = images(14, 3, 16, 16)
    after = apply(before, torch.arange(14), torch.zeros(14), torch.ones(14, dtype=torch.int64))
    assert torch.equal(after[:10], before[:10])


def test_trivial_augment_asks_nothing_of_the_host() -> None:
    augmentation, before, random = trivial.TrivialAugment(), images(16, 3, 8, 8), generator()
    with HostForbidden():
        augmentation(before, random)


def test_gradients_pass_through_all_but_steps() -> None:
    before = images(14, 3, 16, 16).requires_grad_()
    apply(before, torch.arange(14), torch.full((14,), 0.3), torch.ones(14, dtype=torch.int64)).square().sum().backward()
    assert before.grad is not None
    assert torch.isfinite(before.grad).all()
    passed = dict(zip(OPERATIONS, before.grad.flatten(1).any(1).tolist(), strict=True))
    assert [name for name, one in passed.items() if not one] == ["posterize", "equalize"]


def test_trivial_augment_needs_one_or_three_channels(registry: Registry) -> None:
    with pytest.raises(DataError) as caught:
        bind(registry, "trivial_augment")(torch.rand(2, 2, 8, 8), generator())
    assert str(caught.value) == "trivial_augment: found images of 2 channels; wanted 1 or 3"
