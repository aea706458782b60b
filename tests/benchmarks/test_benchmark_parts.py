"""What is measured besides training: each part runs, and its table has its rows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from benchmarks import checking, data_path, frechet, startup
from benchmarks.__main__ import cli
from benchmarks.runner import ROOT
from benchmarks.variants import assemble

PARTS = ("data-path", "overhead", "startup", "checking", "frechet")


def silent(text: str) -> None:
    pass


def test_texts_of_the_papers_classifier_differ_in_their_widths() -> None:
    for name in checking.TITLES:
        texts = checking._texts(name, 20, "test")
        assert len(set(texts)) == 20
        assert texts == checking._texts(name, 20, "test")


def test_specs_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "shipped", SimpleNamespace(names=lambda: {"quickstart": 0, "paper-classifier": 0}))
    result = checking.measure(2, 2, silent)
    assert [len(rates) for rates in result["rates"].values()] == [2, 2]
    table = checking.table(result)
    assert [row[0] for row in table.rows][-1] == "the 2 specs that ship, each read from its file"


def test_frechet_distances_agree() -> None:
    result = frechet.measure(16, 200, 2, silent)
    assert all(len(times) == 2 for times in result["seconds"].values())
    if frechet.CLEAN_FID in result["seconds"]:
        apart = frechet.difference(result, frechet.COLD)
        assert apart is not None and apart < 1e-8
    assert len(frechet.table(result).rows) == len(result["seconds"])


def test_both_data_paths_make_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_path, "keep_memory", lambda: False)
    monkeypatch.setattr(data_path, "BATCHES", 2)
    monkeypatch.setattr(data_path, "IMAGES", 256)
    result = data_path.measure(2, silent)
    assert {name: len(times) for name, times in result["milliseconds"].items()} == dict.fromkeys(
        (data_path.ZOO, data_path.TORCHVISION), 2
    )
    assert [row[0] for row in data_path.table(result).rows] == [data_path.ZOO, data_path.TORCHVISION]


def test_commands_are_started_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = {"python -c pass": [sys.executable, "-c", "pass"], startup.TORCH: [sys.executable, "-c", "'torch'"]}
    monkeypatch.setattr(startup, "commands", lambda: quick)
    result = startup.measure(2, silent)
    assert {name: len(times) for name, times in result["milliseconds"].items()} == dict.fromkeys(quick, 2)
    assert [row[0] for row in startup.table(result).rows] == list(quick)


def test_a_command_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "commands", lambda: {"bad": [sys.executable, "-c", "raise SystemExit('no')"]})
    with pytest.raises(startup.Failed, match="ended with 1: no"):
        startup.measure(1, silent)


def test_what_this_machine_lacks_is_listed_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.training.engine.bf16_units", lambda device: "")
    found = assemble("classifier", "cpu")
    assert found.names[0] == "naive"
    assert "only a CUDA device" in found.reasons["zoo graph tf32"]
    assert found.same_as["zoo auto"] == "zoo eager fp32"
    assert {one.name for one in found.variants}.isdisjoint(found.reasons)
    assert "computes no bf16" in found.reasons["zoo eager bf16"]
    assert [one.name for one in assemble("dcgan", "cpu", ["zoo eager fp32"]).variants] == ["naive", "zoo eager fp32"]


def test_every_part_is_a_command() -> None:
    done = CliRunner().invoke(cli, ["--help"])
    assert done.exit_code == 0
    for name in ("all", "train", "data-path", "overhead", "startup", "checking", "frechet", "report"):
        assert f"\n  {name} " in done.output


def test_all_parts_are_measured_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str]) -> SimpleNamespace:
        part = " ".join(one for one in command[3:] if one in ("train", "classifier", "dcgan", *PARTS))
        Path(command[-1]).write_text(json.dumps({"environment": f"of {part}", part: command[3:-2]}))
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr("benchmarks.__main__.subprocess", SimpleNamespace(run=run))
    done = CliRunner().invoke(cli, ["all", "--short", "--device", "cpu", "--json", str(tmp_path / "all.json")])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "all.json").read_text())
    assert found["environment"] == "of train classifier"
    assert found.keys() == {"environment", "train classifier", "train dcgan", *PARTS}
    assert found["train dcgan"] == ["train", "--model", "dcgan", "--device", "cpu", "--short"]


def test_checking_is_measured_without_torch() -> None:
    code = "import sys, benchmarks.__main__, benchmarks.checking\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
