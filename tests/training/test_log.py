"""The log: a line is the mean over the steps that it names, in parts or whole, stopped or not, or there is none."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import strangers
import torch
from support import changed

from zoo.builder import Builder
from zoo.checking import check
from zoo.errors import Interrupted, SpecError, TrainingError
from zoo.spec.load import load_spec
from zoo.spec.schema import Spec
from zoo.training import checkpoint, loop
from zoo.training.loop import Training, train
from zoo.training.reporter import Reporter, Together
from zoo.training.run import Run
from zoo.training.tally import MOST_UNREAD, NotFinite, Tally

#: Whose figures do not depend on how a batch is cut: no norm over the batch, no dropout.
PLAIN: dict[str, Any] = {
    "architecture": {"layers": [{"conv": 4}, "relu", "global_average_pool", {"linear": 100}]},
    "optimizer": {"sgd": {"lr": 0.1}},
}
PART: dict[str, Any] = {"networks__classifier": PLAIN, "augment": []}


class At(Reporter):
    """Does something after a step; hears what is said."""

    def __init__(self, step: int, act: Callable[[], object]) -> None:
        self.at, self.act = step, act
        self.messages: list[str] = []

    def step(self, step: int) -> None:
        if step == self.at:
            self.act()

    def message(self, text: str) -> None:
        self.messages.append(text)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def kill() -> None:
    raise MemoryError


def timeless(run: Run) -> list[dict[str, Any]]:
    return [{name: value for name, value in line.items() if name != "seconds"} for line in run.metrics()]


# Parts of a batch


@pytest.mark.parametrize("parts", [2, 3, 4, 5, 7, 12])
def test_figures_do_not_depend_on_the_parts_of_a_batch(parts: int, run: Callable[..., Run]) -> None:
    given = PART | {"train__batch_size": 12, "train__steps": 4, "train__log_every": 1}
    whole, cut = run("whole", **given).metrics(), run("cut", **given, train__accumulate=parts).metrics()
    for one, other in zip(whole, cut, strict=True):
        assert (one["updates"], one["images"]) == (other["updates"], other["images"])
        for name in ("loss", "accuracy", "gradient_norm"):
            assert one[name] == pytest.approx(other[name], rel=1e-4), name


def test_a_batch_is_cut_into_the_parts_that_were_asked_for(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    part = loop.Stepper._part
    monkeypatch.setattr(
        loop.Stepper,
        "_part",
        lambda self, batch, update: (seen.append(len(batch.images)), part(self, batch, update))[1],
    )
    run(**PART, train__batch_size=12, train__steps=1, train__accumulate=5)
    assert seen == [3, 3, 2, 2, 2]


def test_parts_are_refused_where_a_step_updates_twice(tmp_path: Path, spec: Callable[..., Spec]) -> None:
    builder = strangers.builder()
    twice = load_spec(changed(spec().to_data(), task={"twice": {}}, train__accumulate=2), registry=builder.registry)
    with pytest.raises(SpecError) as caught:
        check(twice, builder)
    assert str(caught.value).endswith(
        "train.accumulate: found 2; wanted 1: updates that follow each other cannot each wait for the last part of a "
        "batch"
    )


@pytest.mark.parametrize("parts", [1, 4, 5, 9])
def test_the_step_that_is_no_longer_finite_is_named(
    parts: int, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    take = loop.Stepper.take

    def poisoned(stepper: Any, step: int) -> Any:
        if step == 2:
            with torch.no_grad():
                stepper.trainees["classifier"].parameters[0].fill_(math.inf)
        return take(stepper, step)

    monkeypatch.setattr(loop.Stepper, "take", poisoned)
    with pytest.raises(TrainingError, match=r"^step 3: training is no longer finite \(loss nan, "):
        run(**PART, train__batch_size=12, train__accumulate=parts, train__log_every=100, train__checkpoint_every=0)


# Lines


def test_one_line_is_the_mean_of_all_steps_where_none_is_due_before(run: Callable[..., Run]) -> None:
    each = run("each", **PART, train__log_every=1).metrics()
    (line,) = run("once", **PART, train__log_every=1000).metrics()
    assert (line["step"], line["updates"], line["images"]) == (12, {"classifier": 12}, 12 * 16)
    assert line["loss"] == pytest.approx(sum(one["loss"] for one in each) / 12)


@pytest.mark.parametrize("log_every", [1, 2, 5, 7, 100])
@pytest.mark.parametrize("stop", [1, 3, 5, 8])
def test_a_stopped_run_has_the_lines_of_one_that_was_not(stop: int, log_every: int, run: Callable[..., Run]) -> None:
    given = PART | {"train__log_every": log_every, "train__validation": 50, "train__evaluate_every": 6}
    straight = run("straight", **given)
    with pytest.raises(Interrupted):
        run("stopped", At(stop, interrupt), **given)
    assert timeless(run("stopped", **given)) == timeless(straight)


@pytest.mark.parametrize("checkpoint_every", [0, 4])
@pytest.mark.parametrize("killed", [2, 5, 7, 11])
def test_a_killed_run_has_the_lines_of_one_that_was_not(
    killed: int, checkpoint_every: int, run: Callable[..., Run]
) -> None:
    given = PART | {"train__log_every": 3, "train__checkpoint_every": checkpoint_every}
    straight = run("straight", **given)
    for _ in range(2):
        with pytest.raises(MemoryError):
            run("killed", At(killed, kill), **given)
    assert timeless(run("killed", **given)) == timeless(straight)


def test_a_line_that_was_cut_off_by_a_crash_is_written_again(run: Callable[..., Run], tmp_path: Path) -> None:
    straight = run("straight", **PART)
    with pytest.raises(MemoryError):
        run("killed", At(7, kill), **PART)
    with (tmp_path / "killed" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 8, "lo')
    assert timeless(run("killed", **PART)) == timeless(straight)


def test_what_was_said_before_a_stop_is_not_said_again(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo_classifier.task.Classify.remarks", lambda self, figures: {"slow": "it learns slowly"})
    first, second = At(5, interrupt), At(-1, interrupt)
    with pytest.raises(Interrupted):
        run("stopped", first, **PART)
    run("stopped", second, **PART)
    assert "step 2: it learns slowly" in first.messages
    assert not any("slowly" in one for one in second.messages)


def test_sums_do_not_depend_on_when_they_are_read() -> None:
    figures = [{"loss": one} for one in torch.rand(30, generator=torch.Generator().manual_seed(0))]
    once, often = Tally(), Tally()
    for one in figures:
        once.add(one)
        often.add(one)
        often.read()
        again = Tally()
        again.resume(often.facts())
        often = again
    assert once.means() == often.means()
    assert once.facts() == {"steps": 0, "sums": {}}


def test_figures_do_not_wait_on_the_device_for_ever() -> None:
    tally = Tally()
    for _ in range(MOST_UNREAD):
        assert tally.steps == 0
        tally.add({"loss": torch.ones(())})
    assert tally.steps == MOST_UNREAD


def test_a_tally_says_how_long_ago_a_figure_was_lost() -> None:
    tally = Tally()
    for value in (1.0, math.nan, 2.0, math.inf, 3.0):
        tally.add({"loss": torch.tensor(value)})
    with pytest.raises(NotFinite) as caught:
        tally.read()
    assert caught.value.ago == 3


# What is not finite


@pytest.mark.parametrize(
    ("place", "told"),
    [
        (lambda one: dict(one.module.named_buffers())["1.running_var"], r"1\.running_var in classifier"),
        (lambda one: one.average.module[0].weight, r"the average of 0\.weight in classifier"),
        (lambda one: one.optimizers[0].state[one.parameters[0]]["exp_avg"], r"the optimizer's exp_avg of 0\.weight in"),
        (lambda one: one.parameters[0], r"0\.weight in classifier and 2 more"),
    ],
    ids=["buffer", "average", "optimizer", "weight"],
)
def test_nothing_is_saved_that_is_not_finite(
    place: Callable[[Any], torch.Tensor], told: str, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    save, poisoned = Training.save, []

    def spoil(training: Training) -> Path:
        if training.step == 8:
            trainee = training.trainees["classifier"]
            kept = [place(trainee)]
            if kept[0] is trainee.parameters[0]:
                kept += [trainee.parameters[1], trainee.parameters[2]]
            for one in kept:
                one.detach()[(0,) * one.dim()] = math.nan
            poisoned.append(True)
        return save(training)

    monkeypatch.setattr(Training, "save", spoil)
    network = {
        "architecture": {"layers": [{"conv": 4}, "batch_norm", "relu", "global_average_pool", {"linear": 100}]},
        "optimizer": "adam",
        "ema": 0.9,
    }
    with pytest.raises(TrainingError, match=rf"^step 8: training is no longer finite \({told}.*step-00000004"):
        run(networks__classifier=network, augment=[])
    assert poisoned


def test_a_mask_of_infinities_is_no_fault(spec: Callable[..., Spec], builder: Builder, tmp_path: Path) -> None:
    given = spec(**PART)
    training = Training(given, check(given, builder), builder, Run.prepare(tmp_path / "run", given), Reporter())
    trainee = training.trainees["classifier"]
    trainee.module.register_buffer("mask", torch.full((2,), -math.inf))
    trainee.constant.update(trainee.not_finite())
    assert trainee.not_finite() == []


def test_a_validation_that_is_not_finite_is_null(run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        loop, "evaluate_networks", lambda *given: {"loss": math.nan, "top1": 0.5, "per_class": [math.inf, 0.5]}
    )
    found = run(**PART, train__validation=50, train__evaluate_every=6)
    measured = [line for line in found.metrics() if "validation_top1" in line]
    assert [(one["validation_loss"], one["validation_top1"]) for one in measured] == [(None, 0.5)] * 2
    assert "NaN" not in found.metrics_path.read_text()
    assert (found.result() or {})["test"] == {"loss": None, "top1": 0.5, "per_class": [None, 0.5]}


def test_trainings_side_by_side_have_no_mean_of_what_one_does_not_know() -> None:
    together = Together(Reporter())
    together.steps = {0: 1, 1: 1}
    together.records = {0: {"step": 1, "loss": None}, 1: {"step": 1, "loss": 2.0}}
    assert together.mean({"step": 1, "loss": 2.0})["loss"] == 2.0


# What trains nothing


@pytest.mark.parametrize("log_every", [1, 100])
def test_a_task_that_updates_nothing_is_an_error(log_every: int, spec: Callable[..., Spec], tmp_path: Path) -> None:
    builder = strangers.builder()
    data = changed(spec(**PART).to_data(), task={"idle": {}}, train__log_every=log_every)
    idle = load_spec(data, registry=builder.registry)
    with pytest.raises(TrainingError) as caught:
        train(idle, builder, tmp_path / "run")
    assert str(caught.value) == (
        f"step {min(log_every, 4)}: the task idle has not updated classifier once; "
        "wanted turn.update('classifier', loss) in each step"
    )
    assert checkpoint.newest(tmp_path / "run" / "checkpoints") is None  # which would be due at step 4
