"""Whether the same steps give the same bits here: taken twice, and with a stop and a restart between."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.builder import Builder
from zoo.checking import check
from zoo.errors import BudgetError
from zoo.spec.schema import Spec
from zoo.training import checkpoint
from zoo.training.loop import Material, Training
from zoo.training.reporter import Reporter
from zoo.training.run import Run

STEPS = 20


@dataclass(frozen=True)
class Comparison:
    """Another way to the same step. `promised`: whether it has to give the same bits; `different`: tensors that are
    not the same, of which `largest` is the largest difference.
    """

    way: str
    promised: bool
    different: list[str]
    largest: float

    @property
    def same(self) -> bool:
        return not self.different

    def to_data(self) -> dict[str, Any]:
        """Return the comparison as plain data."""
        return {**vars(self), "same": self.same}


@dataclass(frozen=True)
class Determinism:
    """What came of `steps` steps on `engine`."""

    engine: str
    steps: int
    tensors: int
    comparisons: list[Comparison]

    @property
    def kept(self) -> bool:
        """Whether all that is promised was so."""
        return all(one.same for one in self.comparisons if one.promised)

    def to_data(self) -> dict[str, Any]:
        """Return the result as plain data."""
        return {
            "engine": self.engine,
            "steps": self.steps,
            "tensors": self.tensors,
            "kept": self.kept,
            "comparisons": [one.to_data() for one in self.comparisons],
        }


def verify(spec: Spec, builder: Builder, *, steps: int = STEPS) -> Determinism:
    """Take the first steps of `spec` again and again in folders that are thrown away, and compare all bits.

    Promised: the same steps again, and a stop after half of them. Compared besides: as many threads as there are, where
    the steps were taken in one, and the other way round, and the eager engine where another was chosen. Raises what
    training raises.
    """
    report = check(spec, builder)
    if not report.kept:
        raise BudgetError(report.broken(), report.exit_code)
    steps = min(steps, spec.train.steps)
    quiet = replace(spec.train, seeds=1, checkpoint_every=0, sample_every=0, evaluate_every=0)
    shared: list[Material] = []  # the images, loaded once

    def trained(folder: Path, train: Any = quiet, stop: int = 0) -> tuple[Training, dict[str, Tensor]]:
        one = replace(spec, train=train)

        def begin() -> Training:
            run = Run.prepare(folder, one, builder.registry)
            made = Training(one, report, builder, run, Reporter(), shared[0] if shared else None)
            shared[:] = [made.material]
            return made

        training = begin()
        if stop:
            _take(training, stop)
            training.save()
            training = begin()
            training.restore()
        _take(training, steps)
        return training, _bits(training)

    with tempfile.TemporaryDirectory(prefix="zoo-determinism-") as name:
        folder = Path(name)
        first, held = trained(folder / "first")
        comparisons = [_compared("the same steps again", held, trained(folder / "again")[1])]
        if steps > 1:
            stopped = trained(folder / "stopped", stop=steps // 2)[1]
            comparisons.append(_compared(f"stopped after {steps // 2} and gone on", held, stopped))
        if first.engine.device.type == "cpu":
            own = torch.get_num_threads()
            other = 1 if own > 1 else 2
            found = _with_threads(other, lambda: trained(folder / "threads")[1])
            comparisons.append(_compared(f"in {other} threads, not {own}", held, found, promised=False))
        if first.engine.describe().split(", ")[-1] != "eager":
            train = replace(quiet, engine="eager")
            found = trained(folder / "eager", train)[1]
            comparisons.append(_compared("on the eager engine", held, found, promised=False))
    return Determinism(first.engine.describe(), steps, len(held), comparisons)


def _take(training: Training, until: int) -> None:
    while training.step < until:
        training.advance()


def _bits(training: Training) -> dict[str, Tensor]:
    return {
        f"{role}.{name}": one.detach().cpu().clone()
        for role, trainee in training.trainees.items()
        for name, one in trainee.tensors().items()
    }


def _compared(way: str, one: dict[str, Tensor], other: dict[str, Tensor], *, promised: bool = True) -> Comparison:
    different = sorted(
        {name for name in one.keys() & other.keys() if not checkpoint.same_bits(one[name], other[name])}
        | (one.keys() ^ other.keys())
    )
    both = [(one[name], other[name]) for name in different if name in one and name in other]
    largest = max(((a.double() - b.double()).abs().max().item() for a, b in both), default=0.0)
    return Comparison(way, promised, different, largest)


def _with_threads(count: int, work: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        return work()
    finally:
        torch.set_num_threads(before)
