"""Free values: those that a spec leaves open, with the values that they may take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from zoo.errors import Problem, SpecError, closest
from zoo.spec.document import Node, join, kind
from zoo.spec.writer import write_line

MOST_VALUES = 10_000  # of one variable, where they are counted
RANGE = ("from", "to", "step", "log")
STUDY = "sweep"  # the section in which nothing is free


@dataclass(frozen=True)
class Choices:
    """One of several values, by what each is written as; a component with its options may be one."""

    nodes: dict[Any, Node]

    @property
    def values(self) -> list[Any]:
        return list(self.nodes)

    def node(self, value: Any) -> Node:
        """Return what stands in the spec for a chosen value."""
        return self.nodes[value]


@dataclass(frozen=True)
class Range:
    """Numbers from `start` to `end`, both included: whole ones, those of a grid with `step`, or all of them.

    log: the ratio of two numbers counts, not their difference.
    """

    start: float
    end: float
    step: float | None
    log: bool
    origin: Node

    @property
    def whole(self) -> bool:
        return all(isinstance(one, int) for one in (self.start, self.end, self.step or 1))

    @property
    def values(self) -> list[Any] | None:
        """All of them, where they can be counted."""
        if self.step is None:
            return None
        return [self.start + index * self.step for index in range(self.count)]

    @property
    def count(self) -> int:
        assert self.step is not None
        return int((self.end - self.start) / self.step + 1e-9) + 1

    def node(self, value: Any) -> Node:
        """Return what stands in the spec for a chosen value."""
        return Node(value, self.origin.at)


Domain = Choices | Range


def is_free(node: Node) -> bool:
    """Return whether a value says that it is free."""
    return isinstance(node.value, dict) and len(node.value) == 1 and "free" in node.value


def free_domains(document: Node) -> dict[str, Domain]:
    """Return what each free value may be, in the order in which they are written: variables of `let` by their name,
    others by their dotted path.

    A value is free when it is `{free: {from: 16, to: 128, step: 4}}` (both ends included; of whole numbers step 1
    unless given, of others every number; `log: true` for magnitudes) or `{free: [relu, silu]}`. Raises SpecError
    with all problems.
    """
    problems: list[Problem] = []
    found: dict[str, Domain] = {}
    for name, path, node in _free_nodes(document):
        told = list(_problems(node.value["free"], join(path, "free"), scalars=path != name))
        if name in found:
            told.append(Problem(node.at, path, f"found a second free value called {name!r}", "another name in let"))
        problems += told
        if not told:
            found[name] = _domain(node.value["free"])
    if problems:
        raise SpecError(problems)
    return found


def free_variables(document: Node) -> dict[str, list[Any]]:
    """Return the values that each free value may take, all of which can be counted. Raises SpecError."""
    found = free_domains(document)
    problems = []
    for name, path, node in _free_nodes(document):
        one = found[name]
        if isinstance(one, Range) and one.step is None:
            hint = "`zoo sweep` tries numbers of a whole range"
            problems.append(Problem(node.at, path, "found a range without a step", "a step, or a list", hint))
        elif isinstance(one, Range) and one.count > MOST_VALUES:
            wanted = f"at most {MOST_VALUES:,}; a larger step, or a smaller range"
            problems.append(Problem(node.at, join(path, "free"), f"found {one.count:,} values", wanted))
    if problems:
        raise SpecError(problems)
    return {name: one.values or [] for name, one in found.items()}


def place_of(document: Node, name: str) -> str:
    """Return the dotted path at which `--set` chooses a free value that is known by `name`."""
    return next(path for known, path, _ in _free_nodes(document) if known == name)


def settled(document: Node, domains: Mapping[str, Domain], values: Mapping[str, Any]) -> Node:
    """Return the document with the chosen `values` in the place of what was free."""
    for name, path, node in list(_free_nodes(document)):
        if name in values:
            chosen = domains[name].node(values[name])
            document = _put(document, path.split("."), replace(chosen, key_at=node.key_at))
    return document


def require_settled(document: Node) -> None:
    """Raise SpecError where something outside of `let` is free; of its variables, those that are used are told."""
    problems = [
        Problem(node.at, path, "found a free value", "a value", how_to_settle(path))
        for name, path, node in _free_nodes(document)
        if name == path
    ]
    if problems:
        raise SpecError(problems)


def how_to_settle(path: str) -> str:
    """Say what becomes of a free value."""
    return f"`zoo fit` finds one that keeps the limits, `zoo sweep` tries several, --set {path}=VALUE chooses one"


def _free_nodes(document: Node) -> Iterator[tuple[str, str, Node]]:
    """Yield name, path and node of each free value, in document order."""
    blocks = document.value.get("blocks") if document.is_mapping else None
    if blocks is not None and blocks.is_mapping and "free" in blocks.value:
        document = replace(document, value={key: one for key, one in document.value.items() if key == "let"})
    for key, node in document.value.items() if document.is_mapping else ():
        if key == "let" and node.is_mapping:
            yield from ((name, join(key, name), one) for name, one in node.value.items() if is_free(one))
        elif key not in ("let", STUDY):
            yield from ((path, path, one) for path, one in _inside(node, key))


def _inside(node: Node, path: str) -> Iterator[tuple[str, Node]]:
    if is_free(node):
        yield path, node
    elif node.is_mapping or node.is_list:
        for key, one in node.value.items() if node.is_mapping else enumerate(node.value):
            if isinstance(one.value, (dict, list)):
                yield from _inside(one, join(path, key))


def _put(node: Node, keys: list[str], value: Node) -> Node:
    if not keys:
        return value
    key, *rest = keys
    if node.is_list:
        index = int(key)
        return replace(
            node, value=[*node.value[:index], _put(node.value[index], rest, value), *node.value[index + 1 :]]
        )
    # A name may hold a dot, as those of files do: the longest key that is there is meant.
    while key not in node.value:
        key, rest = f"{key}.{rest[0]}", rest[1:]
    return replace(node, value={**node.value, key: _put(node.value[key], rest, value)})


def _domain(node: Node) -> Domain:
    if node.is_list:
        return Choices({_label(item): item for item in node.value})
    start, end = (node.value[key].value for key in ("from", "to"))
    step, log = (node.value[key].value if key in node.value else None for key in ("step", "log"))
    whole = isinstance(start, int) and isinstance(end, int)
    return Range(start, end, step if step is not None else 1 if whole else None, bool(log), node)


def _label(node: Node) -> Any:
    return write_line(node.data()) if node.is_mapping or node.is_list else node.value


def _problems(node: Node, path: str, *, scalars: bool) -> Iterator[Problem]:
    if node.is_list:
        yield from _list_problems(node, path, scalars)
        return
    if not node.is_mapping:
        yield Problem(node.at, path, f"found {kind(node.value)}", "{from: 16, to: 128, step: 4}, or a list of values")
        return
    for key, item in node.value.items():
        if key not in RANGE:
            where = item.key_at or item.at
            yield Problem(where, path, f"found the unknown key {key!r}", ", ".join(RANGE), closest(key, RANGE))
        elif key == "log" and not isinstance(item.value, bool):
            yield Problem(item.at, join(path, key), f"found {kind(item.value)}", "true or false")
        elif key != "log" and (not _is_number(item.value) or (key == "step" and item.value <= 0)):
            wanted = "a number above 0" if key == "step" else "a number"
            yield Problem(item.at, join(path, key), f"found {kind(item.value)}", wanted)
            return
    missing = [key for key in ("from", "to") if key not in node.value]
    if missing:
        yield Problem(node.at, path, f"found no {' and no '.join(map(repr, missing))}", "from and to")
        return
    start, end = (node.value[key].value for key in ("from", "to"))
    if end < start:
        yield Problem(node.value["to"].at, join(path, "to"), f"found {end}", f"at least from, {start}")
    if "log" in node.value and node.value["log"].value is True:
        if start <= 0:
            yield Problem(node.value["from"].at, join(path, "from"), f"found {start} with log: true", "more than 0")
        if "step" in node.value and node.value["step"].value != 1:
            yield Problem(node.value["step"].at, join(path, "step"), "found a step with log: true", "one of the two")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _list_problems(node: Node, path: str, scalars: bool) -> Iterator[Problem]:
    if not 1 <= len(node.value) <= MOST_VALUES:
        found = f"found a list of {len(node.value):,}" if node.value else "found an empty list"
        yield Problem(node.at, path, found, f"1 to {MOST_VALUES:,} values")
    for index, item in enumerate(node.value[:MOST_VALUES]):
        if scalars and (item.is_mapping or item.is_list):
            wanted = "a number, a string, true, false or null"
            yield Problem(item.at, join(path, index), f"found {kind(item.value)}", wanted)
