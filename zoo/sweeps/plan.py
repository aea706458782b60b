"""What a study is, before any training: its space, its figures, and what of a spec cannot be swept."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from zoo.budget import Figures
from zoo.builder import Builder
from zoo.errors import Position, Problem, SpecError, closest, listing
from zoo.evaluation.metric import figures_of
from zoo.spec.document import Node
from zoo.spec.free import STUDY, Domain, Range, free_domains, settled
from zoo.spec.resolve import Resolver
from zoo.spec.schema import Spec
from zoo.spec.study import SweepSpec
from zoo.spec.variables import substitute
from zoo.training.run import VALIDATION

COSTS = Figures._fields
ALIKE = ("trials", "confirm", "refusals", "retries", "sampler", "pruner", "seed")  # may change while a study goes on


@dataclass(frozen=True)
class Plan:
    """A study as every worker needs it. `storage` is a database's URL; "" is a file in `folder`."""

    document: Node
    study: SweepSpec
    name: str
    folder: Path
    storage: str = ""
    heartbeat: int = 60  # seconds; a worker that is silent for twice as long is taken for dead
    draw: int = 0  # tells workers apart, which would else all propose the same points

    @classmethod
    def of(
        cls, document: Node, builder: Builder, folder: Path | None = None, storage: str = "", heartbeat: int = 60
    ) -> Plan:
        """Return the plan of a spec with what is free and a section `sweep`. Raises SpecError with all problems."""
        if STUDY not in document.value:
            hint = "for instance sweep: {figures: {validation_top1: maximize, parameters: minimize}, trials: 40}"
            raise SpecError([Problem(document.at, STUDY, "found no section 'sweep'", "one", hint)])
        domains = free_domains(document)
        if not domains:
            hint = "for instance lr: {free: {from: 1e-4, to: 1e-2, log: true}}, or activation: {free: [relu, silu]}"
            raise SpecError([Problem(document.at, "", "found nothing that is free", "at least one value", hint)])
        study = _study(document, builder)
        spec = builder.resolver.spec(substitute(settled(document, domains, _first(domains))))
        problems = list(_problems(document, study, domains, spec, builder))
        if problems:
            raise SpecError(problems)
        return cls(document, study, spec.name, folder or Path("runs") / f"{spec.name}-sweep", storage, heartbeat)

    @cached_property
    def domains(self) -> dict[str, Domain]:
        """What each free value may be, by its name."""
        return free_domains(self.document)

    @cached_property
    def size(self) -> int | None:
        """How many points the space has; None where they cannot be counted."""
        counts = [
            one.count
            if isinstance(one, Range) and one.step is not None
            else None
            if isinstance(one, Range)
            else len(one.values)
            for one in self.domains.values()
        ]
        return None if None in counts else math.prod(one for one in counts if one is not None)

    @cached_property
    def short(self) -> dict[str, str]:
        """What each free value is called in tables: the end of its path that no other has."""
        return short_names(self.domains)

    def shown(self, values: Mapping[str, Any]) -> str:
        """Return a point in a line."""
        return ", ".join(f"{self.short[name]} {number(value)}" for name, value in values.items())

    def spec(self, values: Mapping[str, Any], builder: Builder) -> Spec:
        """Return the spec of a point, with all its places. Raises SpecError when there is none."""
        return builder.resolver.spec(substitute(settled(self.document, self.domains, values)))

    def trial(self, spec: Spec) -> Spec:
        """Return what a trial trains: it never looks at the test images."""
        return replace(spec, train=replace(spec.train, test_at_end=False))

    def confirmation(self, spec: Spec) -> Spec:
        """Return what confirms a trial: seeds that no trial had, and a look at the test images after each."""
        assert self.study.confirm is not None
        first, seeds = spec.train.seed + 1, self.study.confirm.seeds
        return replace(spec, train=replace(spec.train, seed=first, seeds=seeds, test_at_end=True))

    @property
    def judged_by(self) -> list[str]:
        """The figures of the held-out images, by their names in an evaluation."""
        return [name.removeprefix(VALIDATION) for name in self.study.figures if name.startswith(VALIDATION)]

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What may not change while a study goes on, as plain data."""
        data = copy.deepcopy(self.document.data())
        data[STUDY] = {key: one for key, one in (data[STUDY] or {}).items() if key not in ALIKE}
        return data


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """Return the shortest end of each dotted path that no other has, and that is no number alone."""
    found = {}
    every = list(paths)
    for path in every:
        parts = path.split(".")
        tails = [".".join(parts[-length:]) for length in range(1, len(parts) + 1) if not parts[-length].isdigit()]
        others = [other for other in every if other != path]
        found[path] = next((one for one in tails if not any(f".{other}".endswith(f".{one}") for other in others)), path)
    return found


def number(value: Any) -> str:
    """Return a value of a space as people read it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _study(document: Node, builder: Builder) -> SweepSpec:
    resolver = Resolver(builder.registry)  # of its own, since it remembers what had problems
    found = resolver.section(SweepSpec, document.value[STUDY], STUDY)
    if resolver.problems:
        raise SpecError(resolver.problems)
    assert isinstance(found, SweepSpec)
    return found


