"""The arithmetic inside `${...}`: parsed by Python's parser, walked by us, never run by `eval`."""

from __future__ import annotations

import ast
import json
import math
import operator
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from zoo.errors import closest, listing
from zoo.spec.document import BadValue, kind, shorten

_LONGEST_EXPRESSION = 500
_LONGEST_TEXT = 10_000
_LARGEST_INTEGER = 2**63
_DEEPEST = 50

# Either the escape, or an expression; its strings may hold braces.
_PART = re.compile(r"""\$\$\{|\$\{((?:[^}'"]|'[^']*'|"[^"]*")*)\}""")

#: The words of YAML, which no variable may be called.
CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None}

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
    ast.Subscript: "a subscript",
    ast.Lambda: "a lambda",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.JoinedStr: "an f-string",
    ast.List: "a list",
    ast.Tuple: "a tuple",
    ast.Dict: "a mapping",
    ast.Set: "a set",
    ast.NamedExpr: "an assignment",
    ast.Starred: "a star",
}


class ExpressionError(BadValue):
    """An expression has no value; the message is one line, the place is the caller's to add."""


def evaluate(text: str, variables: Mapping[str, Any]) -> Any:
    """Return the value of the expression `text`: a number, a string, a truth value or null.

    Integers stay integers except under `/`; none may pass 2**63. Raises ExpressionError.
    """
    tree = _parse(text)
    try:
        return _Evaluation(variables).value(tree)
    except ZeroDivisionError:
        raise ExpressionError(f"found a division by zero in {_quoted(text)}") from None
    except OverflowError:
        raise ExpressionError(f"found a value too large in {_quoted(text)}") from None
    except ExpressionError as error:
        raise ExpressionError(f"{error.found} in {_quoted(text)}", error.wanted, error.hint) from None


def interpolate_text(text: str, variables: Mapping[str, Any]) -> Any:
    """Return `text` with each `${...}` evaluated; `$${` stands for a literal `${`.

    A text that is exactly one `${...}` gives the value with its type. Raises ExpressionError.
    """
    parts = list(_split(text))
    if len(parts) == 1 and parts[0][1] is not None:
        return evaluate(parts[0][1], variables)
    result = "".join(
        literal if expression is None else _as_text(evaluate(expression, variables)) for literal, expression in parts
    )
    if len(result) > _LONGEST_TEXT:
        raise ExpressionError(f"found a text of {len(result):,} letters", f"at most {_LONGEST_TEXT:,}")
    return result


def names_used(text: str) -> set[str]:
    """Return the variables that the `${...}` in `text` mention. Raises ExpressionError on bad syntax."""
    names: set[str] = set()
    for _, expression in _split(text):
        if expression is not None:
            names |= {node.id for node in _variables(_parse(expression))}
    return names


def _split(text: str) -> Iterator[tuple[str, str | None]]:
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
def _parse(text: str) -> ast.expr:
    if len(text) > _LONGEST_EXPRESSION:
        raise ExpressionError(f"found an expression of {len(text)} letters", f"at most {_LONGEST_EXPRESSION}")
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ExpressionError(f"found {_quoted(text)}", "an expression such as width * 2") from None


def _variables(tree: ast.expr) -> Iterator[ast.Name]:
    functions = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and id(node) not in functions and node.id not in CONSTANTS:
            yield node


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
        wanted = f"one of {listing(self.variables)}" if self.variables else "a variable that 'let' defines"
        hint = closest(node.id, self.variables)
        raise ExpressionError(f"found the unknown variable {shorten(node.id)!r}", wanted, hint)

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, ast.Not):
            return not self.value(node.operand)
        if isinstance(node.op, ast.Invert):
            raise ExpressionError("found the operator '~'", "+, -, *, /, //, % or **")
        value = _number(self.value(node.operand), "-")
        return -value if isinstance(node.op, ast.USub) else value

    def _binop(self, node: ast.BinOp) -> Any:
        if isinstance(node.op, ast.Pow):
            return _power(_number(self.value(node.left), "**"), _number(self.value(node.right), "**"))
        if type(node.op) not in _ARITHMETIC:
            raise ExpressionError("found an operator on bits", "+, -, *, /, //, % or **")
        sign, operate = _ARITHMETIC[type(node.op)]
        return operate(_number(self.value(node.left), sign), _number(self.value(node.right), sign))

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
        function, least, most = FUNCTIONS[name]
        if node.keywords or not least <= len(node.args) <= most:
            wanted = f"{least}" if least == most else f"{least} or more" if most > 2 else f"{least} or {most}"
            raise ExpressionError(f"found {name} with {len(node.args)} values", f"{wanted}, without names")
        values = [_number(self.value(argument), name) for argument in node.args]
        try:
            return function(*values)
        except ValueError:
            raise ExpressionError(f"found no value of {name}({values[0]})") from None


def _checked(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise ExpressionError("found a value that is not finite")
    if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        raise ExpressionError("found a value beyond 2**63")
    return value


def _number(value: Any, what: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ExpressionError(f"found {kind(value)} as a value of '{what}'", "a number")
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
    return compare(_number(left, symbol), _number(right, symbol))


def _round_to(value: float, multiple: float) -> float:
    """Return the multiple nearest to `value` (of two the larger), and at least one `multiple`."""
    if multiple <= 0:
        raise ExpressionError(f"found round_to a multiple of {multiple}", "a multiple above 0")
    count = max(1, int((2 * value + multiple) // (2 * multiple)))
    return count * multiple


def _round(value: float, digits: int = 0) -> float:
    if not isinstance(digits, int) or not 0 <= digits <= 15:
        raise ExpressionError(f"found round to {digits} digits", "0 to 15 digits")
    return round(value, digits) if digits else round(value)


#: Each function with the least and the largest number of its values.
FUNCTIONS: dict[str, tuple[Callable[..., Any], int, int]] = {
    "abs": (abs, 1, 1),
    "ceil": (math.ceil, 1, 1),
    "float": (float, 1, 1),
    "floor": (math.floor, 1, 1),
    "int": (int, 1, 1),
    "log2": (math.log2, 1, 1),
    "max": (lambda *values: max(values), 1, 100),
    "min": (lambda *values: min(values), 1, 100),
    "round": (_round, 1, 2),
    "round_to": (_round_to, 2, 2),
    "sqrt": (math.sqrt, 1, 1),
}


def _as_text(value: Any) -> str:
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def _quoted(text: str) -> str:
    return repr(shorten(text.strip()))
