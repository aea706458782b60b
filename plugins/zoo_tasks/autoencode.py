"""The task `autoencode`: two networks, from items to few numbers and back, trained by one loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from zoo.api import TARGETS, Batch, DataInfo, Direction, Field, Items, Loss, PredictiveTask, Target, Terminals, Turn

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Autoencode(PredictiveTask):
    """Encode items as `latent` numbers and decode them again: by mean squared error unless another loss is named.

    The decoder gives pixels in 0..1, numbers as they are; of a loss of logits, logits. With a `kl_weight` it is
    variational: the encoder gives mean and logarithm of the variance of each number, and the weighted divergence from
    the standard normal distribution, in nats for each value of an item, is added to the loss.

    Source: Kingma and Welling 2013, arXiv:1312.6114, equation 10; the weight: Higgins et al. 2017, beta-VAE.
    """

    loss: Loss = "mean_squared_error"
    normalize: Annotated[bool, Field(description="Shift and scale what is encoded by the training statistics.")] = True
    latent: Annotated[int, Field(ge=1, le=1_000_000, description="Numbers that an item is encoded as.")] = 32
    kl_weight: Annotated[float, Field(ge=0, le=1e6, description="Weight of the divergence; 0: not variational.")] = 0.0

    roles: ClassVar[tuple[str, ...]] = ("encoder", "decoder")
    items: ClassVar[tuple[Items, ...]] = ("images", "vectors", "series", "arrays")
    targets: ClassVar[tuple[Target, ...]] = TARGETS
    predicts: ClassVar[Any] = "items"

    def terminals(self, role: str, info: DataInfo) -> Terminals:
        code = (2 * self.latent,) if self.kl_weight else (self.latent,)
        return Terminals(info.image, code) if role == "encoder" else Terminals((self.latent,), info.image)

    def wanted(self, batch: Batch, info: DataInfo) -> Tensor:
        return batch.images

    def step(self, turn: Turn) -> dict[str, Tensor]:
        import torch

        mean, log_variance = self._code(turn.networks, turn.batch.images, turn.info)
        figures, code = {}, mean
        if self.kl_weight:
            noise = torch.randn(mean.shape, generator=turn.random, device=mean.device)
            code = mean + (log_variance / 2).exp() * noise
        loss = self.loss(turn.networks["decoder"](code), turn.batch.images)
        figures["reconstruction_loss"] = loss.detach()
        if self.kl_weight:
            divergence = divergences(mean, log_variance).mean() / turn.batch.images[0].numel()
            figures["divergence"] = divergence.detach()
            loss = loss + self.kl_weight * divergence
        norm = turn.update(self.roles, loss)
        return {"loss": loss.detach(), **figures, "gradient_norm": norm}

    def outputs(self, networks: Mapping[str, nn.Module], images: Tensor, info: DataInfo) -> tuple[Tensor, ...]:
        mean, _ = self._code(networks, images, info)
        return (networks["decoder"](mean),)

    def said(self, outputs: Tensor, info: DataInfo) -> Tensor:
        logits = "numbers" not in getattr(self.loss, "about", ("numbers",))
        return outputs.sigmoid() if logits else outputs

    def observe(
        self, said: Tensor, batch: Batch, networks: Mapping[str, nn.Module], info: DataInfo
    ) -> tuple[Tensor, ...]:
        """Return the mean square and absolute error of each item, and the divergence of its code."""
        apart = (said - batch.images).flatten(1)
        found = (apart.square().mean(1), apart.abs().mean(1))
        if not self.kl_weight:
            return found
        return *found, divergences(*self._code(networks, batch.images, info))

    def measure(self, info: DataInfo, *observed: Tensor) -> dict[str, Any]:
        """Return errors over all items; of pixels the peak signal-to-noise ratio in dB, the mean over the items."""
        square, absolute, *divergence = (one.double() for one in observed)
        found = {
            "root_mean_square_error": float(square.mean().sqrt()),
            "mean_absolute_error": float(absolute.mean()),
        }
        if info.values == "pixels":
            found["psnr"] = float((-10 * square.clamp_min(1e-12).log10()).mean())
        if divergence:
            found["divergence"] = float(divergence[0].mean())
        return found

    def figures(self) -> Mapping[str, Direction]:
        errors = ("root_mean_square_error", "mean_absolute_error", *self.losses())
        return dict.fromkeys(errors, "minimize")

    def _code(self, networks: Mapping[str, nn.Module], images: Tensor, info: DataInfo) -> tuple[Tensor, Tensor]:
        """Return the mean and the logarithm of the variance of each item's code; without a weight the code twice."""
        code = networks["encoder"](self.prepared(images, info)).float()
        mean, log_variance = code.chunk(2, 1) if self.kl_weight else (code, code)
        return mean, log_variance


def divergences(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the divergence of normal distributions (N, latent) from the standard one, in nats: (N,).

    Source: Kingma and Welling 2013, arXiv:1312.6114, appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
