"""The running shape, tables and conditions in networks of layers: what they stand for, and what cannot be."""

from __future__ import annotations

from typing import Any

import pytest

import zoo
from zoo.errors import SpecError
from zoo.registry import Registry
from zoo.spec.load import load_spec

IMAGE = [3, 16, 12]


def spec(layers: list[Any], **more: Any) -> dict[str, Any]:
    return {
        "zoo": 1,
        "name": "running",
        "task": "classify",
        "data": {"noise": {"image": IMAGE, "classes": 7}},
        "networks": {"classifier": {"architecture": {"layers": [*layers, "global_average_pool", {"linear": 7}]}}},
        "train": {"steps": 10},
        **more,
    }


def cost(registry: Registry, layers: list[Any], **more: Any) -> Any:
    """Return the cost, which the resolved spec has as well."""
    source = spec(layers, **more)
    resolved = load_spec(source, registry=registry)
    again = load_spec(resolved.to_data(), registry=registry)
    assert (again.to_data(), again.hash) == (resolved.to_data(), resolved.hash)
    found, same = (zoo.check(one, registry=registry).networks["classifier"].cost for one in (source, again))
    assert found == same
    return found


def refusal(registry: Registry, layers: list[Any], **more: Any) -> str:
    with pytest.raises(SpecError) as caught:
        zoo.check(spec(layers, **more), registry=registry)
    return str(caught.value)


