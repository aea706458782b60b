"""The arithmetic inside `${...}`: parsed by Python's parser, walked by us, never run by `eval`."""

from __future__ import annotations

import ast
import json
import math
import operator
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from zoo.errors import closest, listing
from zoo.spec.document import Node, shorten
from zoo.spec.functions import FUNCTIONS, MOST_ITEMS, ExpressionError, UnknownName, named, number, size

_LONGEST_EXPRESSION = 500
_LONGEST_TEXT = 10_000
_LARGEST_INTEGER = 2**63
_DEEPEST = 50

# Either the escape, or an expression; its strings may hold braces.
_PART = re.compile(r"""\$\$\{|\$\{((?:[^}'"]|'[^']*'|"[^"]*")*)\}""")

_SPLICE = re.compile(r"""\$\{\s*\*((?:[^}'"]|'[^']*'|"[^"]*")*)\}""")

#: The words of YAML, which no variable may be called.
CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None}
#: What a name means that no variable bears.
NUMBERS = {"pi": math.pi}

_ARITHMETIC: dict[type[ast.AST], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", operator.mod),
}
_ORDER: dict[type[ast.AST], tuple[str, Callable[[Any, Any], bool]]] = {
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
}
_REFUSED: dict[type[ast.AST], str] = {
    ast.Attribute: "an attribute",
    ast.Lambda: "a lambda",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.JoinedStr: "an f-string",
    ast.Tuple: "a tuple",
    ast.Dict: "a mapping",
    ast.Set: "a set",
    ast.NamedExpr: "an assignment",
    ast.Starred: "a star",
}


def evaluate(text: str, variables: Mapping[str, Any]) -> Any:
    """Return the value of the expression `text`: a number, a string, a truth value, null, or a list (a tuple) of these.

    Integers stay integers except under `/`; none may pass 2**63. Variables can also hold the layers of a document, as
    nodes, which are handed on as they are. Raises ExpressionError.
    """
    return value_of(parse(text), text, variables)


def value_of(tree: ast.expr, text: str, variables: Mapping[str, Any]) -> Any:
    """Return the value of a parsed expression; `text` is how it was written, for messages. Raises ExpressionError."""
    try:
        return _Evaluation(variables).value(tree)
    except ZeroDivisionError:
        raise ExpressionError(f"found a division by zero in {_quoted(text)}") from None
    except OverflowError:
        raise ExpressionError(f"found a value too large in {_quoted(text)}") from None
    except ExpressionError as error:
        raise error.within(_quoted(text)) from None


def interpolate_text(text: str, variables: Mapping[str, Any]) -> Any:
    """Return `text` with each `${...}` evaluated; `$${` stands for a literal `${`.

    A text that is exactly one `${...}` gives the value with its type. Raises ExpressionError.
    """
    parts = list(split(text))
    if len(parts) == 1 and parts[0][1] is not None:
        return evaluate(parts[0][1], variables)
    return joined(
        literal if expression is None else as_text(evaluate(expression, variables)) for literal, expression in parts
    )


def joined(parts: Iterable[str]) -> str:
    """Return one text of its parts. Raises ExpressionError when it is too long."""
    result = "".join(parts)
    if len(result) > _LONGEST_TEXT:
        raise ExpressionError(f"found a text of {len(result):,} letters", f"at most {_LONGEST_TEXT:,}")
    return result


@lru_cache(maxsize=4096)
def names_used(text: str) -> frozenset[str]:
    """Return the variables that the `${...}` in `text` mention. Raises ExpressionError on bad syntax."""
    parts = split(splice(text) or text)
    return frozenset().union(*(names_of(expression) for _, expression in parts if expression is not None))


@lru_cache(maxsize=4096)
def names_of(expression: str) -> frozenset[str]:
    """Return the variables that an expression mentions. Raises ExpressionError on bad syntax."""
    return frozenset(names_in(parse(expression)))


