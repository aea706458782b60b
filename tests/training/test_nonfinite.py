"""What becomes of a step that is not finite: the training stops, takes it back, or goes around it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from zoo.errors import Interrupted, TrainingError
from zoo.spec.schema import Spec
from zoo.training import checkpoint
from zoo.training.loop import Training
from zoo.training.reporter import Reporter
from zoo.training.run import Run
from zoo.training.stepper import Stepper

Poison = Callable[..., None]
NETWORK: dict[str, Any] = {
    "architecture": {"layers": [{"conv": 4}, "batch_norm", "relu", "global_average_pool", {"linear": 100}]},
    "optimizer": "adam",
}
PART: dict[str, Any] = {"networks__classifier": NETWORK, "augment": []}


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Poison:
    """Let the images of some steps be no numbers."""
    whole = Stepper._batch

    def of(*steps: int) -> None:
        def batch(stepper: Stepper, fetch: Any) -> Any:
            found = whole(stepper, fetch)
            return found._replace(images=found.images * float("nan")) if stepper._step in steps else found

        monkeypatch.setattr(Stepper, "_batch", batch)

    return of


def without(monkeypatch: pytest.MonkeyPatch, *steps: int) -> None:
    """Let trainings go around some steps."""
    restore = Training.restore

    def restored(training: Training) -> None:
        restore(training)
        training._left_out = frozenset(steps)

    monkeypatch.setattr(Training, "restore", restored)


def state(run: Run) -> dict[str, Tensor]:
    return checkpoint.read(run.weights())[1]


def assert_equal(one: Run, other: Run) -> None:
    first, second = state(one), state(other)
    assert first.keys() == second.keys()
    assert [name for name, value in first.items() if not torch.equal(value, second[name])] == []


@pytest.mark.parametrize("step", [0, 5])
def test_a_skipped_step_leaves_everything_as_it_was(
    step: int, run: Callable[..., Run], poison: Poison, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        without(patch, step)
        straight = run("straight", **PART)
    poison(step)
    skipping = run("skipping", train__on_nonfinite="skip", **PART)
    assert_equal(skipping, straight)
    result = skipping.result()
    assert result is not None and result["skipped"] == 1
    lines = [one for one in skipping.metrics() if "loss" in one]
    assert [one["skipped"] for one in lines] == [int(one["step"] > step) for one in lines]


def test_a_skipped_step_is_still_known_after_a_stop(run: Callable[..., Run], poison: Poison) -> None:
    class Stop(Reporter):
        def step(self, step: int) -> None:
            if step == 7:
                import os
                import signal

                os.kill(os.getpid(), signal.SIGINT)

    poison(5)
    given = PART | {"train__on_nonfinite": "skip"}
    straight = run("straight", **given)
    with pytest.raises(Interrupted):
        run("stopped", Stop(), **given)
    stopped = run("stopped", **given)
    assert_equal(straight, stopped)
    assert (stopped.result() or {})["skipped"] == 1


def test_a_rollback_goes_around_the_steps_and_says_which(
    run: Callable[..., Run], poison: Poison, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        without(patch, 4, 5)
        straight = run("straight", **PART)
    poison(5)
    rolled = run("rolled", train__on_nonfinite="rollback", **PART)
    assert_equal(rolled, straight)
    facts = json.loads((rolled.folder / "run.json").read_text())
    assert (facts["left_out"], facts["rollbacks"]) == ([4, 5], 1)
    assert (rolled.result() or {})["left_out"] == 2


def test_a_rollback_before_the_first_checkpoint_goes_to_the_beginning(run: Callable[..., Run], poison: Poison) -> None:
    poison(0)
    rolled = run("rolled", train__on_nonfinite="rollback", **PART)
    assert (rolled.result() or {})["left_out"] == 1


def test_what_does_not_get_better_is_given_up(run: Callable[..., Run], poison: Poison) -> None:
    poison(*range(1000))
    with pytest.raises(TrainingError, match=r"no longer finite .* rolled back 10 times already"):
        run("rolled", train__on_nonfinite="rollback", train__steps=100, **PART)


@pytest.mark.parametrize("policy", ["skip", "rollback"])
def test_a_policy_that_is_not_needed_changes_no_bit(policy: str, run: Callable[..., Run]) -> None:
    assert_equal(run("plain"), run("watched", train__on_nonfinite=policy))


def test_stopping_is_no_part_of_a_hash(spec: Callable[..., Spec]) -> None:
    from zoo.spec.schema import hash_of

    data = spec().to_data()
    del data["train"]["on_nonfinite"]
    assert spec().hash == hash_of(data)
    assert spec(train__on_nonfinite="skip").hash != spec().hash