WRITTEN = [
    ([{"conv": "${channels * 2}"}, {"conv": "${channels + 1}"}], [{"conv": 6}, {"conv": 7}], {}),
    ([{"max_pool": {"kernel": ["${height}", "${width}"]}}], [{"max_pool": {"kernel": [16, 12]}}], {}),
    ([{"conv": "${classes}"}], [{"conv": 7}], {}),
    (["flatten", {"linear": "${features // 9}"}, {"reshape": [4, 4, 4]}], ["flatten", {"linear": 64}, {"reshape": [4, 4, 4]}], {}),
    ([{"conv": {"channels": "${channels * wide}"}}], [{"conv": 12}], {"let": {"wide": 4}}),
    # What the user calls by these names wins.
    ([{"conv": "${channels}"}], [{"conv": 5}], {"let": {"channels": 5}}),
    (
        [{"conv": 8}, {"one": 4}],
        [{"conv": 8}, {"conv": 4}],
        {"blocks": {"one": {"parameters": {"channels": None}, "layers": [{"conv": "${channels}"}]}}},
    ),
    # A parameter is evaluated where the block stands.
    (
        [{"conv": 8}, "one", {"one": {"out": "${channels + 1}"}}],
        [{"conv": 8}, {"conv": 4}, {"conv": 8}, {"conv": 4}, {"conv": 9}],
        {"blocks": {"one": {"parameters": {"out": "${channels}"}, "layers": [{"conv": 4}, {"conv": "${out}"}]}}},
    ),
    # Layers that a block is given see the shape that reaches them, whatever its parameters are called.
    (
        [{"conv": 8}, {"one": {"channels": "${channels * 2}", "body": [{"conv": "${channels + 1}"}]}}],
        [{"conv": 8}, {"conv": 5}, {"conv": 6}, {"conv": 16}],
        {
            "blocks": {
                "one": {
                    "parameters": {"channels": None, "body": []},
                    "layers": [{"conv": 5}, {"sequence": "${body}"}, {"conv": "${channels}"}],
                }
            }
        },
    ),
    # Lists and tables.
    ([{"conv": "${widths[-1]}"}], [{"conv": 6}], {"let": {"widths": [4, 5, "${4 + 2}"]}}),
    (
        [{"for": {"each": ["width", "times"], "of": "${rows}", "layers": [{"repeat": {"times": "${times}", "layers": [{"conv": "${width}"}]}}]}}],
        [{"conv": 4}, {"conv": 5}, {"conv": 5}],
        {"let": {"rows": [[4, 1], [5, 2]]}},
    ),
    (
        [{"for": {"each": "row", "of": "${rows[1:]}", "layers": [{"conv": "${row[0] + round}"}]}}],
        [{"conv": 5}],
        {"let": {"rows": [[4, 1], [5, 2]], "round": 0}},
    ),
    ([{"for": {"each": "n", "of": "${range(channels)}", "layers": [{"conv": "${4 + n}"}]}}], [{"conv": n} for n in (4, 5, 6)], {}),
    ([{"sequence": ["${*acts}", {"conv": 4}, "${*acts}"]}], ["relu", "silu", {"conv": 4}, "relu", "silu"], {"let": {"acts": ["relu", "silu"]}}),
    # Rounds and conditions.
    ([{"repeat": {"times": 3, "layers": [{"conv": "${4 + round}"}]}}], [{"conv": n} for n in (4, 5, 6)], {}),
    ([{"repeat": {"times": "${channels}", "layers": [{"conv": "${4 + round}"}]}}], [{"conv": n} for n in (4, 5, 6)], {}),
    ([{"repeat": {"times": "${channels - 1}", "layers": [{"conv": 4}]}}], [{"conv": 4}, {"conv": 4}], {}),
    ([{"repeat": {"times": 0, "layers": [{"conv": 4}]}}], [], {}),
    ([{"repeat": {"times": "${channels - 3}", "shared": True, "layers": [{"conv": 4}]}}], [], {}),
    ([{"when": {"condition": "${height > 8}", "layers": [{"conv": 4}]}}, {"when": {"condition": False, "layers": ["oops"]}}], [{"conv": 4}], {}),
    ([{"let": {"values": {"n": "${channels}"}, "layers": [{"conv": 9}, {"conv": "${n}"}]}}], [{"conv": 9}, {"conv": 3}], {}),
    # A block in itself, and a parameter that is null.
    (
        [{"level": {"widths": [4, 5, 6]}}],
        [{"conv": 4}, {"conv": 5}, {"conv": 6}],
        {
            "blocks": {
                "level": {
                    "parameters": ["widths"],
                    "layers": [
                        {"conv": "${widths[0]}"},
                        {"when": {"condition": "${len(widths) > 1}", "layers": [{"level": {"widths": "${widths[1:]}"}}]}},
                    ],
                }
            }
        },
    ),
    (
        [{"down": 2}],
        [{"conv": 2}, {"conv": 1}],
        {"blocks": {"down": {"parameters": ["n"], "layers": [{"repeat": {"times": "${min(n, 1)}", "layers": [{"conv": "${n}"}, {"down": "${n - 1}"}]}}]}}},
    ),
    (
        ["one", {"one": {"body": [{"conv": 4}]}}],
        [{"conv": 4}],
        {"blocks": {"one": {"parameters": [{"body": None}], "layers": [{"when": {"condition": "${body != null}", "layers": "${body}"}}]}}},
    ),
    ([{"spectral_norm": {"layer": {"conv": "${channels + 1}"}}}], [{"spectral_norm": {"layer": {"conv": 4}}}], {}),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "plain", "more"), WRITTEN, ids=range(len(WRITTEN)))
def test_it_costs_what_it_stands_for(layers: list[Any], plain: list[Any], more: Any, registry: Registry) -> None:
    assert cost(registry, layers, **more) == cost(registry, plain)


