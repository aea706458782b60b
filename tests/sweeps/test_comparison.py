"""Runs side by side: seeds are one row, a row says what differs, and the best are marked."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zoo.builder import Builder
from zoo.cli.commands.compare import _csv, _latex
from zoo.errors import RunError
from zoo.spec.load import load_spec
from zoo.sweeps.comparison import compare
from zoo.sweeps.plan import Plan
from zoo.sweeps.sweep import sweep
from zoo.training.run import Run


@pytest.fixture
def run(builder: Builder, tmp_path: Path) -> Callable[..., Path]:
    """Write a finished run with this figure, untrained."""
    source: dict[str, Any] = {
        "zoo": 1,
        "name": "one",
        "task": "classify",
        "data": {"noise": {"image": [1, 4, 4], "classes": 3}},
        "networks": {"classifier": {"architecture": {"layers": ["flatten", {"linear": 3}]}, "optimizer": "adam"}},
        "train": {"steps": 4, "validation": 30},
    }

    def make(name: str, top1: float, *overrides: str) -> Path:
        spec = load_spec(source, overrides=overrides, registry=builder.registry)
        found = Run.prepare(tmp_path / name, spec)
        found.begin(spec, {})
        found.log({"step": 4, "validation_top1": top1, "validation_loss": 1 - top1})
        found.write_result({"steps": 4, "seconds": 1.0, "engine": "cpu"})
        return found.folder

    return make


def test_seeds_are_one_row_with_mean_deviation_and_n(run: Callable[..., Path], builder: Builder) -> None:
    names = [run(f"seed{seed}", 0.1 * seed, f"train.seed={seed}") for seed in (1, 2, 4)]
    (row,) = compare(names, builder).rows
    assert (row.seeds, row.mean("validation_top1")) == (3, pytest.approx(0.7 / 3))
    assert row.std("validation_top1") == pytest.approx(statistics.stdev([0.1, 0.2, 0.4]))
    assert row.changes == {}


def test_rows_say_what_differs_and_are_paired_by_seed(run: Callable[..., Path], builder: Builder) -> None:
    lr = "networks.classifier.optimizer={adam: {lr: 0.5}}"
    names = [run(f"a{seed}", 0.1 * seed, f"train.seed={seed}") for seed in (1, 2)]
    names += [run(f"b{seed}", 0.1 * seed + 0.05, f"train.seed={seed}", lr) for seed in (1, 2, 3)]
    found = compare(names, builder)
    assert found.keys == ["networks.classifier.optimizer.adam.lr"]
    assert [row.changes[found.keys[0]] for row in found.rows] == [0.001, 0.5]
    assert found.rows[1].paired(found.rows[0], "validation_top1") == (pytest.approx(0.05), pytest.approx(0), 2)
    assert [row.pareto for row in found.rows] == [False, True]


def test_accuracy_stands_beside_cost(run: Callable[..., Path], builder: Builder) -> None:
    layers = "networks.classifier.architecture.layers=[flatten, {linear: 9}, {linear: 3}]"
    found = compare(
        [run("small", 0.4), run("large", 0.5, layers), run("worse", 0.3, layers, "train.batch_size=8")], builder
    )
    assert [row.costs["parameters"] for row in found.rows] == [51, 183, 183]
    assert [row.pareto for row in found.rows] == [True, True, False]


def test_tables_for_programs_and_papers(run: Callable[..., Path], builder: Builder) -> None:
    names = [run("one", 0.4), run("two", 0.5, "train.batch_size=8")]
    found = compare(names, builder, figures=["validation_loss"])
    lines = _csv(found).splitlines()
    assert lines[0] == "run,pareto,validation_loss,validation_loss_std,n,parameters,macs,test_looks,train.batch_size"
    assert lines[2] == f"{names[1]},1,0.5,,1,51,48,0,8"
    text = _latex(found)
    assert r"validation\_loss" in text and r"\bottomrule" in text
    assert found.to_data()["rows"][0]["figures"]["validation_top1"] == {
        "mean": 0.4, "std": None, "n": 1, "values": {"0": 0.4}
    }  # fmt: skip


def test_what_is_not_there_is_told(run: Callable[..., Path], builder: Builder, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run has the figure 'validation_top2'; did you mean 'validation_top1'?"):
        compare([run("one", 0.4)], builder, figures=["validation_top2"])
    with pytest.raises(RunError, match="there is no such folder"):
        compare([tmp_path / "nowhere"], builder)


def test_a_study_is_its_trials_and_what_confirms_them_apart(plan: Callable[..., Plan], builder: Builder) -> None:
    one = plan(sweep__trials=2, sweep__confirm={"top": 1, "seeds": 2})
    sweep(one, builder, say=lambda text: None)
    rows = compare([one.folder], builder).rows
    assert [(row.group, row.seeds, row.looks) for row in rows] == [("confirmed", 2, 2), ("", 1, 0), ("", 1, 0)]
