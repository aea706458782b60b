"""The task `diffuse`: one network learns which way leads from noise to images, and walks it to draw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from zoo.api import (
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
    derive_seed,
)

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Diffuse(GenerativeTask):
    """Train a network to give the velocity of straight paths from noise (time 0) to images in -1..1 (time 1).

    The network is called as `network(images, time)`, or `network(images, time, labels)`; the label `classes` means
    none. Images are drawn by following the velocity from normal noise; nothing is drawn at random on the way.

    Source: Lipman et al. 2022, arXiv:2210.02747, equation 23 with sigma_min = 0; Liu et al. 2022, arXiv:2209.03003.
    """

    labels: Annotated[bool, Field(description="The network is told the class.")] = True
    label_dropout: Annotated[float, Field(ge=0, lt=1, description="Share of images trained without a class.")] = 0.1
    time: Annotated[
        Literal["uniform", "logit_normal"],
        Field(description="How times are drawn in training; logit_normal looks more often half way."),
    ] = "logit_normal"
    sampling_steps: Annotated[int, Field(ge=1, le=10_000, description="Steps from noise to an image.")] = 20
    solver: Annotated[Literal["euler", "heun"], Field(description="heun calls the network twice a step.")] = "heun"
    guidance: Annotated[float, Field(ge=0, le=100, description="Weight of the class; 1: as trained.")] = 1.0

    roles: ClassVar[tuple[str, ...]] = ("denoiser",)

    @property
    def conditional(self) -> bool:
        return self.labels

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        if self.guidance != 1 and not (self.labels and self.label_dropout):
            found = f"found {self.guidance:g}, but the network never learns what an image without a class is"
            wanted = "labels: true and a label_dropout above 0, or guidance: 1"
            yield Finding(found, wanted, "guidance", warning=True)

    def latent(self, info: DataInfo) -> Shape:
        return info.image

    def terminals(self, role: str, info: DataInfo) -> Terminals:
        label = (Condition("label", info.classes + 1),) if self.labels else ()
        return Terminals(info.image, info.image, (Condition("time"), *label))

    def step(self, turn: Turn) -> dict[str, Tensor]:
        import torch

        images, labels = turn.batch
        noise = torch.randn(images.shape, generator=turn.random, device=images.device)
        drawn = torch.randn(len(images), generator=turn.random, device=images.device)
        dropped = torch.rand(len(images), generator=turn.random, device=images.device) < self.label_dropout
        labels = torch.where(dropped, turn.info.classes, labels)
        loss = self.loss(turn.networks["denoiser"], images, labels, noise, self._times(drawn)).mean()
        norm = turn.update("denoiser", loss)
        return {"loss": loss.detach(), "gradient_norm": norm}

    def loss(self, network: nn.Module, images: Tensor, labels: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        """Return each image's mean squared error of the velocity (N,); images (N, C, H, W) in 0..1, time (N,)."""
        target = images * 2 - 1
        along = time.view(-1, 1, 1, 1)
        given = self._velocity(network, (1 - along) * noise + along * target, time, labels)
        return (given - (target - noise)).square().flatten(1).mean(1)

    def evaluate(self, networks: Mapping[str, nn.Module], batches: Iterable[Batch], info: DataInfo) -> dict[str, Any]:
        """Return the mean loss over all images, at times and with noise that are the same in each evaluation."""
        import torch

        random = torch.Generator().manual_seed(derive_seed(0, "diffusion evaluation"))
        losses = []
        for images, labels in batches:
            noise = torch.randn(images.shape, generator=random).to(images.device)
            time = self._times(torch.randn(len(images), generator=random)).to(images.device)
            losses.append(self.loss(networks["denoiser"], images, labels, noise, time).cpu().double())
        found = torch.cat(losses)
        return {"images": len(found), "loss": found.mean().item()}

    def figures(self) -> Mapping[str, Direction]:
        return {"loss": "minimize"}

    def generate(
        self, networks: Mapping[str, nn.Module], latents: Tensor, labels: Tensor | None, info: DataInfo
    ) -> Tensor:
        """Follow the velocity in equal steps by the Euler or Heun rule.

        Source: guidance: Ho and Salimans 2022, arXiv:2207.12598, equation 6, with weight 1 for none.
        """
        images = latents
        for step in range(self.sampling_steps):
            now, then = step / self.sampling_steps, (step + 1) / self.sampling_steps
            velocity = self._guided(networks["denoiser"], images, now, labels, info)
            moved = images + velocity * (then - now)
            if self.solver == "heun" and step + 1 < self.sampling_steps:
                after = self._guided(networks["denoiser"], moved, then, labels, info)
                moved = images + (velocity + after) / 2 * (then - now)
            images = moved
        return (images + 1) / 2

    def _guided(self, network: nn.Module, images: Tensor, time: float, labels: Tensor | None, info: DataInfo) -> Tensor:
        import torch

        times = images.new_full((images.shape[0],), time)
        if labels is None:
            return self._velocity(network, images, times, torch.empty(0))
        if self.guidance == 1:
            return self._velocity(network, images, times, labels)
        both = torch.cat([labels, torch.full_like(labels, info.classes)])
        velocity = self._velocity(network, images.repeat(2, 1, 1, 1), times.repeat(2), both)
        # How many parts chunk() gives depends on the batch, which an exported program leaves free.
        told, untold = velocity.unflatten(0, (2, images.shape[0]))
        return torch.lerp(untold, told, self.guidance)

    def _velocity(self, network: nn.Module, images: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        velocity: Tensor = network(images, time, *([labels] if self.labels else []))
        return velocity.float()

    def _times(self, drawn: Tensor) -> Tensor:
        """Return times in 0..1 out of normal numbers. Source: Esser et al. 2024, arXiv:2403.03206, section 3.1."""
        import torch

        return torch.special.ndtr(drawn) if self.time == "uniform" else torch.sigmoid(drawn)
