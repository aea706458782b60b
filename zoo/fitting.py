"""Values of free variables that use a budget best: found by counting alone, nothing is trained or allocated."""

from __future__ import annotations

import gc
import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from zoo.budget import Figures, Verdict
from zoo.builder import Builder
from zoo.checking import check, count
from zoo.data.dataset import DataInfo
from zoo.errors import Interrupted, Problem, SpecError
from zoo.signals import stopping
from zoo.spec.document import Node
from zoo.spec.free import free_domains, free_variables, place_of, settled
from zoo.spec.schema import ComponentSpec, Spec
from zoo.spec.variables import Template

Progress = Callable[[int, int], None]  # candidates tried, and how many there are to try at most
EVERY = 250  # candidates between two looks at the clock
KEPT = 1000  # candidates that are remembered until the best of them are asked whether they can be trained
Rank = tuple[float, ...]


@dataclass(frozen=True)
class Candidate:
    """One choice of values, and what a spec with them costs. `order` is its place among all choices."""

    values: dict[str, Any]
    total: Figures
    verdicts: tuple[Verdict, ...]
    order: int

    @property
    def kept(self) -> bool:
        return all(verdict.kept for verdict in self.verdicts)

    def rank(self, figure: str) -> Rank:
        """Return what candidates are sorted by: those that keep the limits first, then those that use more of
        `figure`, then those that compute less, then those that are written first. Of those that break a limit, those
        that break it by the smallest share.
        """
        rest = (self.total.macs, self.order)
        if self.kept:
            return (0, -getattr(self.total, figure), *rest)
        broken = [verdict for verdict in self.verdicts if not verdict.kept]
        return (1, sum(abs(one.spare) / max(1, one.figure + one.spare) for one in broken), *rest)


@dataclass(frozen=True)
class Fit:
    """What a search found, the best first.

    `tried` of `possible` candidates were counted: `kept` of them keep the limits, and `unbuildable` cannot be built
    at all, the first of them because of `reason`. Whether one can be trained as well is asked only of those that would
    come among the best: what cannot is none of these, and counts as unbuildable. `in_time` says whether the search
    ended before its time limit: then the same search gives the same again. `stopped` names the signal that ended it,
    if one did.
    """

    best: list[Candidate]
    tried: int
    possible: int
    kept: int
    unbuildable: int
    reason: SpecError | None
    seconds: float
    in_time: bool
    stopped: str = ""

    @property
    def complete(self) -> bool:
        """Whether every candidate was tried."""
        return self.tried == self.possible


def fit(
    document: Node,
    builder: Builder,
    *,
    figure: str = "parameters",
    top: int = 10,
    most: int = 200_000,
    seconds: float = 60.0,
    progress: Progress | None = None,
) -> Fit:
    """Return the candidates that keep the spec's limits and use most of `figure`, or, where none keeps them, those
    that come nearest.

    All are tried where there are at most `most`. Of more, as many are tried: from starts that are drawn with a fixed
    seed, one variable after another takes its best value until no change helps. Raises SpecError when `document` has
    no free variable or no limit, or when it cannot work whatever the values.
    """
    search = _Search(document, builder, figure, top)
    started = time.monotonic()
    candidates = search.all() if search.possible <= most else search.climb(most)
    in_time = True
    with stopping() as stopped, _seldom_collecting():
        for _ in candidates:
            if stopped():
                break
            if search.tried % EVERY == 0:
                if progress is not None:
                    progress(search.tried, min(search.possible, most))
                if time.monotonic() - started > seconds:
                    in_time = search.tried >= min(search.possible, most)
                    break
        best = search.best()
    if stopped() and not best:
        raise Interrupted(f"stopped by {stopped()} before a candidate was found that can be built", stopped())
    if not best and search.reason is not None:
        raise search.reason
    return Fit(
        [one for one in best if one.kept or not best[0].kept],
        search.tried,
        search.possible,
        search.kept,
        search.unbuildable,
        search.reason,
        time.monotonic() - started,
        in_time,
        stopped(),
    )


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Let Python look for garbage less often: what is counted is kept to be used again, and looking finds it in use."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _unbuildable(order: int) -> Rank:
    """Return the rank of what cannot be built, behind all that can."""
    return (2, order)


@dataclass(slots=True)
class _Counted:
    """What is remembered of a choice that can be built, and, while it may come among the best, what it costs. `trains`
    is not known before its components are asked.
    """

    order: int
    number: int  # of those that were tried
    rank: Rank
    kept: bool
    candidate: Candidate | None
    trains: bool | None = None


