"""Expressions that wait: some of their names have values only where a shape reaches a layer."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Set
from typing import Any

from zoo.spec.document import Node
from zoo.spec.expression import (
    CONSTANTS,
    NUMBERS,
    as_text,
    evaluate,
    interpolate_text,
    joined,
    names_in,
    names_of,
    names_used,
    parse,
    splice,
    split,
    value_of,
)
from zoo.spec.functions import ExpressionError

#: Names that stand for the shape which reaches a layer and for what its network gives.
#: `channels` is the first size of any shape.
RUNNING = ("channels", "height", "width", "length", "depth", "features", "classes")
#: What the sizes of a shape are called, by how many they are.
AXES = {
    1: ("features",),
    2: ("channels", "length"),
    3: ("channels", "height", "width"),
    4: ("channels", "depth", "height", "width"),
}
#: What each of these layers gives names to, inside its `layers`.
BINDERS = ("let", "for", "repeat")
ROUND = "round"


class Pending(str):
    """A text whose `${...}` wait for values."""

    __slots__ = ()


class Symbol(str):
    """The value of a name that is another name, which still waits for its value."""

    __slots__ = ()


def running_values(input: tuple[int, ...], output: tuple[int, ...]) -> dict[str, int]:
    """Return what the names of the running shape stand for, where `input` reaches a layer of a network to `output`."""
    values = dict(zip(AXES.get(len(input), AXES[4]), input, strict=False))
    values["channels"] = input[0]
    if len(output) == 1:
        values["classes"] = output[0]
    return values


def reduced(text: str, values: Mapping[str, Any], waiting: Set[str]) -> Any:
    """Return `text` with each `${...}` evaluated as far as `values` go; what mentions a name of `waiting` stays.

    Returns the value, or a Pending text. Raises ExpressionError.
    """
    spliced = splice(text)
    if spliced is not None:
        found = reduced(spliced, values, waiting)
        return Pending("${*" + found[2:]) if isinstance(found, Pending) else found
    if not any(_waits(expression, values, waiting) for _, expression in split(text) if expression is not None):
        return interpolate_text(text, values)
    return Pending(joined(_part(literal, expression, values, waiting) for literal, expression in split(text)))


def _part(literal: str, expression: str | None, values: Mapping[str, Any], waiting: Set[str]) -> str:
    if expression is None:
        return literal.replace("${", "$${")
    if not _waits(expression, values, waiting):
        return as_text(evaluate(expression, values)).replace("${", "$${")
    return "${" + ast.unparse(_Reduction(expression, values, waiting).visit(parse(expression))) + "}"


def _waits(expression: str, values: Mapping[str, Any], waiting: Set[str]) -> bool:
    return any(_is_waiting(name, values, waiting) for name in names_of(expression))


def _is_waiting(name: str, values: Mapping[str, Any], waiting: Set[str]) -> bool:
    return name in waiting or isinstance(values.get(name), Symbol)


class _Reduction:
    """Evaluates the parts of one expression that wait for nothing."""

    def __init__(self, text: str, values: Mapping[str, Any], waiting: Set[str]) -> None:
        self.text, self.values, self.waiting = text, values, waiting

    def visit(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.Name) and self._is_waiting(node.id):
            return node if node.id in self.waiting else ast.Name(str(self.values[node.id]))
        if not any(map(self._is_waiting, names_in(node))):
            try:
                return _literal(value_of(node, self.text, self.values))
            except ExpressionError:
                if isinstance(node, (ast.Name, ast.Constant)):
                    raise
                # What is wrong here may stand in the part of a condition that does not count.
        if isinstance(node, ast.IfExp):
            test = self.visit(node.test)
            if not names_in(test):
                return self.visit(node.body if value_of(test, self.text, {}) else node.orelse)
            return ast.IfExp(test, self.visit(node.body), self.visit(node.orelse))
        return self._inside(node)

    def _inside(self, node: ast.expr) -> ast.expr:
        """Return the node with what stands in it visited; the name of a function is none of a variable."""
        changed = {}
        for name, value in ast.iter_fields(node):
            if isinstance(node, ast.Call) and name == "func":
                changed[name] = value
            elif isinstance(value, list):
                changed[name] = [self.visit(one) if isinstance(one, ast.expr) else one for one in value]
            elif isinstance(value, ast.Slice):
                lower, upper = (None if end is None else self.visit(end) for end in (value.lower, value.upper))
                changed[name] = ast.Slice(lower, upper, value.step)
            else:
                changed[name] = self.visit(value) if isinstance(value, ast.expr) else value
        return type(node)(**changed)

    def _is_waiting(self, name: str) -> bool:
        return _is_waiting(name, self.values, self.waiting)


def _literal(value: Any) -> ast.expr:
    """Return the expression that gives a value."""
    if isinstance(value, tuple):
        return ast.List([_literal(one) for one in value])
    if isinstance(value, Node):
        raise ExpressionError("found layers in an expression that waits for a shape", "`when`, which chooses layers")
    for word, constant in CONSTANTS.items():
        if value is constant:
            return ast.Name(word)
    return ast.parse(repr(value), mode="eval").body


def waiting_in(node: Node, *, layers: bool = True) -> set[str]:
    """Return the names that the texts in a node wait for; without `layers`, but for those in mappings, whose layers
    see to them.
    """
    if isinstance(node.value, Pending):
        return set(names_used(node.value) - NUMBERS.keys())
    if node.is_list or (node.is_mapping and layers):
        parts = node.value.values() if node.is_mapping else node.value
        return set().union(*(waiting_in(one, layers=layers) for one in parts))
    return set()


def bound_names(name: str, options: Node) -> frozenset[str]:
    """Return the names that a layer gives to what its `layers` mention."""
    if name not in BINDERS or not options.is_mapping or "layers" not in options.value:
        return frozenset()
    if name == "repeat":
        return frozenset({ROUND})
    node = options.value.get("values" if name == "let" else "each")
    if node is None:
        return frozenset()
    if name == "let":
        return frozenset(node.value if node.is_mapping else ())
    names = [one.value for one in node.value] if node.is_list else [node.value]
    return frozenset(name for name in names if isinstance(name, str))


def plain_value(node: Node) -> Any:
    """Return a node as a value of expressions: a scalar, a tuple for a list, and the node itself for a mapping."""
    if node.is_list:
        return tuple(plain_value(one) for one in node.value)
    return node if node.is_mapping else node.value


def as_node(value: Any, place: Node) -> Node:
    """Return a value of an expression as a node that stands in the place of `place`."""
    if isinstance(value, Node):
        return Node(value.value, value.at, place.key_at)
    if isinstance(value, tuple):
        return Node([as_node(one, Node(None, place.at)) for one in value], place.at, place.key_at)
    return Node(value, place.at, place.key_at)
