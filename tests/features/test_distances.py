"""Distances of feature sets: equal to clean-fid, torchmetrics and closed forms, and finite where those are not."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from cleanfid import fid
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics.image.fid import _compute_fid
from torchmetrics.image.kid import poly_mmd

from zoo_features.distances import Moments, frechet, kernel_distance, mmd, moments, neighbourhood, root


def features(count: int, width: int, *, seed: int = 0, shift: float = 0.0, scale: float = 1.0) -> Tensor:
    """Return correlated float64 features with variances that fall tenfold."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, dtype=torch.float64, generator=generator) / width**0.5
    falling = torch.logspace(0, -1, width, dtype=torch.float64).sqrt()
    drawn = torch.randn(count, width, dtype=torch.float64, generator=generator)
    return scale * falling * (drawn + drawn @ mixing / 2) + shift


def gaussian(mean: list[float], variances: list[float]) -> Moments:
    return Moments(
        torch.tensor(mean, dtype=torch.float64), torch.diag(torch.tensor(variances, dtype=torch.float64)), 1000
    )


# moments


def test_moments_are_those_of_numpy() -> None:
    drawn = features(50, 7)
    found = moments(drawn)
    np.testing.assert_allclose(found.mean, drawn.numpy().mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(drawn.numpy(), rowvar=False), rtol=1e-10, atol=1e-14)
    assert found.size == 50


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_moments_are_float64_of_the_values_as_they_are(kind: torch.dtype) -> None:
    drawn = features(40, 5).to(kind)
    found, wanted = moments(drawn), moments(drawn.double())
    assert found.mean.dtype == found.covariance.dtype == torch.float64
    assert torch.equal(found.mean, wanted.mean)
    assert torch.equal(found.covariance, wanted.covariance)


def test_moments_leave_the_features_as_they_were() -> None:
    drawn = features(10, 3)
    before = drawn.clone()
    moments(drawn)
    assert torch.equal(drawn, before)


def test_moments_of_a_large_mean_keep_the_covariance() -> None:
    drawn = features(200, 4)
    torch.testing.assert_close(moments(drawn + 1e6).covariance, moments(drawn).covariance, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    ("given_features", "message"),
    [
        (torch.zeros(1, 8), "features of the shape (1, 8): a covariance wants at least 2 images"),
        (torch.zeros(0, 8), "features of the shape (0, 8): a covariance wants at least 2 images"),
        (torch.zeros(8), "features of the shape (8,): (images, features) is wanted"),
        (torch.zeros(2, 8, 1, 1), "features of the shape (2, 8, 1, 1): (images, features) is wanted"),
        (
            torch.tensor([[0.0, 1.0], [math.nan, math.inf], [1.0, -math.inf]]),
            "features of 2 of 3 images are not finite: finite ones are wanted",
        ),
    ],
)
def test_moments_refuse(given_features: Tensor, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        moments(given_features)
    assert str(caught.value) == message


# Fréchet


def test_root_squared_is_the_covariance() -> None:
    covariance = moments(features(300, 20)).covariance
    found = root(covariance)
    torch.testing.assert_close(found, found.T, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(found @ found, covariance, rtol=1e-10, atol=1e-13)


def test_root_of_a_covariance_without_full_rank_is_finite() -> None:
    covariance = moments(features(5, 20)).covariance
    torch.testing.assert_close(root(covariance) @ root(covariance), covariance, rtol=1e-10, atol=1e-13)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("width", [64, 128])
def test_frechet_is_that_of_clean_fid(width: int) -> None:
    real, fake = features(6 * width, width), features(5 * width, width, seed=1, shift=0.1, scale=1.2)
    wanted = fid.fid_from_feats(real.numpy(), fake.numpy())
    assert frechet(moments(real), moments(fake)) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("width", [64, 128])
def test_frechet_is_that_of_torchmetrics(width: int) -> None:
    real, fake = moments(features(6 * width, width)), moments(features(5 * width, width, seed=1, shift=0.1))
    wanted = float(_compute_fid(real.mean, real.covariance, fake.mean, fake.covariance))
    assert frechet(real, fake) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("count", [10, 400])
def test_frechet_of_identical_sets_is_zero(count: int) -> None:
    found = moments(features(count, 64))
    assert frechet(found, found) <= 1e-6 * float(found.covariance.trace())


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.floats(-10, 10), st.floats(-10, 10), st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=6
    )
)
def test_frechet_of_independent_gaussians_is_the_closed_form(axes: list[tuple[float, float, float, float]]) -> None:
    means, other_means, variances, other_variances = (list(column) for column in zip(*axes, strict=True))
    wanted = sum((a - b) ** 2 + (v**0.5 - w**0.5) ** 2 for a, b, v, w in axes)
    found = frechet(gaussian(means, variances), gaussian(other_means, other_variances))
    assert found == pytest.approx(wanted, rel=1e-6, abs=1e-6)


