"""The variables of a document: `let` evaluated in any order, `${...}` replaced by values."""

from __future__ import annotations

import functools
import graphlib
import keyword
import re
from collections.abc import Callable, Mapping, Set
from typing import Any

from zoo.errors import Problem, SpecError, closest
from zoo.spec.document import Node, Scoped, join, kind
from zoo.spec.expression import CONSTANTS, names_used, splice
from zoo.spec.free import how_to_settle, is_free, require_settled
from zoo.spec.functions import MOST_ITEMS, ExpressionError, UnknownName, size
from zoo.spec.pending import RUNNING, Pending, Symbol, as_node, plain_value, reduced
from zoo.spec.walk import Waiting, Walk

_NAME = re.compile(r"[a-z][a-z0-9_]*")
MOST_FILLED = 100_000  # nodes that are kept as they were filled
_ALONE = re.compile(r"\$\{\s*([a-z][a-z0-9_]*)\s*\}")


def substitute(document: Node) -> Node:
    """Return the document without `let`, and with the value of each `${...}` in its place.

    Expressions under `blocks` stay, since their parameters have values only where a block is used; they come with
    the variables of `let`. Raises SpecError with all problems.
    """
    require_settled(document)
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
                free = {name: let.value[name] for name in values}
                given = {name: Node(values[name], one.at, one.key_at) for name, one in free.items()}
                let = Node({**let.value, **given}, let.at, let.key_at)
            substitution.let(let)
            substitution.typed = {name: _typed(value) for name, value in substitution.values.items()}
        if len(self._filled) > MOST_FILLED:
            self._filled.clear()
        waiting = frozenset(RUNNING).difference(substitution.values)
        walk = Walk(substitution.filled, functools.partial(self._once, substitution))
        items = {}
        for key, node in self._document.value.items():
            if self._names(node) is None and key != "let":
                items[key] = node
            elif key == "blocks":
                scoped = functools.partial(Scoped, node.value, node.at, node.key_at, substitution.values)
                items[key] = self._once(substitution, node, (), scoped)
            elif key == "networks":
                items[key] = walk.networks(node, key, waiting)
            elif key != "let":
                items[key] = walk.node(node, key, None)
        if substitution.problems:
            raise SpecError(substitution.problems)
        return Node(items, self._document.at, self._document.key_at)

    def _once(self, substitution: _Substitution, node: Node, where: Any, change: Callable[[], Node]) -> Node:
        """Return what `node` becomes, as before if it was filled with the same values before."""
        names = self._names(node)
        if names is None:
            return node
        key = (id(node), where, *[substitution.typed.get(name) for name in names])
        found = self._filled.get(key)
        if found is None:
            before = len(substitution.problems)
            found = change()
            if len(substitution.problems) == before:
                self._filled[key] = found
        return found

    def _names(self, node: Node) -> frozenset[str] | None:
        """Return the names that a node mentions; None when there is no `${` in it."""
        value = node.value
        if not isinstance(value, (dict, list)):
            return _names_in(value) if isinstance(value, str) and "${" in value else None
        if id(node) not in self._mentioned:
            parts = value.values() if isinstance(value, dict) else value
            told = [
                names for one in parts
                if isinstance(one.value, (str, dict, list)) and (names := self._names(one)) is not None
            ]  # fmt: skip
            self._mentioned[id(node)] = frozenset().union(*told) if told else None
        return self._mentioned[id(node)]


def _names_in(text: str) -> frozenset[str]:
    try:
        return frozenset(names_used(text))
    except ExpressionError:
        return frozenset()  # it is told where the text is filled


def _typed(value: Any) -> Any:
    """Return a key for a value: 1, 1.0 and true are three."""
    return (type(value), tuple(map(_typed, value)) if isinstance(value, tuple) else value)


def fill(
    node: Node, values: Mapping[str, Node | Symbol], path: str, variables: Mapping[str, Any], *, running: bool = True
) -> Node:
    """Return `node` with each `${...}` replaced; a text that is one name alone may stand for a mapping or a list.

    `values` hide `variables` of their names, and these the names of the running shape, which wait where it is
    `running`. Raises SpecError with all problems.
    """
    substitution = _Substitution()
    substitution.give(values, variables)
    known = frozenset(substitution.values)
    filled = Walk(substitution.filled).node(node, path, frozenset(RUNNING) - known if running else None)
    if substitution.problems:
        raise SpecError(substitution.problems)
    return filled


