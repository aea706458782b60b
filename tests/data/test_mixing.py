"""mixup and cutmix: torchvision's operations for each image, shares of the Beta distribution, labels that follow."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from data_support import evenly
from host import HostForbidden
from scipy import stats
from torch import Tensor
from torchvision.transforms.v2 import CutMix, MixUp

from zoo.builder import Builder
from zoo.registry import Registry
from zoo.spec.resolve import Resolver
from zoo_images.augmentations import uniform
from zoo_images.mixing import drawn_shares, partners

CLASSES = 5
BOTH = ["mixup", "cutmix"]


def bind(registry: Registry, data: Any) -> Any:
    return Builder(registry).bind(Resolver(registry).component_from(("augmentation",), data))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(count: int, height: int = 8, width: int = 8) -> tuple[Tensor, Tensor]:
    random = generator()
    labels = torch.randint(CLASSES, (count,), generator=random)
    return torch.rand(count, 3, height, width, generator=random), labels


def told_apart(count: int, side: int = 16) -> tuple[Tensor, Tensor]:
    """Images with a channel for each class, 1 in that of their own: what they show is what their label should say."""
    labels = torch.randint(CLASSES, (count,), generator=generator())
    images = torch.nn.functional.one_hot(labels, CLASSES).float()[:, :, None, None].repeat(1, 1, side, side)
    return images, labels


# Shares


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.5, 1.0, 4.0, 200.0])
def test_shares_have_the_beta_distribution(alpha: float) -> None:
    share = drawn_shares(torch.empty(40_000, 1), alpha, 1.0, generator()).double().numpy()
    assert np.isfinite(share).all()
    assert share.min() >= 0
    assert share.max() <= 1
    beta = stats.beta(alpha, alpha)
    low, high = share[share < 0.5], share[share >= 0.5]
    assert stats.binomtest(len(low), len(share), 0.5).pvalue > 1e-3
    assert stats.kstest(low, lambda at: 2 * beta.cdf(at)).pvalue > 1e-3
    if alpha >= 0.5:  # of a smaller one too much lies nearer to 1 than float32 can tell
        assert stats.kstest(1 - high, lambda at: 2 * beta.cdf(at)).pvalue > 1e-3
    assert np.square(share).mean() == pytest.approx(beta.moment(2), abs=4 * np.square(share).std() / 200)


def test_a_share_depends_on_no_other_image() -> None:
    share = drawn_shares(torch.empty(20_000, 1), 1.0, 1.0, generator())
    assert abs(float(torch.corrcoef(torch.stack([share[:-1], share[1:]]))[0, 1])) < 0.03


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_an_image_is_mixed_with_a_probability(probability: float) -> None:
    share = drawn_shares(torch.empty(5000, 1), 1.0, probability, generator())
    assert stats.binomtest(int((share > 0).sum()), 5000, probability).pvalue > 1e-3
    if probability:
        assert stats.kstest(share[share > 0].numpy(), "uniform").pvalue > 1e-3


@pytest.mark.parametrize("count", [2, 3, 8])
def test_partners_are_others_each_once_and_any_alike(count: int) -> None:
    random = generator()
    drawn = torch.stack([partners(torch.empty(count, 1), random) for _ in range(2000)])
    assert torch.equal(drawn.sort(1).values, torch.arange(count).expand(2000, count))
    assert not (drawn == torch.arange(count)).any()
    assert count == 2 or evenly(drawn[:, 0] - 1, count - 1)


# Images and labels


def test_mixup_is_that_of_torchvision(registry: Registry) -> None:
    images, labels = batch(40)
    mixed, shares = bind(registry, {"mixup": {"alpha": 0.7, "probability": 0.8}}).mix(
        images, labels, CLASSES, generator()
    )
    random = generator()
    other = partners(images, random)
    drawn = drawn_shares(images, 0.7, 0.8, random)
    for index in range(40):
        # torchvision mixes an image with the one before it.
        pair = [int(other[index]), index]
        given = {"lam": 1 - float(drawn[index]), "labels": labels[pair], "batch_size": 2}
        reference = MixUp(num_classes=CLASSES)
        wanted = reference.transform(images[pair], given)[1]
        torch.testing.assert_close(mixed[index], wanted, atol=1e-6, rtol=0)
        torch.testing.assert_close(shares[index], reference.transform(given["labels"], given)[1], atol=1e-6, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 12)])
def test_cutmix_is_that_of_torchvision(height: int, width: int, registry: Registry) -> None:
    images, labels = batch(60, height, width)
    mixed, shares = bind(registry, {"cutmix": {"probability": 0.8}}).mix(images, labels, CLASSES, generator())
    random = generator()
    other = partners(images, random)
    drawn = drawn_shares(images, 1.0, 0.8, random)
    centres = (uniform(images, random, 2) * torch.tensor([height, width])).long()
    for index in range(60):
        half = 0.5 * math.sqrt(float(drawn[index]))
        (y, x), tall, wide = centres[index].tolist(), int(half * height), int(half * width)
        x1, y1, x2, y2 = max(x - wide, 0), max(y - tall, 0), min(x + wide, width), min(y + tall, height)
        pair = [int(other[index]), index]
        given = {
            "box": (x1, y1, x2, y2),
            "lam_adjusted": 1 - (x2 - x1) * (y2 - y1) / (width * height),
            "labels": labels[pair],
            "batch_size": 2,
        }
        reference = CutMix(num_classes=CLASSES)
        assert torch.equal(mixed[index], reference.transform(images[pair], given)[1])
        torch.testing.assert_close(shares[index], reference.transform(given["labels"], given)[1], atol=1e-6, rtol=0)


def test_boxes_are_spread_as_those_of_torchvision(registry: Registry) -> None:
    images = torch.zeros(6000, 1, 16, 16)
    _, shares = bind(registry, {"cutmix": 0.8}).mix(images, torch.arange(6000), 6000, generator())
    own = shares.diagonal()
    torch.manual_seed(0)
    reference = CutMix(alpha=0.8, num_classes=2)
    theirs = [reference.make_params([images[:1]])["lam_adjusted"] for _ in range(6000)]
    assert stats.ks_2samp(own.numpy(), theirs, method="asymp").pvalue > 1e-3


@pytest.mark.parametrize("names", [["mixup"], ["cutmix"], ["cutmix", "mixup"], ["mixup", "cutmix", "mixup"]])
def test_labels_say_what_images_show(names: list[str], registry: Registry) -> None:
    images, labels = told_apart(50)
    random = generator()
    for name in names:
        images, labels = bind(registry, {name: {"alpha": 1.0, "probability": 0.7}}).mix(images, labels, CLASSES, random)
    assert labels.dtype == torch.float32
    torch.testing.assert_close(images.mean((2, 3)), labels, atol=1e-5, rtol=0)
    torch.testing.assert_close(labels.sum(1), torch.ones(50))
    assert int(((labels > 0).sum(1) > 1).sum()) > 10


@pytest.mark.parametrize("name", BOTH)
def test_mixing_keeps_the_range_and_is_repeatable(name: str, registry: Registry) -> None:
    images, labels = batch(16)
    before = images.clone()
    mixing = bind(registry, name)
    one, same, other = (mixing.mix(images, labels, CLASSES, generator(seed)) for seed in (0, 0, 1))
    assert one[0].shape == images.shape
    assert one[0].min() >= 0
    assert one[0].max() <= 1
    assert all(torch.equal(*pair) for pair in zip(one, same, strict=True))
    assert not torch.equal(one[0], other[0])
    assert torch.equal(images, before)


@pytest.mark.parametrize("name", BOTH)
def test_nothing_is_mixed_at_probability_0(name: str, registry: Registry) -> None:
    images, labels = batch(16)
    mixed, shares = bind(registry, {name: {"probability": 0.0}}).mix(images, labels, CLASSES, generator())
    assert torch.equal(mixed, images)
    assert torch.equal(shares, torch.nn.functional.one_hot(labels, CLASSES).float())


@pytest.mark.parametrize("name", BOTH)
def test_a_batch_of_one_image_is_left_as_it_is(name: str, registry: Registry) -> None:
    images, labels = batch(1)
    mixed, same = bind(registry, name).mix(images, labels, CLASSES, generator())
    assert mixed is images
    assert same is labels


@pytest.mark.parametrize("name", BOTH)
def test_mixing_asks_nothing_of_the_host(name: str, registry: Registry) -> None:
    images, labels = batch(16)
    mixing, random = bind(registry, name), generator()
    with HostForbidden():
        mixed, shares = mixing.mix(images, labels, CLASSES, random)
        mixing.mix(mixed, shares, CLASSES, random)
