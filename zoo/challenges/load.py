"""Challenges by file or by name: those that ship with Zoo and with plugins, and anybody's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from zoo.challenges.schema import Challenge
from zoo.errors import Problem, SpecError, closest, listing
from zoo.registry import KINDS, Registry
from zoo.spec import shipped
from zoo.spec.compose import compose
from zoo.spec.document import Node
from zoo.spec.resolve import Resolver
from zoo.spec.variables import substitute


def load_challenge(source: str | Path, *, registry: Registry, folders: Iterable[Path] = ()) -> Challenge:
    """Return the resolved challenge: a file, or the name of one that ships with Zoo or lies in `folders` of specs.

    Raises SpecError with all problems.
    """
    known = shipped.challenges(folders)
    document = substitute(compose(source, find=known.get, names=lambda: known, noun="challenge"))
    resolver = Resolver(registry)
    challenge: Challenge | None = resolver.section(Challenge, document, "")
    problems = [*resolver.problems, *_problems(challenge, document, registry)]
    if problems or challenge is None:
        raise SpecError(problems)
    return challenge


def _problems(challenge: Challenge | None, document: Node, registry: Registry) -> Iterator[Problem]:
    """Yield a problem for each name in the plain parts of a challenge that nothing goes by."""
    if challenge is None:
        return
    places = dict(document.places())
    limits = set(challenge.budget)
    for path, kind, name, names in (
        *((f"tasks.{index}", "task", name, registry.names("task")) for index, name in enumerate(challenge.tasks)),
        *((f"units.{name}", "limit", name, limits) for name in challenge.units),
    ):
        if name not in names:
            wanted = f"one of {listing(names)}"
            yield Problem(places[path], path, f"found the unknown {kind} {name!r}", wanted, closest(name, names))
    for index, text in enumerate(challenge.forbidden):
        path = f"forbidden.{index}"
        kind, slash, name = text.partition("/")
        if not slash or kind not in KINDS:
            wanted = "kind/name, such as augmentation/mixup"
            yield Problem(places[path], path, f"found {text!r}", wanted, closest(kind, KINDS))
        elif registry.find((kind,), name) is None:
            names = registry.names(kind)
            found = f"found the unknown {kind} {name!r}"
            yield Problem(places[path], path, found, f"one of {listing(names)}", closest(name, names))
