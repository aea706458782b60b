"""Adversarial losses, held against their formulas on numbers that can be followed by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as torch_bce

from zoo.builder import Builder
from zoo.registry import Registry
from zoo.spec.resolve import Resolver
from zoo_gan.losses import BCE, AdversarialLoss, Hinge, LeastSquares, Relativistic, Wasserstein

torch.set_num_threads(1)

LOSSES: list[AdversarialLoss] = [BCE(), BCE(smoothing=0.1), Hinge(), LeastSquares(), Wasserstein(), Relativistic()]
REAL, FAKE = [2.0, -0.5, 0.25], [-1.5, 0.5, 3.0]


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


def mean(formula: Callable[..., float], *values: list[float]) -> float:
    return sum(map(formula, *values)) / len(values[0])


DISCRIMINATOR: dict[AdversarialLoss, float] = {
    BCE(): mean(lambda r: softplus(-r), REAL) + mean(softplus, FAKE),
    BCE(smoothing=0.1): mean(lambda r: 0.9 * softplus(-r) + 0.1 * softplus(r), REAL) + mean(softplus, FAKE),
    Hinge(): (0 + 1.5 + 0.75) / 3 + (0 + 1.5 + 4) / 3,
    LeastSquares(): ((1 + 2.25 + 0.5625) / 3 + (2.25 + 0.25 + 9) / 3) / 2,
    Wasserstein(): 2 / 3 - 1.75 / 3,
    Relativistic(): mean(lambda r, f: softplus(f - r), REAL, FAKE),
}
GENERATOR: dict[AdversarialLoss, float] = {
    BCE(): mean(lambda f: softplus(-f), FAKE),
    BCE(smoothing=0.1): mean(lambda f: softplus(-f), FAKE),
    Hinge(): -2 / 3,
    LeastSquares(): (6.25 + 0.25 + 4) / 3 / 2,
    Wasserstein(): -2 / 3,
    Relativistic(): mean(lambda r, f: softplus(r - f), REAL, FAKE),
}


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_discriminators_loss_is_its_formula(loss: AdversarialLoss) -> None:
    found = loss.discriminator(torch.tensor(REAL), torch.tensor(FAKE))
    assert float(found) == pytest.approx(DISCRIMINATOR[loss], rel=1e-6)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_generators_loss_is_its_formula(loss: AdversarialLoss) -> None:
    found = loss.generator(torch.tensor(REAL), torch.tensor(FAKE))
    assert float(found) == pytest.approx(GENERATOR[loss], rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_bce_is_that_of_torch(smoothing: float) -> None:
    real, fake = torch.randn(2, 64, generator=torch.Generator().manual_seed(0)) * 5
    loss = BCE(smoothing=smoothing)
    wanted = torch_bce(real, torch.full_like(real, 1 - smoothing)) + torch_bce(fake, torch.zeros_like(fake))
    torch.testing.assert_close(loss.discriminator(real, fake), wanted)
    torch.testing.assert_close(loss.generator(real, fake), torch_bce(fake, torch.ones_like(fake)))


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_extreme_logits_give_finite_losses_and_gradients(loss: AdversarialLoss) -> None:
    real = torch.tensor([-1e4, 1e4], requires_grad=True)
    fake = torch.tensor([1e4, -1e4], requires_grad=True)
    for value in (loss.discriminator(real, fake), loss.generator(real, fake)):
        assert torch.isfinite(value)
        gradients = torch.autograd.grad(value, (real, fake), allow_unused=True)
        assert all(torch.isfinite(one).all() for one in gradients if one is not None)


def test_smoothing_is_least_at_the_smoothed_probability() -> None:
    loss, fake = BCE(smoothing=0.2), torch.zeros(1)
    best = torch.tensor([math.log(0.8 / 0.2)], requires_grad=True)
    (slope,) = torch.autograd.grad(loss.discriminator(best, fake), best)
    assert float(slope) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("loss", [BCE(), Hinge()], ids=str)
def test_a_logit_above_0_counts_as_real(loss: AdversarialLoss) -> None:
    assert loss.boundary(torch.tensor(REAL), torch.tensor(FAKE)) == 0.0


def test_least_squares_puts_the_boundary_between_its_targets() -> None:
    assert LeastSquares().boundary(torch.tensor(REAL), torch.tensor(FAKE)) == 0.5


@pytest.mark.parametrize("loss", [Wasserstein(), Relativistic()], ids=str)
def test_logits_without_a_zero_have_the_boundary_between_their_means(loss: AdversarialLoss) -> None:
    real, fake = torch.tensor(REAL, requires_grad=True), torch.tensor(FAKE, requires_grad=True)
    found: Any = loss.boundary(real, fake)
    assert float(found) == pytest.approx((1.75 / 3 + 2 / 3) / 2)
    assert not found.requires_grad


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_a_loss_compares_exactly_when_its_generator_looks_at_real_logits(loss: AdversarialLoss) -> None:
    fake = torch.tensor(FAKE)
    one, other = loss.generator(torch.tensor(REAL), fake), loss.generator(torch.tensor(REAL) + 1, fake)
    assert loss.compares == (float(one) != float(other))


logits = st.lists(st.floats(-8, 8, width=32), min_size=1, max_size=6)


def slopes(loss: Tensor, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    first, second = torch.autograd.grad(loss, (real, fake), allow_unused=True)
    return torch.zeros(1) if first is None else first, torch.zeros(1) if second is None else second


@pytest.mark.parametrize("loss", [BCE(), Hinge(), Wasserstein(), Relativistic()], ids=str)
@settings(deadline=None)
@given(values=logits)
def test_the_discriminator_raises_real_and_lowers_fake_logits_and_the_generator_raises_fake_ones(
    loss: AdversarialLoss, values: list[float]
) -> None:
    real = torch.tensor(values, requires_grad=True)
    fake = torch.tensor(values[::-1], requires_grad=True)
    by_real, by_fake = slopes(loss.discriminator(real, fake), real, fake)
    assert (by_real <= 0).all() and (by_fake >= 0).all()
    _, by_fake = slopes(loss.generator(real.detach(), fake), real, fake)
    assert (by_fake < 0).all()


@settings(deadline=None)
@given(values=logits)
def test_smoothing_pulls_real_logits_to_the_smoothed_probability(values: list[float]) -> None:
    real = torch.tensor(values, requires_grad=True)
    by_real, _ = slopes(BCE(smoothing=0.25).discriminator(real, real.detach()), real, real)
    best = math.log(3)
    away = (real.detach() - best).abs() > 1e-3
    assert (torch.sign(by_real) == torch.sign(real.detach() - best))[away].all()


@settings(deadline=None)
@given(values=logits)
def test_least_squares_pulls_logits_to_their_targets(values: list[float]) -> None:
    loss, real, fake = LeastSquares(), *(torch.tensor(values, requires_grad=True) for _ in range(2))
    by_real, by_fake = slopes(loss.discriminator(real, fake), real, fake)
    torch.testing.assert_close(by_real, (real.detach() - 1) / len(values))
    torch.testing.assert_close(by_fake, fake.detach() / len(values))
    _, by_fake = slopes(loss.generator(real, fake), real, fake)
    torch.testing.assert_close(by_fake, (fake.detach() - 1) / len(values))


@settings(deadline=None)
@given(values=logits, shift=st.floats(-4, 4, width=32))
def test_a_relativistic_loss_does_not_see_what_all_logits_share(values: list[float], shift: float) -> None:
    loss, real = Relativistic(), torch.tensor(values)
    for one in (loss.discriminator, loss.generator):
        torch.testing.assert_close(one(real + shift, real.flip(0) + shift), one(real, real.flip(0)), atol=1e-5, rtol=0)


def test_every_registered_adversarial_loss_is_tested_here(registry: Registry, builder: Builder) -> None:
    resolver = Resolver(registry)
    found = {
        type(builder.bind(resolver.component_from(("adversarial_loss",), name)))
        for name in registry.names("adversarial_loss")
    }
    assert found == {type(one) for one in LOSSES}
