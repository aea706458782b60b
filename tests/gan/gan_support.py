"""What the tests of adversarial training share: a small spec, and tasks that a test can script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zoo.api import Batch, Turn
from zoo_gan.task import Gan

SPEC: dict[str, Any] = {
    "zoo": 1,
    "name": "tiny-gan",
    "task": {"gan": {"latent_size": 4}},
    "data": {"shapes": {"train_images": 100, "test_images": 100}},
    "networks": {
        "generator": {"architecture": {"dcgan_generator": {"widths": [6, 4]}}},
        "discriminator": {"architecture": {"dcgan_discriminator": {"widths": [4, 4]}}},
    },
    "train": {"steps": 3, "batch_size": 4, "device": "cpu", "log_every": 1, "test_at_end": False},
}
#: What a `scripted` task reports in each step beside its own figures.
SCRIPT: list[dict[str, float]] = []


@dataclass(frozen=True, kw_only=True)
class OnlyDiscriminator(Gan):
    """Leave the generator as it is."""

    def generator_step(self, turn: Turn, real: Batch, fake: Batch) -> dict[str, Tensor]:
        return {}


@dataclass(frozen=True, kw_only=True)
class OnlyGenerator(Gan):
    """Leave the discriminator as it is."""

    def discriminator_step(self, turn: Turn, real: Batch, fake: Batch) -> dict[str, Tensor]:
        figures = {"accuracy_on_real": 0.7, "accuracy_on_fake": 0.7, "diversity": 1.0}
        return {name: torch.tensor(value) for name, value in figures.items()}


@dataclass(frozen=True, kw_only=True)
class Greedy(Gan):
    """Update the generator once more than it says."""

    def step(self, turn: Turn) -> dict[str, Tensor]:
        figures = super().step(turn)
        batch = Batch(turn.batch.images * 2 - 1, turn.batch.labels)
        return figures | self.generator_step(turn, batch, self.fake(turn, len(turn.batch.images)))


@dataclass(frozen=True, kw_only=True)
class Scripted(Gan):
    """Report what the test has written down for this step."""

    def step(self, turn: Turn) -> dict[str, Tensor]:
        return super().step(turn) | {name: torch.tensor(value) for name, value in SCRIPT[turn.step].items()}
