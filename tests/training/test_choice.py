"""Which weights a run ends with, and when it has seen enough: both follow from its validations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.builder import Builder
from zoo.checking import check
from zoo.errors import Interrupted, SpecError
from zoo.evaluation.trained import Trained
from zoo.publishing.certificate import verify
from zoo.publishing.publish import publish
from zoo.spec.schema import Spec
from zoo.sweeps.comparison import compare
from zoo.training.choice import Choice
from zoo.training.loop import Training, train
from zoo.training.reporter import Reporter
from zoo.training.run import Run

#: Validations that rise and fall, so that neither the first nor the last is the best.
OFTEN: dict[str, Any] = {"train__validation": 100, "train__evaluate_every": 2, "train__log_every": 5}


def validations(run: Run) -> dict[int, float]:
    return {one["step"]: one["validation_loss"] for one in run.metrics() if "validation_loss" in one}


@given(st.lists(st.none() | st.sampled_from([0.1, 0.2, 0.3, 0.4]), max_size=12), st.booleans(), st.integers(1, 4))
def test_the_first_of_the_best_counts(values: list[float | None], higher: bool, patience: int) -> None:
    choice = Choice("x", higher, "best", patience)
    for step, value in enumerate(values, 1):
        choice.take({"step": step, "validation_x": value})
        known = [one for one in values[:step] if one is not None]
        best = (max if higher else min)(known, default=None)
        first = values.index(best) + 1 if best is not None else 0
        assert (choice.value, choice.step, choice.since) == (best, first, step - first)
        assert choice.enough == (step - first >= patience)


def test_the_best_weights_are_kept_and_judged(run: Callable[..., Run], builder: Builder) -> None:
    kept = run(train__keep="best", train__stop={"patience": 100, "figure": "loss"}, **OFTEN)
    chosen = (kept.result() or {})["chosen"]
    found = validations(kept)
    step, value = min(found.items(), key=lambda one: (one[1], one[0]))
    assert (chosen["step"], chosen["value"], chosen["validations"]) == (step, value, 6)
    assert kept.weights().name == f"best-{step:08d}.safetensors"
    assert [one.name for one in kept.checkpoints.glob("best-*")] == [kept.weights().name]
    assert Trained.load(kept, builder).step == step
    assert kept.validation()["loss"] == value != list(found.values())[-1]
    (row,) = compare([kept.folder], builder).rows
    assert row.figures["validation_loss"] == {0: value}


def test_weights_that_are_kept_are_those_of_a_training_that_ended_there(
    run: Callable[..., Run], builder: Builder
) -> None:
    plain = {"networks__classifier__schedule": "constant", **OFTEN}
    kept = run(train__keep="best", **plain)
    step = (kept.result() or {})["chosen"]["step"]
    short = run("short", train__steps=step, **plain)
    one, other = (Trained.load(each, builder).networks["classifier"].state_dict() for each in (kept, short))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert (kept.result() or {})["test"] == (short.result() or {})["test"]


@pytest.mark.parametrize("keep", ["last", "best"])
def test_a_training_that_gets_no_better_ends(keep: str, run: Callable[..., Run], builder: Builder) -> None:
    # At a rate of nearly nothing nothing gets better, and an average of one value is no value's.
    still = {"optimizer": {"sgd": {"lr": 1e-30}}, "schedule": "constant", "ema": None}
    layers = {"architecture": {"layers": ["global_average_pool", {"linear": 100}]}}
    ended = run(networks__classifier={**layers, **still}, train__keep=keep, train__stop={"patience": 2}, **OFTEN)
    result = ended.result() or {}
    assert (result["steps"], result["chosen"]["step"], result["chosen"]["enough"]) == (6, 2, True)
    assert [one["step"] for one in ended.metrics() if "lr" in one] == [5, 6]
    assert Trained.load(ended, builder).step == (2 if keep == "best" else 6)
    # The same command finds it finished.
    assert train(ended.spec(builder.registry), builder, ended.folder).result() == result


@pytest.mark.parametrize("stop", [None, {"patience": 2, "figure": "loss"}])
def test_a_stopped_run_chooses_as_one_that_was_not(
    stop: dict[str, Any] | None, run: Callable[..., Run], spec: Callable[..., Spec], builder: Builder, tmp_path: Path
) -> None:
    parts = {"train__keep": "best", "train__stop": stop, "train__checkpoint_every": 5, **OFTEN}
    whole = run("whole", **parts)
    chosen = spec(**parts)
    halves = Run.prepare(tmp_path / "halves", chosen)
    for end in (3, 7, 8, 11):
        training = Training(chosen, check(chosen, builder), builder, halves, Reporter())
        try:
            training.go(lambda training=training, end=end: "SIGTERM" if training.step >= end else "")  # type: ignore[misc]
        except Interrupted:
            continue
    train(chosen, builder, halves.folder)
    first, second = whole.result() or {}, halves.result() or {}
    assert (first["chosen"], first["test"], first["steps"]) == (second["chosen"], second["test"], second["steps"])
    one, other = (Trained.load(each, builder).networks["classifier"].state_dict() for each in (whole, halves))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_kill_after_a_better_one_goes_back_to_the_earlier_best(
    spec: Callable[..., Spec], builder: Builder, tmp_path: Path
) -> None:
    """The state goes back to the last checkpoint; the best of until then must still be there."""
    chosen = spec(train__keep="best", train__checkpoint_every=6, **OFTEN)
    run = Run.prepare(tmp_path / "run", chosen)
    training = Training(chosen, check(chosen, builder), builder, run, Reporter())
    training.restore()
    while training.step < 11:  # as far as a killed one came
        training.advance()
    after = Training(chosen, check(chosen, builder), builder, run, Reporter())
    after.restore()
    assert after.step == 6 and after.choice is not None
    assert (run.checkpoints / f"best-{after.choice.step:08d}.safetensors").exists()


def test_a_published_entry_says_what_was_chosen(
    run: Callable[..., Run], builder: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = run(train__keep="best", **OFTEN)
    entry = publish([kept.folder], builder, to=Path("shelf"))
    chosen = entry.certificate.chosen["0"]
    assert chosen == (kept.result() or {})["chosen"]
    assert verify(entry.folder, builder) == []
    figure = entry.certificate.figure("validation", "top1")
    assert figure is not None and figure.values == {"0": chosen["value"]}
    assert "Its validation figures were chosen by" in (entry.folder / "README.md").read_text()


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        (
            {"keep": "best"},
            "train.keep: found keep without validations; wanted train.validation and train.evaluate_every",
        ),
        ({"stop": {"patience": 3}, "validation": 50}, "train.stop: found stop without validations"),
        (
            {"stop": {"patience": 3, "figure": "top2"}, "validation": 50, "evaluate_every": 2},
            "the unknown figure 'top2'",
        ),
        ({"keep": "best", "validation": 50, "evaluate_every": 2, "norm_batches": 2}, "found 2 beside keep"),
        ({"stop": {"patience": 0}}, "patience"),
    ],
)
def test_what_cannot_be_chosen_by_is_told_before_training(
    parts: dict[str, Any], told: str, spec: Callable[..., Spec], builder: Builder
) -> None:
    with pytest.raises(SpecError, match=told):
        check(spec(**{f"train__{key}": value for key, value in parts.items()}), builder)
