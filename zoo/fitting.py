"""Values of free variables that use a budget best: found by counting alone, nothing is trained or allocated."""

from __future__ import annotations

import heapq
import itertools
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.budget import Figures, Verdict
from zoo.builder import Builder
from zoo.checking import check
from zoo.errors import Interrupted, Problem, SpecError
from zoo.signals import stopping
from zoo.spec.document import Node
from zoo.spec.free import free_domains, free_variables, place_of, settled
from zoo.spec.variables import Template

Progress = Callable[[int, int], None]  # candidates tried, and how many there are to try at most
EVERY = 250  # candidates between two looks at the clock
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
    at all, the first of them because of `reason`. `in_time` says whether the search ended before its time limit:
    then the same search gives the same again. `stopped` names the signal that ended it, if one did.
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
    with stopping() as stopped:
        for _ in candidates:
            if stopped():
                break
            if search.tried % EVERY == 0:
                if progress is not None:
                    progress(search.tried, min(search.possible, most))
                if time.monotonic() - started > seconds:
                    in_time = search.tried >= min(search.possible, most)
                    break
    if stopped() and not search.best:
        raise Interrupted(f"stopped by {stopped()} before a candidate was found that can be built", stopped())
    if not search.best and search.reason is not None:
        raise search.reason
    best = heapq.nsmallest(top, search.best, key=search.rank)
    return Fit(
        [one for one in best if one.kept or not search.kept],
        search.tried,
        search.possible,
        search.kept,
        search.unbuildable,
        search.reason,
        time.monotonic() - started,
        in_time,
        stopped(),
    )


class _Search:
    """Counts candidates and keeps the best."""

    def __init__(self, document: Node, builder: Builder, figure: str, top: int) -> None:
        self.choices = free_variables(document)
        if not self.choices:
            hint = "for instance let: {width: {free: {from: 16, to: 64, step: 4}}}, used as ${width}"
            raise SpecError([Problem(document.at, "let", "found no free variable", "at least one", hint)])
        self.figure, self.top = figure, top
        self.possible = math.prod(map(len, self.choices.values()))
        self.tried = self.kept = self.unbuildable = 0
        self.reason: SpecError | None = None
        self.best: list[Candidate] = []
        self._document = document
        self._domains = free_domains(document)
        # Of those outside of `let` each choice is a document of its own.
        self._outside = [name for name in self.choices if place_of(document, name) == name]
        self._templates: dict[tuple[Any, ...], Template] = {}
        self._builder = builder
        self._ranks: dict[tuple[int, ...], Rank] = {}

    def all(self) -> Iterator[None]:
        """Try every choice, the last variable changing fastest."""
        for order, values in enumerate(itertools.product(*self.choices.values())):
            self._try(order, values)
            yield

    def climb(self, most: int) -> Iterator[None]:
        """Try `most` choices at most, from many starts each to the best within one change."""
        draw = random.Random(0)
        sizes = [len(values) for values in self.choices.values()]
        stale = 0
        while len(self._ranks) < most and stale < 1000:
            known = len(self._ranks)
            place = [draw.randrange(size) for size in sizes]
            yield from self._look(place, most)
            improved = True
            while improved and len(self._ranks) < most:
                improved = False
                for axis in draw.sample(range(len(sizes)), len(sizes)):
                    before = self._ranks[tuple(place)]
                    others = [[*place[:axis], index, *place[axis + 1 :]] for index in range(sizes[axis])]
                    for other in others:
                        yield from self._look(other, most)
                    place = min((one for one in others if tuple(one) in self._ranks), key=self._known_rank)
                    improved = improved or self._known_rank(place) < before
            stale = stale + 1 if len(self._ranks) == known else 0

    def rank(self, candidate: Candidate) -> Rank:
        return candidate.rank(self.figure)

    def _known_rank(self, place: Sequence[int]) -> Rank:
        return self._ranks[tuple(place)]

    def _look(self, place: Sequence[int], most: int) -> Iterator[None]:
        """Try the choice at `place`, once."""
        key = tuple(place)
        if key in self._ranks or len(self._ranks) >= most:
            return
        order = 0
        for index, choices in zip(place, self.choices.values(), strict=True):
            order = order * len(choices) + index
        values = tuple(choices[index] for index, choices in zip(place, self.choices.values(), strict=True))
        candidate = self._try(order, values)
        self._ranks[key] = (2.0, float(order)) if candidate is None else self.rank(candidate)
        yield

    def _try(self, order: int, values: Sequence[Any]) -> Candidate | None:
        """Count one choice; None when it cannot be built."""
        self.tried += 1
        chosen = dict(zip(self.choices, values, strict=True))
        try:
            spec = self._builder.resolver.spec(self._filled(chosen))
            report = check(spec, self._builder)
        except SpecError as error:
            self.unbuildable += 1
            self.reason = self.reason or error
            return None
        if not report.verdicts:
            hint = "for instance budget: {parameters: 100000}, or --set budget.parameters=100000"
            raise SpecError([Problem(spec.document.at, "budget", "found no limit to fit to", "a limit", hint)])
        candidate = Candidate(chosen, report.total, tuple(report.verdicts), order)
        self.kept += candidate.kept
        self.best.append(candidate)
        if len(self.best) > 4 * self.top:
            self.best = heapq.nsmallest(self.top, self.best, key=self.rank)
        return candidate

    def _filled(self, chosen: dict[str, Any]) -> Node:
        """Return the document with these values."""
        outside = {name: chosen[name] for name in self._outside}
        key = tuple(outside.values())
        if key not in self._templates:
            self._templates[key] = Template(settled(self._document, self._domains, outside))
        return self._templates[key].fill({name: one for name, one in chosen.items() if name not in outside})
