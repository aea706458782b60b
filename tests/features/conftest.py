"""A classifier trained for a moment on the embedded data, as the extractor of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from zoo.builder import Builder
from zoo.registry import Registry
from zoo.spec.load import load_spec
from zoo.training.loop import train

torch.set_num_threads(1)

DATA = {"shapes": {"train_images": 400, "test_images": 200}}


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory, registry: Registry, builder: Builder) -> Path:
    """The run folder of a classifier with 12 features."""
    spec = {
        "zoo": 1,
        "name": "judge",
        "task": "classify",
        "data": DATA,
        "networks": {"classifier": {"architecture": {"resnet": {"stem": 6, "widths": [6, 12], "depths": [1, 1]}}}},
        "train": {"steps": 30, "batch_size": 32, "device": "cpu"},
    }
    return train(load_spec(spec, registry=registry), builder, tmp_path_factory.mktemp("judge") / "run").folder
