"""Files of a run that somebody changed: the error names the file and the key, and JSON stays JSON."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from cli_support import Zoo
from fruit import SPEC, bring_first, edit
from PIL import Image
from safetensors.torch import load_file, save_file
from support import builtin_registry

from zoo.builder import Builder
from zoo.files import json_text
from zoo.spec.load import load_spec
from zoo.training.loop import train
from zoo.training.run import Run

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a finished run."""
    above = tmp_path_factory.mktemp("edited")
    builder = Builder(builtin_registry())
    (above / "fruit.yaml").write_text(SPEC)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ZOO_DATA", str(above / "data"))
        bring_first()
        train(load_spec(above / "fruit.yaml", registry=builder.registry), builder, above / "run")
    yield above


@pytest.fixture
def run(trained: Path, here: Path) -> Path:
    shutil.copytree(trained, here, dirs_exist_ok=True)
    bring_first()
    return here / "run"


@pytest.mark.parametrize(
    ("file", "where", "value", "words"),
    [
        ("run.json", "spec_hash", 3, ("train", "fruit.yaml", "--run", "run")),
        ("run.json", "spec_hash", ..., ("publish", "run")),
        ("run.json", "seeds", "0, 1", ("evaluate", "run")),
        ("run.json", "seeds", ["a"], ("evaluate", "run")),
        ("run.json", "data", 7, ("evaluate", "run")),
        ("run.json", "dataset.class_names", "cherry", ("evaluate", "run")),
        ("run.json", "dataset", {"fingerprint": "x"}, ("predict", "run", "x.png")),
        ("run.json", "command", "zoo train", ("publish", "run")),
        ("run.json", "versions", [], ("publish", "run")),
        ("result.json", "steps", "20", ("publish", "run")),
        ("result.json", "seconds", None, ("train", "fruit.yaml", "--run", "run")),
        ("result.json", "engine", ..., ("train", "fruit.yaml", "--run", "run")),
        ("result.json", "test", [1], ("train", "fruit.yaml", "--run", "run")),
        ("evaluation.json", "figures", [], ("publish", "run")),
        ("evaluation.json", "measurements", [{"name": 1}], ("publish", "run")),
        ("evaluation.json", "checkpoint_sha256", ..., ("publish", "run")),
        ("test-looks.json", "train", "often", ("evaluate", "run")),
    ],
)
def test_a_wrong_type_is_named(
    file: str, where: str, value: Any, words: tuple[str, ...], zoo_command: Zoo, run: Path
) -> None:
    if file == "evaluation.json":
        zoo_command("evaluate", "run")
    edit(run / file, where, value)
    Image.new("RGB", (8, 8)).save("x.png")
    code, _, err = zoo_command(*words)
    assert code == 6
    assert f"{file}: {where}" in err
    assert "bug" not in err


@pytest.mark.parametrize("name", ["run.json", "result.json", "test-looks.json"])
@pytest.mark.parametrize("text", ["[]", "3", "null", "{", "[" * 100_000])
def test_a_file_of_another_form_is_named(name: str, text: str, zoo_command: Zoo, run: Path) -> None:
    (run / name).write_text(text)
    code, _, err = zoo_command("publish", "run")
    assert code == 6
    assert f"{name}: " in err
    assert "bug" not in err


@pytest.mark.parametrize("line", ["[]", '"step"', '{"step": "2"}'])
def test_a_line_of_another_form_is_named(line: str, zoo_command: Zoo, run: Path) -> None:
    path = run / "metrics.jsonl"
    path.write_text(path.read_text() + line + "\n")
    code, _, err = zoo_command("publish", "run")
    assert code == 6
    assert "metrics.jsonl:3: " in err
    assert "bug" not in err


@pytest.mark.parametrize(
    "facts", [[], {"step": "20"}, {"step": 20, "spec": 1, "updates": {}}, {"step": 20, "spec": "a", "updates": 3}]
)
def test_facts_of_a_checkpoint_are_named(facts: Any, zoo_command: Zoo, run: Path) -> None:
    path = run / "checkpoints" / "step-00000020.safetensors"
    save_file(load_file(path), path, {"zoo": json.dumps(facts)})
    code, _, err = zoo_command("evaluate", "run")
    assert code == 6
    assert "step-00000020.safetensors: " in err
    assert "bug" not in err


def test_figures_that_a_task_does_not_state_are_named(zoo_command: Zoo, run: Path) -> None:
    edit(run / "result.json", "test", {"images": 24})
    code, _, err = zoo_command("train", "fruit.yaml", "--run", "run")
    assert code == 6
    assert "the figures of test are not what the task" in err


def strict(text: str) -> Any:
    """Read JSON as other programs do, which know no NaN."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_what_is_not_finite_becomes_null() -> None:
    assert strict(json_text({"a": [math.nan, 1.5], "b": {"c": -math.inf}})) == {"a": [None, 1.5], "b": {"c": None}}
    assert json_text((math.inf,), indent=None) == "[null]"
    assert strict(json_text("\udc80")) == "\udc80"
    json_text("\udc80").encode()


def test_every_file_of_a_run_is_json(run: Path) -> None:
    found = Run(run)
    found.log({"step": 21, "loss": math.nan})
    found.rewind(21)
    found.write_result({**(found.result() or {}), "test": {"loss": math.inf}})
    assert strict(found.metrics_path.read_text().splitlines()[-1])["loss"] is None
    assert strict((run / "result.json").read_text())["test"] == {"loss": None}


def test_a_result_that_is_not_finite_is_shown(zoo_command: Zoo, run: Path) -> None:
    edit(run / "result.json", "test.loss", None)
    code, out, _ = zoo_command("train", "fruit.yaml", "--run", "run")
    assert code == 0
    assert "test loss: not finite" in out
    assert strict(zoo_command("train", "fruit.yaml", "--run", "run", "--json").out)["result"]["test"]["loss"] is None


def test_a_network_that_overflows_is_measured_as_json(zoo_command: Zoo, run: Path) -> None:
    path = run / "checkpoints" / "step-00000020.safetensors"
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        held = file.metadata()
    del held["sha256"]  # as checkpoints of earlier versions are
    huge = {name: one * 1e38 if one.is_floating_point() else one for name, one in load_file(path).items()}
    save_file(huge, path, held)
    code, out, _ = zoo_command("evaluate", "run", "--split", "test", "--json")
    assert code == 0
    assert strict(out)["figures"]["test"]["loss"] is None
    strict((run / "evaluation.json").read_text())


def test_one_batch_has_no_deviation(zoo_command: Zoo, run: Path) -> None:
    code, out, _ = zoo_command("evaluate", "run", "--split", "test")
    assert code == 0
    assert "test acc: 1.000 (n = 1)" in out
    found = json.loads(zoo_command("evaluate", "run", "--split", "test", "--json").out)
    assert found["figures"]["test"]["accuracy_std"] is None
