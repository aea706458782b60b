"""Evaluation of a run: its newest checkpoint on the splits of its data."""

from __future__ import annotations

from typing import Any

from zoo.builder import Builder
from zoo.checking import check
from zoo.data.device import DeviceSet
from zoo.data.sampler import validation_split
from zoo.errors import RunError
from zoo.evaluation.measure import evaluate_networks
from zoo.training import checkpoint
from zoo.training.engine import choose
from zoo.training.loop import make_networks
from zoo.training.run import Run

SPLITS = ("train", "validation", "test")


def evaluate_run(run: Run, builder: Builder, splits: tuple[str, ...] = ("train", "test")) -> dict[str, dict[str, Any]]:
    """Return the figures of a run's newest checkpoint on each of `splits`, without augmentation, by split.

    Raises RunError when the run has no checkpoint or held out no images for validation.
    """
    spec = run.spec(builder.registry)
    if "validation" in splits and not spec.train.validation:
        raise RunError(f"{run.folder}: it held out no images (train.validation is 0); wanted train or test")
    last = checkpoint.newest(run.checkpoints)
    if last is None:
        raise RunError(f"{run.folder}: it holds no checkpoint yet; train it first with `zoo train`")
    engine = choose(spec.train)
    networks = make_networks(spec, check(spec, builder), builder)
    checkpoint.load_networks(last, networks)
    networks = {role: engine.place(network) for role, network in networks.items()}
    dataset = builder.bind(spec.data).load()
    chosen: dict[str, Any] = {}
    if spec.train.validation:
        rows = validation_split(dataset.train.labels, spec.train.validation, spec.train.seed)
        chosen = dict(zip(("train", "validation"), rows, strict=True))
    figures = {}
    for split in splits:
        images = dataset.test if split == "test" else dataset.train
        held = DeviceSet(images, engine.device, chosen.get(split))
        figures[split] = evaluate_networks(builder.bind(spec.task), networks, held, dataset.info)
    return figures
