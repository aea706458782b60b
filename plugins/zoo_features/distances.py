"""Distances between two sets of features: Fréchet, kernel, and the overlap of neighbourhoods, all in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Moments(NamedTuple):
    """Hold what the Fréchet distance needs of a set: mean (D,), unbiased covariance (D, D), number of images."""

    mean: Tensor
    covariance: Tensor
    size: int


class Neighbourhood(NamedTuple):
    """Hold how two sets overlap; all are shares in [0, 1] but for the density, which can exceed 1."""

    precision: float
    recall: float
    density: float
    coverage: float


def moments(features: Tensor, /) -> Moments:
    """Return mean and covariance of a set.

    features: (N, D) of any float type. ValueError: not two-dimensional, not finite, or N < 2.
    """
    import torch

    _require(features)
    count = len(features)
    if count < 2:
        raise ValueError(f"features of the shape {tuple(features.shape)}: a covariance wants at least 2 images")
    mean = features.mean(dim=0, dtype=torch.float64)
    centred = features - mean
    return Moments(mean, centred.T @ centred / (count - 1), count)


def root(covariance: Tensor) -> Tensor:
    """Return the symmetric square root of a positive semi-definite matrix.

    covariance: (D, D). Eigenvalues that rounding made negative count as 0.
    """
    import torch

    values, vectors = torch.linalg.eigh(covariance.double())
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def frechet(real: Moments, fake: Moments, *, real_root: Tensor | None = None) -> float:
    """Return the Fréchet distance of two Gaussians, squared as is usual: the FID, where the features are Inception's.

    real_root: (D, D), `root(real.covariance)` where the caller kept it. ValueError: the dimensions differ.

    Source: Heusel et al. 2017, arXiv:1706.08500, eq. 6; Dowson and Landau 1982.
    """
    import torch

    widths = len(real.mean), len(fake.mean)
    if widths[0] != widths[1]:
        raise ValueError(f"moments of {widths[0]} and {widths[1]} features: the same features are wanted")
    if real_root is None:
        real_root = root(real.covariance)
    elif real_root.shape != real.covariance.shape:
        found, wanted = tuple(real_root.shape), tuple(real.covariance.shape)
        raise ValueError(f"real_root has the shape {found}: that of the covariance, {wanted}, is wanted")
    # The product of the two covariances has the eigenvalues of this one, which is symmetric: they stay real.
    values = torch.linalg.eigvalsh(real_root @ fake.covariance @ real_root)
    shift = (real.mean - fake.mean).square().sum()
    spread = real.covariance.trace() + fake.covariance.trace() - 2 * values.clamp(min=0).sqrt().sum()
    return max(float(shift + spread), 0.0)


def mmd(x: Tensor, y: Tensor) -> Tensor:
    """Return the unbiased squared maximum mean discrepancy under the kernel (x.y / D + 1)^3; it can be below 0.

    x: (M, D), y: (N, D), both of at least 2 images. Returns a float64 scalar.

    Source: Bińkowski et al. 2018, arXiv:1801.01401, after Gretton et al. 2012.
    """
    x, y = x.double(), y.double()

    def kernel(left: Tensor, right: Tensor) -> Tensor:
        return (left @ right.T / left.shape[1] + 1) ** 3

    def within(features: Tensor) -> Tensor:
        pairs = kernel(features, features)
        return (pairs.sum() - pairs.diagonal().sum()) / (len(features) * (len(features) - 1))

    return within(x) + within(y) - 2 * kernel(x, y).mean()


def kernel_distance(
    real: Tensor, fake: Tensor, /, *, subsets: int = 100, size: int = 1000, seed: int = 0
) -> tuple[float, float | None]:
    """Return mean and standard deviation of `mmd` over random subsets: the KID, where the features are Inception's.

    real: (M, D), fake: (N, D) of any float type. A subset has min(size, M, N) images of each set, drawn without
    replacement. The deviation is the population's (divided by `subsets`), as torchmetrics has it; None of one subset.
    ValueError: not two-dimensional, not finite, D differs, subsets < 1, or a subset of fewer than 2 images.

    Source: Bińkowski et al. 2018, arXiv:1801.01401.
    """
    import torch

    _require_pair(real, fake)
    if subsets < 1:
        raise ValueError(f"subsets is {subsets}: at least 1 is wanted")
    size = min(asked := size, len(real), len(fake))
    if size < 2:
        raise ValueError(
            f"{len(real)} real and {len(fake)} fake images in subsets of at most {asked}: at least 2 of each are wanted"
        )
    generator = torch.Generator().manual_seed(seed)

    def draw(features: Tensor) -> Tensor:
        return features[torch.randperm(len(features), generator=generator)[:size].to(features.device)]

    found = torch.stack([mmd(draw(real), draw(fake)) for _ in range(subsets)])
    # One subset has no deviation.
    return float(found.mean()), float(found.std(correction=0)) if subsets > 1 else None


def neighbourhood(real: Tensor, fake: Tensor, /, *, nearest: int = 5, block: int = 1000) -> Neighbourhood:
    """Return precision, recall, density and coverage of the fake set.

    real: (M, D), fake: (N, D) of any float type. The radius of an image is the distance to its `nearest`-th
    neighbour in its own set, itself not counted; a point on the rim is outside. Distances are taken `block` images
    at a time. ValueError: not two-dimensional, not finite, D differs, nearest or block < 1, or a set of no more than
    `nearest` images.

    Source: precision and recall: Kynkäänniemi et al. 2019, arXiv:1904.06991; density and coverage: Naeem et al.
    2020, arXiv:2002.09797; the comparison is strict for all four, as in the latter's code (prdc).
    """
    import torch

    _require_pair(real, fake)
    if nearest < 1 or block < 1:
        raise ValueError(f"nearest is {nearest} and block is {block}: at least 1 is wanted")
    if min(len(real), len(fake)) <= nearest:
        raise ValueError(f"{len(real)} real and {len(fake)} fake images: more than nearest = {nearest} are wanted")
    real, fake = real.double(), fake.double()
    real_radii, fake_radii = _radii(real, nearest, block), _radii(fake, nearest, block)
    holders = torch.zeros(len(fake), dtype=torch.int64, device=fake.device)
    recalled = covered = 0
    for start in range(0, len(real), block):
        distances = _squared_distances(real[start : start + block], fake)
        radii = real_radii[start : start + block, None]
        holders += (distances < radii).sum(dim=0)
        recalled += int((distances < fake_radii).any(dim=1).sum())
        covered += int((distances < radii).any(dim=1).sum())
    return Neighbourhood(
        precision=int((holders > 0).sum()) / len(fake),
        recall=recalled / len(real),
        density=int(holders.sum()) / (nearest * len(fake)),
        coverage=covered / len(real),
    )


def _radii(features: Tensor, nearest: int, block: int) -> Tensor:
    """Return the squared distance of each row to its `nearest`-th other row: (N,)."""
    import torch

    found = []
    for start in range(0, len(features), block):
        distances = _squared_distances(features[start : start + block], features)
        # Seen from row `start`, the image itself lies on a diagonal.
        distances.diagonal(offset=start).fill_(torch.inf)
        found.append(distances.kthvalue(nearest, dim=1).values)
    return torch.cat(found)


def _squared_distances(x: Tensor, y: Tensor) -> Tensor:
    # Cheaper than differences, but squares cancel: float32 would lose near neighbours.
    squares = x.square().sum(dim=1)[:, None] + y.square().sum(dim=1)
    return squares.addmm_(x, y.T, alpha=-2).clamp_(min=0)


def _require(features: Tensor, name: str = "features") -> None:
    if features.ndim != 2:
        raise ValueError(f"{name} of the shape {tuple(features.shape)}: (images, features) is wanted")
    if bad := int((~features.isfinite()).any(dim=1).sum()):
        raise ValueError(f"{name} of {bad} of {len(features)} images are not finite: finite ones are wanted")


def _require_pair(real: Tensor, fake: Tensor) -> None:
    _require(real, "real features")
    _require(fake, "fake features")
    if real.shape[1] != fake.shape[1]:
        raise ValueError(f"{real.shape[1]} real and {fake.shape[1]} fake features: the same features are wanted")