NAMES = "channels, height, width, length, depth, features, classes"
BROKEN = [
    ([{"conv": "${chanels}"}], {}, f"networks.classifier.architecture.layers.0.conv: found the unknown variable 'chanels' in 'chanels'; wanted a variable that 'let' defines, or of the running shape: {NAMES}\n    did you mean 'channels'?"),
    (["flatten", {"linear": "${height}"}], {}, "networks.classifier.architecture: layer 1: linear.features: found 'height', which the shape (576,) does not have; wanted one of channels, classes, features"),
    ([{"conv": "${channels - 3}"}], {}, "networks.classifier.architecture: layer 0: conv.channels: found 0; wanted a whole number from 1 to 2,147,483,648"),
    ([{"repeat": {"times": 2, "shared": True, "layers": [{"conv": "${3 + 0 * round}"}]}}], {}, "networks.classifier.architecture.layers.layers.0.repeat.shared: found rounds that share weights but mention round; wanted false"),
    ([{"for": {"each": ["a", "b"], "of": [[1, 2], [3]], "layers": ["relu"]}}], {}, "networks.classifier.architecture.layers.layers.0.for.of.1: found a list of 1; wanted a list of 2: a, b"),
    ([{"for": {"each": "a", "of": 3, "layers": ["relu"]}}], {}, "networks.classifier.architecture.layers.layers.0.for.of: found 3; wanted a list"),
    ([{"when": {"condition": 3, "layers": ["relu"]}}], {}, "networks.classifier.architecture.layers.layers.0.when.condition: found 3; wanted true or false"),
    (["endless"], {"blocks": {"endless": {"parameters": [{"n": 0}], "layers": [{"endless": "${n + 1}"}]}}}, "endless: found the block 'endless' 32 times inside itself; wanted an argument that shrinks, and a `when` (or a `repeat` of 0 times) where it ends"),
    ([{"endless": {"n": "${channels}"}}], {"blocks": {"endless": {"parameters": ["n"], "layers": [{"endless": "${n - 1}"}]}}}, None),
    ([{"act": 3}], {"blocks": {"act": {"schedule": "cosine"}}}, "networks.classifier.architecture.layers.layers.0: found the block 'act', which holds a schedule; wanted a layer"),
    (["one"], {"blocks": {"one": {"parameters": ["a", "a"], "layers": ["relu"]}}}, "blocks.one.parameters: found 'a' twice; wanted each name once"),
    (["relu"], {"let": {"table": "${range(10 ** 6)}"}}, "let.table: found a list of 1,000,000 in 'range(10 ** 6)'; wanted at most 10,000"),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "more", "message"), BROKEN, ids=range(len(BROKEN)))
def test_what_cannot_be_is_said(layers: list[Any], more: Any, message: str | None, registry: Registry) -> None:
    found = refusal(registry, layers, **more)
    if message is not None:
        assert found == f"<python>: {message}"


def test_only_layers_know_the_running_shape(registry: Registry) -> None:
    with pytest.raises(SpecError, match=r"train\.steps: found the unknown variable 'channels'"):
        zoo.check(spec([], train={"steps": "${channels}"}), registry=registry)


def test_loops_inside_loops_end(registry: Registry) -> None:
    layers: list[Any] = ["relu"]
    for name in "abcdef":
        layers = [{"for": {"each": name, "of": "${range(100)}", "layers": layers}}]
    assert "found" in refusal(registry, layers)


def test_blocks_of_an_activation_and_a_schedule_are_used_where_these_are_wanted(registry: Registry) -> None:
    blocks = {
        "swish": {"parameters": {"beta": 1.0}, "activation": {"formula": "x * sigmoid(${beta} * x)"}},
        "decay": {"parameters": ["rate"], "schedule": {"formula": "${rate} ** step"}},
    }
    source = spec([{"resnet": {"depths": [1, 1, 1], "activation": {"swish": 2}}}, {"swish": 3}], blocks=blocks)
    source["networks"]["classifier"]["architecture"]["layers"] = [
        {"resnet": {"depths": [1, 1, 1], "activation": {"swish": 2}}},
        {"swish": 3},
    ]
    source["networks"]["classifier"]["schedule"] = {"decay": 0.5}
    section = load_spec(source, registry=registry).networks["classifier"]
    assert section.schedule.data() == {"formula": {"formula": "0.5 ** step"}}
    resnet, swish = section.architecture.options["layers"]
    assert resnet.options["activation"].options["formula"] == "x * sigmoid(2 * x)"
    assert swish.options["formula"] == "x * sigmoid(3 * x)"
    assert zoo.check(source, registry=registry).kept


def test_free_variables_reach_lists_and_loops(registry: Registry) -> None:
    let = {"width": {"free": {"from": 1, "to": 8}}, "widths": ["${width}", "${2 * width}"]}
    layers = [{"for": {"each": "w", "of": "${widths}", "layers": [{"conv": "${w}"}, {"conv": "${channels}"}]}}]
    best = zoo.fit(spec(layers, let=let, budget={"parameters": 2000}), registry=registry).best[0]
    width = best.values["width"]
    fitted = spec(layers, let=let | {"width": width})
    assert zoo.check(fitted, registry=registry).total.parameters == best.total.parameters <= 2000
    more = spec(layers, let=let | {"width": width + 1})
    assert zoo.check(more, registry=registry).total.parameters > 2000