def _first(domains: Mapping[str, Domain]) -> dict[str, Any]:
    return {name: one.start if isinstance(one, Range) else one.values[0] for name, one in domains.items()}


def _problems(
    document: Node, study: SweepSpec, domains: Mapping[str, Domain], spec: Spec, builder: Builder
) -> Iterator[Problem]:
    places = dict(document.places())

    def place(path: str) -> Position:
        while path not in places:
            path = path.rpartition(".")[0]
        return places[path]

    made = [f"{VALIDATION}{name}" for name in figures_of(spec, builder)]
    if not made:
        hint = "its class can say so in `figures`"
        yield Problem(
            place("task"), "task", f"found {spec.task.name}, which names no figures", "a task that does", hint
        )
    for name in study.figures:
        if name not in (*made, *COSTS):
            wanted = f"one that the task {spec.task.name} makes or `zoo check` counts: {listing([*made, *COSTS], 20)}"
            hint = closest(name, [*made, *COSTS]) or (closest(f"{VALIDATION}{name}", made))
            yield Problem(
                place(f"{STUDY}.figures.{name}"), f"{STUDY}.figures", f"found the unknown figure {name!r}", wanted, hint
            )
    if not spec.train.validation:
        hint = "the test images are for what was chosen; --set train.validation=1000 holds training images out"
        yield Problem(place("train.validation"), "train.validation", "found 0", "training images to judge by", hint)
    if spec.train.seeds != 1:
        hint = "all trials have one seed; sweep.confirm repeats the best from new ones"
        yield Problem(place("train.seeds"), "train.seeds", f"found {spec.train.seeds}", "1", hint)
    if study.sampler == "grid":
        for name, one in domains.items():
            if isinstance(one, Range) and one.step is None:
                yield Problem(one.origin.at, name, "found a range without a step in a grid", "a step, or a list")
    if study.pruner != "none":
        yield from _pruner_problems(study, spec, place(f"{STUDY}.pruner"))


def _pruner_problems(study: SweepSpec, spec: Spec, at: Position) -> Iterator[Problem]:
    path, found = f"{STUDY}.pruner", f"found {study.pruner}"
    if len(study.figures) > 1:
        yield Problem(at, path, f"{found} with {len(study.figures)} figures", "none: it judges by one figure")
    elif not next(iter(study.figures)).startswith(VALIDATION):
        yield Problem(at, path, f"{found} by a figure that no training changes", f"{VALIDATION}..., or none")
    elif not spec.train.evaluate_every:
        hint = "for instance --set train.evaluate_every=100"
        yield Problem(at, path, f"{found} of trainings that never validate", "train.evaluate_every above 0", hint)
