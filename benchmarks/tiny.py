"""A network so small that a step is all loop: Zoo's loop, its step function alone, and loops by hand and by Lightning.

All train flatten and linear on 8 images of 4x4 pixels, on the CPU, with fused Adam.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.candidate import begin
from zoo import api
from zoo.training.loop import Training
from zoo.training.task import Batch, Turn

BATCH_SIZE, PIXELS, CLASSES = 8, 48, 10
LEARNING_RATE = 0.002
BATCHES = 10_000  # of Lightning's epoch, whose end is no part of a step
SPEC: dict[str, Any] = {
    "zoo": 1,
    "name": "tiny",
    "task": {"classify": {"normalize": False}},
    "data": {"noise": {"image": [3, 4, 4], "classes": CLASSES, "train_images": 4096}},
    "networks": {
        "classifier": {
            "architecture": {"layers": ["flatten", {"linear": {"features": CLASSES}}]},
            "optimizer": {"adam": {"lr": LEARNING_RATE}},
        }
    },
    # All loops do the same sums: what an engine adds or saves is measured elsewhere.
    "train": {
        "steps": 10_000_000,
        "batch_size": BATCH_SIZE,
        "checkpoint_every": 0,
        "device": "cpu",
        "precision": "fp32",
        "engine": "eager",
    },
}
Pause = Callable[[], None]


def plain(task: dict[str, Any], pause: Pause) -> None:
    """Train in a loop of four lines on one batch that is there before."""
    network, images, labels = _network(), torch.rand(BATCH_SIZE, 3, 4, 4), torch.arange(BATCH_SIZE)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
    pause()
    while True:
        loss = nn.functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        pause()


def step(task: dict[str, Any], pause: Pause) -> None:
    """Call the step function of Zoo's task on images that are gathered anew, and do nothing else of the loop."""
    training = _training(task)
    trainee = training.trainees["classifier"]
    pixels, labels = training.images.batch(np.arange(100 * BATCH_SIZE))
    where = torch.arange(BATCH_SIZE)
    random = torch.Generator()

    def update(roles: str | Collection[str], loss: Tensor) -> Tensor:
        loss.backward(inputs=trainee.parameters)
        return trainee.update()

    pause()
    while True:
        images = pixels[where].to(torch.float32).div_(255).contiguous(memory_format=torch.channels_last)
        batch = Batch(images, labels[where])
        training.task.step(Turn({"classifier": trainee.module}, batch, training.info, update, random, 0, 1))
        pause()


def loop(task: dict[str, Any], pause: Pause) -> None:
    """Train as Zoo does: sampled, seeded, counted, logged."""
    training = _training(task)
    pause()
    while True:
        training.advance()
        pause()


def lightning_bare(task: dict[str, Any], pause: Pause) -> None:
    """Train under Lightning with all its features off."""
    _lightning(task, pause, logger=False, enable_checkpointing=False)


def lightning_default(task: dict[str, Any], pause: Pause) -> None:
    """Train under Lightning with its logger and its checkpoints."""
    _lightning(task, pause)


def _network() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, CLASSES))


def _training(task: dict[str, Any]) -> Training:
    return begin(api.load_spec(SPEC), Path(task["folder"]))


def _lightning(task: dict[str, Any], pause: Pause, **features: Any) -> None:
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = _network()

        def training_step(self, batch: Any, batch_index: int) -> Tensor:
            images, labels = batch
            loss: Tensor = nn.functional.cross_entropy(self.network(images), labels)
            if features.get("logger", True):
                self.log("loss", loss)
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=LEARNING_RATE, fused=True)

    class Pausing(lightning.Callback):
        def on_train_start(self, *_: Any) -> None:
            pause()

        def on_train_batch_end(self, *_: Any) -> None:
            pause()

    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=-1,
        default_root_dir=task["folder"],
        enable_progress_bar=False,
        callbacks=[Pausing()],
        **features,
    )
    batches: Any = [(torch.rand(BATCH_SIZE, 3, 4, 4), torch.arange(BATCH_SIZE))] * BATCHES
    trainer.fit(Module(), torch.utils.data.DataLoader(batches, batch_size=None))
