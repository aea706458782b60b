"""`zoo export` and `zoo measure`, end to end on a tiny run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_support import Zoo


@pytest.fixture
def run(zoo_command: Zoo, tiny: Path) -> Path:
    assert zoo_command("train", tiny, "--run", "run").code == 0
    return Path("run")


def test_a_run_becomes_a_file_that_was_tried(zoo_command: Zoo, run: Path) -> None:
    made = zoo_command("export", run, "--to", "pt2")
    assert made.code == 0, made.err
    lines = made.out.splitlines()
    assert lines[-1] == "run.pt2" and Path("run.pt2").is_file()
    facts = json.loads(Path("run.pt2.json").read_text())
    assert f"the file's top-1 on 100 test images: {facts['test']['top1']:.2%}" in made.out
    assert "differs from Zoo by " in made.out and "(test images, batches of 1 and 7)" in made.out
    assert json.loads((run / "test-looks.json").read_text())["export"] == 1
    again = zoo_command("export", run, "--to", "pt2")
    assert again.code == 2 and "run.pt2 is there already" in again.err
    found = zoo_command("export", run, "--to", "pt2", "--out", "other.pt2", "--outputs", "logits", "--json")
    assert json.loads(found.out)["metadata"]["output"] == "logits"
    timed = zoo_command("measure", run, "--form", "eager", "--batch", "2", "--rounds", "1", "--json")
    assert json.loads(timed.out)["timings"][0]["batch"] == 2
    table = zoo_command("measure", run, "--form", "eager", "--batch", "1", "--rounds", "1")
    assert table.code == 0 and "ms per image" in table.out and "1.00x" in table.out


def test_what_cannot_be_delivered_has_its_exit_code(zoo_command: Zoo, run: Path) -> None:
    refused = zoo_command("export", run, "--outputs", "images")
    assert refused.code == 9 and "classify gives no images" in refused.err
