"""What is written into the documents, of made-up figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import chart, goals, report, train
from benchmarks.__main__ import RESULTS
from benchmarks.table import Table

QUIET: dict[str, Any] = {"load_before": 0.1, "load_after": 0.2, "disturbed_by": {}}


def sitting(start: int, **milliseconds: list[float]) -> dict[str, Any]:
    named = {name.replace("_", " "): values for name, values in milliseconds.items()}
    return {
        "start": start,
        "milliseconds": named,
        "faults": {name: [100.0] * len(values) for name, values in named.items()},
        "first_seconds": dict.fromkeys(named, 60.0 if start == 0 else 2.0),
        "failed": {},
        "threads": dict.fromkeys(named, 2),
    }


@pytest.fixture
def result() -> dict[str, Any]:
    """Zoo is twice as fast as the naive loop in one start, 1.25 times in the other."""
    return {
        "model": "classifier",
        "device": "cpu",
        "data": "CIFAR-100",
        "names": ["naive", "zoo eager fp32", "zoo graph bf16", "zoo auto"],
        "reasons": {"zoo graph bf16": "only a CUDA device replays graphs"},
        "same_as": {"zoo auto": "zoo eager fp32"},
        "plan": {"starts": 2, "rounds": 2, "warm": 5, "steps": 12, "seed": 0},
        "sittings": [
            sitting(0, naive=[100.0, 200.0], zoo_eager_fp32=[50.0, 100.0]),
            sitting(1, naive=[100.0, 100.0], zoo_eager_fp32=[80.0, 80.0]),
        ],
        **QUIET,
    }


@pytest.fixture
def results(result: dict[str, Any]) -> dict[str, Any]:
    machine = {
        "device": "cpu",
        "processor": "A processor",
        "flags": ["avx2"],
        "cores": 2,
        "memory_gib": 4.0,
        "gpu": "",
        "cuda": "",
        "threads": 2,
        "system": "Linux 6, glibc 2.36",
        "python": "3.11.7",
        "versions": {"torch": "2.16.0"},
        "other_versions": {"torch": ["2.15.0", "2.16.0"]},
    }
    return {"environment": machine, goals.CLASSIFIER: result}


def test_a_row_tells_time_ratio_and_first_steps(result: dict[str, Any]) -> None:
    table = train.table(result)
    row = next(list(row) for row in table.rows if row[0] == "zoo eager fp32")
    assert row == ["zoo eager fp32", "77.5", "75.0–80.0", "12.9", "1.62", "1.25–2.00", "100", "60.0", "2.0"]
    assert next(row[1] for row in table.rows if row[0] == "zoo graph bf16") == "not run"
    assert next(list(row[1:]) for row in table.rows if row[0] == "zoo auto") == row[1:]
    assert "zoo graph bf16: not run, only a CUDA device replays graphs" in table.notes


def test_a_disturbed_measurement_says_so(result: dict[str, Any]) -> None:
    result["disturbed_by"] = {"make": 0.5}
    assert "WARNING: make took up to 50% of a core" in train.table(result).text()


def test_goals_are_met_missed_or_not_measured(results: dict[str, Any]) -> None:
    rows = {row[0]: list(row) for row in reversed(goals.table("cpu", results).rows)}
    assert rows["classifier, fp32, not compiled"] == [
        "classifier, fp32, not compiled",
        "≥ 1.4 × naive",
        "1.62",
        "1.25–2.00",
        "met",
    ]
    assert rows["classifier, fp32, compiled"][-1] == "not measured"
    for one in results[goals.CLASSIFIER]["sittings"]:
        one["milliseconds"]["zoo eager fp32"] = one["milliseconds"]["naive"]
    assert goals.table("cpu", results).rows[0][-1] == "**missed**"


def test_the_page_is_filled_between_its_marks_and_nowhere_else(results: dict[str, Any]) -> None:
    page = "a\n<!-- measured: cpu, machine -->\nold\n<!-- end -->\nb\n<!-- measured: cuda, train dcgan -->\n<!-- end -->\nc\n"
    found = report.render(page, {"cpu": results})
    assert found == (
        "a\n<!-- measured: cpu, machine -->\n"
        "- no GPU\n"
        "- A processor, 2 cores, 4.0 GiB, with avx2; without avx512f, avx512_bf16, avx512_fp16, avx512_vnni, amx_tile, "
        "amx_bf16\n"
        "- Linux 6, glibc 2.36, Python 3.11.7, torch 2.16.0\n"
        "- the baselines were written for torch 2.15.0; here they ran with 2.16.0\n"
        f"<!-- end -->\nb\n<!-- measured: cuda, train dcgan -->\n{report.MISSING['cuda']}\n<!-- end -->\nc\n"
    )
    assert report.render(found, {"cpu": results}) == found


def test_the_page_and_its_picture_are_written(
    results: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "performance.md"
    page.write_text(report.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(report, "PICTURES", tmp_path)
    (tmp_path / "cpu.json").write_text(json.dumps(results))
    assert report.write(tmp_path) == [page, tmp_path / "performance-cpu.svg"]
    text = page.read_text(encoding="utf-8")
    assert "| zoo eager fp32 | 77.5 |" in text
    assert "![Training speed](pictures/performance-cpu.svg)" in text
    assert text.count(report.MISSING["cuda"]) == 4


def test_the_page_in_the_documents_says_what_was_measured_and_no_more() -> None:
    page = report.PAGE.read_text(encoding="utf-8")
    assert report.render(page, report.load(RESULTS)) == page


def test_the_picture_has_a_bar_for_each_variant_that_ran(result: dict[str, Any]) -> None:
    root = ElementTree.fromstring(chart.svg([result, {**result, "model": "dcgan"}]))
    kinds = [one.get("class") for one in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert kinds.count("zoo") == 2
    assert kinds.count("baseline") == 2


def test_a_table_is_aligned_on_a_terminal_and_piped_on_a_page() -> None:
    table = Table("Title", ["what", "ms"], [["a", "1"], ["long", "20"]], ["note"])
    assert table.text() == "Title\n  what  ms\n  a      1\n  long  20\n  note"
    assert table.markdown() == "| what | ms |\n| --- | ---: |\n| a | 1 |\n| long | 20 |\n\n- note"
