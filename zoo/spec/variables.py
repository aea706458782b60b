"""The variables of a document: `let` evaluated in any order, `${...}` replaced by values."""

from __future__ import annotations

import functools
import graphlib
import keyword
import re
from collections.abc import Callable, Mapping, Set
from dataclasses import replace
from typing import Any

from zoo.errors import Problem, SpecError
from zoo.spec.document import Node, Scoped, join, kind
from zoo.spec.expression import CONSTANTS, ExpressionError, interpolate_text, names_used
from zoo.spec.free import is_free

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_ALONE = re.compile(r"\$\{\s*([a-z][a-z0-9_]*)\s*\}")


def substitute(document: Node) -> Node:
    """Return the document without `let`, and with the value of each `${...}` in its place.

    Expressions under `blocks` stay, since their parameters have values only where a block is used; they come with
    the variables of `let`. Raises SpecError with all problems.
    """
    return Template(document).fill({})


class Template:
    """A document whose variables can be given values again and again.

    A part that mentions none of those that differ is the same node each time, and so is one that was filled with
    the same values before: what was found out about a node holds for all documents that it stands in.
    """

    def __init__(self, document: Node) -> None:
        self._document = document
        self._filled: dict[Any, Node] = {}
        self._mentioned: dict[int, frozenset[str] | None] = {}  # by the identities of the document's nodes

    def fill(self, values: Mapping[str, Any]) -> Node:
        """Return the document as `substitute` does, with `values` in place of variables of `let`."""
        substitution = _Substitution()
        let = self._document.value.get("let")
        if let is not None:
            if let.is_mapping and values:
                given = {name: replace(let.value[name], value=value) for name, value in values.items()}
                let = replace(let, value={**let.value, **given})
            substitution.let(let)
        items = {}
        for key, node in self._document.value.items():
            if key == "blocks":
                scoped = Scoped(node.value, node.at, node.key_at, substitution.values)
                items[key] = self._once(node, substitution, functools.partial(_as_it_is, scoped))
            elif key != "let":
                items[key] = self._interpolated(node, substitution, key)
        if substitution.problems:
            raise SpecError(substitution.problems)
        return replace(self._document, value=items)

    def _interpolated(self, node: Node, substitution: _Substitution, path: str) -> Node:
        def changed() -> Node:
            if not (node.is_mapping or node.is_list):
                return substitution.interpolate(node, path)
            parts = node.value.items() if node.is_mapping else enumerate(node.value)
            changed = {key: self._interpolated(item, substitution, join(path, key)) for key, item in parts}
            return replace(node, value=changed if node.is_mapping else list(changed.values()))

        return self._once(node, substitution, changed)

    def _once(self, node: Node, substitution: _Substitution, change: Callable[[], Node]) -> Node:
        """Return what `node` becomes, as before if it was filled with the same values before."""
        names = self._names(node)
        if names is None:
            return node
        key = (id(node), tuple((type(value), value) for value in map(substitution.values.get, names)))
        if key not in self._filled:
            before = len(substitution.problems)
            found = change()
            if len(substitution.problems) > before:
                return found
            self._filled[key] = found
        return self._filled[key]

    def _names(self, node: Node) -> frozenset[str] | None:
        """Return the names that a node mentions; None when there is no `${` in it."""
        value = node.value
        if not isinstance(value, (dict, list)):
            return _names_in(value) if isinstance(value, str) and "${" in value else None
        if id(node) not in self._mentioned:
            parts = map(self._names, value.values() if isinstance(value, dict) else value)
            told = [names for names in parts if names is not None]
            self._mentioned[id(node)] = frozenset().union(*told) if told else None
        return self._mentioned[id(node)]


def _names_in(text: str) -> frozenset[str]:
    try:
        return frozenset(names_used(text))
    except ExpressionError:
        return frozenset()  # it is told where the text is filled


def _as_it_is(node: Node) -> Node:
    return node


def fill(node: Node, values: Mapping[str, Node], path: str, variables: Mapping[str, Any]) -> Node:
    """Return `node` with each `${...}` replaced; a text that is one name alone may stand for a mapping or a list.

    `values` hide `variables` of their names. Raises SpecError with all problems.
    """
    substitution = _Substitution()
    scalars = {name: one.value for name, one in values.items() if not (one.is_mapping or one.is_list)}
    substitution.values = {name: value for name, value in variables.items() if name not in values} | scalars
    substitution.whole = {name: one for name, one in values.items() if one.is_mapping or one.is_list}
    filled = substitution.interpolate(node, path)
    if substitution.problems:
        raise SpecError(substitution.problems)
    return filled


