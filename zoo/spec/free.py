"""Free variables: those of `let` that a spec leaves open, with the values that they may take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zoo.errors import Problem, SpecError, closest
from zoo.spec.document import Node, join, kind

MOST_VALUES = 10_000  # of one variable
RANGE = ("from", "to", "step")


def is_free(node: Node) -> bool:
    """Return whether a variable's value says that it is free."""
    return node.is_mapping and set(node.value) == {"free"}


def free_variables(document: Node) -> dict[str, list[Any]]:
    """Return the values that each free variable may take, in the order in which they are written.

    A variable is free when it is `{free: {from: 16, to: 128, step: 4}}` (whole numbers, both ends included; step 1
    unless given) or `{free: [relu, silu]}`. Raises SpecError with all problems.
    """
    let = document.value.get("let")
    problems: list[Problem] = []
    found: dict[str, list[Any]] = {}
    for name, node in let.value.items() if let is not None and let.is_mapping else ():
        if is_free(node):
            told = list(_problems(node.value["free"], join(join("let", name), "free")))
            problems += told
            found[name] = [] if told else _values(node.value["free"])
    if problems:
        raise SpecError(problems)
    return found


def _values(node: Node) -> list[Any]:
    if node.is_list:
        return [item.value for item in node.value]
    start, end, step = (node.value[key].value if key in node.value else 1 for key in RANGE)
    return list(range(start, end + 1, step))


def _problems(node: Node, path: str) -> Iterator[Problem]:
    if node.is_list:
        yield from _list_problems(node, path)
        return
    if not node.is_mapping:
        yield Problem(node.at, path, f"found {kind(node.value)}", "{from: 16, to: 128, step: 4}, or a list of values")
        return
    for key, item in node.value.items():
        if key not in RANGE:
            yield Problem(
                item.key_at or item.at, path, f"found the unknown key {key!r}", "from, to, step", closest(key, RANGE)
            )
        elif not isinstance(item.value, int) or isinstance(item.value, bool) or (key == "step" and item.value < 1):
            wanted = "a whole number >= 1" if key == "step" else "a whole number"
            yield Problem(item.at, join(path, key), f"found {kind(item.value)}", wanted)
            return
    missing = [key for key in ("from", "to") if key not in node.value]
    if missing:
        yield Problem(node.at, path, f"found no {' and no '.join(map(repr, missing))}", "from and to")
        return
    start, end, step = (node.value[key].value if key in node.value else 1 for key in RANGE)
    if end < start:
        yield Problem(node.value["to"].at, join(path, "to"), f"found {end}", f"at least from, {start}")
    elif (end - start) // step >= MOST_VALUES:
        found = f"found {(end - start) // step + 1:,} values"
        yield Problem(node.at, path, found, f"at most {MOST_VALUES:,}; a larger step, or a smaller range")


def _list_problems(node: Node, path: str) -> Iterator[Problem]:
    if not 1 <= len(node.value) <= MOST_VALUES:
        found = f"found a list of {len(node.value):,}" if node.value else "found an empty list"
        yield Problem(node.at, path, found, f"1 to {MOST_VALUES:,} values")
    for index, item in enumerate(node.value[:MOST_VALUES]):
        if item.is_mapping or item.is_list:
            wanted = "a number, a string, true, false or null"
            yield Problem(item.at, join(path, index), f"found {kind(item.value)}", wanted)
