"""A worker of a study: it asks for a point, refuses or trains it, tells what came out, and asks for the next."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zoo.builder import Builder
from zoo.checking import Report, check
from zoo.errors import BusyError, Interrupted, Problem, SpecError, TrainingError, listing
from zoo.evaluation.run import evaluate_run
from zoo.signals import stopping
from zoo.spec.schema import Spec
from zoo.sweeps.plan import COSTS, Plan, number
from zoo.sweeps.storage import (
    WORKS,
    Standing,
    ask,
    folder_of,
    open_study,
    optuna,
    reachable,
    silent_heart,
    take_up_again,
)
from zoo.training.loop import train
from zoo.training.reporter import Reporter
from zoo.training.run import VALIDATION, Run

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

POLL_SECONDS = 1.0  # between two looks at what others are doing

Say = Callable[[str], object]


def work(plan: Plan, builder: Builder, say: Say) -> None:
    """Train the trials of a study until it has as many as it wants, together with whoever else works at it.

    Raises SpecError when no point keeps the limits, Interrupted after Ctrl-C or SIGTERM when the state is saved, and
    what training raises.
    """
    with stopping() as stopped, reachable(plan), silent_heart(say):
        study = open_study(plan)
        while not stopped():
            standing = Standing.of(study, plan)
            if standing.waiting or not _is_enough(plan, standing):
                _attempt(study, plan, builder, say, stopped)
            elif standing.running:
                time.sleep(POLL_SECONDS)  # for what they leave, should they be killed
            else:
                return
        raise Interrupted(f"stopped by {stopped()}; the same command goes on", stopped())


def _is_enough(plan: Plan, standing: Standing) -> bool:
    """Whether no further point is to be asked for. Raises SpecError when there is none to be found."""
    if len(standing.begun) >= plan.study.trials:
        return True
    exhausted = plan.size is not None and standing.points >= plan.size
    if not exhausted and standing.fruitless < plan.study.refusals:
        return False
    if not standing.begun and not standing.running:
        raise SpecError([_nothing_feasible(plan, standing)])
    return True


def _nothing_feasible(plan: Plan, standing: Standing) -> Problem:
    nearest = standing.nearest()
    found = f"found no point that keeps the limits among {len(standing.refused):,} that were tried"
    hint = f"the nearest is {plan.shown(nearest.params)}: {nearest.user_attrs['refused']}"
    return Problem(plan.document.value["sweep"].at, "sweep", found, "a wider space, or wider limits", hint)


def _attempt(study: Study, plan: Plan, builder: Builder, say: Say, stopped: Callable[[], str]) -> None:
    """Ask for one point and do what is to be done with it."""
    objective = Objective(plan, builder, say, stopped)
    try:
        study.optimize(objective, n_trials=1, catch=(BeingTrained,))
    except BaseException as error:
        if objective.number is not None:
            with contextlib.suppress(Exception):  # a database that is away is told of by the error itself
                trial = study.get_trials(deepcopy=False)[objective.number]
                by_hand = isinstance(error, (Interrupted, KeyboardInterrupt))
                take_up_again(study, trial, plan, killed=not by_hand)
        raise


class BeingTrained(Exception):
    """A point that another worker is at: nothing is to be learned of it yet."""


class Objective:
    """Turns one point into its figures: counted first, trained only if it keeps the limits."""

    def __init__(self, plan: Plan, builder: Builder, say: Say, stopped: Callable[[], str]) -> None:
        self._plan, self._builder, self._say, self._stopped = plan, builder, say, stopped
        self.number: int | None = None  # of the trial that trains, once one does

    def __call__(self, trial: Trial) -> list[float]:
        plan, study = self._plan, trial.study
        values = ask(trial, plan)
        others = study.get_trials(deepcopy=False)
        own = next(one for one in others if one.number == trial.number)
        if not folder_of(own) and (twin := _twin(others, own)) is not None:
            return self._repeat(trial, twin)
        spec, report = self._counted(trial, values, judged=bool(own.constraints))
        if not folder_of(own):
            trial.set_user_attr("folder", f"trial-{trial.number:04}")
            self._require_place(study, trial)
        self.number = trial.number
        name = str(trial.user_attrs["folder"])
        try:
            run = self._train(trial, spec, name, values)
            measured = self._measured(run)
        except TrainingError as error:
            self._refuse(trial, "diverged", str(error))
        figures = [
            float(getattr(report.total, one) if one in COSTS else measured[one.removeprefix(VALIDATION)])
            for one in plan.study.figures
        ]
        told = ", ".join(f"{one} {number(value)}" for one, value in zip(plan.study.figures, figures, strict=True))
        trial.set_constraint(WORKS, 0.0)  # a constraint can be set once, and only now it is known
        trial.set_user_attr("costs", report.total._asdict())
        self._say(f"{name}: {told}")
        return figures

    def _counted(self, trial: Trial, values: dict[str, Any], *, judged: bool) -> tuple[Spec, Report]:
        """Return the spec of a point and what it costs; one that breaks a limit is told by how much, and pruned."""
        try:
            spec = self._plan.spec(values, self._builder)
            report = check(spec, self._builder)
        except SpecError as error:
            self._refuse(trial, "refused", str(error.problems[0]))
        if not judged:
            for one in report.verdicts:
                bound = abs(one.figure + one.spare)
                over = abs(one.spare) if not one.kept else -abs(one.spare)
                trial.set_constraint(f"{one.network} {one.limit}".strip(), over / max(1, bound))
        if not report.kept:
            broken = [str(one) for one in report.verdicts if not one.kept]
            trial.set_user_attr("refused", "; ".join(broken))
            raise optuna().TrialPruned
        return spec, report

    def _refuse(self, trial: Trial, how: str, why: str) -> Any:
        """Tell the sampler of a point that does not work."""
        trial.set_constraint(WORKS, 1.0)
        trial.set_user_attr(how, why)
        self._say(f"trial-{trial.number:04}: {why}")
        raise optuna().TrialPruned

    def _repeat(self, trial: Trial, twin: FrozenTrial) -> list[float]:
        """Return what the same point came to before: with one seed it would come to the same again."""
        if twin.state.name == "RUNNING":
            time.sleep(POLL_SECONDS)
            raise BeingTrained
        trial.set_user_attr("same_as", twin.number)
        if "refused" in twin.user_attrs or twin.values is None:
            for name, value in twin.constraints.items():
                trial.set_constraint(name, value)
            raise optuna().TrialPruned
        return list(twin.values)

    def _require_place(self, study: Study, trial: Trial) -> None:
        """Leave a point alone that another worker's made one too many."""
        begun = {folder_of(one) for one in Standing(study.get_trials(deepcopy=False)).begun}
        before = [one for one in begun if int(one.removeprefix("trial-")) < trial.number]
        if len(before) >= self._plan.study.trials:
            trial.set_user_attr("folder", "")
            raise optuna().TrialPruned

    def _train(self, trial: Trial, spec: Spec, name: str, values: dict[str, Any]) -> Run:
        folder = self._plan.folder / name
        if self._stopped():
            raise Interrupted(f"stopped by {self._stopped()}; the same command goes on", self._stopped())
        reporter = Watcher(
            trial, self._plan, Run(folder), lambda text: self._say(f"{name}: {text}"), self._plan.shown(values)
        )
        return train(self._plan.trial(spec), self._builder, folder, reporter)

    def _measured(self, run: Run) -> dict[str, float]:
        """Return the figures of the held-out images: those that the run logged, or measured now."""
        if not (judged_by := self._plan.judged_by):
            return {}
        found = run.validation() or evaluate_run(run, self._builder, ["validation"])["validation"]
        if missing := [name for name in judged_by if not isinstance(found.get(name), (int, float))]:
            raise TrainingError(f"{run.folder}: its task made no finite {listing(missing)}")
        return found


