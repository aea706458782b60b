"""A whole study: workers are started and watched, the best trials confirmed, and what came out is put together."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from zoo.builder import Builder
from zoo.errors import Interrupted, TrainingError, ZooError
from zoo.files import json_text, write_text
from zoo.signals import stopping
from zoo.sweeps.pareto import front
from zoo.sweeps.plan import Plan
from zoo.sweeps.storage import Standing, begin, begun_here, folder_of, open_study, optuna, reachable
from zoo.text import visible

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from optuna.trial import FrozenTrial

    from zoo.sweeps.worker import Say

SUMMARY = "sweep.json"
POLL_SECONDS = 0.2
MOST_IN_A_ROW = 5  # workers that may be killed one after another before any ends a trial


def sweep(plan: Plan, builder: Builder, *, workers: int = 1, say: Say = print) -> dict[str, Any]:
    """Bring a study to its end with `workers` processes here, and return its summary, which stands in the folder too.

    Raises what a worker raises; whatever was trained is kept, and the same call goes on.
    """
    optuna()
    with reachable(plan):
        study, new = begin(plan)  # once, before any worker comes
    say(f"study {plan.name} in {plan.folder}")
    # One worker of a new study draws the same whenever it is repeated; others must not draw what it drew.
    first = 0 if new else random.SystemRandom().getrandbits(31)
    if workers == 1:
        _work(replace(plan, draw=first), builder, say)
    else:
        _together(replace(plan, draw=first), workers, say)
    with reachable(plan):
        standing = Standing.of(study, plan)
        if plan.study.confirm is not None and begun_here(study, plan):
            from zoo.sweeps.worker import confirm

            confirm(plan, best(plan, standing), builder, say)
        summary = summarise(plan, standing)
    write_text(plan.folder / SUMMARY, json_text(summary) + "\n")
    return summary


def _work(plan: Plan, builder: Builder, say: Say) -> None:
    from zoo.sweeps.worker import confirm, work

    work(plan, builder, say)
    if plan.study.confirm is not None:
        with reachable(plan):
            study = open_study(plan)
            if begun_here(study, plan):
                confirm(plan, best(plan, Standing.of(study, plan)), builder, say)


def best(plan: Plan, standing: Standing) -> list[FrozenTrial]:
    """Return the trials to be confirmed: the best by the first figure, of several figures those of the Pareto set."""
    assert plan.study.confirm is not None
    directions = list(plan.study.figures.values())
    trials = standing.complete
    if len(directions) > 1:
        marks = front([one.values for one in trials], directions)
        trials = [one for one, mark in zip(trials, marks, strict=True) if mark]
    sign = -1 if directions[0] == "maximize" else 1
    return sorted(trials, key=lambda one: (sign * one.values[0], one.number))[: plan.study.confirm.top]


@dataclass
class _Worker:
    process: BaseProcess
    killed: int = 0  # in a row


def _together(plan: Plan, workers: int, say: Say) -> None:
    """Let several processes work, and put another in the place of one that is killed."""
    with stopping() as stopped, _one_thread_each():
        draws = itertools.count(plan.draw)
        running = [_Worker(_start(replace(plan, draw=next(draws)))) for _ in range(workers)]
        codes: list[int] = []
        try:
            while running:
                time.sleep(POLL_SECONDS)
                for one in [one for one in running if not one.process.is_alive()]:
                    one.process.join()
                    code = one.process.exitcode or 0
                    if code < 0 and not stopped() and one.killed < MOST_IN_A_ROW:
                        name = signal.Signals(-code).name
                        say(f"process {one.process.pid} was killed by {name}; another takes its place")
                        one.process, one.killed = _start(replace(plan, draw=next(draws))), one.killed + 1
                        continue
                    running.remove(one)
                    codes.append(code)
                    if code > 0 and not stopped():
                        _end(running)  # what one cannot do, the others cannot either
                if stopped():
                    _end(running)
        finally:
            _end(running)
            for one in running:
                one.process.join()
    if stopped():
        raise Interrupted(f"stopped by {stopped()}; what was trained is saved, and the same command goes on", stopped())
    if failed := [code for code in codes if code > 0]:
        raise Failed(failed[0])
    if codes and all(code < 0 for code in codes):
        raise TrainingError("every worker was killed again and again; look at the machine's memory, or try --workers 1")


class Failed(ZooError):
    """A worker ended with an error, which it has told."""

    def __init__(self, code: int) -> None:
        super().__init__("a worker ended with the error above; what was trained is kept, and the same command goes on")
        self.exit_code = code


def _start(plan: Plan) -> BaseProcess:
    # A fresh process: what is forked beside threads and an open database may hang.
    process = multiprocessing.get_context("spawn").Process(target=_worker, args=(plan,))
    process.start()
    return process


def _worker(plan: Plan) -> None:
    """Work as one of several processes."""
    from zoo.plugins import installed
    from zoo.training.allocator import keep_memory

    keep_memory()
    import torch

    torch.set_num_threads(1)

    def say(text: str) -> None:
        print(visible(text), file=sys.stderr, flush=True)

    try:
        _work(plan, Builder(installed().registry), say)
    except Interrupted as error:
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except ZooError as error:
        say(f"error: {error}")
        sys.exit(error.exit_code)


def _end(workers: Sequence[_Worker]) -> None:
    for one in workers:
        if one.process.is_alive():
            one.process.terminate()  # they save and end


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes that start meanwhile compute in one thread, unless it was said how many."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def summarise(plan: Plan, standing: Standing) -> dict[str, Any]:
    """Return what came out of a study, as plain data."""
    from zoo.sweeps.worker import confirmed
    from zoo.training.run import Run

    trials = standing.complete
    marks = front([one.values for one in trials], list(plan.study.figures.values()))
    done = [
        {
            "folder": folder_of(one),
            "values": {plan.short[name]: value for name, value in one.params.items()},
            "figures": dict(zip(plan.study.figures, one.values, strict=True)),
            "costs": one.user_attrs.get("costs", {}),
            "pareto": mark,
        }
        for one, mark in zip(trials, marks, strict=True)
    ]
    confirmations = {}
    for one in trials:
        run = Run(confirmed(plan, one))
        if (result := run.result()) is not None:
            confirmations[folder_of(one)] = {
                "run": str(run.folder),
                **{key: result.get(key, {}) for key in ("n", "mean", "std")},
                "test_looks": sum(run.looks().values()),
            }
    looks = sum(sum(Run(plan.folder / folder_of(one)).looks().values()) for one in trials)
    return {
        "study": plan.name,
        "folder": str(plan.folder),
        "figures": dict(plan.study.figures),
        "trials": done,
        "pruned": [folder_of(one) for one in standing.trials if "pruned" in one.user_attrs],
        "diverged": {
            folder_of(one): one.user_attrs["diverged"] for one in standing.trials if "diverged" in one.user_attrs
        },
        "given_up": {
            folder_of(one): one.user_attrs["given_up"] for one in standing.trials if "given_up" in one.user_attrs
        },
        "refused": len(standing.refused),
        "confirmed": confirmations,
        "test_looks": {"trials": looks, "confirmed": sum(one["test_looks"] for one in confirmations.values())},
    }


def _told(standing: Standing, how: str) -> dict[str, str]:
    """Return what is said of the trials that ended so, by their folders."""
    return {folder_of(one): one.user_attrs[how] for one in standing.trials if how in one.user_attrs}
