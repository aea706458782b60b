"""Names for values and weights: what they mean, what they cost, and what is wrong with them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import builtin_registry

from zoo import api
from zoo.api import Builder, Condition, ShapeError, elements
from zoo.errors import SpecError
from zoo.network.graph import Operation, operations, size
from zoo.network.measure import measure, traced_on_meta
from zoo.network.modules import FUNCTIONS, build
from zoo.network.operations import CALLS

REGISTRY = builtin_registry()
IMAGE = (4, 8, 8)
LEAVES = st.sampled_from(
    [
        "relu",
        "silu",
        "tanhshrink",
        "batch_norm",
        "identity",
        {"dropout": 0.5},
        {"conv": 4},
        {"conv": {"channels": 4, "kernel": 1}},
        {"spectral_norm": {"conv": 4}},
        {"residual": ["relu", {"conv": 4}]},
        {"repeat": {"times": 2, "shared": "but_norms", "layers": ["batch_norm", {"conv": 4}]}},
        {"branches": {"join": "multiply", "branches": [["relu", {"conv": 4}], "sigmoid"]}},
        [{"reshape": [8, 4, 8]}, {"reshape": [4, 8, 8]}],
    ]
)
JOINS = st.sampled_from(["add", "multiply", "subtract", "concat", "from"])


@st.composite
def skips(draw: st.DrawFn, depth: int = 0, around: tuple[str, ...] = ()) -> list[Any]:
    """Layers of which some are named, and taken up later once or more often; all keep the shape."""
    layers: list[Any] = []
    names: list[str] = list(around)
    unread: list[str] = []
    for index in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["leaf", "leaf", "name", "join", "join", "inner", "again"]))
        if kind == "name":
            name = f"v{depth}_{index}_{draw(st.integers(0, 99))}"
            layers.append({"name": name})
            unread.append(name)
            names.append(name)
        elif kind == "join" and names:
            how, name = draw(JOINS), draw(st.sampled_from(names))
            if how == "from" and name != names[-1]:
                how = "add"
            layers += joined(how, name)
            unread = [one for one in unread if one != name]
        elif kind == "inner" and depth < 2:
            inner = draw(skips(depth=depth + 1, around=tuple(names)))
            holder = draw(st.sampled_from(["residual", "sequence", "branches", "repeat"]))
            if holder == "branches":
                layers.append({"branches": [inner, "relu"]})
            elif holder == "repeat":
                layers.append({"repeat": {"times": draw(st.integers(1, 3)), "layers": inner}})
            else:
                layers.append({holder: inner})
            unread = [one for one in unread if f"'{one}'" not in str(inner)]
        elif kind == "again":
            name = f"w{depth}_{index}_{draw(st.integers(0, 99))}"
            layer = draw(LEAVES)
            layers += [
                {"weights": {"name": name, "layer": layer}},
                *draw(st.lists(LEAVES, max_size=1)),
                {"weights": name},
            ]
        else:
            layers.append(draw(LEAVES))
    for name in unread:
        layers += joined("add", name)
    return layers


def joined(how: str, name: str) -> list[Any]:
    if how == "from":
        return ["relu", {"add": name}]
    return [{"concat": name}, {"conv": {"channels": 4, "kernel": 1}}] if how == "concat" else [{how: name}]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(layers=skips())
def test_random_graphs_cost_what_is_measured(layers: list[Any]) -> None:
    layer = Builder(REGISTRY).layer(layers)
    try:
        layer.shape(IMAGE)
    except ShapeError as error:
        assert "is already called" in str(error)  # two draws of one name
        return
    assert measure(layer.module(IMAGE), IMAGE) == (layer.shape(IMAGE), layer.cost(IMAGE))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(layers=skips(), places=st.lists(st.integers(0, 12), min_size=1, max_size=3))
def test_random_graphs_of_several_outputs_hold_what_is_traced(layers: list[Any], places: list[int]) -> None:
    """Each tensor is freed after the last operation that reads it, and what the network gives stays to the end."""
    for index, place in enumerate(places):
        layers = [*layers[:place], {"output": f"out{index}"}, *layers[place:]]
    try:
        graph = Builder(REGISTRY).layer(layers).graph(IMAGE)  # type: ignore[attr-defined]
    except ShapeError as error:
        assert "is already called" in str(error)  # two draws of one name
        return
    outputs, uses, _ = traced_on_meta(build(graph), IMAGE, ())
    assert len(outputs) == 1 + len(places)
    assert uses.ledger.peaks(*map(uses.key, outputs)) == (graph.cost.peak, graph.cost.held_peak)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(layers=skips())
def test_the_flat_list_of_operations_has_the_same_costs(layers: list[Any]) -> None:
    layer = Builder(REGISTRY).layer(layers)
    try:
        graph = layer.graph(IMAGE)  # type: ignore[attr-defined]
    except ShapeError:
        return
    flat, given = operations(graph)
    assert sum(one.cost.macs for one in flat) == graph.cost.macs
    assert traced(flat, given) == graph.cost.peak


def traced(flat: list[Operation], given: tuple[int, ...]) -> int:
    """Return the most values held at one time, by freeing each tensor after its last use, in the simplest way."""
    storages, sizes = {~0: ~0}, {~0: size(IMAGE)}
    for one in flat:
        storages[one.value] = storages[one.inputs[0]] if one.cost.alias else one.value
        sizes.setdefault(storages[one.value], size(one.output))
    last = {storages[value]: len(flat) for value in given}
    for index, one in reversed(list(enumerate(flat))):
        for value in (*one.inputs, one.value):
            last.setdefault(storages[value], index)
    live, peak = {~0}, sizes[~0]
    for index, one in enumerate(flat):
        read = {storages[value] for value in one.inputs}
        cost = one.cost.held_peak if any(last[storage] > index for storage in read) else one.cost.peak
        beyond = cost - sum(map(size, one.shapes))
        peak = max(peak, sum(sizes[storage] for storage in live | read) + beyond)
        live = {storage for storage in {*live, storages[one.value]} if last[storage] > index}
    return peak


def run(layers: list[Any], images: torch.Tensor, **options: Any) -> tuple[torch.Tensor, torch.nn.Module]:
    torch.manual_seed(0)
    module = Builder(REGISTRY).layer(layers).module(tuple(images.shape[1:])).eval()
    return module(images), module


def test_a_long_skip_is_what_it_says() -> None:
    images = torch.randn(2, *IMAGE)
    given, module = run(
        [{"name": "a"}, {"conv": 4}, {"name": "b"}, "relu", {"add": ["a", "b"]}, {"concat": "b"}], images
    )
    (conv,) = (one for one in module.modules() if isinstance(one, torch.nn.Conv2d))
    middle = conv(images)
    assert torch.equal(given, torch.cat([middle.relu() + images + middle, middle], 1))


@pytest.mark.parametrize(
    ("join", "wanted"),
    [
        ({"subtract": "a"}, lambda a, b: b - a),
        ({"multiply": "a"}, lambda a, b: b * a),
        ({"add": "a"}, lambda a, b: b + a),
        ({"concat": {"values": "a", "axis": 1}}, lambda a, b: torch.cat([b, a], 2)),
        ({"concat": {"values": "a", "axis": -1}}, lambda a, b: torch.cat([b, a], 3)),
        ({"from": "a"}, lambda a, b: a),
    ],
)
def test_a_join_takes_the_passing_value_first(join: Any, wanted: Any) -> None:
    images = torch.randn(2, *IMAGE)
    used = ["relu", {"name": "r"}] if "from" in join else []
    rest = [{"add": "r"}, {"subtract": "r"}] if "from" in join else []
    given, _ = run([{"name": "a"}, "tanh", *used, join, *rest], images)
    assert torch.allclose(given, wanted(images, images.tanh()), atol=1e-6)


def test_what_is_added_is_broadcast() -> None:
    images = torch.randn(2, *IMAGE)
    given, _ = run([{"name": "a"}, {"adaptive_average_pool": 1}, {"add": "a"}], images)
    assert torch.allclose(given, images + images.mean((2, 3), keepdim=True), atol=1e-6)


def test_a_name_in_a_residual_holds_after_it() -> None:
    images = torch.randn(2, *IMAGE)
    given, module = run([{"residual": ["tanh", {"name": "inner"}, {"conv": 4}]}, {"multiply": "inner"}], images)
    (name,) = (name for name, one in module.named_modules() if isinstance(one, torch.nn.Conv2d))
    assert name == "0.layers.2"
    assert torch.equal(given, (module.get_submodule(name)(images.tanh()) + images) * images.tanh())


def test_weights_used_again_count_once_and_train_together() -> None:
    layers = [{"weights": {"name": "tower", "layer": {"conv": 4}}}, "relu", {"weights": "tower"}]
    once = Builder(REGISTRY).layer([{"conv": 4}]).cost(IMAGE)
    twice = Builder(REGISTRY).layer(layers).cost(IMAGE)
    assert (twice.parameters, twice.macs) == (once.parameters, 2 * once.macs)
    _, module = run(layers, torch.randn(2, *IMAGE))
    assert list(module.state_dict()) == ["tower.weight", "tower.bias"]
    moved = copy.deepcopy(module).to("meta")
    assert sum(one.numel() for one in moved.parameters()) == once.parameters


def test_weights_are_used_again_inside_a_block_on_a_smaller_image() -> None:
    head = {"weights": {"name": "head", "layer": [{"conv": 4}, "relu"]}}
    layers = [head, {"max_pool": 2}, {"residual": ["tanh", {"weights": "head"}]}]
    layer = Builder(REGISTRY).layer(layers)
    module = layer.module(IMAGE)
    assert measure(copy.deepcopy(module), IMAGE) == (layer.shape(IMAGE), layer.cost(IMAGE))
    convs = [one for one in module.modules() if isinstance(one, torch.nn.Conv2d)]
    assert len(convs) == 1


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([{"add": "skip"}], "layer 0: no value is called 'skip'; wanted one of input"),
        ([{"name": "stem"}, "relu", {"add": "stm"}, {"add": "stem"}], "layer 2: no value is called 'stm'; wanted one of input, stem; did you mean 'stem'?"),
        ([{"name": "a"}, "relu", {"name": "a"}, {"add": "a"}], "layer 2: a value is already called 'a'; wanted another name"),
        ([{"add": "late"}, "relu", {"name": "late"}, {"add": "late"}], "layer 0: the value 'late' gets its name only later; wanted one that is named before"),
        ([{"name": "lost"}, "relu"], "the value 'lost' is named, but nothing uses it; wanted it used, or no name"),
        ([{"name": "a"}, {"conv": 3}, {"add": "a"}], "layer 2: the layer before gives (3, 8, 8), the value 'a' gives (4, 8, 8); add cannot join them"),
        (["relu", {"name": "input"}], "layer 1: a value is already called 'input'; wanted another name"),
        ([{"weights": {"name": "add", "layer": "relu"}}], "layer 0: a layer or operation is already called 'add'; wanted another name"),
        ([{"weights": "tower"}], "layer 0: no layer is called 'tower'; no layer has a name here"),
        ([{"weights": {"name": "t", "layer": {"conv": 4}}}, {"conv": 3}, {"weights": "t"}], "layer 2: the weights 't' were made for (4, 8, 8), and do not fit (3, 8, 8): weight is (4, 4, 3, 3) there and would be (4, 3, 3, 3) here"),
        ([{"weights": {"name": "t", "layer": {"conv": 8}}}, {"repeat": {"times": 2, "layers": [{"weights": "t"}]}}], "layer 1.0: the weights 't' were made for (4, 8, 8), and do not fit (8, 8, 8): weight is (8, 4, 3, 3) there and would be (8, 8, 3, 3) here"),
        ([{"weights": {"name": "t", "layer": {"conv": {"channels": 8, "groups": "depthwise"}}}}, {"weights": "t"}], "layer 1: the weights 't' were made for (4, 8, 8), and do not fit (8, 8, 8): the number of groups of conv is 4 there and would be 8 here"),
        ([{"weights": {"name": "t", "layer": {"from": "input"}}}], "layer 0: from is no layer whose weights could be called 't'; wanted one with a module"),
        ([{"repeat": {"times": 2, "layers": [{"output": "x"}]}}], "layer 0.0: output stands inside a block or a repeat; wanted it among the network's own layers"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_name_is_told(layers: list[Any], message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        Builder(REGISTRY).layer(layers).shape(IMAGE)
    assert str(caught.value) == message


def spec(layers: list[Any], **keys: Any) -> dict[str, Any]:
    return {
        "zoo": 1,
        "name": "named",
        "task": "classify",
        "data": {"noise": {"image": [3, 8, 8], "classes": 5}},
        "networks": {"classifier": {"architecture": {"layers": [*layers, "global_average_pool", {"linear": 5}]}}},
        "train": {"steps": 10},
        **keys,
    }


def test_weights_fit_by_their_shapes_and_not_by_their_count() -> None:
    turned = {"conv": {"channels": "${8 // channels}", "kernel": 1, "bias": False}}  # 2 to 4, then 4 to 2
    layers = [{"conv": 2}, {"weights": {"name": "t", "layer": turned}}, {"weights": "t"}]
    with pytest.raises(SpecError, match=r"layer 2: the weights 't' .* weight is \(4, 2, 1, 1\) there and would be"):
        api.check(spec(layers), registry=REGISTRY)


def test_a_name_in_a_block_is_the_blocks_own_and_it_sees_those_around_it() -> None:
    blocks = {"unit": [{"name": "inner"}, "relu", {"add": ["inner", "stem"]}]}
    found = api.check(spec([{"conv": 8}, {"name": "stem"}, "unit", "unit"], blocks=blocks), registry=REGISTRY)
    assert found.total.parameters == 8 * 28 + 45
    with pytest.raises(SpecError, match="no value is called 'inner'"):
        api.check(spec([{"conv": 8}, {"name": "stem"}, "unit", {"add": "inner"}], blocks=blocks), registry=REGISTRY)


def test_a_network_of_its_own_layers_can_take_a_label() -> None:
    builder = Builder(REGISTRY)
    layers = [
        {"from": "label"},
        {"embedding": {"features": 8, "classes": 5}},
        {"name": "word"},
        {"from": "input"},
        {"concat": "word"},
        {"linear": 12},
        {"reshape": [3, 2, 2]},
    ]
    architecture = builder.resolver.component_from(("architecture",), {"layers": layers})
    network = builder.network(architecture, (4,), (3, 2, 2), (Condition("label", 5),))
    module = network.module((4,))
    assert module(torch.randn(2, 4), torch.tensor([1, 4])).shape == (2, 3, 2, 2)
    assert measure(module, (4,), (Condition("label", 5),)) == (network.shape((4,)), network.cost((4,)))


def test_a_network_with_named_outputs_gives_them_in_the_tasks_order() -> None:
    builder = Builder(REGISTRY)
    layers = [
        "flatten",
        {"name": "all"},
        {"linear": 5},
        {"output": "classes"},
        {"from": "all"},
        {"linear": 1},
        {"output": "logit"},
    ]
    architecture = builder.resolver.component_from(("architecture",), {"layers": layers})
    heads = (("logit", (1,)), ("classes", (5,)))
    module = builder.network(architecture, IMAGE, (6,), (), heads).module(IMAGE)
    logit, classes = module(torch.randn(2, *IMAGE))
    assert (logit.shape, classes.shape) == ((2, 1), (2, 5))
    with pytest.raises(ShapeError, match="this task wants one output of"):
        builder.network(architecture, IMAGE, (6,))


class Gate(api.Layer):
    """A layer of a stranger's on two values."""

    def lower_into(self, flow: Any, name: str) -> None:
        flow.operation(self, name, (flow.value, flow.read("gate")))

    def shape(self, input: api.Shape, gate: api.Shape, /) -> api.Shape:  # type: ignore[override]
        return input

    def cost(self, input: api.Shape, gate: api.Shape, /) -> api.Cost:  # type: ignore[override]
        peak = 4 * elements(input)  # the gate's sigmoid beside all
        return api.Cost(peak=peak - elements(input), held_peak=peak)

    def module(self, input: api.Shape, gate: api.Shape, /) -> torch.nn.Module:  # type: ignore[override]
        return Gated()