def settle(node: Node, values: Mapping[str, Any], path: str) -> Node:
    """Return `node` with `values` for names that waited; others go on waiting. Raises SpecError with all problems."""
    substitution = _Substitution()
    substitution.give(values, {})

    def change(one: Node, place: str, bound: Waiting) -> Node:
        if not isinstance(one.value, Pending):
            return one
        others = frozenset(names_used(one.value)).difference(substitution.values)
        return substitution.filled(one, place, others | (bound or frozenset()))

    settled = Walk(change).node(node, path, frozenset())
    if substitution.problems:
        raise SpecError(substitution.problems)
    return settled


class _Substitution:
    """Gathers the values of variables, and every problem that is met on the way."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.written: dict[str, Node] = {}  # values with a place of their own, for a text that is their name alone
        self.typed: dict[str, Any] = {}  # their keys
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
            one = node.value[name]
            if isinstance(one.value, (str, list)):
                self._evaluate(name, one, {other: value for other, value in self.values.items() if other != name})
            else:
                self.values[name] = one.value

    def _evaluate(self, name: str, node: Node, others: Mapping[str, Any]) -> None:
        """Give a variable its value."""
        inner = _Substitution()
        inner.values = dict(others)
        found = plain_value(Walk(inner.filled).node(node, join("let", name), None))
        if isinstance(found, tuple) and size(found) > MOST_ITEMS:
            inner.problems.append(Problem(node.at, join("let", name), *_too_long()))
        if inner.problems:
            self._broken.add(name)
            self.problems += inner.problems
        else:
            self.values[name] = found

    def give(self, values: Mapping[str, Any], variables: Mapping[str, Any]) -> None:
        """Take in values, nodes among them, and variables that they hide."""
        plain = {name: plain_value(one) if isinstance(one, Node) else one for name, one in values.items()}
        self.values = {**variables, **plain}
        self.written = {
            name: one for name, one in values.items() if isinstance(one, Node) and not isinstance(one.value, Pending)
        }

    def filled(self, node: Node, path: str, waiting: Waiting) -> Node:
        """Return a text with every `${...}` in it replaced by its value, but for those of names that wait."""
        names = waiting or frozenset()
        alone = _ALONE.fullmatch(splice(node.value) or node.value)
        if alone and alone[1] in self.written and alone[1] not in names:
            written = self.written[alone[1]]
            return self._spread(Node(written.value, written.at, node.key_at), node, path)
        try:
            if self._broken and names_used(node.value) & self._broken - names:
                return node
            return self._spread(as_node(reduced(node.value, self.values, names), node), node, path)
        except ExpressionError as error:
            if waiting is not None and isinstance(error, UnknownName):
                error.wanted += f", or of the running shape: {', '.join(RUNNING)}"
                error.hint = closest(error.name, {*self.values, *RUNNING})
            self.problems.append(error.problem(node.at, path))
            return node

    def _spread(self, found: Node, node: Node, path: str) -> Node:
        """Return what was found for a text; what takes the place of a splice has to be a list."""
        if splice(node.value) is not None and not found.is_list and not isinstance(found.value, Pending):
            self.problems.append(Problem(node.at, path, f"found {kind(found.value)} where a list is spread", "a list"))
        return found

    def _mentioned(self, name: str, node: Node) -> Set[str]:
        """Check a variable's name and form; return the variables that its value mentions."""
        path = join("let", name)
        if not _NAME.fullmatch(name) or name in CONSTANTS or keyword.iskeyword(name):
            wanted = "a name of lower-case letters, digits and '_' that is no reserved word"
            self._break(name, Problem(node.key_at, path, f"found the variable {name!r}", wanted))
        elif is_free(node):
            wanted = "a value"
            self._break(name, Problem(node.at, path, "found a free variable", wanted, how_to_settle(path)))
        else:
            return self._names(name, node, path) & self.values.keys()
        return set()

    def _names(self, name: str, node: Node, path: str) -> Set[str]:
        """Return the names that a variable's value mentions; lists are looked through."""
        if node.is_list:
            parts = (self._names(name, one, join(path, index)) for index, one in enumerate(node.value))
            return set().union(*parts)
        if node.is_mapping:
            wanted = "a number, a string, true, false, null, or a list of these"
            self._break(name, Problem(node.at, path, f"found {kind(node.value)}", wanted))
            return set()
        try:
            return names_used(node.value) if isinstance(node.value, str) else set()
        except ExpressionError as error:
            self._break(name, error.problem(node.at, path))
            return set()

    def _order(self, node: Node, mentioned: Mapping[str, Set[str]]) -> tuple[str, ...]:
        """Return the variables, each after those that it mentions; those of a cycle become broken."""
        if not any(mentioned.values()):
            return tuple(mentioned)
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


def _too_long() -> tuple[str, str]:
    return f"found a list of more than {MOST_ITEMS:,} values", "fewer"
