"""The goals, each beside what was measured. A goal is met or missed by the median over fresh starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks import checking, data_path, frechet, overhead, startup, train
from benchmarks.ratios import Spread, spread
from benchmarks.table import NONE, Table, between, number

Results = dict[str, Any]  # of one machine, by part


@dataclass(frozen=True)
class Goal:
    """What is wanted of a figure: `at_least`, or else `at_most`. `read` takes the figure out of a machine's results."""

    what: str
    unit: str
    part: str
    read: Callable[[Any], Spread | None]
    at_least: float | None = None
    at_most: float | None = None
    digits: int = 2

    def measured(self, results: Results) -> Spread | None:
        """Return the figure, where it was measured."""
        return self.read(results[self.part]) if self.part in results else None

    def met(self, figure: Spread) -> bool:
        """Return whether the median reaches the goal."""
        if self.at_least is not None:
            return figure.median >= self.at_least
        return self.at_most is not None and figure.median <= self.at_most

    def wanted(self) -> str:
        """Return the goal in words."""
        sign, bound = ("≥", self.at_least) if self.at_least is not None else ("≤", self.at_most)
        return f"{sign} {bound:,g} {self.unit}"


def _speed(variant: str, against: str = train.BASELINE) -> Callable[[Any], Spread | None]:
    return lambda result: train.speed(result, variant, against)


def _steps_a_second(variant: str) -> Callable[[Any], Spread | None]:
    def read(result: Any) -> Spread | None:
        time = train.milliseconds(result, variant)
        return None if time is None else Spread(1000 / time.median, 1000 / time.most, 1000 / time.least)

    return read


def _loop_over_lightning(result: Any) -> Spread | None:
    own = overhead.extra(result, overhead.LOOP, overhead.STEP)
    other = overhead.extra(result, overhead.BARE, overhead.PLAIN)
    if own is None or other is None:
        return None
    return Spread(*(value / other.median for value in own))


def _difference(name: str) -> Callable[[Any], Spread | None]:
    def read(result: Any) -> Spread | None:
        apart = frechet.difference(result, name)
        return None if apart is None else spread([apart])

    return read


CLASSIFIER, DCGAN = "train classifier", "train dcgan"
_TRAINING = (
    Goal("classifier, fp32, not compiled", "× naive", CLASSIFIER, _speed("zoo eager fp32"), 1.4),
    Goal("classifier, fp32, compiled", "× naive", CLASSIFIER, _speed("zoo compile fp32"), 1.5),
    Goal("classifier, bf16, compiled", "× naive", CLASSIFIER, _speed("zoo compile bf16"), 2.0),
    Goal("DCGAN, fp32", "× naive", DCGAN, _speed("zoo eager fp32"), 1.35),
    Goal("DCGAN, bf16", "× naive", DCGAN, _speed("zoo eager bf16"), 2.0),
    Goal("classifier, fp32, not compiled", "× Lightning", CLASSIFIER, _speed("zoo eager fp32", train.LIGHTNING), 1.25),
    Goal("classifier, bf16, compiled", "× Lightning", CLASSIFIER, _speed("zoo compile bf16", train.LIGHTNING), 2.0),
    Goal(
        "page faults of a step of the classifier, fp32",
        "",
        CLASSIFIER,
        lambda result: train.faults(result, "zoo eager fp32"),
        at_most=500,
        digits=0,
    ),
)
_HOST = (
    Goal("augmented batches", "× torchvision's", "data path", data_path.speed, 15, digits=1),
    Goal(
        "the loop around a step, logging on",
        "µs",
        "overhead",
        lambda result: overhead.extra(result, overhead.LOOP, overhead.STEP),
        at_most=60,
        digits=0,
    ),
    Goal("the same", "× that of Lightning with its features off", "overhead", _loop_over_lightning, at_most=0.25),
    *(
        goal
        for command, milliseconds, share in (
            ("zoo --help", 80, 0.06),
            ("zoo list", 200, 0.14),
            ("zoo check cifar100-resnet-silu", 200, 0.14),
            ("zoo check paper-classifier", 200, 0.14),
            ("zoo check cifar100-cgan", 200, 0.14),
        )
        for goal in (
            Goal(
                f"`{command}`",
                "ms",
                "startup",
                lambda result, name=command: startup.milliseconds(result, name),  # type: ignore[misc]
                at_most=milliseconds,
                digits=0,
            ),
            Goal(
                "the same",
                "× `import torch`",
                "startup",
                lambda result, name=command: startup.share(result, name),  # type: ignore[misc]
                at_most=share,
                digits=3,
            ),
        )
    ),
    Goal(
        "specs checked, as options of `resnet`",
        "a second",
        "checking",
        lambda result: spread(result["rates"][checking.OPTIONS]),
        2000,
        digits=0,
    ),
    Goal(
        "Fréchet distance, 2,048 features",
        "× clean-fid",
        "frechet",
        lambda result: frechet.speed(result, frechet.COLD),
        5,
        digits=1,
    ),
    Goal(
        "the same, the reference's root kept",
        "× clean-fid",
        "frechet",
        lambda result: frechet.speed(result, frechet.CACHED),
        12,
        digits=1,
    ),
    Goal(
        "its relative difference from clean-fid's",
        "",
        "frechet",
        _difference(frechet.COLD),
        at_most=1e-8,
        digits=12,
    ),
)
_GPU = (
    Goal("classifier, tf32, graph", "steps/s", CLASSIFIER, _steps_a_second("zoo graph tf32"), 400, digits=0),
    Goal(
        "classifier, bf16, compiled graph",
        "steps/s",
        CLASSIFIER,
        _steps_a_second("zoo compiled_graph bf16"),
        800,
        digits=0,
    ),
    Goal("classifier, what `auto` chooses", "× naive", CLASSIFIER, _speed("zoo auto"), 8, digits=1),
    Goal(
        "classifier, what `auto` chooses",
        "× Lightning with 8 loading processes",
        CLASSIFIER,
        _speed("zoo auto", train.LOADING),
        4,
        digits=1,
    ),
    Goal("DCGAN, tf32, graph", "steps/s", DCGAN, _steps_a_second("zoo graph tf32"), 670, digits=0),
)
GOALS = {"cpu": (*_TRAINING, *_HOST), "cuda": _GPU}


def table(device: str, results: Results) -> Table:
    """Return the goals of a kind of device beside what was measured there."""
    rows = []
    for goal in GOALS[device]:
        figure = goal.measured(results)
        if figure is None:
            rows.append([goal.what, goal.wanted(), NONE, NONE, "not measured"])
        else:
            verdict = "met" if goal.met(figure) else "**missed**"
            small = goal.digits > 6
            shown = f"{figure.median:.0e}" if small else number(figure.median, goal.digits)
            rows.append([goal.what, goal.wanted(), shown, NONE if small else between(figure, goal.digits), verdict])
    return Table(f"Goals, {device}", ["goal", "wanted", "measured", "range", ""], rows)
