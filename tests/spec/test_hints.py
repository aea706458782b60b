"""Hints: by meaning, by spelling, and none where it would mislead; and how much is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import zoo
from zoo.errors import Position, Problem, SpecError, closest
from zoo.registry import LAYER_FAMILY, Registry

SPEC: dict[str, Any] = {
    "zoo": 1,
    "name": "a",
    "task": "classify",
    "data": {"noise": {"image": [3, 8, 8], "classes": 4, "train_images": 40, "test_images": 12}},
    "networks": {"classifier": {"architecture": {"layers": ["global_average_pool", {"linear": 4}]}}},
    "train": {"steps": 5},
}
BASE = """\
zoo: 1
name: base
task: classify
data: {noise: {image: [3, 8, 8], classes: 4, train_images: 40, test_images: 12}}
networks:
  classifier: {architecture: {layers: [global_average_pool, linear: 4]}}
train: {steps: 6}
"""


def problems(source: Any, registry: Registry, **options: Any) -> list[Problem]:
    with pytest.raises(SpecError) as caught:
        zoo.load_spec(source, registry=registry, **options)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("found", "meant"),
    [
        ("swish", "silu"),
        ("dense", "linear"),
        ("Dense", "linear"),
        ("fc", "linear"),
        ("maxpool", "max_pool"),
        ("MaxPool2d", "max_pool"),
        ("BatchNorm2d", "batch_norm"),
        ("Conv2D", "conv"),
        ("avg_pool2d", "average_pool"),
        ("GlobalAveragePooling2D", "global_average_pool"),
        ("AdaptiveAvgPool2d", "adaptive_average_pool"),
        ("Sequential", "sequence"),
        ("convolution", "conv"),
        ("conw", "conv"),
        ("rleu", "relu"),
        ("sigmiod", "sigmoid"),
        ("LeakyReLU", "leaky_relu"),
    ],
)
def test_a_layer_is_known_by_other_names(found: str, meant: str, registry: Registry) -> None:
    assert closest(found, registry.names(*LAYER_FAMILY)) == f"did you mean {meant!r}?"


@pytest.mark.parametrize("found", ["negate", "swiglu", "xyz"])
def test_what_there_is_not_has_no_hint(found: str, registry: Registry) -> None:
    assert closest(found, registry.names(*LAYER_FAMILY)) == ""


@pytest.mark.parametrize(
    ("kind", "name", "found", "meant"),
    [
        ("optimizer", "sgd", "learning_rate", "lr"),
        ("optimizer", "sgd", "l2", "weight_decay"),
        ("layer", "conv", "filters", "channels"),
        ("layer", "conv", "kernel_size", "kernel"),
        ("layer", "linear", "units", "features"),
        ("layer", "dropout", "rate", "probability"),
    ],
)
def test_an_option_is_known_by_other_names(kind: str, name: str, found: str, meant: str, registry: Registry) -> None:
    from zoo.options import Options

    options = Options(registry.get(kind, name).load(), name)
    assert closest(found, options.by_name) == f"did you mean {meant!r}?"


def test_epochs_are_asked_for_as_steps(registry: Registry) -> None:
    (first, second) = problems(SPEC | {"train": {"epochs": 3}}, registry)
    assert (first.found, first.hint) == ("found the unknown key 'epochs'", "did you mean 'steps'?")
    assert second.found == "found no 'steps'"


def test_of_many_names_the_command_that_lists_them_is_told(registry: Registry) -> None:
    layers = {"classifier": {"architecture": {"layers": ["foo"]}, "optimizer": "bar"}}
    (first, second) = problems(SPEC | {"networks": layers}, registry)
    assert first.wanted == "one that `zoo list` names"
    assert second.wanted.startswith("one of adadelta, ") and "more" not in second.wanted


def test_a_list_says_how_many_it_holds(registry: Registry) -> None:
    (one,) = problems(SPEC | {"data": {"noise": {"image": [1, 2, 3, 4, 5]}}}, registry)
    assert one.found == "found a list of 5"
    assert one.wanted.startswith("a list of 1 to 4")


def test_one_mistake_made_twice_in_python_data_is_told_twice(registry: Registry) -> None:
    layers = ["conw", "relu", "conw", {"residual": {"layers": ["conw"]}}]
    found = problems(SPEC | {"networks": {"classifier": {"architecture": {"layers": layers}}}}, registry)
    above = "networks.classifier.architecture.layers.layers"
    assert [one.path for one in found] == [f"{above}.0", f"{above}.2", f"{above}.3.residual.layers.0"]


def test_problems_of_python_data_come_in_the_order_of_their_lists() -> None:
    at = Position("<python>", 0, 0)
    error = SpecError([Problem(at, f"layers.{index}", "found it") for index in (10, 2, 1)])
    assert [one.path for one in error.problems] == ["layers.1", "layers.2", "layers.10"]


def test_a_misspelt_role_keeps_its_hint(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    child = tmp_path / "child.yaml"
    child.write_text("extends: base.yaml\nnetworks:\n  clasifier:\n    ema: 0.9\n")
    (one,) = problems(child, registry)
    assert (one.found, one.hint) == ("found no 'architecture'", "did you mean 'classifier'?")
    (one,) = problems(tmp_path / "base.yaml", registry, overrides=["networks.clasifier.ema=0.9"])
    assert one.hint == "did you mean 'classifier'?"


def test_a_key_that_lacks_its_blank_is_told(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(BASE.replace("train: {steps: 6}", "train:\n  steps:6"))
    (one,) = problems(path, registry)
    assert one.hint == "a key and its value have a blank between them: 'steps: 6'"


def test_an_imported_set_is_told_how_it_is_written(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.data.store.stored", lambda: ["pets"])
    (one,) = problems(SPEC, registry, overrides=["data=pets"])
    assert one.hint == "a set of your own is written data: {images: pets}"


def test_a_name_without_its_extension_finds_the_file(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mynet.yaml").write_text(BASE)
    (one,) = problems("mynet", registry)
    assert one.hint == "did you mean the file 'mynet.yaml'?"


def test_of_very_many_problems_the_first_are_told() -> None:
    error = SpecError([Problem(Position("a.yaml", line, 1), "", "found it") for line in range(1, 1001)])
    assert (len(error.problems), error.more) == (100, 900)
    assert str(error).endswith("a.yaml:100:1: found it\nand 900 more problems")


def test_hints_are_looked_for_no_more_than_they_are_told(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def hint(name: str, names: object) -> str:
        asked.append(name)
        return ""

    monkeypatch.setattr("zoo.spec.resolve.closest", hint)
    found = problems(SPEC | {f"key_{index}": 1 for index in range(5000)}, registry)
    assert len(found) == 100
    assert len(asked) <= 101


def test_a_long_list_to_extend_is_refused(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    path = tmp_path / "long.yaml"
    path.write_text(f"extends: [{', '.join(['base.yaml'] * 65)}]\n")
    (one,) = problems(path, registry)
    assert (one.path, one.found, one.wanted) == ("extends", "found 65 specs to extend", "at most 64")


def test_very_many_files_to_extend_are_refused(registry: Registry, tmp_path: Path) -> None:
    for index in range(300):
        (tmp_path / f"leaf{index}.yaml").write_text("zoo: 1\n")
    for index in range(5):
        names = ", ".join(f"leaf{leaf}.yaml" for leaf in range(index * 60, index * 60 + 60))
        (tmp_path / f"branch{index}.yaml").write_text(f"extends: [{names}]\n")
    path = tmp_path / "top.yaml"
    path.write_text(f"extends: [{', '.join(f'branch{index}.yaml' for index in range(5))}]\n")
    assert problems(path, registry)[0].found == "found more than 256 specs that it extends"