def test_frechet_in_one_dimension_is_the_closed_form() -> None:
    assert frechet(gaussian([1.0], [4.0]), gaussian([4.0], [25.0])) == pytest.approx(3**2 + (5 - 2) ** 2, rel=1e-12)


def test_a_shift_adds_its_squared_norm() -> None:
    real = features(200, 16)
    shift = torch.linspace(-1, 2, 16, dtype=torch.float64)
    found = frechet(moments(real), moments(real + shift))
    assert found == pytest.approx(float(shift.square().sum()), rel=1e-9)


def test_frechet_is_symmetric() -> None:
    real, fake = moments(features(200, 32)), moments(features(150, 32, seed=1, scale=2))
    assert frechet(real, fake) == pytest.approx(frechet(fake, real), rel=1e-10)


@pytest.mark.parametrize(("real_count", "fake_count"), [(2, 2), (10, 12), (10, 400), (400, 10)])
def test_frechet_of_fewer_images_than_features_is_finite(real_count: int, fake_count: int) -> None:
    real, fake = moments(features(real_count, 64)), moments(features(fake_count, 64, seed=1))
    found = frechet(real, fake)
    assert isinstance(found, float)
    assert math.isfinite(found)
    assert found > 0
    assert found == pytest.approx(frechet(fake, real), rel=1e-5)


def test_frechet_is_never_negative() -> None:
    for seed in range(20):
        found = moments(features(30, 16, seed=seed))
        assert frechet(found, found) >= 0


def test_frechet_of_sets_without_spread_is_the_distance_of_the_means() -> None:
    real, fake = moments(torch.zeros(3, 4)), moments(torch.ones(3, 4))
    assert frechet(real, fake) == 4.0


def test_a_root_at_hand_changes_nothing() -> None:
    real, fake = moments(features(200, 32)), moments(features(150, 32, seed=1))
    assert frechet(real, fake, real_root=root(real.covariance)) == frechet(real, fake)


def test_frechet_refuses_other_dimensions() -> None:
    with pytest.raises(ValueError) as caught:
        frechet(gaussian([0.0], [1.0]), gaussian([0.0, 0.0], [1.0, 1.0]))
    assert str(caught.value) == "moments of 1 and 2 features: the same features are wanted"


def test_frechet_refuses_the_root_of_another_shape() -> None:
    with pytest.raises(ValueError) as caught:
        frechet(gaussian([0.0], [1.0]), gaussian([1.0], [1.0]), real_root=torch.eye(2))
    assert str(caught.value) == "real_root has the shape (2, 2): that of the covariance, (1, 1), is wanted"


# Kernel distance


def test_kernel_distance_of_everything_is_that_of_clean_fid() -> None:
    real, fake = features(300, 64), features(300, 64, seed=1, shift=0.1)
    wanted = fid.kernel_distance(real.numpy(), fake.numpy(), num_subsets=1, max_subset_size=300)
    mean, deviation = kernel_distance(real, fake, subsets=1, size=300)
    assert mean == pytest.approx(wanted, rel=1e-9)
    assert deviation is None  # one value has none


def test_mmd_is_that_of_torchmetrics() -> None:
    real, fake = features(300, 64), features(300, 64, seed=1, shift=0.1)
    assert float(mmd(real, fake)) == pytest.approx(float(poly_mmd(real, fake)), rel=1e-9)


