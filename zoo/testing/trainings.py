"""Small trainings: a spec is trained at once, and again with a stop in between, and both must be the same."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from zoo.builder import Builder
from zoo.checking import check
from zoo.network.from_module import FromModule
from zoo.network.layer import Condition, Shape
from zoo.registry import Component, Registry
from zoo.spec.load import load_spec
from zoo.spec.schema import Spec
from zoo.testing import Unchecked
from zoo.testing.capture import recorder
from zoo.training.graph import Graphs
from zoo.training.loop import Training, train
from zoo.training.reporter import Reporter
from zoo.training.run import Run

NOISE: dict[str, Any] = {"noise": {"image": [3, 8, 8], "classes": 4, "train_images": 40, "test_images": 8}}
LINEAR = {"layers": ["flatten", {"linear": 4}]}


class Stopped(BaseException):
    """Stops a training as a kill would."""


class Watcher(Reporter):
    """Stops after `until` steps, and remembers messages."""

    def __init__(self, until: int = -1) -> None:
        self.until, self.messages = until, list[str]()

    def step(self, step: int) -> None:
        if step == self.until:
            raise Stopped

    def message(self, text: str) -> None:
        self.messages.append(text)


def spec_data(**parts: Any) -> dict[str, Any]:
    """Return a spec that trains in no time, with other parts where they are given."""
    network = {"architecture": LINEAR, "optimizer": "sgd", **parts.pop("network", {})}
    train = {"steps": 4, "batch_size": 8, "log_every": 1, "checkpoint_every": 2, "device": "cpu", "precision": "fp32"}
    spec = {"zoo": 1, "name": "contract", "task": "classify", "data": NOISE, "train": {**train, "engine": "eager"}}
    return {**spec, "networks": {"classifier": network}, **parts}


class Anything(nn.Module):
    """From any shape to any other, with and without conditions."""

    def __init__(self, input: Shape, output: Shape) -> None:
        super().__init__()
        self.output = output
        self.linear = nn.Linear(prod(input), prod(output))

    def forward(self, values: Tensor, *conditions: Tensor) -> Tensor:
        found: Tensor = self.linear(values.flatten(1)).unflatten(1, self.output)
        for one in conditions:
            found = found + 0 * one.float().reshape(len(found), *[1] * len(self.output))
        return found


def anything(input: Shape, output: Shape, conditions: tuple[Condition, ...], /) -> FromModule:
    """A linear layer between any two shapes."""
    return FromModule(lambda: Anything(input, output), conditions=conditions)


def with_anything(registry: Registry) -> Registry:
    """Return a registry that has the network between any two shapes, too."""
    return Registry.of([*registry, Component("architecture", "anything", f"{__name__}:anything")], "zoo.testing")


@contextlib.contextmanager
def away() -> Iterator[Path]:
    """Work in a folder that is removed afterwards."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


def resumes(data: dict[str, Any], registry: Registry) -> Run:
    """Require that a training which was killed and went on is that which was not."""
    builder = Builder(registry)
    spec = load_spec(data, registry=registry)
    with away() as folder:
        whole = train(spec, builder, folder / "whole", Watcher())
        with contextlib.suppress(Stopped):
            train(spec, builder, folder / "cut", Watcher(until=3))
        cut = train(spec, builder, folder / "cut", Watcher())
        expected, found = state(whole), state(cut)
        changed = [
            name for name, one in expected[0].items() if name not in found[0] or not torch.equal(found[0][name], one)
        ]
        assert not changed, f"a run that was killed and went on is another one in {', '.join(changed[:3])}"
        assert found[1] == expected[1], "a checkpoint of a run that was killed and went on holds other facts"
        lines = [[_timeless(line) for line in run.metrics()] for run in (whole, cut)]
        assert lines[0] == lines[1], f"it logs {lines[1][-1]} where it was stopped, {lines[0][-1]} where not"
        return whole


def state(run: Run) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return all tensors and facts of a run's newest checkpoint but the time that it took."""
    with safe_open(run.weights(), framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, _timeless(json.loads(file.metadata()["zoo"]))


def _timeless(record: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in record.items() if name != "seconds"}


def captures(data: dict[str, Any], registry: Registry) -> None:
    """Require that recorded steps compute what others do, where the optimizers claim to be capturable."""
    builder = Builder(registry)
    spec = load_spec(data, registry=registry)
    with away() as folder:
        eager = state(train(spec, builder, folder / "eager", Watcher()))[0]
        recorded = state(_captured(spec, builder, folder / "captured"))[0]
    for name, one in eager.items():
        if ".network." in name:
            gap = float((recorded[name] - one).abs().max()) if one.numel() else 0.0
            assert gap <= 1e-5 + 1e-3 * float(one.abs().max()), f"captured, {name} differs by {gap:g}"


def _captured(spec: Spec, builder: Builder, folder: Path) -> Run:
    training = Training(spec, check(spec, builder), builder, Run.prepare(folder, spec), Watcher())
    if not all(one.capturable for one in training.trainees.values()):
        raise Unchecked("it does not claim to be capturable")
    for trainee in training.trainees.values():
        trainee.prepare_capture()
    training.engine = replace(training.engine, captured=True)
    record = recorder(training.trainees, training.stepper.generators)
    training.stepper.graphs = Graphs(record, training.trainees)
    try:
        training.go(lambda: "")
    except AssertionError as error:
        if "on supported devices" in str(error):  # as torch says of optimizers that it captures on a GPU alone
            raise Unchecked(f"torch: {error}") from error
        raise
    return training.run
