"""`zoo doctor`: each finding says what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_support import Zoo, write_distribution

from zoo.cli import diagnosis
from zoo.cli.diagnosis import Finding, fitting_torchvision
from zoo.training.selfcheck import Examined, Fault


@pytest.fixture(autouse=True)
def examined(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say what the self-check finds; it is tested by itself, and takes seconds."""

    def find(*faults: Fault) -> None:
        monkeypatch.setattr("zoo.training.selfcheck.examine", lambda: Examined(100, (1, 2), faults))

    find()
    return find


def findings(zoo_command: Zoo) -> tuple[int, dict[str, Finding]]:
    code, out, _ = zoo_command("doctor", "--json")
    return code, {one["subject"]: Finding(**one) for one in json.loads(out)}


def test_a_sound_machine_has_no_problem(zoo_command: Zoo) -> None:
    code, found = findings(zoo_command)
    assert code == 0
    assert {"python", "packages", "torchvision", "cpu", "allocator", "data sets", "plugins"} <= found.keys()
    assert found["data set cifar100"] == Finding(
        "data set cifar100", "warning", "not on this machine", "bring it in: `zoo data add cifar100`"
    )


def test_a_right_machine_computes_rightly(zoo_command: Zoo) -> None:
    text = "outputs and gradients of 100 operations are right, in threads: 1 and 2"
    assert findings(zoo_command)[1]["arithmetic"] == Finding("arithmetic", "ok", text)


def test_what_is_computed_wrongly_is_a_problem_and_what_is_avoided_is_told(
    zoo_command: Zoo, examined: Callable[..., None]
) -> None:
    examined(
        Fault("relu on 1x2x2", "the output is off by 1"), Fault("conv", "kills the process (signal 6)", avoided=True)
    )
    code, found = findings(zoo_command)
    assert code == 1
    assert "arithmetic" not in found
    assert found["arithmetic of relu on 1x2x2"].level == "problem"
    assert found["arithmetic of relu on 1x2x2"].text == "the output is off by 1"
    assert found["arithmetic of conv"] == Finding(
        "arithmetic of conv",
        "ok",
        "avoided: left to the library it would go wrong (kills the process (signal 6)); Zoo rewrites it",
    )


def test_findings_are_lines_with_advice_below(zoo_command: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Finding("cpu", "ok", "2 cores"), Finding("gpu", "problem", "is hot", "cool it")]
    monkeypatch.setattr(diagnosis, "examine", lambda: found)
    assert zoo_command("doctor") == (1, "ok       cpu: 2 cores\nproblem  gpu: is hot\n         cool it\n", "")


def test_a_broken_plugin_is_a_problem(zoo_command: Zoo, site: Path) -> None:
    (site / "sick_zoo.py").write_text("import nowhere")
    write_distribution(site, "zoo-sick", "1.0", {"sick": "sick_zoo"})
    code, found = findings(zoo_command)
    assert code == 1
    assert found["plugin sick"].level == "problem"
    assert found["plugin sick"].advice == "mend or uninstall zoo-sick"


@pytest.mark.parametrize(("points", "level"), [("", "problem"), ("[zoo]\ncore = zoo_core\n", "warning")])
def test_a_package_of_the_same_name_is_told(zoo_command: Zoo, site: Path, points: str, level: str) -> None:
    write_distribution(site, "zoo", "0.1a0", {})
    (site / "zoo-0.1a0.dist-info" / "entry_points.txt").write_text(points)
    found = findings(zoo_command)[1]["zoo"]
    assert found.level == level
    assert "zoo 0.1a0" in found.text
    assert found.advice == "pip uninstall zoo, then install speczoo again"


def test_a_torchvision_for_another_torch_is_a_problem(zoo_command: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise OSError(f"{path}: undefined symbol: nms")

    monkeypatch.setattr("torch.ops.load_library", refuse)
    code, found = findings(zoo_command)
    assert code == 1
    assert "does not fit torch" in found["torchvision"].text
    assert "undefined symbol: nms" in found["torchvision"].text
    assert found["torchvision"].advice.startswith("pip install torchvision==0.")


@pytest.mark.parametrize(
    ("torch", "torchvision"), [("2.11.0", "torchvision==0.26.*"), ("2.15.1+cu130", "torchvision==0.30.*")]
)
def test_each_torch_has_its_torchvision(torch: str, torchvision: str) -> None:
    assert fitting_torchvision(torch) == torchvision


def test_a_look_that_fails_is_a_problem_and_stops_nothing(zoo_command: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> object:
        raise OSError("no such thing")

    monkeypatch.setattr(diagnosis, "size", lambda value: broken())
    code, found = findings(zoo_command)
    assert code == 1
    assert found["working_folder"] == Finding("working_folder", "problem", "OSError: no such thing")
    assert found["plugins"].level == "ok"


def test_what_killed_commands_left_is_named(zoo_command: Zoo, here: Path) -> None:
    (here / "runs" / "one" / "checkpoints").mkdir(parents=True)
    (here / "runs" / "one" / "checkpoints" / ".step-1.x.part").mkdir()
    (here / "runs" / "one" / "checkpoints" / "step-00000009.safetensors.damaged").touch()
    found = findings(zoo_command)[1]
    left = "runs/one/checkpoints/.step-1.x.part"
    assert found["leftovers"].text == f"1 that a killed command left: {left}"
    assert found["damaged files"].text.endswith("runs/one/checkpoints/step-00000009.safetensors.damaged")
    assert found["leftovers"].level == found["damaged files"].level == "warning"
