"""Named blocks: parameters, uses inside each other, and what cannot be."""

from __future__ import annotations

from typing import Any

import pytest

import zoo
from zoo.errors import SpecError
from zoo.registry import Registry
from zoo.spec.load import load_document, load_spec
from zoo.spec.resolve import Resolver
from zoo.spec.variables import Template


def spec(blocks: Any, layers: list[Any], **more: Any) -> dict[str, Any]:
    return {
        "zoo": 1,
        "name": "blocks",
        "task": "classify",
        "data": "shapes",
        "blocks": blocks,
        "networks": {"classifier": {"architecture": {"layers": layers}}},
        "train": {"steps": 10},
        **more,
    }


def layers(registry: Registry, blocks: Any, used: list[Any], **more: Any) -> Any:
    """Return the resolved layers."""
    data = load_spec(spec(blocks, used, **more), registry=registry).to_data()
    return data["networks"]["classifier"]["architecture"]["layers"]["layers"]


def plain(registry: Registry, used: list[Any]) -> Any:
    return layers(registry, {}, used)


CONV = {"parameters": {"channels": None, "act": "relu"}, "layers": [{"conv": "${channels}"}, "${act}"]}


@pytest.mark.parametrize(
    ("use", "written"),
    [
        ({"one": 8}, [{"conv": 8}, "relu"]),
        ({"one": {"channels": 8, "act": "silu"}}, [{"conv": 8}, "silu"]),
        (
            {"one": {"channels": 8, "act": {"leaky_relu": {"negative_slope": 0.2}}}},
            [{"conv": 8}, {"leaky_relu": {"negative_slope": 0.2}}],
        ),
    ],
)
def test_a_use_is_the_sequence_of_its_layers(use: Any, written: list[Any], registry: Registry) -> None:
    assert layers(registry, {"one": CONV}, [use]) == plain(registry, [{"sequence": {"layers": written}}])


def test_a_block_without_parameters_is_its_layers(registry: Registry) -> None:
    assert layers(registry, {"two": ["relu", "silu"]}, ["two"]) == plain(registry, [{"sequence": ["relu", "silu"]}])


def test_blocks_use_blocks_and_arithmetic_and_let(registry: Registry) -> None:
    blocks = {
        "one": CONV,
        "pair": {"parameters": {"width": "${base}"}, "layers": [{"one": "${width}"}, {"one": "${width * 2}"}]},
    }
    found = layers(registry, blocks, ["pair", {"pair": "${base + 1}"}], let={"base": 4})
    assert found == layers(registry, {"one": CONV}, [{"sequence": [{"one": a}, {"one": 2 * a}]} for a in (4, 5)])


def test_a_parameter_can_be_a_list_of_layers(registry: Registry) -> None:
    blocks = {"around": {"parameters": {"body": []}, "layers": [{"residual": {"layers": "${body}"}}]}}
    found = layers(registry, blocks, [{"around": {"body": [{"conv": 3}, "relu"]}}])
    assert found == plain(registry, [{"sequence": [{"residual": {"layers": [{"conv": 3}, "relu"]}}]}])


def test_a_block_and_what_it_stands_for_have_one_hash(registry: Registry) -> None:
    head = ["global_average_pool", {"linear": 100}]
    one = load_spec(spec({"one": CONV}, [{"one": 8}, *head]), registry=registry)
    other = load_spec(spec({}, [{"sequence": [{"conv": 8}, "relu"]}, *head]), registry=registry)
    assert one.hash == other.hash


def test_a_block_goes_by_its_name_in_tables(registry: Registry) -> None:
    from zoo.checking import rows

    report = zoo.check(spec({"one": CONV}, [{"one": 8}, "global_average_pool", {"linear": 100}]), registry=registry)
    network = report.networks["classifier"]
    assert [row.layer for row in rows(network.network, network.input)][:3] == ["layers", "one", "conv"]


def test_an_architecture_is_a_layer(registry: Registry) -> None:
    whole = zoo.check(spec({}, [{"resnet": {"depths": [1, 1, 1]}}]), registry=registry)
    named = spec({}, [])
    named["networks"]["classifier"]["architecture"] = {"resnet": {"depths": [1, 1, 1]}}
    assert whole.total == zoo.check(named, registry=registry).total
    after = zoo.check(spec({}, [{"conv": 3}, {"resnet": {"depths": [1, 1, 1]}}]), registry=registry)
    assert after.total.parameters == whole.total.parameters + 84


def test_a_block_comes_before_a_layer_of_its_name(registry: Registry) -> None:
    ours = load_spec(spec({"relu": ["silu"], "sequence": ["tanh"]}, ["relu", ["sequence"]]), registry=registry)
    plain = load_spec(spec({}, [["silu"], [["tanh"]]]), registry=registry)
    assert ours.hash == plain.hash


