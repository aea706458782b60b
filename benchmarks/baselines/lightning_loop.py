"""The classifier under Lightning's Trainer with its default features: logger and checkpoints on, no progress bar.

Frozen; written for lightning 2.6, torch 2.15 and torchvision 0.29.
"""

from __future__ import annotations

from typing import Any

import lightning
import torch
from torch import Tensor, nn

from benchmarks.baselines import LEARNING_RATE, Setting
from benchmarks.baselines.loading import classifier_loader
from benchmarks.baselines.networks import Classifier


class Module(lightning.LightningModule):
    """The network with its step, as Lightning wants it."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Classifier()
        self.criterion = nn.CrossEntropyLoss()

    def training_step(self, batch: Any, batch_index: int) -> Tensor:
        images, labels = batch
        logits = self.network(images)
        loss: Tensor = self.criterion(logits, labels)
        self.log("train_loss", loss)
        self.log("train_accuracy", (logits.argmax(1) == labels).float().mean())
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=LEARNING_RATE)


class Pausing(lightning.Callback):
    """Stands still where every baseline does."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    def on_train_start(self, *_: Any) -> None:
        self._setting.pause()

    def on_train_batch_end(self, *_: Any) -> None:
        self._setting.pause()


def train(setting: Setting) -> None:
    """Train the classifier for ever."""
    trainer = lightning.Trainer(
        accelerator="cpu" if setting.device == "cpu" else "gpu",
        devices=1,
        max_epochs=-1,
        default_root_dir=setting.folder,
        enable_progress_bar=False,
        callbacks=[Pausing(setting)],
    )
    trainer.fit(Module(), classifier_loader(setting))