class _Substitution:
    """Gathers the values of variables, and every problem that is met on the way."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.whole: dict[str, Node] = {}  # values that only a text of their name alone can stand for
        self.problems: list[Problem] = []
        # Variables without a value; what mentions them is passed over, since the cause is already noted.
        self._broken: set[str] = set()

    def let(self, node: Node) -> None:
        """Evaluate the variables, each after those that it mentions."""
        if not node.is_mapping:
            self.problems.append(Problem(node.at, "let", f"found {kind(node.value)}", "a mapping of variables"))
            return
        self.values = dict.fromkeys(node.value)
        mentioned = {name: self._mentioned(name, item) for name, item in node.value.items()}
        for name in self._order(node, mentioned):
            if name in self._broken or mentioned[name] & self._broken:
                self._broken.add(name)
                continue
            others = {other: value for other, value in self.values.items() if other != name}
            try:
                self.values[name] = _value(node.value[name], others)
            except ExpressionError as error:
                self._break(name, error.problem(node.value[name].at, join("let", name)))

    def interpolate(self, node: Node, path: str) -> Node:
        """Return the node with every `${...}` in it replaced by its value."""

        def value(text: str) -> Any:
            return text if self._broken and names_used(text) & self._broken else interpolate_text(text, self.values)

        return self._changed(node, path, value)

    def _changed(self, node: Node, path: str, change: Callable[[str], Any]) -> Node:
        """Return the node with `change` made to each text in it that holds `${`."""
        if node.is_mapping:
            changed = {key: self._changed(item, join(path, key), change) for key, item in node.value.items()}
            return replace(node, value=changed)
        if node.is_list:
            items = enumerate(node.value)
            return replace(node, value=[self._changed(item, join(path, index), change) for index, item in items])
        if not isinstance(node.value, str) or "${" not in node.value:
            return node
        alone = _ALONE.fullmatch(node.value)
        if alone and alone[1] in self.whole:
            return replace(self.whole[alone[1]], key_at=node.key_at)
        try:
            return replace(node, value=change(node.value))
        except ExpressionError as error:
            self.problems.append(error.problem(node.at, path))
            return node

    def _mentioned(self, name: str, node: Node) -> set[str]:
        """Check a variable's name and form; return the variables that its value mentions."""
        path = join("let", name)
        if not _NAME.fullmatch(name) or name in CONSTANTS or keyword.iskeyword(name):
            wanted = "a name of lower-case letters, digits and '_' that is no reserved word"
            self._break(name, Problem(node.key_at, path, f"found the variable {name!r}", wanted))
        elif is_free(node):
            wanted = "a value"
            hint = f"`zoo fit` finds one that keeps the limits, --set let.{name}=VALUE chooses one"
            self._break(name, Problem(node.at, path, "found a free variable", wanted, hint))
        elif node.is_mapping or node.is_list:
            wanted = "a number, a string, true, false or null"
            self._break(name, Problem(node.at, path, f"found {kind(node.value)}", wanted))
        else:
            try:
                return (names_used(node.value) if isinstance(node.value, str) else set()) & self.values.keys()
            except ExpressionError as error:
                self._break(name, error.problem(node.at, path))
        return set()

    def _order(self, node: Node, mentioned: Mapping[str, Set[str]]) -> tuple[str, ...]:
        """Return the variables, each after those that it mentions; those of a cycle become broken."""
        remaining = dict(mentioned)
        while True:
            try:
                return tuple(graphlib.TopologicalSorter(remaining).static_order())
            except graphlib.CycleError as error:
                cycle = error.args[1][::-1]
                start = min(cycle, key=list(node.value).index)
                turn = cycle.index(start)
                names = " -> ".join([*cycle[turn:-1], *cycle[:turn], start])
                found = f"found variables that need each other: {names}"
                self._break(start, Problem(node.value[start].at, join("let", start), found))
                self._broken.update(cycle)
                remaining = {name: set() if name in cycle else needs for name, needs in remaining.items()}

    def _break(self, name: str, problem: Problem) -> None:
        self._broken.add(name)
        self.problems.append(problem)


def _value(node: Node, variables: Mapping[str, Any]) -> Any:
    return interpolate_text(node.value, variables) if isinstance(node.value, str) else node.value
