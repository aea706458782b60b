"""Evaluation of a run: its newest checkpoint on the splits of its data, by its task and by the metrics of its spec."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from zoo.builder import Builder
from zoo.data.dataset import Dataset
from zoo.data.device import DeviceSet
from zoo.data.sampler import validation_split
from zoo.errors import RunError
from zoo.evaluation.measure import evaluate_networks
from zoo.evaluation.metric import Evidence, Measurement
from zoo.evaluation.trained import Trained
from zoo.files import write_text
from zoo.training.run import Run, environment, now
from zoo.training.task import GenerativeTask

SPLITS = ("train", "validation", "test")
CERTIFICATE = "certificate.json"


def evaluate_run(
    run: Run, builder: Builder, splits: Sequence[str] | None = None, overrides: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """Return the figures of a run's newest checkpoint on each of `splits`, without augmentation, by split.

    splits: train and test unless given, and test alone for a task that makes images. The metrics of the spec are
    written to the run's certificate as well. Raises RunError when the run has no checkpoint or held out no images.
    """
    trained = Trained.load(run, builder, overrides)
    spec = trained.spec
    makes_images = isinstance(trained.task, GenerativeTask)
    splits = splits or (("test",) if makes_images else ("train", "test"))
    if "validation" in splits and not spec.train.validation:
        raise RunError(f"{run.folder}: it held out no images (train.validation is 0); wanted train or test")
    if spec.metrics and not makes_images:
        raise RunError(f"{run.folder}: metrics are about images that a network makes, and {spec.task.name} makes none")
    dataset = trained.dataset()
    chosen: dict[str, Any] = {}
    if spec.train.validation:
        rows = validation_split(dataset.train.labels, spec.train.validation, spec.train.seed)
        chosen = dict(zip(("train", "validation"), rows, strict=True))
    figures: dict[str, dict[str, Any]] = {}
    measured: list[Measurement] = []
    for split in splits:
        images = dataset.test if split == "test" else dataset.train
        held = DeviceSet(images, trained.device, chosen.get(split))
        figures[split] = evaluate_networks(trained.task, trained.networks, held, dataset.info)
        if spec.metrics:
            evidence = Evidence(split, held.pixels(), trained.draw_first, trained.device)
            found = [one for metric in spec.metrics for one in builder.bind(metric)(evidence)]
            figures[split] |= {name: value for one in found for name, value in one.figures().items()}
            measured += found
    if measured:
        _certify(trained, dataset, measured)
    return figures


def _certify(trained: Trained, dataset: Dataset, measured: list[Measurement]) -> None:
    """Write down what was measured, and of what, so that it can be measured again."""
    certificate = {
        "name": trained.spec.name,
        "spec_hash": trained.spec.hash,
        "checkpoint": trained.checkpoint.name,
        "checkpoint_sha256": trained.sha256,
        "step": trained.step,
        "data": dataset.fingerprint,
        "measured": now(),
        **environment(),
        "measurements": [one.to_data() for one in measured],
    }
    write_text(trained.run.folder / CERTIFICATE, json.dumps(certificate, indent=2) + "\n")
