"""What plugins return: each wrong thing is an error that names the component and what was wanted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import zoo
from zoo.errors import PluginError, SpecError
from zoo.promises import Roles
from zoo.registry import Component, Registry

MODULE = """
from dataclasses import dataclass

import numpy as np
import torch

from zoo.api import DataInfo, Shape, Task, Terminals


def no_optimizer(parameters, /, *, lr: float = 0.1):
    return None


def no_schedule(steps, /):
    return None


def schedule_of_none(steps, /):
    return lambda step: None


def no_limit(figures, /, *, bound: int):
    return figures.parameters < bound


def no_dataset(*, name: str = ""):
    return [1, 2]


def no_task():
    return "task"


def numpy_layers(input: Shape, output: Shape, /):
    return ["global_average_pool", {"linear": {"features": np.int64(output[0])}}]


@dataclass(frozen=True, kw_only=True)
class Trains(Task):
    roles = ("net",)
    gives: str = "none"

    def terminals(self, role, info):
        return Terminals(info.image, (info.classes,))

    def step(self, turn):
        if self.gives == "misspelt":
            turn.networks["nett"]
        loss = turn.networks["net"](turn.batch.images).square().mean()
        turn.update("ent" if self.gives == "role" else "net", 1.5 if self.gives == "number" else loss)
        return {"none": None, "float": {"loss": 1.0}, "vector": {"loss": torch.zeros(3)}}.get(self.gives, {})
"""
SPEC: dict[str, Any] = {
    "zoo": 1,
    "name": "a",
    "task": "classify",
    "data": {"noise": {"image": [8, 8, 8], "classes": 4, "train_images": 40, "test_images": 12}},
    "networks": {"classifier": {"architecture": {"layers": ["global_average_pool", {"linear": 4}]}}},
    "train": {"steps": 2, "batch_size": 4, "device": "cpu", "precision": "fp32", "test_at_end": False},
}


@pytest.fixture
def mine(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    (tmp_path / "my_plugin.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "my_plugin", None)
    del sys.modules["my_plugin"]
    own = [
        Component("optimizer", "no_optimizer", "my_plugin:no_optimizer"),
        Component("schedule", "no_schedule", "my_plugin:no_schedule"),
        Component("schedule", "schedule_of_none", "my_plugin:schedule_of_none"),
        Component("limit", "no_limit", "my_plugin:no_limit"),
        Component("dataset", "no_dataset", "my_plugin:no_dataset"),
        Component("task", "no_task", "my_plugin:no_task"),
        Component("task", "trains", "my_plugin:Trains"),
        Component("architecture", "numpy_layers", "my_plugin:numpy_layers"),
    ]
    return Registry.of([*registry, *own])


def network(**options: Any) -> dict[str, Any]:
    return {"networks": {"classifier": SPEC["networks"]["classifier"] | options}}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            network(optimizer="no_optimizer"),
            "the optimizer no_optimizer (my_plugin:no_optimizer) returned None; "
            "wanted an optimizer of torch, or a list of them",
        ),
        (
            network(schedule="no_schedule"),
            "the schedule no_schedule (my_plugin:no_schedule) returned None; wanted a function from a step to a number",
        ),
        (network(schedule="schedule_of_none"), "wanted a function from a step to a number"),
        (
            {"budget": {"no_limit": 5}},
            "the limit no_limit (my_plugin:no_limit) returned False; wanted a zoo.api.Verdict",
        ),
        (
            {"data": "no_dataset"},
            "the dataset no_dataset (my_plugin:no_dataset) returned [1, 2]; wanted a zoo.api.DataSource",
        ),
        ({"task": "no_task"}, "the task no_task (my_plugin:no_task) returned 'task'; wanted a zoo.api.Task"),
    ],
)
def test_what_a_component_returns_is_named(mine: Registry, tmp_path: Path, parts: dict[str, Any], message: str) -> None:
    # What check looks at already is a problem of the spec.
    with pytest.raises((PluginError, SpecError)) as caught:
        zoo.train(SPEC | parts, run=tmp_path / "run", registry=mine)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("gives", "message"),
    [
        ("none", "returned None from a step; wanted a mapping from names to tensors of one number"),
        ("float", "returned 1.0 as 'loss' from a step; wanted a mapping"),
        ("vector", "returned tensor([0., 0., 0.]) as 'loss' from a step; wanted a mapping"),
        ("number", "gave 1.5 as the loss of net; wanted a tensor of one number"),
        ("role", "asked for the role 'ent'; wanted one of net; did you mean 'net'?"),
        ("misspelt", "asked for the role 'nett'; wanted one of net; did you mean 'net'?"),
    ],
)
def test_what_a_step_does_wrong_is_named(mine: Registry, tmp_path: Path, gives: str, message: str) -> None:
    spec = SPEC | {"task": {"trains": gives}, "networks": {"net": SPEC["networks"]["classifier"]}}
    with pytest.raises(PluginError) as caught:
        zoo.train(spec, run=tmp_path / "run", registry=mine)
    assert str(caught.value).startswith(f"the task trains (my_plugin:Trains) {message}")


def test_a_numpy_integer_in_layers_is_named(mine: Registry) -> None:
    spec = SPEC | {"networks": {"classifier": {"architecture": "numpy_layers"}}}
    with pytest.raises(
        SpecError, match=r"linear\.features: found (np\.int64\(4\)|4), which is no plain data but a int64"
    ):
        zoo.check(spec, registry=mine)


def test_a_role_that_there_is_costs_nothing() -> None:
    roles = Roles(Component("task", "t", "a:b"), {"net": 1})
    assert roles["net"] == 1


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    from importlib.metadata import EntryPoint

    from zoo.plugins import GROUP, discover

    def go(text: str) -> Any:
        (tmp_path / "odd_plugin.py").write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        sys.modules.pop("odd_plugin", None)
        return discover([EntryPoint("odd", "odd_plugin", GROUP)])[0]

    return go


def test_text_in_place_of_a_list_of_folders_is_named(load: Callable[[str], Any]) -> None:
    plugin = load("from zoo import hookimpl\n@hookimpl\ndef zoo_specs():\n    return 'specs'\n")
    assert plugin.error == "zoo_specs returned 'specs'; wanted a list, also of one"


def test_what_a_plugin_prints_is_no_result(load: Callable[[str], Any], capsys: pytest.CaptureFixture[str]) -> None:
    text = "from zoo import hookimpl\nprint('one')\n@hookimpl\ndef zoo_specs():\n    print('two')\n    return []\n"
    assert load(text).error == ""
    assert capsys.readouterr() == ("", "one\ntwo\n")


def test_any_end_of_an_import_is_the_plugins_own(load: Callable[[str], Any]) -> None:
    assert "its import failed: GeneratorExit" in load("raise GeneratorExit").error
