"""A tiny challenge, and published entries for it that were never trained."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from support import builtin_registry

import zoo
from zoo.builder import Builder
from zoo.publishing.certificate import (
    SPEC,
    WEIGHTS,
    Certificate,
    DataRecord,
    Figure,
    FileRecord,
    SpotCheck,
    by_role,
    limits,
    sha256_of,
)
from zoo.spec.reader import read
from zoo.spec.schema import hash_of
from zoo.spec.writer import write_yaml

CHALLENGE = """\
challenge: 1
name: tiny-shapes
title: Shapes, at most 3,000 parameters
source: Nobody 2030
tasks: [classify]
data: {shapes: {train_images: 200, test_images: 100}}
budget: {parameters: 3000, steps: 100}
units: {steps: updates of the weights}
metric: {figure: top1, title: test accuracy, better: higher, images: 100, percent: true}
forbidden: [augmentation/mixup, layer/conv]
declarations: [No teacher.]
references:
  paper: {value: 0.25, parameters: 2500, source: Nobody 2030, remark: n = 1.}
"""

RESNET = {"resnet": {"stem": 4, "widths": [4, 8], "depths": [1, 1]}}
SPEC_DATA: dict[str, Any] = {
    "zoo": 1,
    "name": "tiny",
    "task": "classify",
    "data": {"shapes": {"train_images": 200, "test_images": 100}},
    "networks": {"classifier": {"architecture": RESNET}},
    "train": {"steps": 6, "batch_size": 16, "device": "cpu"},
    "budget": {"parameters": 10000, "steps": 100},
}
NOISE = {"noise": {"image": [3, 16, 16], "classes": 2, "train_images": 100, "test_images": 100}}
GENERATOR_DATA: dict[str, Any] = {
    "zoo": 1,
    "name": "tiny-gan",
    "task": {"gan": {"latent_size": 4}},
    "data": NOISE,
    "networks": {
        "generator": {"architecture": {"layers": [{"linear": 768}, {"reshape": [3, 16, 16]}]}},
        "discriminator": {"architecture": {"layers": ["flatten", {"linear": 1}]}},
    },
    "train": {"steps": 6, "batch_size": 16, "device": "cpu"},
    "budget": {"parameters": 10000, "steps": 100},
}
GENERATOR_CHALLENGE = """\
challenge: 1
name: tiny-noise
title: Noise, at most 10,000 parameters
tasks: [gan]
data: {noise: {image: [3, 16, 16], classes: 2, train_images: 100, test_images: 100}}
budget: {parameters: 10000, steps: 100}
metric:
  {figure: fid, title: FID, better: lower, images: 50, reference_images: 100, extractor: inception, also: [frechet_distance]}
references:
  paper: {value: 90.5, parameters: 9000, source: Nobody 2030}
"""


def publish(
    folder: Path,
    spec: Mapping[str, Any],
    values: Mapping[str, Mapping[int, float]],
    *,
    measurements: list[dict[str, Any]] | None = None,
) -> Path:
    """Write an entry whose networks are as they begin, with `values` as its test figures by name and seed."""
    builder = Builder(builtin_registry())
    report = zoo.check(spec, registry=builder.registry)
    folder.mkdir(parents=True)
    (folder / SPEC).write_text(write_yaml(report.spec.to_data()))
    tensors = {
        f"{role}.network.{name}": tensor
        for role, network in zoo.build(spec, registry=builder.registry).items()
        for name, tensor in network.state_dict().items()
    }
    weights = folder / WEIGHTS
    held = {"step": report.spec.train.steps, "spec": report.spec.hash, "updates": {}}
    save_file(tensors, weights, {"zoo": json.dumps(held)})
    seeds = sorted({seed for one in values.values() for seed in one})
    Certificate(
        name=folder.name,
        summary=f"{folder.name}, made up.",
        task=report.spec.task.name,
        spec_hash=hash_of(read(folder / SPEC).data()),
        weights=FileRecord(file=WEIGHTS, sha256=sha256_of(weights), bytes=weights.stat().st_size),
        parameters=by_role(report, "parameters"),
        macs=by_role(report, "macs"),
        budget=limits(report),
        steps=report.spec.train.steps,
        updates={role: one.figures.steps for role, one in report.networks.items()},
        images_seen=report.spec.train.steps * report.spec.train.batch_size,
        seeds=seeds,
        shipped_seed=seeds[0],
        shipped_because="the first",
        figures={
            "test": {name: Figure.of({str(seed): value for seed, value in one.items()}) for name, one in values.items()}
        },
        measurements=measurements or [],
        per_class={},
        test_looks={str(seed): {"train": 1} for seed in seeds},
        spot_check=SpotCheck(split="test", images=10, seed=0, figures={"top1": 0.1}),
        seconds={str(seed): 1.0 for seed in seeds},
        engine="eager",
        precision="fp32",
        machine={},
        versions={},
        git=None,
        data=_data_of(json.dumps(report.spec.data.data())),
        command="zoo train tiny",
        published="2030-01-01T00:00:00+00:00",
        notes=[],
    ).write(folder)
    return folder


@lru_cache
def _data_of(component: str) -> DataRecord:
    builder = Builder(builtin_registry())
    data = json.loads(component)
    source = builder.bind(builder.resolver.component_from(("dataset",), data))
    return DataRecord.of(source.load(), data, source.terms)