def test_mmd_of_unequal_numbers_is_the_mean_over_pairs() -> None:
    x, y = features(4, 3), features(3, 3, seed=1)

    def kernel(a: Tensor, b: Tensor) -> float:
        return (float(a @ b) / 3 + 1) ** 3

    wanted = (
        sum(kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j) / 12
        + sum(kernel(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j) / 6
        - 2 * sum(kernel(a, b) for a in x for b in y) / 12
    )
    assert float(mmd(x, y)) == pytest.approx(wanted, rel=1e-10)


def test_mmd_of_float32_is_counted_in_float64() -> None:
    real, fake = features(50, 8).float(), features(50, 8, seed=1).float()
    assert mmd(real, fake).dtype == torch.float64
    assert torch.equal(mmd(real, fake), mmd(real.double(), fake.double()))


def test_kernel_distance_is_the_mean_and_population_deviation_of_mmd() -> None:
    real, fake = features(60, 8), features(50, 8, seed=1)
    generator = torch.Generator().manual_seed(3)
    found = []
    for _ in range(4):
        rows = torch.randperm(60, generator=generator)[:20]
        found.append(float(mmd(real[rows], fake[torch.randperm(50, generator=generator)[:20]])))
    mean, deviation = kernel_distance(real, fake, subsets=4, size=20, seed=3)
    assert mean == pytest.approx(np.mean(found), rel=1e-12)
    assert deviation == pytest.approx(np.std(found), rel=1e-9)


def test_kernel_distance_within_one_distribution_is_near_zero() -> None:
    drawn = features(1000, 32)
    mean, deviation = kernel_distance(drawn[:500], drawn[500:], subsets=50, size=100)
    assert abs(mean) < 3 * deviation


def test_kernel_distance_of_a_shift_is_far_from_zero() -> None:
    drawn = features(1000, 32)
    mean, deviation = kernel_distance(drawn[:500], drawn[500:] + 1, subsets=20, size=100)
    assert mean > 3 * deviation


def test_kernel_distance_is_its_seeds() -> None:
    real, fake = features(100, 8), features(100, 8, seed=1)
    first = kernel_distance(real, fake, subsets=3, size=20, seed=1)
    assert first == kernel_distance(real, fake, subsets=3, size=20, seed=1)
    assert first != kernel_distance(real, fake, subsets=3, size=20, seed=2)


def test_kernel_distance_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    kernel_distance(features(20, 4), features(20, 4), subsets=2)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_subset_is_no_larger_than_the_smaller_set() -> None:
    real, fake = features(30, 4), features(12, 4, seed=1)
    assert kernel_distance(real, fake, subsets=2) == kernel_distance(real, fake, subsets=2, size=12)


@pytest.mark.parametrize(
    ("real", "fake", "options", "message"),
    [
        (
            torch.zeros(5, 4), torch.zeros(1, 4), {},
            "5 real and 1 fake images in subsets of at most 1000: at least 2 of each are wanted",
        ),
        (
            torch.zeros(5, 4), torch.zeros(6, 4), {"size": 1},
            "5 real and 6 fake images in subsets of at most 1: at least 2 of each are wanted",
        ),
        (torch.zeros(5, 4), torch.zeros(5, 4), {"subsets": 0}, "subsets is 0: at least 1 is wanted"),
        (torch.zeros(5, 4), torch.zeros(5, 3), {}, "4 real and 3 fake features: the same features are wanted"),
        (torch.zeros(5), torch.zeros(5, 3), {}, "real features of the shape (5,): (images, features) is wanted"),
        (
            torch.zeros(5, 3), torch.full((5, 3), math.nan), {},
            "fake features of 5 of 5 images are not finite: finite ones are wanted",
        ),
    ],
)  # fmt: skip
def test_kernel_distance_refuses(real: Tensor, fake: Tensor, options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        kernel_distance(real, fake, **options)
    assert str(caught.value) == message


# Neighbourhoods


def brute_force(real: Tensor, fake: Tensor, nearest: int) -> tuple[float, float, float, float]:
    def apart(x: Tensor, y: Tensor) -> np.ndarray:
        return ((x.double().numpy()[:, None] - y.double().numpy()[None]) ** 2).sum(axis=-1)

    real_radii = np.sort(apart(real, real), axis=1)[:, nearest]  # at 0 is the image itself
    fake_radii = np.sort(apart(fake, fake), axis=1)[:, nearest]
    held = apart(real, fake) < real_radii[:, None]
    holds = apart(real, fake) < fake_radii[None]
    density = held.sum(axis=0).mean() / nearest
    return held.any(axis=0).mean(), holds.any(axis=1).mean(), density, held.any(axis=1).mean()


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("nearest", [1, 3, 5])
def test_neighbourhood_is_that_of_brute_force(nearest: int, kind: torch.dtype) -> None:
    real, fake = features(90, 6).to(kind), features(70, 6, seed=1, shift=0.3, scale=0.7).to(kind)
    found = neighbourhood(real, fake, nearest=nearest)
    assert found == pytest.approx(brute_force(real, fake, nearest), rel=1e-12)
    assert 0 < found.recall < found.precision < 1


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.integers(4, 12), st.integers(4, 12), st.integers(1, 3))
def test_ties_lie_outside_the_radius(seed: int, real_count: int, fake_count: int, nearest: int) -> None:
    # Whole coordinates: distances are exact, and ties and doubles are common.
    generator = torch.Generator().manual_seed(seed)
    real = torch.randint(0, 3, (real_count, 2), generator=generator).double()
    fake = torch.randint(0, 3, (fake_count, 2), generator=generator).double()
    assert neighbourhood(real, fake, nearest=nearest) == pytest.approx(brute_force(real, fake, nearest), rel=1e-12)


@pytest.mark.parametrize("block", [1, 7, 90, 1000])
def test_the_size_of_a_block_changes_nothing(block: int) -> None:
    real, fake = features(90, 6), features(70, 6, seed=1, shift=0.3)
    assert neighbourhood(real, fake, block=block) == neighbourhood(real, fake)


def test_identical_sets_overlap_wholly() -> None:
    drawn = features(100, 8)
    found = neighbourhood(drawn, drawn.clone())
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)
    assert found.density == pytest.approx(1, abs=0.25)  # rounding decides whether the rim is inside


