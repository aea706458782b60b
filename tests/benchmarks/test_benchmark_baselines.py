"""The frozen baselines: the networks are Zoo's, and each loop takes a step."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import zoo
from benchmarks import tiny
from benchmarks.baselines import Pictures, Setting, by_hand
from benchmarks.baselines.networks import Classifier, discriminator, generator
from zoo.registry import Registry

torch.set_num_threads(1)

IMAGES = 64  # one batch


class Enough(Exception):
    pass


class Pause:
    """Lets one step through."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == 2:
            raise Enough


def count(network: nn.Module) -> int:
    return sum(one.numel() for one in network.parameters())


def test_the_networks_have_the_papers_parameters() -> None:
    assert count(Classifier()) == 99_364
    assert count(generator()) == 884_992
    assert count(discriminator(sigmoid=True)) == 44_480


def hold_equal(own: nn.Module, built: nn.Module, input: torch.Tensor, shape: tuple[int, ...]) -> None:
    """Give both the same values in order, and compare what they make of the input."""
    for (_, mine), (_, theirs) in zip(own.state_dict().items(), built.state_dict().items(), strict=True):
        mine.copy_(theirs)
    with torch.no_grad():
        torch.testing.assert_close(own.train()(input.view(shape)).flatten(), built.train()(input).flatten())


def test_the_classifier_is_the_one_that_zoo_builds(registry: Registry) -> None:
    built = zoo.build("cifar100-resnet-silu", registry=registry)["classifier"]
    hold_equal(Classifier(), built, torch.rand(2, 3, 32, 32), (2, 3, 32, 32))


def test_the_dcgan_is_the_one_that_zoo_builds(registry: Registry) -> None:
    built = zoo.build("cifar100-dcgan", registry=registry)
    hold_equal(generator(), built["generator"], torch.randn(4, 10), (4, 10, 1, 1))
    hold_equal(discriminator(sigmoid=False), built["discriminator"], torch.rand(4, 3, 32, 32), (4, 3, 32, 32))


@pytest.mark.parametrize("name", ["naive", "timm_style", "lightning_loop", "by_hand", "naive_gan"])
def test_a_baseline_takes_a_step(name: str, tmp_path: Path) -> None:
    if name == "lightning_loop" and importlib.util.find_spec("lightning") is None:
        pytest.skip("lightning is not installed (pip install .[bench])")
    random = np.random.default_rng(0)
    pictures = Pictures(
        random.integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8),
        random.integers(0, 100, IMAGES),
        (0.5, 0.5, 0.5),
        (0.25, 0.25, 0.25),
    )
    pause = Pause()
    with pytest.raises(Enough):
        importlib.import_module(f"benchmarks.baselines.{name}").train(Setting(pictures, "cpu", tmp_path, pause))
    assert pause.calls == 2


@pytest.mark.parametrize("name", ["plain", "step", "loop", "lightning_bare", "lightning_default"])
def test_a_tiny_loop_takes_a_step(name: str, tmp_path: Path) -> None:
    if name.startswith("lightning") and importlib.util.find_spec("lightning") is None:
        pytest.skip("lightning is not installed (pip install .[bench])")
    pause = Pause()
    with pytest.raises(Enough):
        getattr(tiny, name)({"folder": str(tmp_path)}, pause)
    assert pause.calls == 2


def test_the_pool_by_hand_is_torchs_and_its_gradient_keeps_the_layout() -> None:
    images = torch.rand(2, 8, 4, 4).contiguous(memory_format=torch.channels_last).requires_grad_()
    pooled = by_hand.Pool()(images)
    torch.testing.assert_close(pooled, nn.AdaptiveAvgPool2d(1)(images).flatten(1))
    (gradient,) = torch.autograd.grad(pooled.square().sum(), images)
    assert gradient.is_contiguous(memory_format=torch.channels_last)


def test_the_augmentation_by_hand_stays_in_range() -> None:
    torch.manual_seed(0)
    found = by_hand.augmented(torch.rand(16, 4, 4, 3))
    assert found.shape == (16, 4, 4, 3)
    assert float(found.min()) >= 0 and float(found.max()) <= 1
