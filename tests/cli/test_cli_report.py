"""`zoo report`, `zoo list runs`, `zoo show RUN` and `zoo compare --html`, end to end on a tiny spec."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_support import Zoo
from filelock import FileLock

from zoo.data.dataset import Dataset
from zoo.drawing import vega

NO_CHARTS = "pip install 'speczoo[report]'"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Stand in for the package that draws, and return the charts that it was asked for."""
    asked: list[Any] = []

    def draw(specs: Any) -> list[str]:
        asked.extend(specs)
        return ["<svg viewBox='0 0 1 1'></svg>"] * len(specs)

    monkeypatch.setattr(vega, "available", lambda: True)
    monkeypatch.setattr(vega, "draw", draw)
    return asked


@pytest.fixture
def run(zoo_command: Zoo, tiny: Path) -> Path:
    """The folder of a finished run."""
    assert zoo_command("train", tiny, "--run", "runs/one").code == 0
    return Path("runs/one")


def headings(text: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", text)


def test_a_report_is_one_file_in_the_folder_of_the_run(zoo_command: Zoo, run: Path, drawn: list[Any]) -> None:
    assert zoo_command("report", run) == (0, "runs/one/report.html\n", "")
    text = (run / "report.html").read_text()
    assert headings(text) == [
        "Figures", "Curves", "Confusion", "Worst mistakes", "Calibration", "Classes", "Where the budget goes", "Spec",
    ]  # fmt: skip
    assert not re.search(r"<script|<link|@import|url\(|src=\"http", text)
    assert "default-src &#x27;none&#x27;" in text or "default-src 'none'" in text
    assert drawn


def test_a_report_never_looks_at_the_test_images(
    zoo_command: Zoo, run: Path, drawn: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (run / "test-looks.json").read_text()
    load = Dataset.__getattribute__

    def guarded(self: Dataset, name: str) -> Any:
        import inspect

        if name == "test" and any(frame.function == "held_out" for frame in inspect.stack()[:2]):
            raise AssertionError("a report looked at the test images")
        return load(self, name)

    monkeypatch.setattr(Dataset, "__getattribute__", guarded)
    assert zoo_command("report", run).code == 0
    assert (run / "test-looks.json").read_text() == before
    stored = json.loads((run / "result.json").read_text())["test"]["top1"]
    text = (run / "report.html").read_text()
    assert f"{stored:.4g}" in text
    assert "this report did not look at them" in text


def test_without_held_out_images_nothing_is_said_of_single_ones(zoo_command: Zoo, tiny: Path, drawn: list[Any]) -> None:
    assert zoo_command("train", tiny, "--set", "train.validation=0", "--run", "run").code == 0
    assert zoo_command("report", "run").code == 0
    text = Path("run/report.html").read_text()
    assert "No images were held out (train.validation is 0)." in text
    assert "Confusion" not in headings(text)


def test_what_a_spec_says_is_escaped(zoo_command: Zoo, tiny: Path, drawn: list[Any]) -> None:
    assert zoo_command("train", tiny, "--set", "summary='<img src=x> & more'", "--run", "run").code == 0
    assert zoo_command("report", "run").code == 0
    text = Path("run/report.html").read_text()
    assert "&lt;img src=x&gt; &amp; more" in text
    assert "<img src=x>" not in text


def test_the_package_that_is_missing_is_named(zoo_command: Zoo, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vega, "available", lambda: False)
    code, out, err = zoo_command("report", run)
    assert (code, out) == (1, "")
    assert f"a report needs the package vl-convert-python: {NO_CHARTS}" in err


def test_a_run_leaves_a_report_of_what_its_folder_holds(
    zoo_command: Zoo, tiny: Path, drawn: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZOO_REPORT")
    assert zoo_command("train", tiny, "--run", "run").code == 0
    text = Path("run/report.html").read_text()
    assert headings(text) == ["Figures", "Curves", "Single images", "Where the budget goes", "Spec"]
    assert "`zoo report run` asks the network as well" in text


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (lambda patch: patch.setattr(vega, "available", lambda: False), f"no report.html: .*{re.escape(NO_CHARTS)}"),
        (lambda patch: patch.setattr(vega, "draw", lambda specs: 1 / 0), "warning: run/report.html was not written"),
    ],
    ids=["missing", "broken"],
)
def test_a_report_that_cannot_be_made_stops_no_run(
    zoo_command: Zoo,
    tiny: Path,
    drawn: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    break_it: Callable[[pytest.MonkeyPatch], None],
    told: str,
) -> None:
    monkeypatch.delenv("ZOO_REPORT")
    break_it(monkeypatch)
    code, _, err = zoo_command("train", tiny, "--run", "run")
    assert code == 0
    assert re.search(told, err)
    assert not Path("run/report.html").exists()


def test_runs_that_differ_are_compared(zoo_command: Zoo, run: Path, tiny: Path, drawn: list[Any]) -> None:
    assert zoo_command("train", tiny, "--set", "train.batch_size=8", "--run", "runs/two").code == 0
    assert zoo_command("report", "runs/one", "runs/two") == (0, "report.html\n", "")
    text = Path("report.html").read_text()
    assert headings(text) == ["Table", "Curves"]
    assert "<th>batch_size</th>" in text
    assert zoo_command("compare", "runs/one", "runs/two", "--html", "compared.html") == (0, "compared.html\n", "")
    assert Path("compared.html").read_text() == text


def test_runs_are_listed_with_how_far_they_are(zoo_command: Zoo, run: Path) -> None:
    stopped = Path("runs/deeper/stopped")
    shutil.copytree(run, stopped)
    (stopped / "result.json").unlink()
    with FileLock(stopped / ".lock"):
        running = json.loads(zoo_command("list", "runs", "--json").out)
    found = {one["run"]: one for one in json.loads(zoo_command("list", "runs", "--json").out)}
    assert {one["run"]: one["state"] for one in running} == {"runs/one": "finished", str(stopped): "running"}
    assert {name: one["state"] for name, one in found.items()} == {"runs/one": "finished", str(stopped): "stopped"}
    assert (found["runs/one"]["step"], found["runs/one"]["steps"]) == (6, 6)
    lines = zoo_command("list", "runs").out.splitlines()
    assert lines[0].split() == ["run", "spec", "state", "figure", "seeds", "time", "begun"]
    assert re.search(r"stopped at step 6 of 6 +validation top1 \d\.\d{4}", "\n".join(lines))
    (stopped / "metrics.jsonl").write_text(
        ""
    )  # a run that is stopped between two lines is saved further than they tell
    assert "stopped at step 6 of 6" in zoo_command("list", "runs").out


def test_a_damaged_run_hides_no_other(zoo_command: Zoo, run: Path) -> None:
    shutil.copytree(run, "runs/broken")
    Path("runs/broken/run.json").write_text("{")
    code, out, _ = zoo_command("list", "runs")
    assert code == 0
    assert "runs/one" in out and "runs/broken: damaged: " in out


def test_a_folder_without_runs_says_so(zoo_command: Zoo, here: Path) -> None:
    (here / "runs").mkdir()
    assert zoo_command("list", "runs").out == "runs: there is no run in it; `zoo train SPEC` makes one\n"
    code, _, err = zoo_command("list", "runs", "nowhere")
    assert code == 6
    assert "nowhere: there is no such folder" in err


def test_a_run_is_shown(zoo_command: Zoo, run: Path) -> None:
    out = zoo_command("show", run).out
    assert out.startswith("run runs/one: finished\nspec: tiny (")
    assert "looks at the test images: 1\n" in out
    assert "validation top1\n" in out
    assert out.endswith("next: zoo report runs/one\n")
    (found,) = json.loads(zoo_command("show", run, "--json").out)
    result = json.loads((run / "result.json").read_text())
    assert found["figures"]["test"]["top1"]["mean"] == result["test"]["top1"]
    assert (found["kind"], found["state"], found["spec"]["name"]) == ("run", "finished", "tiny")