def test_sets_far_apart_do_not_overlap() -> None:
    assert neighbourhood(features(100, 8), features(80, 8, seed=1, shift=1000)) == (0, 0, 0, 0)


def test_a_lost_mode_costs_recall_and_coverage_but_not_precision() -> None:
    real = torch.cat([features(100, 4), features(100, 4, seed=1, shift=100)])
    both = torch.cat([features(200, 4)[100:], features(200, 4, seed=1, shift=100)[100:]])
    whole, half = neighbourhood(real, both), neighbourhood(real, both[:100])
    assert half.recall == pytest.approx(whole.recall / 2, abs=0.1)
    assert half.coverage == pytest.approx(whole.coverage / 2, abs=0.1)
    assert half.precision == pytest.approx(whole.precision, abs=0.1)


def test_one_more_image_than_nearest_is_enough() -> None:
    drawn = features(6, 3)
    assert neighbourhood(drawn, drawn, nearest=5).precision == 1


@pytest.mark.parametrize(
    ("real", "fake", "options", "message"),
    [
        (torch.zeros(5, 4), torch.zeros(9, 4), {}, "5 real and 9 fake images: more than nearest = 5 are wanted"),
        (
            torch.zeros(9, 4), torch.zeros(3, 4), {"nearest": 3},
            "9 real and 3 fake images: more than nearest = 3 are wanted",
        ),
        (torch.zeros(9, 4), torch.zeros(9, 4), {"nearest": 0}, "nearest is 0 and block is 1000: at least 1 is wanted"),
        (torch.zeros(9, 4), torch.zeros(9, 4), {"block": 0}, "nearest is 5 and block is 0: at least 1 is wanted"),
        (torch.zeros(9, 4), torch.zeros(9, 3), {}, "4 real and 3 fake features: the same features are wanted"),
        (
            torch.full((9, 3), math.inf), torch.zeros(9, 3), {},
            "real features of 9 of 9 images are not finite: finite ones are wanted",
        ),
    ],
)  # fmt: skip
def test_neighbourhood_refuses(real: Tensor, fake: Tensor, options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        neighbourhood(real, fake, **options)
    assert str(caught.value) == message
