"""The training loop: it counts, times, logs, evaluates and saves; the stepper says what one step is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from zoo.builder import Builder
from zoo.checking import Report, check
from zoo.data.dataset import DataInfo, Dataset
from zoo.data.device import DeviceSet
from zoo.data.sampler import validation_split
from zoo.data.soundness import load_sound
from zoo.errors import BudgetError, Interrupted, TrainingError
from zoo.evaluation.measure import evaluate_networks
from zoo.evaluation.metric import over_predictions
from zoo.generation.draw import draw
from zoo.generation.pictures import grid, save_picture
from zoo.signals import stopping
from zoo.spec.schema import Spec
from zoo.training import checkpoint, checkpoint_files
from zoo.training.callbacks import Callbacks, Log
from zoo.training.choice import Choice
from zoo.training.engine import Engine, choose
from zoo.training.graph import Graphs, cuda_recorder
from zoo.training.guard import Guard
from zoo.training.memory import Watch
from zoo.training.norms import cumulative_norms
from zoo.training.reporter import Reporter
from zoo.training.run import Run, data_facts, default_folder, now
from zoo.training.stepper import Stepper
from zoo.training.tally import NotFinite, Tally
from zoo.training.task import GenerativeTask, Task
from zoo.training.trackers import Trackers
from zoo.training.trainee import frozen_facts, make_frozen, make_trainees, require_frozen
from zoo.training.watching import Moment

WATCHED = 64  # pictures at fixed latents
MOST_ROLLBACKS = 10  # of a run, before it is given up


class _NotFiniteStep(TrainingError):
    """Training is no longer finite, from step `step` on, which counts from 1."""

    def __init__(self, message: str, step: int) -> None:
        super().__init__(message)
        self.step = step


def train(
    spec: Spec,
    builder: Builder,
    folder: Path | None = None,
    reporter: Reporter | None = None,
    *,
    other_data: bool = False,
) -> Run:
    """Train `spec` to its last step in a run folder and return the run; one that was stopped goes on where it was.

    other_data: go on also where the data are not those that the run was begun on.

    Raises BudgetError when the spec breaks a limit, SpecError, DataError, RunError, TrainingError, and Interrupted
    after Ctrl-C, SIGTERM or SIGHUP, when the state has been saved.
    """
    report = check(spec, builder)
    if not report.kept:
        raise BudgetError(report.broken(), report.exit_code)
    run = Run.prepare(folder or default_folder(spec), spec, builder.registry)
    reporter = reporter or Reporter()
    for warning in report.warnings:
        reporter.message(f"warning: {warning}")
    with run.locked():
        if run.result() is not None:
            reporter.message(f"{run.folder} is finished; its result stands. To train again, choose another --run.")
            return run
        if spec.train.seeds == 1:
            training = Training(spec, report, builder, run, reporter, other_data=other_data)
            with stopping() as stopped:
                training.go(stopped)
        else:
            from zoo.training.seeds import train_seeds

            train_seeds(spec, report, builder, run, reporter, other_data=other_data)
    return run


@dataclass(frozen=True)
class Material:
    """The images of a spec on the device that trains, loaded once for as many trainings as there are."""

    dataset: Dataset
    train: DeviceSet

    @classmethod
    def load(cls, spec: Spec, builder: Builder, device: torch.device) -> Material:
        """Load the data of `spec`. Raises DataError when they are not on this machine."""
        dataset = load_sound(builder.bind(spec.data), spec.data.name)
        return cls(dataset, DeviceSet(dataset.train, device))

    @cached_property
    def test(self) -> DeviceSet:
        return DeviceSet(self.dataset.test, self.train.device)


class Training:
    """One training from its first or next step to its last. `material` is loaded unless it is given."""

    def __init__(
        self,
        spec: Spec,
        report: Report,
        builder: Builder,
        run: Run,
        reporter: Reporter,
        material: Material | None = None,
        *,
        other_data: bool = False,
    ) -> None:
        self.spec, self.run, self.reporter = spec, run, reporter
        self.task: Task = builder.bind(spec.task)
        self.engine: Engine = choose(spec.train, len(report.networks))
        self.material = material or Material.load(spec, builder, self.engine.device)
        self.info: DataInfo = self.material.dataset.info
        self.metrics = over_predictions(spec, builder)
        self.trainees = make_trainees(spec, report, builder, self.engine)
        self.images, self.validation = self._split()
        augment = [builder.bind(one) for one in spec.augment]
        self.frozen, origins = make_frozen(spec, report, builder, self.engine)
        self.stepper = Stepper(
            spec, self.task, self.engine, self.trainees, self.images, self.info, augment, self.frozen
        )
        self.stepper.graphs = self._recorder()
        self.callbacks = Callbacks(spec, builder)
        self.trackers = Trackers(spec, builder, reporter)
        self._last: dict[str, Any] = {}  # line of metrics
        self._began = time.monotonic()
        self._before = 0.0  # seconds that the run took before it was stopped
        self._tally = Tally()  # since the last line of metrics
        self._guard = Guard(self.trainees) if spec.train.on_nonfinite == "skip" else None
        self._memory = Watch(self.engine.device, spec.train.batch_size, spec.train.accumulate)
        self._left_out: frozenset[int] = frozenset()  # steps, from 0 on, that a rollback goes around
        self._sound = False  # once that was looked at
        self._remarks: set[str] = set()  # topics of the last line of metrics
        self.choice = Choice.of(spec.train, self.task.figures())
        self.step = 0
        if not run.spec_path.exists():
            facts = {
                **data_facts(self.material.dataset),
                "engine": self.engine.describe(),
                "engine_reasons": self.engine.reasons,
                **frozen_facts(spec, self.frozen),
            }
            if origins := origins | {role: one.origin for role, one in self.trainees.items() if one.origin}:
                facts["began_from"] = origins
            run.begin(spec, facts)
        else:
            run.go_on_with(self.material.dataset, spec.data.written(), other=other_data)
            require_frozen(run.facts(), spec, self.frozen, run.label)

    def _split(self) -> tuple[DeviceSet, DeviceSet | None]:
        """Return the images to train on, and those to validate on, if any are held out."""
        train, images = self.spec.train, self.material.train
        if not train.validation:
            return images, None
        chosen, held = validation_split(self.material.dataset.train.labels, train.validation, train.seed)
        return images.choose(chosen), images.choose(held)

    def go(self, stopped: Callable[[], str]) -> None:
        """Run all remaining steps, then evaluate. Raises Interrupted when `stopped` names a signal before the end."""
        train = self.spec.train
        self.restore()
        try:
            self.reporter.begin(
                name=self.spec.name,
                first_step=self.step,
                steps=train.steps,
                batch_size=train.batch_size,
                engine=self.engine.describe(),
            )
            while not self.ended:
                self.advance()
                if stopped() and not self.ended:
                    self._stop(stopped())
            self.finish()
        finally:
            self.close()
            self.reporter.end()

    @property
    def ended(self) -> bool:
        """Whether all steps are done, or those that were enough."""
        return self.step >= self.spec.train.steps or (self.choice is not None and self.choice.enough)

    def restore(self) -> None:
        """Go back to the newest checkpoint, or, where there is none, to the beginning."""
        found = checkpoint.resume(
            self.run.checkpoints, self.trainees, self.run.spec_hash, self.reporter.message, self.callbacks
        )
        checkpoint_files.prune(self.run.checkpoints)  # a kill may have come between writing and this
        if found is not None:
            last, facts = found
            self.step, self._before = int(facts["step"]), float(facts["seconds"])
            self._began = time.monotonic()
            self._tally.resume(facts.get("figures", {}))
            self.reporter.message(f"going on at step {self.step} from {last}")
        if self.spec.train.on_nonfinite == "rollback":
            self._left_out = frozenset(self.run.facts().get("left_out", ()))
            if found is None:
                self.save()  # what the first steps can be rolled back to
        kept = self.run.rewind(self.step)
        self.choice = Choice.of(self.spec.train, self.task.figures())
        if self.choice is not None:
            for line in kept:
                self.choice.take(line)
        lines = [line for line in kept if "lr" in line]
        self._last = lines[-1] if lines else {}
        self._remarks = set(self._last.get("remarks", {}))
        self.trackers.open(self.run, self.step)

    def advance(self) -> None:
        """Do one step, and what is due after it; or go back, where it is not finite and the spec says so."""
        try:
            self._advance()
        except _NotFiniteStep as error:
            if self.spec.train.on_nonfinite != "rollback":
                raise
            self._roll_back(error)

    def _advance(self) -> None:
        if self.step in self._left_out:
            self.step += 1
        else:
            with self.engine.flags():
                if self._guard is not None:
                    self._guard.before()
                with self._memory.step():
                    figures = self.stepper.take(self.step)
                if self._guard is not None:
                    figures = self._guard.after(figures)
            self.step += 1
            with self._finite():
                self._tally.add(figures)
        self._after_step()

    def _roll_back(self, error: _NotFiniteStep) -> None:
        """Go back to the last checkpoint, from where the step that is not finite, and the one whose update may have
        led to it, are left out. Which they are stands in run.json, so that the run stays a function of what it says.
        """
        facts = self.run.facts()
        made = facts.get("rollbacks", 0) + 1
        if made > MOST_ROLLBACKS:
            raise TrainingError(f"{error}; it was rolled back {MOST_ROLLBACKS} times already") from error
        around = {max(error.step - 2, 0), error.step - 1}
        left_out = sorted({*facts.get("left_out", ()), *around})
        self.run.write_facts({**facts, "left_out": left_out, "rollbacks": made})
        steps = " and ".join(str(step + 1) for step in sorted(around))
        self.reporter.message(f"step {error.step} is not finite; rolled back, and steps {steps} are left out")
        self.restore()
        if self.stepper.graphs is not None:
            self.stepper.graphs = self._recorder()  # what was captured holds the state from before

    def _recorder(self) -> Graphs | None:
        """Return what captures the steps, where they are to be captured and can be."""
        if not self.engine.captured:
            return None
        hindrance = ""
        if not self.images.resident:
            hindrance = "the images do not fit on the device"
        elif not all(one.capturable for one in self.trainees.values()):
            hindrance = "an optimizer counts its steps on the host"
        if hindrance and self.engine.named:
            raise TrainingError(f"train.engine: a step cannot be captured, since {hindrance}; wanted eager or auto")
        if hindrance:
            self.engine = replace(self.engine, captured=False)
            self.reporter.message(f"steps are not captured, since {hindrance}")
            return None
        for trainee in self.trainees.values():
            trainee.prepare_capture()
        return Graphs(cuda_recorder(self.stepper.generators), self.trainees)

    def _after_step(self) -> None:
        train, step = self.spec.train, self.step
        self.reporter.step(step)
        due = step == train.steps
        if due and train.norm_batches:
            self._renew_norms()
        if step % train.log_every == 0 or due:
            self._log()
        if self.validation is not None and train.evaluate_every and (step % train.evaluate_every == 0 or due):
            figures = self._evaluate(self.validation)
            line = {"step": step, **{f"validation_{name}": value for name, value in scalars(figures).items()}}
            self._write(line)
            if self.choice is not None:
                if self.choice.take(line) and self.choice.keep == "best":
                    self.save(best=True)
                if self.ended and not due:
                    due = True
                    if step % train.log_every:
                        self._log()
                    told = f"{self.choice.since} validations without a better {self.choice.figure}"
                    self.reporter.message(f"step {step}: {told} than at step {self.choice.step}; that is enough")
        if train.sample_every and (step % train.sample_every == 0 or due):
            self._sample()
        if self.callbacks.due(step):
            self._call_back()
        if (train.checkpoint_every and step % train.checkpoint_every == 0) or due:
            self.save()

    def _renew_norms(self) -> None:
        """Let the norms of the networks that are evaluated see the batches that would come next."""
        networks = {role: one.best for role, one in self.trainees.items()}
        with self.engine.flags(), cumulative_norms(networks.values()):
            self.stepper.show(networks, range(self.step, self.step + self.spec.train.norm_batches))

    @contextmanager
    def _finite(self) -> Iterator[None]:
        """Raise TrainingError where a figure that is read meanwhile is not finite."""
        try:
            yield
        except NotFinite as error:
            shown = ", ".join(f"{name} {value:g}" for name, value in error.figures.items())
            raise self._not_finite(self.step - error.ago, shown) from None

    def _log(self) -> None:
        """Write the means since the last line."""
        with self._finite():
            means = self._tally.means()
        self._require_sound()
        rates = {role: one.rate(self.step - 1) for role, one in self.trainees.items()}
        ledger = {
            "updates": {role: one.updates for role, one in self.trainees.items()},
            "images": self._images(),
            **self._lost(),
        }
        remarks = self.task.remarks(means) if means else {}
        record = self._last = {"step": self.step, **means, "lr": rates, **ledger, "seconds": self._seconds()}
        self._write(record | ({"remarks": remarks} if remarks else {}))
        for topic in sorted(remarks.keys() - self._remarks):
            self.reporter.message(f"step {self.step}: {remarks[topic]}")
        for topic in sorted(self._remarks - remarks.keys()):
            self.reporter.message(f"step {self.step}: no longer: {topic}")
        self._remarks = set(remarks)

    def _require_sound(self) -> None:
        """Raise TrainingError where a network was updated not once, or an optimizer could not be saved."""
        if self._sound or not self.step:
            return
        for role, trainee in self.trainees.items():
            if not trainee.updates and not self._left_out:
                raise TrainingError(
                    f"step {self.step}: the task {self.spec.task.name} has not updated {role} once; "
                    f"wanted turn.update({role!r}, loss) in each step"
                )
            trainee.facts()
        self._sound = True

    def _not_finite(self, step: int, shown: str) -> _NotFiniteStep:
        last = checkpoint_files.newest(self.run.checkpoints)
        return _NotFiniteStep(
            f"step {step}: training is no longer finite ({shown}); "
            f"the last good checkpoint is {last or 'none'}; "
            "try a smaller lr, gradient_clip: 1.0, a warm-up, or precision: fp32",
            step,
        )

    def _write(self, record: dict[str, Any]) -> None:
        self.run.log(record)
        self.trackers.log(record, self.step)
        self.reporter.metrics(record)

    def _call_back(self) -> None:
        """Call the callbacks that are due, and leave the networks as they were."""
        figures = {name: one for name, one in self._last.items() if name not in ("seconds", "remarks")}

        def moment(log: Log) -> Moment:
            networks = {role: one.module for role, one in self.trainees.items()}
            evaluated = {role: one.best for role, one in self.trainees.items()}
            facts = (self.info, self.run.folder)
            return Moment(self.step, self.spec.train.steps, networks, evaluated, figures, *facts, log)

        def log(found: Mapping[str, float]) -> None:
            record = {"step": self.step, **found}
            self.run.log(record)
            self.trackers.log(record, self.step)

        self.callbacks.call(self.step, moment, log)
        for trainee in self.trainees.values():
            trainee.module.train()
            for parameter in trainee.parameters:
                parameter.grad = None  # of a callback's own backward pass

    def save(self, *, best: bool = False) -> Path:
        """Write a checkpoint, but never one that training could not go on from. best: one that is kept as the best."""
        with self._finite():
            self._tally.read()
        self._require_sound()
        for role, trainee in self.trainees.items():
            if found := trainee.not_finite():
                more = f" and {len(found) - 1} more" if len(found) > 1 else ""
                shown = f"{trainee.describe(found[0])} in {role}{more}"
                raise self._not_finite(self.step, shown)
        seconds, figures = self._seconds(), self._tally.facts()
        path = checkpoint.save(
            self.run.checkpoints,
            self.step,
            self.trainees,
            self.run.spec_hash,
            seconds,
            figures,
            self.callbacks.state(),
            best=best,
        )
        if self.choice is not None and not best:
            # Not before: a run that is killed goes on from here, and may have to go by an earlier best.
            checkpoint_files.prune_best(self.run.checkpoints, self.choice.step)
        return path

    def _seconds(self) -> float:
        """Return how long the run has trained, over all its sittings."""
        return round(self._before + time.monotonic() - self._began, 3)

    def _lost(self) -> dict[str, int]:
        """Return how many steps until now were taken back or left out, where the spec lets a run lose any."""
        kept = {"stop": {}, "skip": {"skipped": self._tally.skipped}}
        done = {"left_out": sum(step < self.step for step in self._left_out)}
        return kept.get(self.spec.train.on_nonfinite, done)

    def _images(self) -> int:
        """Return how many training images were seen, each as often as it was."""
        return self.step * self.stepper.sampler.batch_size

    def _sample(self) -> None:
        """Keep pictures at the same latents as before, by which the training can be watched."""
        if not isinstance(self.task, GenerativeTask):
            return
        networks = {role: one.best for role, one in self.trainees.items()}
        images = draw(self.task, networks, self.info, range(WATCHED), self.spec.train.seed, self.engine.device)
        path = self.run.samples / f"step-{self.step:08d}.png"
        save_picture(grid(images), path)
        self.trackers.picture(self.step, "samples", path)
        for trainee in self.trainees.values():
            trainee.module.train()

    def _evaluate(self, images: DeviceSet) -> dict[str, Any]:
        """Return the task's figures, None in place of what is not finite."""
        networks = {role: one.best for role, one in self.trainees.items()} | self.frozen
        try:
            return {
                name: _known(one)
                for name, one in evaluate_networks(self.task, networks, images, self.info, self.metrics).items()
            }
        finally:
            for trainee in self.trainees.values():
                trainee.module.train()

    def _stop(self, name: str) -> None:
        try:
            path = self.save()
        except _NotFiniteStep as error:
            if self.spec.train.on_nonfinite != "rollback":
                raise
            self._roll_back(error)
            path = self.run.weights()
        raise Interrupted(
            f"stopped by {name} at step {self.step} of {self.spec.train.steps}; saved as {path}; "
            "the same command goes on from there",
            name,
        )

    def finish(self) -> None:
        """Evaluate, and write the result."""
        if self.choice is not None and self.choice.keep == "best" and self.choice.value is not None:
            networks = {role: one.best for role, one in self.trainees.items()}
            checkpoint.load_networks(checkpoint_files.best_of(self.run.checkpoints, self.choice.step), networks)
        result: dict[str, Any] = {
            "finished": now(),
            "steps": self.step,
            "updates": {role: one.updates for role, one in self.trainees.items()},
            "images": self._images(),
            **self._lost(),
            "seconds": self._seconds(),
            "engine": self.engine.describe(),
            **({"chosen": self.choice.to_data()} if self.choice is not None else {}),
        }
        if self.spec.train.test_at_end and len(self.material.dataset.test.labels):
            self.reporter.message("evaluating on the test images")
            self.run.looked("train")
            result["test"] = self._evaluate(self.material.test)
        self.run.write_result(result)
        self.trackers.log({"test": result.get("test", {})}, self.step)
        self.close(finished=True)

    def close(self, *, finished: bool = False) -> None:
        """Let the trackers end; what is closed stays so."""
        self.trackers.close(finished=finished)


def scalars(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures that are single numbers, or would be if they were finite."""
    return {name: value for name, value in figures.items() if value is None or isinstance(value, (int, float))}


def _known(value: Any) -> Any:
    """Return a figure, None in place of each number that is not finite."""
    if isinstance(value, (list, tuple)):
        return [_known(one) for one in value]
    if isinstance(value, dict):
        return {name: _known(one) for name, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