class _Search:
    """Counts candidates, and asks those that would be the best whether they can be trained."""

    def __init__(self, document: Node, builder: Builder, figure: str, top: int) -> None:
        self.choices = free_variables(document)
        if not self.choices:
            hint = "for instance let: {width: {free: {from: 16, to: 64, step: 4}}}, used as ${width}"
            raise SpecError([Problem(document.at, "let", "found no free variable", "at least one", hint)])
        self.figure, self.top = figure, top
        self.possible = math.prod(map(len, self.choices.values()))
        self.tried = self.kept = self.unbuildable = 0
        self.reason: SpecError | None = None
        self._reason_of = 0  # the number of the candidate that it is about
        self._doubted = False  # whether one cannot be trained: then all are asked as they come
        self._remembered: list[_Counted] = []
        self._document = document
        self._domains = free_domains(document)
        # Of those outside of `let` each choice is a document of its own.
        self._outside = [name for name in self.choices if place_of(document, name) == name]
        self._templates: dict[tuple[Any, ...], Template] = {}
        self._builder = builder
        self._data: tuple[ComponentSpec, DataInfo] | None = None  # what was last asked for its shape, and that
        self._places: dict[tuple[int, ...], _Counted | None] = {}

    def all(self) -> Iterator[None]:
        """Try every choice, the last variable changing fastest."""
        for order in range(self.possible):
            self._try(order)
            yield

    def climb(self, most: int) -> Iterator[None]:
        """Try `most` choices at most, from many starts each to the best within one change."""
        draw = random.Random(0)
        sizes = [len(values) for values in self.choices.values()]
        stale = 0
        while len(self._places) < most and stale < 1000:
            known = len(self._places)
            place = tuple(draw.randrange(size) for size in sizes)
            yield from self._look(place, most)
            improved = True
            while improved and len(self._places) < most:
                improved = False
                for axis in draw.sample(range(len(sizes)), len(sizes)):
                    before = self._rank(place)
                    others = [(*place[:axis], index, *place[axis + 1 :]) for index in range(sizes[axis])]
                    for other in others:
                        yield from self._look(other, most)
                    place = self._best_of([one for one in others if one in self._places])
                    improved = improved or self._rank(place) < before
            stale = stale + 1 if len(self._places) == known else 0

    def best(self) -> list[Candidate]:
        """Return the best of those that can be trained; what does not come among them now never does."""
        found: list[_Counted] = []
        for one in sorted(self._remembered, key=lambda one: one.rank):
            if len(found) < self.top and self._trains(one):
                found.append(one)
            else:
                one.candidate = None
        self._remembered = found
        return [one.candidate for one in found if one.candidate is not None]

    def _best_of(self, places: list[tuple[int, ...]]) -> tuple[int, ...]:
        """Return the best of some places, one that can be trained where there is one."""
        while True:
            place = min(places, key=self._rank)
            one = self._places[place]
            if one is None or one.trains is not None or self._trains(one):
                return place

    def _rank(self, place: tuple[int, ...]) -> Rank:
        one = self._places[place]
        return _unbuildable(self._order(place)) if one is None else one.rank

    def _order(self, place: tuple[int, ...]) -> int:
        order = 0
        for index, choices in zip(place, self.choices.values(), strict=True):
            order = order * len(choices) + index
        return order

    def _look(self, place: tuple[int, ...], most: int) -> Iterator[None]:
        """Try the choice at `place`, once."""
        if place in self._places or len(self._places) >= most:
            return
        self._places[place] = self._try(self._order(place))
        yield

    def _chosen(self, order: int) -> dict[str, Any]:
        """Return the values of one choice by its place among all."""
        values: dict[str, Any] = dict.fromkeys(self.choices)
        for name, choices in reversed(self.choices.items()):
            order, index = divmod(order, len(choices))
            values[name] = choices[index]
        return values

    def _try(self, order: int) -> _Counted | None:
        """Count one choice; None when it cannot be built."""
        self.tried += 1
        try:
            spec = self._spec(order)
            report = count(spec, self._builder, self._info(spec))
        except SpecError as error:
            self._pass_over(self.tried, error if self.reason else self._refusal(order) or error)
            return None
        if not report.verdicts:
            hint = "for instance budget: {parameters: 100000}, or --set budget.parameters=100000"
            raise SpecError([Problem(spec.document.at, "budget", "found no limit to fit to", "a limit", hint)])
        # The numbers alone: the figures of a report hold its networks.
        candidate = Candidate(self._chosen(order), Figures(*report.total), tuple(report.verdicts), order)
        counted = _Counted(order, self.tried, candidate.rank(self.figure), candidate.kept, candidate)
        self.kept += candidate.kept
        self._remembered.append(counted)
        if self.tried == 1 or self._doubted:
            self._trains(counted)
        if len(self._remembered) > self.top + KEPT:
            self.best()
        return counted

    def _trains(self, one: _Counted) -> bool:
        """Ask the components of a candidate, once, whether it can be trained."""
        if one.trains is None:
            error = self._refusal(one.order)
            one.trains = error is None
            if error is not None:
                self._doubted = True
                self._pass_over(one.number, error)
                self.kept -= one.kept
                one.rank = _unbuildable(one.order)
        return one.trains

    def _refusal(self, order: int) -> SpecError | None:
        """Return everything that stands in the way of a choice."""
        try:
            check(self._spec(order), self._builder)
        except SpecError as error:
            return error
        return None

    def _pass_over(self, number: int, error: SpecError) -> None:
        """Count what cannot be built; of the first of them the reason is told."""
        self.unbuildable += 1
        if self.reason is None or number < self._reason_of:
            self.reason, self._reason_of = error, number

    def _info(self, spec: Spec) -> DataInfo:
        """Return the shape of a spec's data, asked for once where all have the same."""
        if self._data is None or self._data[0] is not spec.data:
            self._data = spec.data, self._builder.bind(spec.data).info()
        return self._data[1]

    def _spec(self, order: int) -> Spec:
        return self._builder.resolver.spec(self._filled(self._chosen(order)))

    def _filled(self, chosen: dict[str, Any]) -> Node:
        """Return the document with these values."""
        outside = {name: chosen[name] for name in self._outside}
        key = tuple(outside.values())
        if key not in self._templates:
            self._templates[key] = Template(settled(self._document, self._domains, outside))
        return self._templates[key].fill({name: one for name, one in chosen.items() if name not in outside})