def _twin(others: list[FrozenTrial], own: FrozenTrial) -> FrozenTrial | None:
    """Return an earlier trial of the same point, finished or under way."""
    alike = [one for one in others if one.number < own.number and one.params == own.params]
    known = [one for one in alike if one.state.name in ("COMPLETE", "PRUNED")]
    return next(iter([*known, *(one for one in alike if one.state.name == "RUNNING" and folder_of(one))]), None)


class Watcher(Reporter):
    """Says where a trial begins, and asks the pruner after each validation whether it goes on."""

    def __init__(self, trial: Trial, plan: Plan, run: Run, say: Say, point: str) -> None:
        self._trial, self._run, self._say, self._point = trial, run, say, point
        self._figure = next(iter(plan.study.figures)) if plan.study.pruner != "none" else ""

    def begin(self, *, name: str, first_step: int, steps: int, batch_size: int, engine: str) -> None:
        self._say(f"from step {first_step} of {steps} in process {os.getpid()}: {self._point}")
        for record in self._run.metrics() if self._figure else ():
            self._report(record)  # a trial that is taken up again has to tell again

    def metrics(self, record: dict[str, Any]) -> None:
        if self._figure and self._report(record) and self._trial.should_prune():
            self._trial.set_user_attr("pruned", record["step"])
            self._say(f"ended by the pruner at step {record['step']}")
            raise optuna().TrialPruned

    def message(self, text: str) -> None:
        if text.startswith("warning"):
            self._say(text)

    def _report(self, record: dict[str, Any]) -> bool:
        value = record.get(self._figure)
        if isinstance(value, (int, float)):
            self._trial.report(float(value), int(record["step"]))
        return value is not None


def confirm(plan: Plan, chosen: list[FrozenTrial], builder: Builder, say: Say) -> None:
    """Train the chosen trials again from new seeds; one that another worker is at is left to it."""
    for trial in chosen:
        folder = confirmed(plan, trial)
        spec = plan.confirmation(plan.spec(trial.params, builder))
        try:
            if Run(folder).result() is None:
                say(f"{folder_of(trial)}: {spec.train.seeds} new seeds, from {spec.train.seed}")
            train(spec, builder, folder)
        except BusyError:
            pass


def confirmed(plan: Plan, trial: FrozenTrial) -> Any:
    """Return the folder of the run by which a trial is confirmed."""
    return plan.folder / "confirmed" / folder_of(trial)
