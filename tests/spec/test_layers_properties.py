"""Any network in the language of layers is counted as it is built, and means the same however it is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from layers_reference import expansion, outputs
from layers_strategy import specs
from support import builtin_registry
from torch import nn

import zoo
from zoo.checking import NetworkReport, rows
from zoo.network.measure import measure
from zoo.spec.json_schema import spec_schema
from zoo.spec.load import load_spec
from zoo.spec.reader import read, read_text
from zoo.spec.schema import Spec
from zoo.spec.writer import write_json, write_yaml

REGISTRY = builtin_registry()
a_few = settings(
    max_examples=30,
    deadline=None,
    # A failure is shown small, without minutes of looking for its cause.
    phases=tuple(set(Phase) - {Phase.explain}),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def network(spec: Any) -> NetworkReport:
    return zoo.check(spec, registry=REGISTRY).networks["classifier"]


def resolved(source: Any) -> Spec:
    return load_spec(source, registry=REGISTRY)


def count(module: nn.Module) -> int:
    unique = {id(one): one.numel() for one in module.parameters() if one.requires_grad}
    return sum(unique.values())


@a_few
@given(specs())
def test_a_network_is_shaped_as_its_layers_say(spec: dict[str, Any]) -> None:
    plain, found = expansion(spec), network(spec)
    layers = plain["networks"]["classifier"]["architecture"]["layers"]
    layers = layers["layers"] if isinstance(layers, dict) else layers
    assert found.input == tuple(plain["data"]["noise"]["image"])
    wanted = outputs(layers, found.input, plain["data"]["noise"]["classes"])
    assert [step.output for step in found.network.graph(found.input).steps] == wanted


@a_few
@given(specs())
def test_a_network_is_counted_as_it_is_built(spec: dict[str, Any]) -> None:
    found, module = network(spec), zoo.build(spec, registry=REGISTRY)["classifier"]
    assert found.cost.parameters == found.figures.parameters == count(module)
    images = torch.zeros(2, *found.input)
    assert module.eval()(images).shape == module.train()(images).shape == (2, *found.output)
    assert measure(module, found.input) == (found.output, found.network.cost(found.input))


@a_few
@given(specs())
def test_what_is_ejected_is_the_same_network(spec: dict[str, Any]) -> None:
    found, names = network(spec), {"__name__": "model"}
    exec(compile(zoo.eject(spec, registry=REGISTRY), "model.py", "exec"), names)
    module, ejected = found.network.module(found.input).eval(), names["classifier"]().eval()  # type: ignore[operator]
    wanted = module.state_dict()
    assert [(name, one.shape) for name, one in wanted.items()] == [
        (name, one.shape) for name, one in ejected.state_dict().items()
    ]
    ejected.load_state_dict(wanted)
    images = torch.randn(2, *found.input)
    torch.testing.assert_close(ejected(images), module(images), rtol=0, atol=0, equal_nan=True)


@a_few
@given(specs())
def test_the_table_of_layers_adds_up(spec: dict[str, Any]) -> None:
    found = network(spec)
    table = list(rows(found.network, found.input))
    assert (table[0].output, table[0].cost) == (found.output, found.network.cost(found.input))
    total, times = 0, [1]  # how often what stands at each depth is there, with weights of its own
    for row, below in zip(table, [*table[1:], table[0]], strict=True):
        times = [*times[: row.depth + 1], times[row.depth] * row.times]
        if below.depth <= row.depth:
            total += row.cost.parameters * times[-1]
    assert total == found.cost.parameters


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("specs")


@a_few
@given(specs())
def test_yaml_and_json_say_the_same(folder: Path, spec: dict[str, Any]) -> None:
    paths = [folder / "first.yaml", folder / "second.json", folder / "third.yml"]
    paths[0].write_text(write_yaml(spec))
    paths[1].write_text(write_json(read(paths[0]).data()))
    paths[2].write_text(write_yaml(read(paths[1]).data()))
    assert paths[0].read_text() == paths[2].read_text()
    found = [resolved(path) for path in paths]
    assert found[0] == found[1] == found[2] == resolved(spec)
    assert len({one.hash for one in found}) == 1


@a_few
@given(specs())
def test_the_resolved_spec_stands_for_the_spec(spec: dict[str, Any]) -> None:
    once = resolved(spec)
    again = resolved(read_text(write_yaml(once.to_data()), "resolved.yaml", "yaml").data())
    assert (again, again.hash, again.to_data()) == (once, once.hash, once.to_data())
    assert network(again).cost == network(spec).cost


@a_few
@given(specs())
def test_blocks_and_variables_stand_for_what_they_hold(spec: dict[str, Any]) -> None:
    plain = expansion(spec)
    assert network(plain).cost == network(spec).cost
    assert resolved(plain).hash == resolved(spec).hash


@pytest.fixture(scope="module")
def validator() -> Any:
    return pytest.importorskip("jsonschema").Draft202012Validator(spec_schema(REGISTRY))


@a_few
@given(specs())
def test_the_json_schema_accepts_it(validator: Any, spec: dict[str, Any]) -> None:
    validator.validate(spec)
    validator.validate(resolved(spec).to_data())


def turned(data: Any, order: Any, path: str = "") -> Any:
    """Return `data` with its keys in another order, but for parameters, whose order counts."""
    if isinstance(data, Mapping):
        keys = list(data) if path == "parameters" else sorted(data, key=lambda key: order.random())
        return {key: turned(data[key], order, key) for key in keys}
    return [turned(one, order) for one in data] if isinstance(data, list) else data


@a_few
@given(specs(), st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_change_the_hash(spec: dict[str, Any], order: Any) -> None:
    assert resolved(turned(spec, order)).hash == resolved(spec).hash
