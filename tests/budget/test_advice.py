"""Advice is done, one after another, to random networks: they compute what they did, and are as much smaller as it said."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from support import ROOT
from torch import nn
from torch.nn.utils.parametrize import type_before_parametrizations

import zoo
from zoo.linting import Advice, lint
from zoo.registry import Registry
from zoo.spec.document import Node
from zoo.spec.reader import read

sys.path.append(str(ROOT / "tests" / "spec"))
from layers_strategy import specs as layered

CHANNELS = 4
FIRST = {
    "conv": "channels",
    "conv_transpose": "channels",
    "linear": "features",
    "repeat": "times",
    "self_attention": "heads",
}
LEAVES = [
    "identity",
    "relu",
    "relu",
    "batch_norm",
    "instance_norm",
    "layer_norm",
    {"dropout": 0},
    {"channels": CHANNELS},
    {"conv": CHANNELS},
    {"conv": {"channels": CHANNELS, "kernel": 1}},
    {"conv": {"channels": CHANNELS, "bias": False}},
    {"adaptive_average_pool": 5},
    {"sequence": [{"conv": CHANNELS}, "batch_norm"]},
    {"sequence": [{"conv": CHANNELS}, "instance_norm", "relu"]},
]


def _composites(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Composites of layers that keep the shape."""
    layers = st.lists(inner, min_size=1, max_size=3)
    branch = st.one_of(inner, st.builds(lambda one: {"sequence": one}, layers))
    joins = st.sampled_from(["add", "multiply"])
    return st.one_of(
        st.builds(
            lambda times, layers, shared: {"repeat": {"times": times, "layers": layers, "shared": shared}},
            st.integers(1, 3),
            layers,
            st.sampled_from([False, True, "but_norms"]),
        ),
        st.builds(
            lambda branches, join: {"branches": {"branches": branches, "join": join}},
            st.lists(branch, min_size=2, max_size=3),
            joins,
        ),
        st.builds(
            lambda one, other: {
                "sequence": [{"branches": {"branches": [one, other], "join": "concat"}}, {"conv": CHANNELS}]
            },
            branch,
            branch,
        ),
        st.builds(
            lambda one, other: {"residual": {"layers": one, "shortcut": other}}, layers, st.lists(inner, max_size=2)
        ),
        st.sampled_from(["block", {"idle": 0}, {"idle": 0.5}]),
    )


KEEPING = st.recursive(st.sampled_from(LEAVES), _composites, max_leaves=8)


@st.composite
def wasteful(draw: Any) -> dict[str, Any]:
    """A classifier of layers that keep the shape, with blocks that are used in several places."""
    leaves = st.lists(st.sampled_from(LEAVES), min_size=1, max_size=3)
    return {
        "zoo": 1,
        "name": "wasteful",
        "task": "classify",
        "data": {"noise": {"image": [3, 5, 5], "classes": 3}},
        "blocks": {
            "block": draw(leaves),
            "idle": {"parameters": {"rate": 0}, "layers": [{"dropout": "${rate}"}, *draw(leaves)]},
            "lost": ["relu"],
        },
        "networks": {
            "classifier": {
                "architecture": {
                    "layers": [
                        {"conv": CHANNELS},
                        *draw(st.lists(KEEPING, min_size=2, max_size=6)),
                        "global_average_pool",
                        {"linear": 3},
                    ]
                }
            }
        },
        "train": {"steps": 1},
    }


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(source=wasteful())
def test_done_advice_keeps_what_a_network_computes_and_frees_what_it_said(
    source: dict[str, Any], registry: Registry
) -> None:
    _prove(source, registry)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(source=layered())
def test_so_it_does_in_networks_of_any_layers(source: dict[str, Any], registry: Registry) -> None:
    _prove(source, registry)


