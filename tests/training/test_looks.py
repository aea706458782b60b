"""Looks at the test images are counted, and nothing hides one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.builder import Builder
from zoo.errors import Interrupted
from zoo.evaluation.run import evaluate_run
from zoo.training.loop import Training
from zoo.training.reporter import Reporter
from zoo.training.run import Run

RunSpec = Callable[..., Run]


class Stop(Reporter):
    """Stops a training after its fifth step, as Ctrl-C would."""

    def step(self, step: int) -> None:
        if step == 5:
            os.kill(os.getpid(), signal.SIGINT)


def test_the_look_after_the_last_step_is_one(run: RunSpec) -> None:
    assert run().looks() == {"train": 1}


def test_a_training_that_does_not_look_counts_none(run: RunSpec) -> None:
    assert run(train__test_at_end=False).looks() == {}


def test_each_evaluation_of_the_test_images_counts(run: RunSpec, builder: Builder) -> None:
    made = run(train__validation=100)
    for splits in (["test"], ["train"], ["validation"], None):
        evaluate_run(made, builder, splits)
    assert made.looks() == {"train": 1, "evaluate": 2}


def test_the_count_outlives_an_interruption(run: RunSpec, builder: Builder, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run(reporter=Stop())
    evaluate_run(Run.open(tmp_path / "run"), builder, ["test"])
    assert run().looks() == {"evaluate": 1, "train": 1}


def test_a_look_that_a_crash_followed_is_counted(run: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    evaluate = Training._evaluate
    monkeypatch.setattr(Training, "_evaluate", fail)
    with pytest.raises(MemoryError):
        run()
    monkeypatch.setattr(Training, "_evaluate", evaluate)
    assert run().looks() == {"train": 2}


def test_a_run_of_an_earlier_version_is_known_by_its_result(run: RunSpec, builder: Builder) -> None:
    made = run()
    (made.folder / "test-looks.json").unlink()
    assert (made.looks(), made.counts_looks) == ({"train": 1}, False)
    evaluate_run(made, builder, ["test"])
    assert (made.looks(), made.counts_looks) == ({"train": 1, "evaluate": 1}, False)


def test_a_run_of_several_seeds_counts_the_looks_of_each(run: RunSpec, builder: Builder) -> None:
    made = run(train__seeds=2)
    evaluate_run(made, builder, ["test"])
    assert made.looks() == {"train": 2, "evaluate": 2}
    assert made.of_seed(1).looks() == {"train": 1, "evaluate": 1}


def test_a_run_of_this_version_counts(run: RunSpec) -> None:
    assert run().counts_looks