class Gated(torch.nn.Module):
    def forward(self, images: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
        return images * gate.sigmoid()


def test_a_layer_of_a_plugin_can_take_several_values() -> None:
    layer = Builder(REGISTRY).layer(
        [{"conv": 4}, {"name": "gate"}, {"conv": 4}, {"name": "more"}, Gate(), {"add": ["gate", "more"]}]
    )
    module = layer.module(IMAGE)
    assert measure(module, IMAGE) == (layer.shape(IMAGE), layer.cost(IMAGE))


def test_the_operators_are_the_functions_of_a_module() -> None:
    assert sorted(FUNCTIONS) == sorted(CALLS)


BROKEN = """\
zoo: 1
name: broken
task: classify
data: {noise: {image: [3, 8, 8], classes: 5}}
blocks:
  unit:
    parameters: {channels: null}
    layers:
      - conv: "${channels}"
      - linear: 3
  stage:
    parameters: {channels: null}
    layers: [unit: "${channels}", unit: "${channels}"]
networks:
  classifier:
    architecture:
      layers:
        - branches: [[stage: 4], [stage: 8], [unit: 4]]
train: {steps: 10}
"""


def test_a_mistake_in_a_block_is_told_once_with_the_blocks_that_led_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.yaml").write_text(BROKEN)
    with pytest.raises(SpecError) as caught:
        api.check("broken.yaml", registry=REGISTRY)
    assert str(caught.value) == (
        "broken.yaml:10:9: networks.classifier.architecture: layer 0.0.0.0.1: linear takes a vector (features,), but the "
        "shape here is (4, 8, 8); put flatten or global_average_pool before it, in the block unit used at "
        "broken.yaml:13:14, in the block stage used at broken.yaml:18:23"
    )


@pytest.mark.parametrize("name", ["cifar100-cgan", "cifar100-acgan", "cifar100-diffusion"])
def test_a_network_called_with_more_than_its_input_is_compiled_whole(name: str) -> None:
    builder = Builder(REGISTRY)
    report = api.check(name, registry=REGISTRY)
    task, info = builder.bind(report.spec.task), builder.bind(report.spec.data).info()
    for role, one in report.networks.items():
        module = one.network.module(one.input).eval()
        conditions = task.terminals(role, info).conditions
        given = [torch.randn(2, *one.input)]
        given += [torch.arange(2) if beside.classes else torch.rand(2) for beside in conditions]
        compiled = torch.compile(copy.deepcopy(module), backend="eager", fullgraph=True)
        assert torch.equal(compiled(*given), module(*given))
