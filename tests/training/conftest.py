"""A small spec on the embedded data, quick to train and with every kind of state that a checkpoint must hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from stand_in import recorder
from support import changed

from zoo.builder import Builder
from zoo.registry import Registry
from zoo.spec.load import load_spec
from zoo.spec.schema import Spec
from zoo.training import loop, seeds
from zoo.training.graph import Graphs
from zoo.training.loop import train
from zoo.training.reporter import Reporter
from zoo.training.run import Run

torch.set_num_threads(1)

SPEC: dict[str, Any] = {
    "zoo": 1,
    "name": "tiny",
    "task": "classify",
    "data": {"shapes": {"train_images": 300, "test_images": 100}},
    "augment": [
        "horizontal_flip",
        {"color_jitter": {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.05}},
    ],
    "networks": {
        "classifier": {
            "architecture": {"resnet": {"stem": 8, "widths": [8, 16], "depths": [1, 1], "dropout": 0.2}},
            "optimizer": {
                "by_group": {"matrices": {"adamw": {"lr": 0.01}}, "rest": {"sgd": {"lr": 0.05, "momentum": 0.9}}}
            },
            "schedule": {"warmup": {"over": 3, "then": "cosine"}},
            "ema": 0.9,
            "gradient_clip": 1.0,
        }
    },
    "train": {
        "steps": 12,
        "batch_size": 16,
        "device": "cpu",
        "precision": "fp32",  # the same on every machine
        "checkpoint_every": 4,
        "log_every": 2,
    },
}


@pytest.fixture
def spec(registry: Registry) -> Callable[..., Spec]:
    """Make the small spec, changed where asked."""
    return lambda **parts: load_spec(changed(SPEC, **parts), registry=registry)


@pytest.fixture
def run(spec: Callable[..., Spec], builder: Builder, tmp_path: Path) -> Callable[..., Run]:
    """Train the small spec in a folder of its own and return the run."""

    def go(folder: str = "run", reporter: Reporter | None = None, **parts: Any) -> Run:
        return train(spec(**parts), builder, tmp_path / folder, reporter)

    return go


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let every training from now on capture its steps with the stand-in."""

    def begin() -> None:
        choose = loop.choose
        for module in (loop, seeds):
            monkeypatch.setattr(module, "choose", lambda *given: replace(choose(*given), captured=True))
        chosen = loop.Training._recorder

        def stood_in(training: Any) -> Graphs | None:
            found = chosen(training)
            random = training.stepper.generators
            return found and Graphs(recorder(training.trainees, random), training.trainees)

        monkeypatch.setattr(loop.Training, "_recorder", stood_in)

    return begin