def names_in(tree: ast.expr) -> set[str]:
    """Return the variables that a parsed expression mentions."""
    functions = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in functions}
    return names - CONSTANTS.keys()


def splice(text: str) -> str | None:
    """Return the text of a list whose items take the place of `text`: `${*widths}` is that of `${widths}`."""
    match = _SPLICE.fullmatch(text) if "*" in text else None
    return None if match is None else "${" + match[1] + "}"


def split(text: str) -> Iterator[tuple[str, str | None]]:
    """Cut `text` into literals (literal, None) and expressions ("", expression)."""
    end = 0
    for match in _PART.finditer(text):
        yield from _literal(text[end : match.start()])
        yield ("${", None) if match[1] is None else ("", re.sub(r"\s", " ", match[1]))
        end = match.end()
    yield from _literal(text[end:])


def _literal(text: str) -> Iterator[tuple[str, None]]:
    if "${" in text:
        raise ExpressionError(f"found '${{' that is not closed in {_quoted(text)}", "'}', or '$${' for the characters")
    if text:
        yield text, None


@lru_cache(maxsize=4096)
def parse(text: str) -> ast.expr:
    """Return the tree of an expression. Raises ExpressionError."""
    if len(text) > _LONGEST_EXPRESSION:
        raise ExpressionError(f"found an expression of {len(text)} letters", f"at most {_LONGEST_EXPRESSION}")
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ExpressionError(f"found {_quoted(text)}", "an expression such as width * 2") from None


