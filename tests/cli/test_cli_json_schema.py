"""`zoo schema`: it accepts what Zoo accepts, and underlines the mistakes that an editor can find."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from cli_support import Zoo

from zoo.registry import Component, Registry
from zoo.spec import shipped
from zoo.spec.json_schema import spec_schema
from zoo.spec.load import load_spec
from zoo.spec.reader import read

jsonschema = pytest.importorskip("jsonschema")

SPEC: dict[str, Any] = {
    "zoo": 1,
    "name": "small",
    "task": "classify",
    "data": "shapes",
    "networks": {"classifier": {"architecture": {"layers": [{"conv": 8}, "relu", {"linear": 100}]}}},
    "train": {"steps": 10},
}


class Odd:
    """A type that has no JSON Schema."""


def odd(*, thing: Annotated[Odd | None, "odd"] = None) -> None:
    """Take something that no schema describes."""


@pytest.fixture(scope="module")
def schema(registry: Registry) -> dict[str, Any]:
    return spec_schema(registry)


@pytest.fixture(scope="module")
def validator(schema: dict[str, Any]) -> Any:
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def changed(path: str, value: Any) -> dict[str, Any]:
    data = copy.deepcopy(SPEC)
    *above, last = path.split(".")
    where = data
    for key in above:
        where = where.setdefault(key, {})
    where[last] = value
    return data


@pytest.mark.parametrize("path", shipped.names().values(), ids=lambda path: path.stem)
def test_shipped_specs_are_valid(path: Path, validator: Any, registry: Registry) -> None:
    validator.validate(read(path).data())
    validator.validate(load_spec(path, registry=registry).to_data())


@pytest.mark.parametrize(
    "data",
    [
        SPEC,
        {"extends": "quickstart"},
        {"extends": "quickstart", "augment": None, "networks": {"classifier": {"ema": None}}},
        {"extends": "quickstart", "networks": {"classifier": {"architecture": {"resnet": {"activation": "gelu"}}}}},
        {**SPEC, "let": {"width": 8, "wide": "${width * 2}"}},
        changed("train.steps", "${width * 2}"),
        changed("networks.classifier.architecture", {"resnet": {"widths": ["${width}", 16]}}),
        changed("networks.classifier.optimizer", {"adam": {"lr": 0.1}}),
        changed("networks.classifier.architecture.layers", [{"repeat": {"times": 2, "layers": [{"conv": 8}]}}]),
        changed("networks.classifier.schedule", {"warmup": {"then": {"cosine": {"floor": 0.1}}}}),
        changed("augment", ["horizontal_flip", {"random_crop": None}]),
        changed("budget", {"parameters": "<100000", "macs": {"bound": "20M"}}),
        changed("networks.classifier.budget", {"parameters": 10}),
        {**SPEC, "let": {"widths": [8, "${width}", "${*others}"], "table": [[1, 2], ["a", None]]}},
        changed("networks.classifier.architecture", {"resnet": {"widths": "${widths}"}}),
        changed("networks.classifier.architecture", {"resnet": {"widths": ["${*widths}", 8]}}),
        changed(
            "networks.classifier.architecture.layers",
            ["${*body}", {"for": {"each": ["a", "b"], "of": [[1, 2]], "layers": [{"conv": "${a}"}]}}],
        ),
        changed(
            "networks.classifier.architecture.layers",
            [{"when": {"condition": "${height > 8}", "layers": ["relu"], "otherwise": ["silu"]}}],
        ),
        changed(
            "networks.classifier.architecture.layers",
            [{"let": {"values": {"a": "${channels}"}, "layers": [{"conv": "${a}"}]}}],
        ),
        changed(
            "networks.classifier.architecture.layers",
            [{"formula": "x * sigmoid(x)"}, {"formula": {"formula": "x * a", "trainable": {"a": 1}}}],
        ),
        changed("networks.classifier.schedule", {"formula": "0.95 ** (step // 1000)"}),
        changed(
            "blocks", {"one": {"parameters": ["a", {"b": None}], "layers": ["relu"]}, "two": {"activation": "relu"}}
        ),
    ],
)
def test_what_zoo_accepts_is_valid(data: dict[str, Any], validator: Any) -> None:
    validator.validate(data)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {name: value for name, value in SPEC.items() if name != "train"},
        changed("train", {}),
        changed("networks.classifier", {}),
        changed("zoo", 2),
        changed("name", "Small"),
        changed("task", "clasify"),
        changed("trian", {}),
        changed("train.steps", 0),
        changed("train.precision", "fp16"),
        changed("networks.classifier.optimizer", {"adam": {"learning_rate": 0.1}}),
        changed("networks.classifier.optimizer", {"adam": {"lr": 0.1}, "sgd": {}}),
        changed("networks.classifier.architecture", {"layers": [{"relu": {}, "conv": 8}]}),
        changed("networks.classifier.architecture", {"resnet": {"activation": {"gelu": {"slope": 1}}}}),
        changed("budget", {"parameter": 1}),
        {"extends": "quickstart", "train": {"step": 10}},
        changed("let", {"table": [{"a": 1}]}),
        changed("blocks", {"one": {"layers": ["relu"], "activation": "relu"}}),
        changed("networks.classifier.architecture.layers", [{"for": {"each": 1, "of": [1], "layers": ["relu"]}}]),
    ],
)
def test_a_mistake_is_invalid(data: dict[str, Any], validator: Any) -> None:
    assert not validator.is_valid(data)


def test_every_component_says_what_it_is(schema: dict[str, Any], registry: Registry) -> None:
    for one in registry:
        assert one.summary in schema["$defs"][f"{one.kind}.{one.name}"]["description"]


def test_options_say_what_they_mean(schema: dict[str, Any]) -> None:
    stem = schema["$defs"]["architecture.resnet"]["anyOf"][0]["properties"]["stem"]
    assert (stem["description"], stem["default"]) == ("Channels after the first convolution.", 16)


def test_every_reference_leads_somewhere(schema: dict[str, Any]) -> None:
    def references(part: Any) -> Any:
        for key, value in part.items() if isinstance(part, dict) else ():
            if key == "$ref":
                yield value.removeprefix("#/$defs/")
            yield from references(value)
        for item in part if isinstance(part, list) else ():
            yield from references(item)

    assert set(references(schema)) <= schema["$defs"].keys()


def test_a_component_that_cannot_be_looked_into_stops_nothing() -> None:
    broken = [Component("loss", "gone", "nowhere:gone"), Component("loss", "odd", f"{__name__}:odd")]
    definitions = spec_schema(Registry.of(broken))["$defs"]
    assert definitions["loss.gone"]["description"].startswith("broken: loss gone: nowhere:gone cannot be imported")
    assert definitions["loss.odd"]["anyOf"][0]["properties"]["thing"]["description"] == "Odd or null"


def test_the_command_prints_the_schema(zoo_command: Zoo, schema: dict[str, Any]) -> None:
    code, out, err = zoo_command("schema")
    assert (code, err) == (0, "")
    assert json.loads(out) == schema
