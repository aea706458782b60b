"""One spec trained from several seeds in one process: the data are loaded once, and what is compiled serves all.

Each seed is a training like any other, with a run folder of its own inside the run's, and with the losses that it has
alone. Steps that are captured are launched side by side, each training in a lane of its own: one small network
leaves most of a GPU idle. Other steps keep the machine busy by themselves, and the trainings follow one another: on a
CPU, three of the paper's classifier that took turns step by step took 0.99 times as long, which is noise, and would
hold the state of all seeds at once and finish none before the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from zoo.builder import Builder
from zoo.checking import Report
from zoo.errors import Interrupted, TrainingError
from zoo.evaluation.spread import over_seeds
from zoo.signals import stopping
from zoo.spec.schema import Spec
from zoo.training.engine import choose
from zoo.training.graph import lane
from zoo.training.loop import Material, Training
from zoo.training.reporter import OneOfSeveral, Reporter, Together
from zoo.training.run import Run, data_facts, now

Stopped = Callable[[], str]
Begin = Callable[[int, Reporter], Training]


def specs_of_seeds(spec: Spec) -> dict[int, Spec]:
    """Return the specs of the trainings that `spec` asks for, by seed."""
    first = spec.train.seed
    return {
        seed: replace(spec, train=replace(spec.train, seed=seed, seeds=1))
        for seed in range(first, first + spec.train.seeds)
    }


def train_seeds(
    spec: Spec, report: Report, builder: Builder, run: Run, reporter: Reporter, *, other_data: bool = False
) -> None:
    """Train every seed of `spec` that is not finished, in a run of its own inside `run`; write what they come to.

    Raises what training raises; what the trainings have reached by then is saved.
    """
    engine = choose(spec.train, len(report.networks))
    material = Material.load(spec, builder, engine.device)
    specs = specs_of_seeds(spec)
    if not run.spec_path.exists():
        facts = {
            **data_facts(material.dataset),
            "engine": engine.describe(),
            "engine_reasons": engine.reasons,
            "seeds": list(specs),
        }
        run.begin(spec, facts)
    else:
        run.go_on_with(material.dataset, spec.data.written(), other=other_data)
    with ExitStack() as locks:
        runs = {}
        for seed, one in specs.items():
            runs[seed] = Run.prepare(run.of_seed(seed).folder, one, builder.registry)
            locks.enter_context(runs[seed].locked())
        left = [seed for seed, one in runs.items() if one.result() is None]

        def begin(seed: int, watcher: Reporter) -> Training:
            return Training(specs[seed], report, builder, runs[seed], watcher, material, other_data=other_data)

        with stopping() as stopped:
            if engine.captured and left and begin(left[0], Reporter()).engine.captured:
                _side_by_side(left, begin, reporter, stopped)
            else:
                _one_after_another(left, list(specs), begin, reporter, stopped)
    run.write_result(_result(runs))


def _result(runs: Mapping[int, Run]) -> dict[str, Any]:
    """Return the result of the whole: the mean, the deviation and n of the seeds' figures, and each seed's result."""
    results = {seed: run.result() or {} for seed, run in runs.items()}
    first = next(iter(results.values()))
    return {
        "finished": now(),
        "steps": first["steps"],
        # What is captured trains side by side.
        "seconds": round(
            (max if "captured" in first["engine"] else sum)(one["seconds"] for one in results.values()), 3
        ),
        "engine": first["engine"],
        **over_seeds({seed: {"test": one["test"]} if "test" in one else {} for seed, one in results.items()}),
        "seeds": {str(seed): one for seed, one in results.items()},
    }


def _one_after_another(left: list[int], seeds: list[int], begin: Begin, reporter: Reporter, stopped: Stopped) -> None:
    for seed in left:
        watcher = OneOfSeveral(reporter, f"seed {seed} ({seeds.index(seed) + 1} of {len(seeds)})")
        with _naming(seed):
            begin(seed, watcher).go(stopped)
        if stopped() and seed != left[-1]:
            raise Interrupted(
                f"stopped by {stopped()} when seed {seed} was finished; the same command goes on with the next",
                stopped(),
            )


def _side_by_side(left: list[int], begin: Begin, reporter: Reporter, stopped: Stopped) -> None:
    together = Together(reporter)
    lanes = []
    for seed in left:
        training = begin(seed, together.watcher(seed))
        lanes.append(Lane(seed, training, lane(training.engine.device)))
        lanes[-1].enter(training.restore)
        together.steps[seed] = training.step
    if not lanes:
        return
    first = lanes[0].training
    train = first.spec.train
    try:
        reporter.begin(
            name=f"{first.spec.name}, {len(lanes)} seeds side by side",
            first_step=together.step,
            steps=train.steps,
            batch_size=train.batch_size * len(lanes),
            engine=first.engine.describe(),
        )
        while running := [one for one in lanes if not one.training.ended]:
            _step(running)
            if stopped() and not all(one.training.ended for one in running):
                _save(running)
                raise Interrupted(
                    f"stopped by {stopped()} at step {together.step} of {train.steps} of {len(lanes)} seeds; "
                    f"saved in {first.run.folder.parent}; the same command goes on from there",
                    stopped(),
                )
        for one in lanes:
            one.enter(one.training.finish)
    finally:
        for one in lanes:
            one.training.close()
        reporter.end()


@dataclass(frozen=True)
class Lane:
    """One of the trainings that run side by side, and its part of the device."""

    seed: int
    training: Training
    open: Callable[[], AbstractContextManager[None]]

    def enter(self, work: Callable[[], object]) -> None:
        """Do `work` of the training in its lane."""
        with self.open(), _naming(self.seed):
            work()


def _step(running: list[Lane]) -> None:
    """Take a step of each; if one fails, the others are saved first."""
    for one in running:
        try:
            one.enter(one.training.advance)
        except TrainingError:
            _save([other for other in running if other is not one])
            raise


def _save(lanes: list[Lane]) -> None:
    for one in lanes:
        one.enter(one.training.save)


@contextmanager
def _naming(seed: int) -> Iterator[None]:
    """Say of which seed an error is."""
    try:
        yield
    except TrainingError as error:
        raise TrainingError(f"seed {seed}: {error}") from error
