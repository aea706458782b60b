"""The task `gan`: a generator makes images out of latent values, a discriminator tells them from real ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from zoo.api import (
    AdversarialLossOption,
    AugmentationOption,
    Batch,
    Condition,
    DataInfo,
    Direction,
    Field,
    Finding,
    GenerativeTask,
    Setting,
    Shape,
    Terminals,
    Turn,
)
from zoo_gan.watching import describe, diversity

if TYPE_CHECKING:
    from torch import Tensor, nn

Weight = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, kw_only=True)
class Gan(GenerativeTask):
    """Train a generator against a discriminator; both see images in -1..1, and losses see logits.

    A step updates the discriminator `discriminator_steps` times, each time with real images of its own, and then the
    generator once, with the images that the discriminator has just seen.

    `conditioning`: with `both`, generator and discriminator are called with labels; with `auxiliary`, the generator
    alone is, and the discriminator also classifies, with one logit more for each class, or with the outputs `logit` and
    `classes` (ACGAN).

    Source: Goodfellow et al. 2014, arXiv:1406.2661; ACGAN: Odena et al. 2016, arXiv:1610.09585.
    """

    latent_size: Annotated[int, Field(ge=1, le=2**20, description="Latent values of an image.")] = 128
    loss: AdversarialLossOption = "bce"
    conditioning: Literal["none", "both", "auxiliary"] = "none"
    classification: Annotated[Weight, Field(description="Weight of the auxiliary classification.")] = 1.0
    discriminator_steps: Annotated[int, Field(ge=1, le=100, description="Its updates for each of the generator.")] = 1
    r1: Annotated[Weight, Field(description="Weight of the squared slope at real images.")] = 0.0
    r2: Annotated[Weight, Field(description="Weight of the squared slope at generated images.")] = 0.0
    gradient_penalty: Annotated[Weight, Field(description="Weight of the slope's distance from 1 in between.")] = 0.0
    penalty_every: Annotated[
        int, Field(ge=1, le=1000, description="Steps between penalties, which then weigh as much more.")
    ] = 1
    augment: Annotated[
        list[AugmentationOption],
        Field(description="Of all that the discriminator sees, real or generated; gradients pass through."),
    ] = field(default_factory=list)

    roles: ClassVar[tuple[str, ...]] = ("generator", "discriminator")

    @property
    def conditional(self) -> bool:
        return self.conditioning != "none"

    def latent(self, info: DataInfo) -> Shape:
        return (self.latent_size,)

    def terminals(self, role: str, info: DataInfo) -> Terminals:
        label = (Condition("label", info.classes),)
        if role == "generator":
            return Terminals(self.latent(info), info.image, label if self.conditional else ())
        if self.conditioning == "auxiliary":
            heads = (("logit", (1,)), ("classes", (info.classes,)))
            return Terminals(info.image, (1 + info.classes,), heads=heads)
        return Terminals(info.image, (1,), label if self.conditioning == "both" else ())

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        network = setting.spec.networks.get("discriminator")
        if self.loss.bounded and network and not (self.gradient_penalty or _normed(network.architecture.data())):
            found = "found a loss that needs a discriminator of bounded slope"
            yield Finding(found, "gradient_penalty: 10, or spectral_norm in the discriminator", "loss", warning=True)

    def twice(self, role: str) -> bool:
        return role == "discriminator" and bool(self.r1 or self.r2 or self.gradient_penalty)

    def updates(self, role: str) -> int:
        return self.discriminator_steps if role == "discriminator" else 1

    def batches(self) -> int:
        return self.discriminator_steps

    def step(self, turn: Turn) -> dict[str, Tensor]:
        figures: dict[str, Tensor] = {}
        batches = zip(
            turn.batch.images.chunk(self.discriminator_steps),
            turn.batch.labels.chunk(self.discriminator_steps),
            strict=True,
        )
        for images, labels in batches:
            real = Batch(images * 2 - 1, labels)
            fake = self.fake(turn, len(images))
            figures |= self.discriminator_step(turn, real, fake)
        return figures | self.generator_step(turn, real, fake)

    def variant(self, step: int) -> bool:
        """Return whether the penalties are due."""
        return step % self.penalty_every == 0

    def fake(self, turn: Turn, count: int) -> Batch:
        """Return new images in -1..1 (count, C, H, W), with the generator's graph, and their labels."""
        import torch

        random = turn.random
        latents = torch.randn(count, self.latent_size, generator=random, device=random.device)
        labels = torch.randint(turn.info.classes, (count,), generator=random, device=random.device)
        return Batch(turn.networks["generator"](latents, *([labels] if self.conditional else [])), labels)

    def discriminator_step(self, turn: Turn, real: Batch, fake: Batch) -> dict[str, Tensor]:
        """Update the discriminator once on real and generated images."""
        fake = Batch(fake.images.detach(), fake.labels)
        real_logits, real_classes = self._judged(turn, real)
        fake_logits, fake_classes = self._judged(turn, fake)
        loss = self.loss.discriminator(real_logits, fake_logits)
        figures = {"discriminator_loss": loss.detach()}
        for logits, batch in ((real_classes, real), (fake_classes, fake)):
            loss = loss + self._classification(logits, batch.labels)
        if self.variant(turn.step):
            loss = loss + self._penalty(turn, real, fake) * self.penalty_every
        figures["discriminator_gradient_norm"] = turn.update("discriminator", loss)
        boundary = self.loss.boundary(real_logits, fake_logits)
        figures["accuracy_on_real"] = (real_logits.detach() > boundary).float().mean()
        figures["accuracy_on_fake"] = (fake_logits.detach() < boundary).float().mean()
        if len(real.images) > 1:
            figures["diversity"] = diversity(fake.images) / diversity(real.images).clamp_min(1e-8)
        return figures

    def generator_step(self, turn: Turn, real: Batch, fake: Batch) -> dict[str, Tensor]:
        """Update the generator once, through the discriminator's judgement of what it has made."""
        import torch

        fake_logits, fake_classes = self._judged(turn, fake)
        real_logits = fake_logits.detach()
        if self.loss.compares:
            with torch.no_grad():
                real_logits, _ = self._judged(turn, real)
        loss = self.loss.generator(real_logits, fake_logits)
        figures = {"generator_loss": loss.detach()}
        loss = loss + self._classification(fake_classes, fake.labels)
        figures["generator_gradient_norm"] = turn.update("generator", loss)
        return figures

    def _judged(self, turn: Turn, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return the discriminator's logits (N,), and those of the classes (N, classes) where it gives them."""
        images = batch.images
        if self.augment:
            images = (images + 1) / 2
            for augmentation in self.augment:
                images = augmentation(images, turn.random)
            images = images * 2 - 1
        return self._given(turn.networks["discriminator"], images, batch.labels)

    def _given(self, network: nn.Module, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
        given = network(images, *([labels] if self.conditioning == "both" else []))
        if isinstance(given, tuple):
            logits, classes = given
            return logits[:, 0].float(), classes.float()
        logits = given.float()
        return logits[:, 0], logits[:, 1:] if self.conditioning == "auxiliary" else None

    def _classification(self, logits: Tensor | None, labels: Tensor) -> Tensor | float:
        from torch.nn import functional

        return 0.0 if logits is None else functional.cross_entropy(logits, labels) * self.classification

    def _penalty(self, turn: Turn, real: Batch, fake: Batch) -> Tensor | float:
        """Return the weighted penalties on the slope of the discriminator, in fp32.

        Source: R1 and R2: Mescheder et al. 2018, arXiv:1801.04406, equations 9 and 10; gradient penalty: Gulrajani et
        al. 2017, arXiv:1704.00028, equation 3.
        """
        import torch

        total: Tensor | float = 0.0
        with torch.autocast(real.images.device.type, enabled=False):
            if self.r1:
                total = total + self.r1 / 2 * self._slope(turn, real).square().sum(1).mean()
            if self.r2:
                total = total + self.r2 / 2 * self._slope(turn, fake).square().sum(1).mean()
            if self.gradient_penalty:
                share = torch.rand(len(real.images), 1, 1, 1, generator=turn.random, device=real.images.device)
                between = Batch(torch.lerp(fake.images.float(), real.images, share), real.labels)
                norms = self._slope(turn, between).norm(dim=1)
                total = total + self.gradient_penalty * (norms - 1).square().mean()
        return total

    def _slope(self, turn: Turn, batch: Batch) -> Tensor:
        """Return the gradient of each image's logit by its pixels (N, C H W), itself with a graph."""
        import torch
        from torch.nn.attention import SDPBackend, sdpa_kernel

        images = batch.images.detach().float().requires_grad_()
        # What torch.compile makes has no second derivative, nor have fused kernels of attention; the module has.
        networks = {role: getattr(one, "_orig_mod", one) for role, one in turn.networks.items()}
        with sdpa_kernel(SDPBackend.MATH):
            logits, _ = self._judged(turn._replace(networks=networks), Batch(images, batch.labels))
        (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
        return slope.flatten(1)

    def remarks(self, figures: Mapping[str, float]) -> dict[str, str]:
        return describe(figures)

    def generate(
        self, networks: Mapping[str, nn.Module], latents: Tensor, labels: Tensor | None, info: DataInfo
    ) -> Tensor:
        images: Tensor = networks["generator"](latents, *([] if labels is None else [labels]))
        return (images + 1) / 2

    def judge(self, networks: Mapping[str, nn.Module], images: Tensor, labels: Tensor | None, info: DataInfo) -> Tensor:
        """Return the discriminator's logits."""
        return self._given(networks["discriminator"], images * 2 - 1, labels)[0]

    def evaluate(self, networks: Mapping[str, nn.Module], batches: Iterable[Batch], info: DataInfo) -> dict[str, Any]:
        """Return the discriminator's mean logit of real images: lower on new ones than on those that it was trained on
        says how much it has learnt by heart.
        """
        import torch

        logits = []
        for images, labels in batches:
            logits.append(self.judge(networks, images, labels, info).cpu())
        found = torch.cat(logits)
        return {"images": len(found), "discriminator_logit": float(found.double().mean())}

    def figures(self) -> Mapping[str, Direction]:
        return {"discriminator_logit": ""}


def _normed(data: Any) -> bool:
    """Return whether an architecture's plain data ask for spectral norms."""
    if isinstance(data, dict):
        return bool(data.get("spectral_norm")) or any(map(_normed, data.values()))
    return isinstance(data, list) and any(map(_normed, data))
