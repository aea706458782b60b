"""Formulas: functions of named numbers, in the language of `${...}`. They are data, so that they can be drawn, counted,
checked and turned into whatever computes them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any

from zoo.errors import closest, listing
from zoo.spec.document import shorten
from zoo.spec.expression import NUMBERS, names_in, parse, value_of
from zoo.spec.functions import ExpressionError

#: Functions of numbers alone; those of lists, and those that make whole numbers of shapes, are left out.
ELEMENTWISE = (
    *("abs", "ceil", "clamp", "cos", "erf", "exp", "floor", "log", "log2", "max", "min"),
    *("relu", "round", "sigmoid", "sin", "softplus", "sqrt", "tanh", "where"),
)
TRUTHS = (ast.Compare, ast.BoolOp)
NODES = (ast.Constant, ast.Name, ast.UnaryOp, ast.BinOp, ast.IfExp, ast.Call, *TRUTHS)


class Formula:
    """A formula over `names`. `tree` has only what NODES lists, each part without names as the number that it is, and
    `where` for each condition.

    Raises ValueError, which says what is wrong.
    """

    def __init__(self, text: str, names: Iterable[str]) -> None:
        self.text, self.names = text.strip(), tuple(names)
        try:
            self.tree = self._taken(parse(text))
        except ExpressionError as error:
            raise ValueError(str(error)) from None

    def __call__(self, **values: float) -> float:
        """Return the value for these values of all names. Raises ValueError where there is none."""
        return self.with_values(values)

    def with_values(self, values: Mapping[str, float]) -> float:
        """Return the value for these values of all names. Raises ValueError where there is none."""
        try:
            found = value_of(self.tree, self.text, values)
            return float(found)
        except ExpressionError as error:
            where = ", ".join(f"{name} = {value:g}" for name, value in values.items() if name in names_in(self.tree))
            hint = "both sides of a condition are computed; keep the value of each in range" if self._chooses else ""
            told = f"{error.found}, at {where}" if where else error.found
            raise ValueError("; ".join(part for part in (told, hint) if part)) from None

    @property
    def used(self) -> set[str]:
        """The names that it mentions."""
        return names_in(self.tree)

    @property
    def _chooses(self) -> bool:
        return any(_function(node) == "where" for node in ast.walk(self.tree))

    def _taken(self, node: ast.expr, truth: bool = False) -> ast.expr:
        """Return a part as it stands in `tree`; a `truth` is what a condition asks for."""
        is_truth = isinstance(node, TRUTHS) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not))
        if not isinstance(node, NODES):
            raise self._wrong(f"found {ast.unparse(node)!r}", "numbers, names, operators and functions")
        if is_truth is not truth and not (truth and isinstance(node, ast.Constant)):
            wanted = "a condition, such as x > 0" if truth else "a number"
            raise self._wrong(f"found {shorten(ast.unparse(node))!r}", wanted)
        if isinstance(node, ast.IfExp):
            parts = [self._taken(node.test, truth=True), self._taken(node.body), self._taken(node.orelse)]
            return self._number(ast.Call(ast.Name("where"), parts, []))
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.Constant):
            if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
                raise self._wrong(f"found {node.value!r}", "a number")
            return node
        if isinstance(node, ast.Call):
            return self._number(self._call(node))
        inner = isinstance(node, ast.BoolOp) or (is_truth and isinstance(node, ast.UnaryOp))
        fields = {key: self._inner(value, inner) for key, value in ast.iter_fields(node)}
        return self._number(type(node)(**fields))

    def _inner(self, value: Any, truth: bool) -> Any:
        if isinstance(value, list):
            return [self._inner(one, truth) for one in value]
        return self._taken(value, truth) if isinstance(value, ast.expr) else value

    def _name(self, node: ast.Name) -> ast.expr:
        if node.id in self.names:
            return node
        if node.id in NUMBERS:
            return ast.Constant(NUMBERS[node.id])
        known = [*self.names, *NUMBERS]
        raise self._wrong(f"found the unknown name {node.id!r}", f"one of {', '.join(known)}", closest(node.id, known))

    def _call(self, node: ast.Call) -> ast.Call:
        name = _function(node)
        if name not in ELEMENTWISE:
            hint = closest(name, ELEMENTWISE) if name else ""
            found = f"found the function {name!r}" if name else "found a call of what is no function"
            raise self._wrong(found, f"one of {listing(ELEMENTWISE, len(ELEMENTWISE))}", hint)
        first = self._taken(node.args[0], truth=name == "where") if node.args else None
        return ast.Call(node.func, [first, *map(self._taken, node.args[1:])] if first else [], node.keywords)

    def _number(self, node: ast.expr) -> ast.expr:
        """Return the value that a part without names is, and of a condition without names the side that holds."""
        if not names_in(node):
            return ast.Constant(value_of(node, self.text, {}))
        self._check_calls(node)
        if isinstance(node, ast.Call) and _function(node) == "where" and isinstance(node.args[0], ast.Constant):
            return node.args[1] if node.args[0].value else node.args[2]
        return node

    def _check_calls(self, node: ast.expr) -> None:
        """Let the evaluation say what is wrong with a call, whatever the values: it does so before it computes."""
        if isinstance(node, ast.Call) and (node.keywords or not _fits(node)):
            value_of(ast.Call(node.func, [ast.Constant(1)] * len(node.args), node.keywords), self.text, {})

    def _wrong(self, found: str, wanted: str, hint: str = "") -> ExpressionError:
        return ExpressionError(f"{found} in {shorten(self.text)!r}", wanted, hint)


def _function(node: ast.AST) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def _fits(node: ast.Call) -> bool:
    from zoo.spec.functions import FUNCTIONS

    function = FUNCTIONS[_function(node)]
    return function.least <= len(node.args) <= function.most