BROKEN = [
    ({"a": ["a"]}, ["a"], "a: found blocks that use each other: a -> a; wanted blocks that end"),
    ({"a": ["b"], "b": ["a"]}, ["a"], "a: found blocks that use each other: a -> b -> a; wanted blocks that end"),
    ({"a": []}, ["a"], "blocks.a.layers: found an empty list; wanted a list of 1 or more layers"),
    ({"A": ["relu"]}, [], "blocks.A: found the name 'A'; wanted lower case, digits and '_'"),
    ({"a": {"parameters": {"x": 1}}}, [], "blocks.a: found no 'layers'; wanted a list of layers"),
    ({"a": 3}, [], "blocks.a: found 3; wanted layers, or a mapping of parameters and layers"),
    (["relu"], [], "blocks: found a list; wanted a mapping from names to blocks"),
    ({"a": {"layer": ["relu"], "layers": ["relu"]}}, [], "blocks.a: found the unknown key 'layer'; wanted parameters, layers\n    did you mean 'layers'?"),
    ({"a": [{"conv": "${sides}"}]}, ["a"], "blocks.a.layers.0.conv: found the unknown variable 'sides'; wanted one of the block's parameters (none) or a variable of let, or of the running shape: channels, height, width, length, depth, features, classes"),
    ({"a": [{"conv": "${(1).real}"}]}, ["a"], None),
    ({"a": {"parameters": {"n": 0}, "layers": [{"conv": "${8 // n}"}]}}, ["a"], None),
    ({"one": CONV}, ["one"], "one: found no 'channels'; wanted a value: this parameter has no default"),
    ({"one": CONV}, [{"one": {"chanels": 8, "channels": 3}}], "one: found the unknown parameter 'chanels'; wanted one of channels, act\n    did you mean 'channels'?"),
    ({"a": ["relu"]}, [{"a": 3}], "a: found 3; wanted nothing: this block has no parameters"),
    ({"one": CONV}, ["oen"], None),
]  # fmt: skip


@pytest.mark.parametrize(("blocks", "used", "message"), BROKEN, ids=range(len(BROKEN)))
def test_what_cannot_be_is_said(blocks: Any, used: list[Any], message: str | None, registry: Registry) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(spec(blocks, used or ["relu"]), registry=registry)
    if message is not None:
        assert str(caught.value) == f"<python>: {message}"


def test_an_unknown_layer_may_be_meant_as_a_block(registry: Registry) -> None:
    with pytest.raises(SpecError, match="did you mean 'squeeze'"):
        load_spec(spec({"squeeze": ["relu"]}, ["squeze"]), registry=registry)


def test_blocks_that_double_each_other_end(registry: Registry) -> None:
    blocks: dict[str, Any] = {"b0": ["relu"]}
    blocks |= {f"b{level}": [f"b{level - 1}"] * 2 for level in range(1, 30)}
    with pytest.raises(SpecError) as caught:
        load_spec(spec(blocks, ["b29"]), registry=registry)
    assert [problem.found for problem in caught.value.problems] == [
        "found more than 100,000 components, blocks written out"
    ]


def test_a_block_with_the_name_of_a_layer_is_warned_of(registry: Registry) -> None:
    report = zoo.check(spec({"relu": ["silu"]}, ["relu", {"conv": 4}, "flatten", {"linear": 100}]), registry=registry)
    assert [(one.path, one.found) for one in report.warnings] == [
        ("blocks.relu", "found a block with the name of a layer, which it hides")
    ]


def test_what_plugins_write_does_not_mean_the_blocks_of_a_spec(registry: Registry) -> None:
    used = [{"resnet": {"depths": [1, 1, 1]}}]
    hiding = {"relu": ["silu"], "conv": ["silu"], "sequence": ["silu"], "batch_norm": ["silu"]}
    assert layers(registry, hiding, used) == plain(registry, used)
    ours, others = (zoo.check(spec(blocks, used), registry=registry) for blocks in (hiding, {}))
    assert ours.total == others.total


NAMED = [{"name": "x"}, "silu", {"add": "x"}]


@pytest.mark.parametrize(
    ("blocks", "used"),
    [
        ({"unit": NAMED}, ["unit", "unit"]),
        ({}, [{"for": {"each": "i", "of": [1, 2], "layers": NAMED}}]),
        ({}, [{"for": {"each": "i", "of": [1, 2], "layers": [{"sequence": NAMED}]}}]),
        ({}, [{"for": {"each": "i", "of": "${[channels, 2]}", "layers": NAMED}}] * 2),
        ({}, [{"repeat": {"times": 2, "layers": [*NAMED, {"conv": "${4 + round}"}]}}]),
        (
            {},
            [{"when": {"condition": True, "layers": NAMED}}, {"when": {"condition": "${height > 4}", "layers": NAMED}}],
        ),
        ({}, [{"let": {"values": {"a": "${channels}"}, "layers": [*NAMED, {"conv": "${2 * a}"}]}}] * 2),
    ],
)
def test_names_that_are_given_inside_mean_nothing_outside(
    blocks: dict[str, Any], used: list[Any], registry: Registry
) -> None:
    head = ["global_average_pool", {"linear": 100}]
    report = zoo.check(spec(blocks, [*used, *head]), registry=registry)
    # What was resolved, without its blocks, says the same.
    again = zoo.check(report.spec.to_data(), registry=registry)
    assert (again.total, again.spec.hash) == (report.total, report.spec.hash)
    unknown = [*used, {"add": "x"}, *head]
    with pytest.raises(SpecError, match="no value is called 'x'"):
        zoo.check(spec(blocks, unknown), registry=registry)


def test_what_is_wrong_in_a_block_is_told_again_in_the_next_spec(registry: Registry) -> None:
    """What stands in two uses is told at the first; the second must not count as sound for specs that come after."""
    block = {"parameters": ["channels"], "layers": [{"residual": [{"conv": {"channels": 0}}]}, {"conv": "${channels}"}]}
    document = load_document(spec({"odd": block}, [{"odd": "${width}"}, {"odd": 2}], let={"width": 1}))
    resolver, template = Resolver(registry), Template(document)
    for width in (1, 2):
        with pytest.raises(SpecError, match="channels"):
            resolver.spec(template.fill({"width": width}))