def _prove(source: dict[str, Any], registry: Registry) -> None:
    """Do what is advised of a spec, each piece of advice by itself, and compare."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spec.json"
        path.write_text(json.dumps(source, indent=1))
        report = zoo.check(path, registry=registry)
        document = read(path)
        for advice in lint(report):
            changed = _done(advice, source, document)
            if changed is None:
                continue
            less = zoo.check(changed, registry=registry)
            assert report.total.parameters - less.total.parameters == advice.frees, advice
            if advice.same:
                _equal(source, changed, report.networks["classifier"].input, registry, advice)


def _done(advice: Advice, source: dict[str, Any], document: Node) -> dict[str, Any] | None:
    """Return the spec with the fix of one piece of advice; None where it says what and not where."""
    if advice.rule in ("large_head", "flattened_image"):
        return None
    changed = json.loads(json.dumps(source))  # no part twice
    (way,) = [way for way, at in _places(document, ()) if at == advice.at]
    *above, last = way
    holder = _at(changed, above)
    if advice.rule == "unused_block":
        del holder[last]
    elif advice.rule == "idle_layer":
        if not isinstance(last, int):  # the name of a layer with options
            *above, last = above
            holder = _at(changed, above)
        assert isinstance(holder, list), advice
        del holder[last]
    elif advice.rule == "bias_before_norm":
        options = holder[last]
        holder[last] = {**(options if isinstance(options, dict) else {FIRST[last]: options}), "bias": False}
    else:
        assert advice.rule == "needless_shortcut"
        del holder[last]["shortcut"]
    return changed


def _places(node: Node, way: tuple[Any, ...]) -> Any:
    """Yield the way to each part of a document with the place of its key, or its own."""
    yield way, node.key_at or node.at
    parts = node.value.items() if node.is_mapping else enumerate(node.value) if node.is_list else ()
    for key, part in parts:
        yield from _places(part, (*way, key))


def _at(data: Any, way: Any) -> Any:
    for key in way:
        data = data[key]
    return data


def _equal(
    source: dict[str, Any], changed: dict[str, Any], input: tuple[int, ...], registry: Registry, advice: Advice
) -> None:
    """Hold the outputs of both networks against each other, in training and after it."""
    one, other = (_network(data, registry) for data in (source, changed))
    held = [[part for part in network.modules() if _own(part)] for network in (one, other)]
    for mine, theirs in zip(*held, strict=True):
        assert type_before_parametrizations(mine) is type_before_parametrizations(theirs)
        for name, tensor in _own(theirs).items():
            tensor.data.copy_(_own(mine)[name])
    images = torch.rand(4, *input, dtype=torch.float64)
    with torch.no_grad():
        for training in (True, False):  # the first pass also fills the running means, wholly
            outputs = []
            for network in (one, other):
                torch.manual_seed(1)
                outputs.append(network.train(training)(images))
            torch.testing.assert_close(*outputs, rtol=1e-6, atol=1e-6, msg=lambda text: f"{advice}\n{text}")


def _network(data: dict[str, Any], registry: Registry) -> nn.Module:
    network = zoo.build(data, registry=registry)["classifier"].double()
    for part in network.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.momentum = 1.0
    return network


def _own(part: nn.Module) -> dict[str, Any]:
    return {name: one for name, one in (*part._parameters.items(), *part._buffers.items()) if one is not None}


def test_advice_says_where_it_makes_another_network(registry: Registry) -> None:
    layers = [{"conv": 8}, "flatten", {"linear": 3}]
    source = {
        "zoo": 1,
        "name": "flat",
        "task": "classify",
        "data": {"noise": {"image": [3, 5, 5], "classes": 3}},
        "networks": {"classifier": {"architecture": {"layers": layers}}},
        "train": {"steps": 1},
    }
    found = {one.rule: one for one in lint(zoo.check(source, registry=registry))}
    assert not found["flattened_image"].same
    assert str(found["flattened_image"]).endswith("frees 576 parameters, and makes it another network")


@pytest.mark.parametrize("name", ["densenet121", "resnet50", "googlenet"])
def test_what_a_reference_joins_is_no_waste(name: str, registry: Registry) -> None:
    assert [one for one in lint(zoo.check(name, registry=registry)) if one.rule == "idle_layer"] == []
