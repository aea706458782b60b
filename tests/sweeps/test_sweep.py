"""Whole studies: what is trained, what is refused, and what is left when it is stopped, killed or repeated."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch

from zoo.builder import Builder
from zoo.errors import Interrupted, RunError, SpecError, TrainingError, ZooError
from zoo.spec.reader import read
from zoo.sweeps import sweep as sweeps
from zoo.sweeps import worker
from zoo.sweeps.plan import Plan
from zoo.sweeps.storage import Standing, open_study, take_up_again
from zoo.sweeps.sweep import sweep
from zoo.training.run import Run

torch.set_num_threads(1)
ONE = {"validation_loss": "minimize"}


def quiet(text: str) -> None:
    """Say nothing."""


def test_a_study_trains_what_keeps_the_limits_and_confirms_the_best(
    plan: Callable[..., Plan], builder: Builder
) -> None:
    one = plan(sweep__confirm={"top": 1, "seeds": 2})
    found = sweep(one, builder, say=quiet)
    assert len(found["trials"]) == 3
    assert found["refused"] > 0  # widths from 14 on have more than 100 parameters
    for trial in found["trials"]:
        run = Run.open(one.folder / trial["folder"])
        spec = read(run.spec_path).data()
        assert spec["networks"]["classifier"]["optimizer"]["adam"]["lr"] == trial["values"]["lr"]
        assert trial["figures"]["parameters"] == trial["costs"]["parameters"] <= 100
        last = [line for line in run.metrics() if "validation_loss" in line][-1]
        assert (last["step"], last["validation_loss"]) == (4, trial["figures"]["validation_loss"])
        assert run.looks() == {} and "test" not in (run.result() or {})
    (confirmed,) = found["confirmed"].values()
    assert confirmed["n"] == 2 and "loss" in confirmed["mean"]["test"]
    assert list(Run.open(Path(confirmed["run"])).seeds()) == [1, 2]
    assert found["test_looks"] == {"trials": 0, "confirmed": 2}
    best = min((one for one in found["trials"] if one["pareto"]), key=lambda one: one["figures"]["validation_loss"])
    assert list(found["confirmed"]) == [best["folder"]]


def test_the_same_study_again_trains_nothing(
    plan: Callable[..., Plan], builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sweep(plan(), builder, say=quiet)
    monkeypatch.setattr(worker, "train", lambda *given: pytest.fail("it trained again"))
    assert sweep(plan(), builder, say=quiet) == first


def test_more_trials_go_on_with_those_that_are_there(plan: Callable[..., Plan], builder: Builder) -> None:
    first = sweep(plan(sweep__trials=1), builder, say=quiet)
    more = sweep(plan(sweep__trials=2), builder, say=quiet)
    assert more["trials"][0]["folder"] == first["trials"][0]["folder"] and len(more["trials"]) == 2


def test_another_space_under_one_name_is_refused(plan: Callable[..., Plan]) -> None:
    open_study(plan())
    with pytest.raises(RunError) as caught:
        open_study(plan(train__steps=5))
    assert str(caught.value).endswith(
        "study: it holds a study called study of another space, with train.steps: 4, not 5; give this one another name, "
        "or another folder with --study"
    )


def test_a_space_without_a_feasible_point_is_told_with_the_nearest(plan: Callable[..., Plan], builder: Builder) -> None:
    with pytest.raises(SpecError) as caught:
        sweep(plan(budget__parameters=20, sweep__refusals=8), builder, say=quiet)
    assert "sweep: found no point that keeps the limits among 8 that were tried; wanted a wider space, or wider" in str(
        caught.value
    )
    assert "the nearest is width " in str(caught.value) and "parameters: " in str(caught.value)


def test_a_grid_ends_when_each_point_was_tried(plan: Callable[..., Plan], builder: Builder) -> None:
    rates = {"networks__classifier__optimizer__adam__lr": {"free": [0.1, 0.01]}}
    let = {"let__width": {"free": [4, 8, 40]}, "networks__classifier__architecture__layers": [
        {"conv": {"channels": "${width}", "kernel": 1}}, "global_average_pool", {"linear": 3}]}  # fmt: skip
    found = sweep(plan(sweep__sampler="grid", sweep__trials=10, **rates, **let), builder, say=quiet)
    points = {(one["values"]["lr"], one["values"]["width"]) for one in found["trials"]}
    assert points == {(0.1, 4), (0.1, 8), (0.01, 4), (0.01, 8)} and len(found["trials"]) == 4


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_samplers_work_with_refused_points(sampler: str, plan: Callable[..., Plan], builder: Builder) -> None:
    assert len(sweep(plan(sweep__sampler=sampler), builder, say=quiet)["trials"]) == 3


def test_a_pruned_trial_is_no_result(
    plan: Callable[..., Plan], builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    import optuna

    monkeypatch.setattr(optuna.pruners.MedianPruner, "prune", lambda self, study, trial: trial.last_step == 2)
    found = sweep(plan(sweep__pruner="median", sweep__figures=ONE, sweep__trials=2), builder, say=quiet)
    assert found["trials"] == [] and len(found["pruned"]) == 2


def test_a_training_that_diverges_teaches_and_does_not_end_the_study(
    plan: Callable[..., Plan], builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(*given: Any) -> Run:
        raise TrainingError("step 3: training is no longer finite")

    monkeypatch.setattr(worker, "train", diverge)
    one = plan(sweep__trials=2)
    found = sweep(one, builder, say=quiet)
    assert list(found["diverged"].values()) == ["step 3: training is no longer finite"] * 2
    assert all(trial.constraints["works"] > 0 for trial in Standing.of(open_study(one), one).begun)


def test_ctrl_c_saves_and_the_same_command_goes_on(
    plan: Callable[..., Plan], builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = worker.Watcher.metrics
    sent: list[int] = []

    def interrupt(self: Any, record: dict[str, Any]) -> None:
        report(self, record)
        if not sent:
            sent.append(record["step"])
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(worker.Watcher, "metrics", interrupt)
    with pytest.raises(Interrupted, match="stopped by SIGINT at step 2 of 4"):
        sweep(plan(), builder, say=quiet)
    told: list[str] = []
    found = sweep(plan(), builder, say=told.append)
    assert len(found["trials"]) == 3 and not found["given_up"]
    assert sum("from step 2 of 4" in line for line in told) == 1
    assert len(list(plan().folder.glob("trial-*"))) == 3


def test_a_killed_worker_loses_nothing(plan: Callable[..., Plan], builder: Builder, killed: Callable[..., str]) -> None:
    """A worker is killed in the middle of a trial; another takes the trial up from its checkpoint, in its folder."""
    parts = {"train__steps": 12, "sweep__trials": 2}
    one = plan(heartbeat=1, **parts)
    said = killed(one, **parts)
    (name,) = [path.name for path in one.folder.glob("trial-*")]
    assert f"{name}: from step 0 of 12" in said
    told: list[str] = []
    summary = sweep(one, builder, say=told.append)
    assert any(line.startswith(f"{name}: from step 6 of 12 ") for line in told)
    assert sorted(one["folder"] for one in summary["trials"]) == sorted(
        path.name for path in one.folder.glob("trial-*")
    )
    steps = [line["step"] for line in Run.open(one.folder / name).metrics() if "loss" in line]
    assert steps == [2, 4, 6, 8, 10, 12]  # none was lost, and none is there twice


def test_a_trial_that_kills_its_workers_is_given_up(plan: Callable[..., Plan]) -> None:
    one = plan(sweep__retries=2)
    study = open_study(one)
    trial = study.ask()
    trial.suggest_int("width", 4, 40, step=4)
    trial.set_user_attr("folder", "trial-0000")
    for _ in range(3):
        study.tell(trial, state=_state("FAIL"))
        take_up_again(study, study.trials[-1], one, killed=True)
        if not Standing(study.trials).waiting:
            break
        trial = study.ask()
        assert trial.params == {"width": trial.params["width"]} and trial.user_attrs["folder"] == "trial-0000"
    last = study.trials[-1]
    assert last.user_attrs["given_up"] == "its process was killed 3 times"
    assert last.constraints["works"] == 1.0 and last.state == _state("PRUNED")


def _state(name: str) -> Any:
    from optuna.trial import TrialState

    return TrialState[name]


def test_another_process_takes_the_place_of_one_that_is_killed(
    plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = iter([-9, 0, 0])

    class Process:
        pid = 1

        def __init__(self) -> None:
            self.exitcode = next(codes)

        def is_alive(self) -> bool:
            return False

        def join(self) -> None:
            pass

    monkeypatch.setattr(sweeps, "_start", lambda plan: Process())
    monkeypatch.setattr(sweeps, "POLL_SECONDS", 0)
    told: list[str] = []
    sweeps._together(plan(), 2, told.append)
    assert told == ["process 1 was killed by SIGKILL; another takes its place"]
    assert next(codes, None) is None


def test_workers_of_one_study_propose_different_points(plan: Callable[..., Plan]) -> None:
    from dataclasses import replace

    from zoo.sweeps.storage import ask

    one = plan()
    points = [ask(open_study(replace(one, draw=draw)).ask(), one) for draw in (0, 1, 0)]
    assert points[0] == points[2] != points[1]


def test_a_point_that_another_worker_is_at_is_left_to_it(
    plan: Callable[..., Plan], builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = plan(sweep__trials=1)
    study = open_study(one)
    from zoo.sweeps.storage import ask

    other = study.ask()
    values = ask(other, one)
    other.set_user_attr("folder", "trial-0000")
    study.enqueue_trial(values)
    monkeypatch.setattr(worker, "POLL_SECONDS", 0)
    worker._attempt(study, one, builder, quiet, lambda: "")
    assert study.trials[1].state == _state("FAIL") and not (one.folder / "trial-0001").exists()


def test_a_database_that_is_away_is_told_without_its_password(plan: Callable[..., Plan], builder: Builder) -> None:
    with pytest.raises(RunError) as caught:
        sweep(plan("postgresql://someone:secret@127.0.0.1:1/none"), builder, say=quiet)
    assert str(caught.value).startswith("postgresql://someone:***@127.0.0.1:1/none: the study cannot be reached (")
    assert "secret" not in str(caught.value)


def test_without_optuna_its_name_is_told(
    plan: Callable[..., Plan], builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ZooError, match=r"`zoo sweep` needs the package optuna: pip install 'speczoo\[sweep\]'"):
        sweep(plan(), builder, say=quiet)


def test_passwords_of_a_command_line_do_not_reach_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo.training.run import environment

    monkeypatch.setattr(
        sys, "argv", ["zoo", "sweep", "--storage", "postgresql://me:s3:c/ret@host/db?password=hidden&a=1"]
    )
    assert environment()["command"][-1] == "postgresql://me:***@host/db?password=***&a=1"


def test_a_trial_whose_worker_never_gave_a_sign_is_not_waited_for(plan: Callable[..., Plan], builder: Builder) -> None:
    """A kill between the asking for a trial and its first heartbeat leaves one that runs for ever."""
    one = plan(heartbeat=1, sweep__trials=1)
    open_study(one).ask()
    standing = Standing.of(open_study(one), one)
    assert len(standing.running) == 1  # its silence counts from now on
    with closing(sqlite3.connect(one.folder / "study.db")) as database:
        database.execute("UPDATE trial_heartbeats SET heartbeat = datetime(heartbeat, '-1 day')")
        database.commit()
    assert len(sweep(one, builder, say=quiet)["trials"]) == 1
    assert not Standing.of(open_study(one), one).running


def test_a_trial_is_taken_up_whose_taker_was_killed(plan: Callable[..., Plan]) -> None:
    import optuna

    one = plan(heartbeat=1)
    study = open_study(one)
    trial = study.ask()
    trial.set_user_attr("folder", "trial-0000")
    study.tell(trial, state=optuna.trial.TrialState.FAIL)
    (failed,) = study.get_trials()
    assert Standing([failed])._dropped(60) == [] and Standing([failed])._dropped(-1) == [failed]
    take_up_again(study, failed, one, killed=True)
    assert Standing(study.get_trials())._dropped(-1) == []
