"""Adversarial losses on logits: what the discriminator and what the generator minimises, means over the batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from zoo.api import Field

if TYPE_CHECKING:
    from torch import Tensor


class AdversarialLoss:
    """Base of the kind `adversarial_loss`. A subclass is a keyword-only frozen dataclass: its fields are its options.

    real, fake: the discriminator's logits (N,) of real and of generated images, high where it takes one for real.
    `compares`: the generator's loss needs the logits of real images; they come without a graph.
    `bounded`: the discriminator's slope has to be kept within bounds.
    """

    compares: ClassVar[bool] = False
    bounded: ClassVar[bool] = False

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return what the discriminator minimises."""
        raise NotImplementedError

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return what the generator minimises."""
        raise NotImplementedError

    def boundary(self, real: Tensor, fake: Tensor) -> Tensor | float:
        """Return the logit above which an image counts as taken for real."""
        return 0.0


@dataclass(frozen=True, kw_only=True)
class BCE(AdversarialLoss):
    """Binary cross entropy, its non-saturating form for the generator.

    Source: Goodfellow et al. 2014, arXiv:1406.2661, equation 1 and the end of section 3; the smoothing: Salimans et
    al. 2016, arXiv:1606.03498, section 3.4.
    """

    smoothing: Annotated[float, Field(ge=0, lt=0.5, description="Real images are taken as real to 1 - this.")] = 0.0

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        from torch.nn import functional

        target = 1 - self.smoothing
        return (functional.softplus(-real) * target + functional.softplus(real) * self.smoothing).mean() + (
            functional.softplus(fake).mean()
        )

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        from torch.nn import functional

        return functional.softplus(-fake).mean()


@dataclass(frozen=True, kw_only=True)
class Hinge(AdversarialLoss):
    """Margins of 1 on both sides. Source: Lim and Ye 2017, arXiv:1705.02894; Miyato et al. 2018, arXiv:1802.05957."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return (1 - real).relu().mean() + (1 + fake).relu().mean()

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return -fake.mean()


@dataclass(frozen=True, kw_only=True)
class LeastSquares(AdversarialLoss):
    """Half the squared distance from 1 for real and 0 for generated images.

    Source: Mao et al. 2016, arXiv:1611.04076, equation 9.
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return ((real - 1).square().mean() + fake.square().mean()) / 2

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return (fake - 1).square().mean() / 2

    def boundary(self, real: Tensor, fake: Tensor) -> float:
        return 0.5


@dataclass(frozen=True, kw_only=True)
class Wasserstein(AdversarialLoss):
    """The difference of the means, which needs a discriminator of bounded slope: `gradient_penalty`.

    Source: Arjovsky et al. 2017, arXiv:1701.07875; Gulrajani et al. 2017, arXiv:1704.00028.
    """

    bounded: ClassVar[bool] = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean() - real.mean()

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return -fake.mean()

    def boundary(self, real: Tensor, fake: Tensor) -> Tensor:
        # The logits have no zero of their own.
        return (real.mean() + fake.mean()).detach() / 2


@dataclass(frozen=True, kw_only=True)
class Relativistic(AdversarialLoss):
    """Each generated image against a real one; with `r1` and `r2` the loss of R3GAN.

    Source: Jolicoeur-Martineau 2018, arXiv:1807.00734; Huang et al. 2024, arXiv:2501.05441, equation 2.
    """

    compares: ClassVar[bool] = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        from torch.nn import functional

        return functional.softplus(fake - real).mean()

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        from torch.nn import functional

        return functional.softplus(real - fake).mean()

    def boundary(self, real: Tensor, fake: Tensor) -> Tensor:
        # The logits have no zero of their own.
        return (real.mean() + fake.mean()).detach() / 2
