"""Small finished runs: a classifier of three seeds, and a generator that a classifier has judged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from publishing_support import CLASSIFIER
from support import changed

from zoo.builder import Builder
from zoo.evaluation.run import evaluate_run
from zoo.publishing.publish import publish
from zoo.publishing.shelf import Entry
from zoo.spec.load import load_spec
from zoo.training.loop import train
from zoo.training.run import Run

torch.set_num_threads(1)

GENERATOR: dict[str, Any] = {
    "zoo": 1,
    "name": "tiny-gan",
    "task": {"gan": {"latent_size": 4}},
    "data": {"shapes": {"train_images": 120, "test_images": 100}},
    "networks": {
        "generator": {"architecture": {"dcgan_generator": {"widths": [8, 4]}}, "init": "orthogonal", "ema": 0.5},
        "discriminator": {"architecture": {"dcgan_discriminator": {"widths": [4, 4], "spectral_norm": True}}},
    },
    "train": {"steps": 2, "batch_size": 8, "device": "cpu", "test_at_end": False},
    "budget": {"parameters": "<10000"},
}


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, builder: Builder) -> Path:
    """A folder with the runs `seed-0`, `seed-1`, `seed-2` and `gan`, which tests copy."""
    above = tmp_path_factory.mktemp("finished")
    for seed in range(3):
        spec = load_spec(changed(CLASSIFIER, train__seed=seed), registry=builder.registry)
        train(spec, builder, above / f"seed-{seed}")
    judged = changed(
        GENERATOR,
        metrics=[{"frechet_distance": {"extractor": {"zoo": str(above / "seed-0")}, "samples": 30, "seeds": 2}}],
    )
    run = train(load_spec(judged, registry=builder.registry), builder, above / "gan")
    evaluate_run(run, builder)
    return above


@pytest.fixture
def take(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Run]:
    """Copy a finished run into a working folder of the test's own."""
    monkeypatch.chdir(tmp_path)

    def copied(name: str, to: str | None = None) -> Run:
        shutil.copytree(finished / name, tmp_path / (to or name))
        return Run.open(Path(to or name))

    return copied


@pytest.fixture(scope="session")
def stocked(finished: Path, builder: Builder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the finished runs, and both of what they make on its shelf."""
    above = tmp_path_factory.mktemp("stocked") / "all"
    shutil.copytree(finished, above)
    publish([above / f"seed-{seed}" for seed in range(3)], builder, to=above / "shelf")
    publish([above / "gan"], builder, to=above / "shelf")
    return above


@pytest.fixture
def stock(stocked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of the test's own with the runs and the shelf."""
    shutil.copytree(stocked, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def published(stock: Path) -> Entry:
    """The classifier of three seeds on the shelf of the working folder."""
    return Entry(Path("shelf/tiny"))


@pytest.fixture
def published_gan(stock: Path) -> Entry:
    """The generator on the shelf of the working folder."""
    return Entry(Path("shelf/tiny-gan"))
