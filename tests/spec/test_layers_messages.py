"""What a spec in layers says when several parts of it are wrong, and when it is wrong inside a block.

Messages of one mistake each stand in broken_specs.yaml.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import builtin_registry

import zoo
from zoo.errors import SpecError
from zoo.spec.json_schema import spec_schema
from zoo.spec.load import load_spec

REGISTRY = builtin_registry()
SPEC = """\
zoo: 1
name: broken
task: classify
data: {noise: {image: [3, 8, 8], classes: 5}}
networks: {classifier: {architecture: {layers: [use, global_average_pool, linear: 5]}}}
train: {steps: 10}
"""
GAN = """\
zoo: 1
name: broken
task: {gan: {latent_size: 8}}
data: {noise: {image: [3, 8, 8], classes: 5}}
networks:
  generator:
    architecture:
      layers:
        - linear: 192
        - branches: [conv: 3, max_pool: 2]
  discriminator:
    architecture:
      layers:
        - conv: 8
        - linear: 1
train: {steps: 10}
"""


def message(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(folder)
    Path("broken.yaml").write_text(text)
    with pytest.raises(SpecError) as caught:
        zoo.check("broken.yaml", registry=REGISTRY)
    return str(caught.value)


def test_what_is_wrong_in_both_networks_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert message(GAN, tmp_path, monkeypatch).splitlines() == [
        "broken.yaml:10:22: networks.generator.architecture: layer 1.0: conv takes a sequence (channels, length), an image (channels, height, width) or a volume (channels, depth, height, width), but the shape here is (192,)",
        "broken.yaml:10:31: networks.generator.architecture: layer 1.1: max_pool takes a sequence (channels, length), an image (channels, height, width) or a volume (channels, depth, height, width), but the shape here is (192,)",
        "broken.yaml:15:11: networks.discriminator.architecture: layer 1: linear takes a vector (features,), but the shape here is (8, 8, 8); put flatten or global_average_pool before it",
    ]


def test_a_residual_that_does_not_fit_is_told_in_its_own_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layers = "\n      layers:\n        - conv: {channels: 8, stride: 2}\n        - relu\n        - residual:\n            layers:\n              - conv: 16\n        - flatten\n        - linear: 5\n"
    text = SPEC.replace(
        " {classifier: {architecture: {layers: [use, global_average_pool, linear: 5]}}}\n",
        f"\n  classifier:\n    architecture:{layers}",
    )
    assert message(text, tmp_path, monkeypatch) == (
        "broken.yaml:11:11: networks.classifier.architecture: layer 2: residual: layers give (16, 4, 4), shortcut gives (8, 4, 4); "
        "add a projection to the shortcut or match the shapes"
    )


def case(name: str, use: str, top: str, wanted: str) -> Any:
    return pytest.param(use, top, wanted, id=name)


#: What stands in place of `use`, what is added at the end, and the message.
CASES = [
    case(
        "every use without a value",
        "a, relu, a",
        "blocks: {a: {parameters: {channels: null}, layers: [conv: '${channels}']}}",
        "broken.yaml:5:49: a: found no 'channels'; wanted a value: this parameter has no default\n"
        "broken.yaml:5:58: a: found no 'channels'; wanted a value: this parameter has no default",
    ),
    case(
        "parameters of a block without any",
        "a: {kernel: 3}",
        "blocks: {a: [relu]}",
        "broken.yaml:5:53: a: found the unknown parameter 'kernel'; wanted nothing: this block has no parameters",
    ),
    case(
        "a parameter that is no name in an expression",
        "a: 4",
        "blocks: {a: {parameters: {in: 4}, layers: [conv: '${in}']}}",
        "broken.yaml:7:27: blocks.a.parameters: found the name 'in'; wanted lower case, digits and '_', and no reserved word",
    ),
    case(
        "a variable of let that is misspelt in a block",
        "a",
        "let: {width: 8}\nblocks: {a: [conv: '${widht}']}",
        "broken.yaml:8:20: blocks.a.layers.0.conv: found the unknown variable 'widht'; wanted one of the block's parameters (none) or a variable of let, or of the running shape: channels, height, width, length, depth, features, classes\n"
        "    did you mean 'width'?",
    ),
    case(
        "an expression in a block as it was written",
        "a",
        "let: {width: 8}\nblocks: {a: [conv: '${width.__class__}']}",
        "broken.yaml:8:20: blocks.a.layers.0.conv: found an attribute in 'width.__class__'; wanted numbers, variables, operators and functions",
    ),
    case(
        "a variable that needs one which is not there",
        "relu",
        "let: {width: '${base * 2}'}",
        "broken.yaml:7:14: let.width: found the unknown variable 'base' in 'base * 2'; wanted a variable that 'let' defines",
    ),
    case(
        "two options that do not go together, twice",
        "rrelu: {lower: 0.5}, hardtanh: {min_val: 4}",
        "",
        "broken.yaml:5:49: networks.classifier.architecture.layers.layers.0.rrelu: found lower 0.5 above upper 0.333333\n"
        "broken.yaml:5:70: networks.classifier.architecture.layers.layers.1.hardtanh: found min_val 4, which is not below max_val 1",
    ),
    case(
        "a list of exactly four",
        "zero_pad: [1, 2, 3, 4, 5]",
        "",
        "broken.yaml:5:59: networks.classifier.architecture.layers.layers.0.zero_pad.padding: found a list of 5; wanted a list of 4, each a whole number from 0 to 1,048,576",
    ),
    case(
        "branches without a branch",
        "branches: []",
        "",
        "broken.yaml:5:59: networks.classifier.architecture.layers.layers.0.branches.branches: found an empty list; wanted a list of 1 or more layers",
    ),
    case(
        "a value that a block was given",
        "a: wide",
        "blocks: {a: {parameters: {channels: null}, layers: [conv: '${channels}']}}",
        "broken.yaml:5:52: networks.classifier.architecture.layers.layers.0.a.sequence.layers.0.conv.channels: found 'wide'; wanted a whole number from 1 to 2,147,483,648",
    ),
    case(
        "a long block used too often",
        ", ".join(f"a: {kernel}" for kernel in range(1, 202, 2)),
        "blocks: {a: {parameters: {kernel: null}, layers: ["
        + "relu, " * 600
        + "conv: {channels: 3, kernel: '${kernel}'}]}}",
        "broken.yaml:5:650: a: found blocks of more than 50,000 values, written out; wanted repeat, or fewer",
    ),
    case(
        "a text with both quotes",
        "a",
        "let: {note: 'it''s \"new\"'}\nblocks: {a: [conv: '${note}']}",
        "broken.yaml:8:20: networks.classifier.architecture.layers.layers.0.a.sequence.layers.0.conv.channels: found 'it\\'s \"new\"'; wanted a whole number from 1 to 2,147,483,648",
    ),
]


@pytest.mark.parametrize(("use", "top", "wanted"), CASES)
def test_a_mistake_is_told_as_it_should_be(
    use: str, top: str, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert message(f"{SPEC.replace('use', use)}{top}\n", tmp_path, monkeypatch) == wanted


def spec(layers: list[Any], **more: Any) -> dict[str, Any]:
    return {
        "zoo": 1,
        "name": "odd",
        "task": "classify",
        "data": {"noise": {"image": [3, 8, 8], "classes": 5}},
        "networks": {"classifier": {"architecture": {"layers": [*layers, "global_average_pool", {"linear": 5}]}}},
        "train": {"steps": 10},
        **more,
    }


def test_the_resolved_spec_of_deep_blocks_can_be_read() -> None:
    blocks = {"b0": ["relu"], **{f"b{level}": [f"b{level - 1}"] for level in range(1, 30)}}
    once = load_spec(spec(["b29"], blocks=blocks), registry=REGISTRY)
    assert load_spec(once.to_data(), registry=REGISTRY) == once


def test_the_default_of_a_parameter_can_be_its_namesake_in_let() -> None:
    block = {"parameters": {"width": "${width}"}, "layers": [{"conv": "${width}"}]}
    found = load_spec(spec(["a"], let={"width": 8}, blocks={"a": block}), registry=REGISTRY)
    assert found.hash == load_spec(spec([{"sequence": [{"conv": 8}]}]), registry=REGISTRY).hash


def test_a_block_can_mention_a_long_text() -> None:
    blocks = {"a": [{"gelu": "${'tanh' if note else 'none'}"}]}
    load_spec(spec(["a"], let={"note": "x" * 600}, blocks=blocks), registry=REGISTRY)


@pytest.fixture(scope="module")
def validator() -> Any:
    return pytest.importorskip("jsonschema").Draft202012Validator(spec_schema(REGISTRY))


def test_the_json_schema_accepts_free_variables(validator: Any) -> None:
    validator.validate(spec([{"conv": "${width}"}], let={"width": {"free": {"from": 16, "to": 128, "step": 4}}}))


@pytest.mark.parametrize(
    "layer",
    [
        {"branches": [["relu", {"conv": 3}], []]},
        {"spectral_norm": {"conv": 8}},
        {"weights": {"name": "unit", "layer": [{"conv": 8}]}},
    ],
)
def test_the_json_schema_accepts_what_a_spec_may_say(layer: Any, validator: Any) -> None:
    load_spec(spec([layer]), registry=REGISTRY)
    validator.validate(spec([layer]))


@pytest.mark.parametrize("layer", [{"conv": {"chanels": 8}}, {"conv": {"channels": 0}}, {"relu": 3}])
def test_the_json_schema_underlines_a_mistake_in_a_layer(layer: Any, validator: Any) -> None:
    assert validator.is_valid(spec([{"conv": {"channels": 8}}, "relu", {"block": {"channels": 0}}]))
    assert not validator.is_valid(spec([layer]))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            " a: 1\nb: 2\n",
            "broken.yaml:2:1: found text that is in line with nothing above; wanted the next key or item",
        ),
        ("a: [1,\n", "broken.yaml:1:4: found a list '[' that is not closed; wanted ',' or ']' after each value"),
        ("a: * b\n", "broken.yaml:1:4: found '*' at the start of a value; wanted quotes around the value"),
        ("a: & b\n", "broken.yaml:1:4: found '&' at the start of a value; wanted quotes around the value"),
        (
            "a: {b: [1, 2], c: [3,\n",
            "broken.yaml:1:19: found a list '[' that is not closed; wanted ',' or ']' after each value",
        ),
    ],
)
def test_text_that_is_no_yaml_is_told_in_our_words(
    text: str, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert message(text, tmp_path, monkeypatch) == wanted
