"""`zoo check`: what it prints, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_support import TINY, Zoo


def test_a_spec_that_keeps_its_limits(zoo_command: Zoo) -> None:
    assert zoo_command("check", "cifar100-resnet-silu") == (
        0,
        """\
cifar100-resnet-silu: keeps 2 limits

network              parameters  buffers        MACs   memory     file  updates
classifier (resnet)      99,364    2,887  15,839,744  384 KiB  429 KiB   10,000

limit       figure    bound  verdict
parameters  99,364  <100000  635 to spare
steps       10,000    10000  0 to spare
""",
        "",
    )


def test_a_broken_limit(zoo_command: Zoo, tiny: Path) -> None:
    code, out, err = zoo_command("check", tiny, "--set", "budget.parameters=1000")
    assert (code, err) == (10, "")
    assert out.startswith("tiny: breaks 1 limit: budget.parameters\n")
    assert out.endswith(
        "\n\n`zoo check --lint` says what could be saved, `zoo fit` finds widths that keep the limits\n"
    )
    assert "parameters   2,264   1000  broken: 1,264 too many\n" in out


def test_a_limit_of_bytes_is_told_in_bytes(zoo_command: Zoo, tiny: Path) -> None:
    _, out, _ = zoo_command("check", tiny, "--set", "budget={memory: <8 KiB, file_size: 1 MiB}")
    (row,) = (line.split() for line in out.splitlines() if line.startswith("memory "))
    figure = int(row[1].replace(",", ""))
    assert row[1:] == [f"{figure:,}", "B", "<8,192", "B", "broken:", f"{figure - 8191:,}", "too", "many"]
    assert "1,048,576 B  " in out


def test_layers_are_shown_as_a_tree(zoo_command: Zoo, here: Path) -> None:
    (here / "net.yaml").write_text(
        TINY.replace(
            "{resnet: {stem: 4, widths: [4, 8], depths: [1, 1]}}",
            "{layers: [{residual: {layers: [{conv: 3}]}}, relu, global_average_pool, {linear: 100}]}",
        )
    )
    out = zoo_command("check", "net.yaml", "--layers").out
    assert (
        out.partition("\n\nclassifier, ")[2]
        == """\
input 3x32x32, limit 10000 parameters
layer                     options        output   parameters  of limit    MACs
layers                                   100             484      4.8%  83,244
  0: residual                            3x32x32          84      0.8%  82,944
    layers: sequence                     3x32x32          84      0.8%  82,944
      0: conv             channels: 3    3x32x32          84      0.8%  82,944
  1: relu                                3x32x32           0                 0
  2: global_average_pool                 3                 0                 0
  3: linear               features: 100  100             400      4.0%     300
"""
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("budget.parameters=1", 10),
        ("budget.macs=1", 11),
        ("budget.memory=1", 12),
        ("budget.steps=1", 13),
        ("budget.file_size=1", 14),
        ("train.steps=0", 3),
        ("data=nowhere", 3),
    ],
)
def test_each_failure_has_its_exit_code(zoo_command: Zoo, tiny: Path, change: str, code: int) -> None:
    assert zoo_command("check", tiny, "--set", change).code == code


def test_data_that_is_not_known_exits_5(zoo_command: Zoo, here: Path) -> None:
    (here / "mine.yaml").write_text(TINY.replace("{shapes: {train_images: 200, test_images: 100}}", "{images: pets}"))
    code, out, err = zoo_command("check", "mine.yaml")
    assert (code, out) == (5, "")
    assert err.startswith("error: the data set 'pets' is not on this machine")


def test_all_specs_are_checked_and_the_first_failure_decides(zoo_command: Zoo, here: Path) -> None:
    (here / "a.yaml").write_text(TINY)
    (here / "b.yaml").write_text(TINY.replace("steps: 6", "steps: 600"))
    (here / "c.yaml").write_text(TINY.replace("steps: 6", "steps: no"))
    code, out, err = zoo_command("check", "a.yaml", "b.yaml", "c.yaml")
    assert code == 13
    assert [line for line in out.splitlines() if line.startswith("tiny:")] == [
        "tiny: keeps 2 limits",
        "tiny: breaks 1 limit: budget.steps (b.yaml:9:29)",
    ]
    assert err.startswith("error: c.yaml:8:16: train.steps: found 'no'; wanted a whole number ")


def test_a_folder_stands_for_the_specs_in_it(zoo_command: Zoo, here: Path) -> None:
    (here / "specs" / "deep").mkdir(parents=True)
    for name in ("b.yaml", "deep/a.yml", "notes.txt"):
        (here / "specs" / name).write_text(TINY)
    found = json.loads(zoo_command("check", "specs", "--json").out)
    assert [one["spec"] for one in found] == ["specs/b.yaml", "specs/deep/a.yml"]


def test_a_folder_without_specs_is_refused(zoo_command: Zoo, here: Path) -> None:
    (here / "empty").mkdir()
    assert zoo_command("check", "empty") == (
        3,
        "",
        "error: empty: found a folder without specs; wanted spec files in it (.yaml, .yml, .json)\n",
    )


def test_an_unknown_spec_names_the_closest(zoo_command: Zoo) -> None:
    assert zoo_command("check", "quickstat") == (
        3,
        "",
        "error: found the unknown spec 'quickstat'; wanted a file or a shipped spec\n    did you mean 'quickstart'?\n",
    )


def test_json_is_one_document_with_an_entry_for_each_spec(zoo_command: Zoo, tiny: Path, here: Path) -> None:
    (here / "bad.yaml").write_text(TINY.replace("steps: 6", "steps: 0"))
    code, out, err = zoo_command("check", tiny, "bad.yaml", "--json", "--layers")
    good, bad = json.loads(out)
    assert (code, err) == (3, "")
    assert good["exit_code"] == 0
    assert good["total"]["parameters"] == 2_264
    assert good["limits"][0] == {
        "limit": "parameters",
        "figure": 2_264,
        "bound": "10000",
        "kept": True,
        "spare": 7_736,
        "exit_code": 10,
        "unit": "",
        "network": "",
    }
    assert good["networks"]["classifier"]["layers"][0]["parameters"] == 2_264
    assert bad["exit_code"] == 3
    assert (bad["problems"][0]["file"], bad["problems"][0]["path"]) == ("bad.yaml", "train.steps")


def test_a_warning_goes_to_stderr_and_changes_no_exit_code(zoo_command: Zoo, tiny: Path) -> None:
    odd = ("--set", "networks.classifier.ema={decay: 0.99999, warmup: false}")
    code, out, err = zoo_command("check", tiny, *odd)
    assert code == 0
    assert "warning" not in out
    assert err.startswith("warning: --set networks.classifier.ema={decay: 0.99999, warmup: false}")
    assert "networks.classifier.ema: found 0.99999 without a warm-up, which averages over some 100,000 updates" in err
    (found,) = json.loads(zoo_command("check", tiny, *odd, "--json").out)
    assert [one["path"] for one in found["warnings"]] == ["networks.classifier.ema"]
