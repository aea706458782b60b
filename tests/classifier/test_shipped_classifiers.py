"""The classifiers under 100,000 parameters that ship: their counts, their costs, and that they train."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support import builtin_registry

from zoo.builder import Builder
from zoo.checking import Report, check
from zoo.evaluation.trained import Trained
from zoo.network.measure import measure
from zoo.spec.load import load_spec
from zoo.spec.shipped import DEFAULT, names
from zoo.training.loop import train

torch.set_num_threads(1)

COUNTS = {
    "cifar100-densenano": 99_923,
    "cifar100-gate16": 99_259,
    "cifar100-mbnano": 99_804,
    "cifar100-recnano": 99_148,
    "cifar100-resnet-silu": 99_364,
    "cifar100-resnet8": 83_892,
    "cifar100-resnet8-wide": 97_092,
    "cifar100-rounds": 98_920,
}
NOISE = "data={noise: {image: [3, 32, 32], classes: 100, train_images: 16, test_images: 4}}"
QUICK = ["train.steps=2", "train.batch_size=4", "train.device=cpu", NOISE]


def report(name: str, *overrides: str) -> Report:
    registry = builtin_registry()
    return check(load_spec(name, overrides=overrides, registry=registry), Builder(registry))


def test_every_classifier_of_the_budget_is_tested() -> None:
    registry = builtin_registry()
    shipped = {name for name, path in names().items() if path.parent == DEFAULT and name.startswith("cifar100-")}
    assert {name for name in shipped if load_spec(name, registry=registry).task.name == "classify"} == COUNTS.keys()


@pytest.mark.parametrize("name", COUNTS)
def test_it_keeps_the_budget_of_the_paper(name: str) -> None:
    found = report(name)
    assert found.kept
    assert found.total.parameters == COUNTS[name] < 100_000
    assert found.total.steps == 10_000


@pytest.mark.parametrize("name", COUNTS)
def test_its_cost_is_that_of_the_module(name: str) -> None:
    one = report(name).networks["classifier"]
    shape, cost = measure(one.network.module(one.input), one.input)
    assert shape == (100,)
    assert one.network.cost(one.input) == cost


@pytest.mark.parametrize("name", COUNTS)
def test_it_trains_and_can_be_evaluated(name: str, builder: Builder, tmp_path: Path) -> None:
    spec = load_spec(name, overrides=QUICK, registry=builder.registry)
    run = train(spec, builder, tmp_path / "run")
    result = run.result() or {}
    assert result["updates"] == {"classifier": 2}
    assert result["test"]["images"] == 4
    trained = Trained.load(run, builder)
    assert sum(one.numel() for one in trained.networks["classifier"].parameters()) == COUNTS[name]


@pytest.mark.parametrize("name", sorted(COUNTS.keys() - {"cifar100-resnet-silu"}))
def test_all_follow_the_recipe_of_the_control(name: str) -> None:
    registry = builtin_registry()
    control, other = (load_spec(one, registry=registry).networks["classifier"] for one in ("cifar100-resnet8", name))
    assert (other.optimizer, other.ema) == (control.optimizer, control.ema)
    # A rise toward a line that ends at 0; how long it rises is each one's own.
    rise, own = control.schedule.options, other.schedule.options
    assert (other.schedule.name, own["then"]) == (control.schedule.name, rise["then"])