class _Evaluation:
    """Walks a parsed expression; what it does not name here is refused."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self.variables = variables
        self.depth = 0

    def value(self, node: ast.AST) -> Any:
        visit = getattr(self, f"_{type(node).__name__.lower()}", None)
        if visit is None:
            what = _REFUSED.get(type(node), type(node).__name__)
            raise ExpressionError(f"found {what}", "numbers, variables, operators and functions")
        self.depth += 1
        if self.depth > _DEEPEST:
            raise ExpressionError(f"found more than {_DEEPEST} levels", "a simpler expression")
        try:
            return _checked(visit(node))
        finally:
            self.depth -= 1

    def _constant(self, node: ast.Constant) -> Any:
        if node.value is None or isinstance(node.value, (bool, int, float, str)):
            return node.value
        raise ExpressionError(f"found {shorten(repr(node.value))}", "a number or a string")

    def _name(self, node: ast.Name) -> Any:
        if node.id in CONSTANTS:
            return CONSTANTS[node.id]
        if node.id in self.variables:
            return self.variables[node.id]
        if node.id in NUMBERS:
            return NUMBERS[node.id]
        wanted = f"one of {listing(self.variables)}" if self.variables else "a variable that 'let' defines"
        raise UnknownName(node.id, wanted, closest(node.id, self.variables))

    def _list(self, node: ast.List) -> tuple[Any, ...]:
        items: list[Any] = []
        for one in node.elts:
            if isinstance(one, ast.Starred):
                items += _items(self.value(one.value), "*")
            else:
                items.append(self.value(one))
        return tuple(items)

    def _subscript(self, node: ast.Subscript) -> Any:
        items = _items(self.value(node.value), "[]")
        if isinstance(node.slice, ast.Slice):
            if node.slice.step is not None:
                raise ExpressionError("found a part of a list with a step", "[from:to]")
            ends = (None if end is None else self._place(end) for end in (node.slice.lower, node.slice.upper))
            return items[slice(*ends)]
        place = self._place(node.slice)
        if not -len(items) <= place < len(items):
            wanted = f"{-len(items)} to {len(items) - 1}" if items else "a list with items"
            raise ExpressionError(f"found item {place} of a list of {len(items)}", wanted)
        return items[place]

    def _place(self, node: ast.expr) -> int:
        place = self.value(node)
        if isinstance(place, bool) or not isinstance(place, int):
            raise ExpressionError(f"found {named(place)} as the place in a list", "a whole number")
        return place

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, ast.Not):
            return not self.value(node.operand)
        if isinstance(node.op, ast.Invert):
            raise ExpressionError("found the operator '~'", "+, -, *, /, //, % or **")
        value = number(self.value(node.operand), "-")
        return -value if isinstance(node.op, ast.USub) else value

    def _binop(self, node: ast.BinOp) -> Any:
        if isinstance(node.op, ast.Pow):
            return _power(number(self.value(node.left), "**"), number(self.value(node.right), "**"))
        if type(node.op) not in _ARITHMETIC:
            raise ExpressionError("found an operator on bits", "+, -, *, /, //, % or **")
        sign, operate = _ARITHMETIC[type(node.op)]
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.Add) and isinstance(left, tuple) and isinstance(right, tuple):
            return left + right
        return operate(number(left, sign), number(right, sign))

    def _boolop(self, node: ast.BoolOp) -> Any:
        value = None
        for operand in node.values:
            value = self.value(operand)
            if bool(value) is isinstance(node.op, ast.Or):
                break
        return value

    def _ifexp(self, node: ast.IfExp) -> Any:
        return self.value(node.body if self.value(node.test) else node.orelse)

    def _compare(self, node: ast.Compare) -> bool:
        left = self.value(node.left)
        for sign, operand in zip(node.ops, node.comparators, strict=True):
            right = self.value(operand)
            if not _holds(sign, left, right):
                return False
            left = right
        return True

    def _call(self, node: ast.Call) -> Any:
        if not isinstance(node.func, ast.Name):
            raise ExpressionError("found a call of what is no function", f"one of {listing(FUNCTIONS)}")
        name = node.func.id
        if name not in FUNCTIONS:
            hint = closest(name, FUNCTIONS)
            raise ExpressionError(f"found the unknown function {name!r}", f"one of {listing(FUNCTIONS)}", hint)
        function = FUNCTIONS[name]
        if node.keywords or not function.least <= len(node.args) <= function.most:
            raise ExpressionError(f"found {name} with {len(node.args)} values", f"{function.wanted}, without names")
        values = [function.take(self.value(argument), name) for argument in node.args]
        try:
            return function.call(*values)
        except ValueError:
            raise ExpressionError(f"found no value of {name}({values[0]})") from None


def _checked(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise ExpressionError("found a value that is not finite")
    if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        raise ExpressionError("found a value beyond 2**63")
    if isinstance(value, tuple) and size(value) > MOST_ITEMS:
        raise ExpressionError(f"found a list of more than {MOST_ITEMS:,} values", "fewer")
    return value


def _items(value: Any, what: str) -> tuple[Any, ...]:
    if not isinstance(value, tuple):
        raise ExpressionError(f"found {named(value)} as a value of '{what}'", "a list")
    return value


def _power(base: Any, exponent: Any) -> Any:
    # Python would compute 9**9**9 in full before anyone could look at its size.
    if isinstance(base, int) and isinstance(exponent, int) and abs(base) > 1 and exponent > 63:
        raise ExpressionError("found a value beyond 2**63")
    value = base**exponent
    if isinstance(value, complex):
        raise ExpressionError("found a root of a negative number")
    return value


def _holds(sign: ast.cmpop, left: Any, right: Any) -> bool:
    if isinstance(sign, (ast.Eq, ast.NotEq)):
        return bool(left == right) is isinstance(sign, ast.Eq)
    if type(sign) not in _ORDER:
        raise ExpressionError("found 'is' or 'in'", "==, !=, <, <=, > or >=")
    symbol, compare = _ORDER[type(sign)]
    if isinstance(left, str) and isinstance(right, str):
        return compare(left, right)
    return compare(number(left, symbol), number(right, symbol))


def as_text(value: Any) -> str:
    """Return a value as it stands inside a text. Raises ExpressionError for a list."""
    if isinstance(value, (tuple, Node)):
        raise ExpressionError(f"found {named(value)} inside a text", "a number, a string, true, false or null")
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def _quoted(text: str) -> str:
    return repr(shorten(text.strip()))
