"""The functions that an expression can call: none can take long, and none gives what is not a value of a spec."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from zoo.spec.document import BadValue, Node, kind, shorten

MOST_ITEMS = 10_000  # of a list, those of lists inside it included


class ExpressionError(BadValue):
    """An expression has no value; the message is one line, the place is the caller's to add."""

    def within(self, text: str) -> ExpressionError:
        """Return the same error, said of an expression."""
        return ExpressionError(f"{self.found} in {text}", self.wanted, self.hint)


class UnknownName(ExpressionError):
    """An expression mentions a name that has no value."""

    def __init__(self, name: str, wanted: str, hint: str = "", text: str = "") -> None:
        self.name = name
        super().__init__(f"found the unknown variable {shorten(name)!r}{text and f' in {text}'}", wanted, hint)

    def within(self, text: str) -> UnknownName:
        return UnknownName(self.name, self.wanted, self.hint, text)


class Function(NamedTuple):
    """A function with the least and the largest number of its values, and what each value is looked at with."""

    call: Callable[..., Any]
    least: int
    most: int
    take: Callable[[Any, str], Any]

    @property
    def wanted(self) -> str:
        """How many values it takes, in words."""
        if self.least == self.most:
            return str(self.least)
        return f"{self.least} or more" if self.most > 3 else f"{self.least} to {self.most}"


def number(value: Any, what: str) -> Any:
    """Return a value that has to be a number; `what` is the function or operator that takes it."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ExpressionError(f"found {named(value)} as a value of '{what}'", "a number")
    return value


def named(value: Any) -> str:
    """Name what a value is, for a message."""
    return "layers" if isinstance(value, Node) else kind(value)


def size(value: Any, most: int = MOST_ITEMS) -> int:
    """Return how many values a list holds, those of lists inside it included; it stops beyond `most`."""
    total = 0
    for one in value:
        total += 1 + (size(one, most - total) if isinstance(one, tuple) else 0)
        if total > most:
            break
    return total


def _whole(value: Any, what: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ExpressionError(f"found {named(value)} as a value of '{what}'", "a whole number")
    return value


def _list(value: Any, what: str) -> Any:
    if not isinstance(value, tuple):
        raise ExpressionError(f"found {named(value)} as a value of '{what}'", "a list")
    return value


def _number_or_list(value: Any, what: str) -> Any:
    if isinstance(value, tuple):
        return tuple(number(one, what) for one in value)
    return number(value, what)


def _number_or_truth(value: Any, what: str) -> Any:
    return value if isinstance(value, bool) else number(value, what)


def _extreme(choose: Callable[[Any], Any]) -> Callable[..., Any]:
    def function(*values: Any) -> Any:
        items = values[0] if len(values) == 1 and isinstance(values[0], tuple) else values
        if not items or any(isinstance(one, tuple) for one in items):
            raise ExpressionError(f"found no value of {choose.__name__}", "numbers, or one list of them")
        return choose(items)

    return function


def _sum(values: Any) -> Any:
    return sum(number(one, "sum") for one in values)


def _range(*values: int) -> tuple[int, ...]:
    found = range(*values)
    if len(found) > MOST_ITEMS:
        raise ExpressionError(f"found a list of {len(found):,}", f"at most {MOST_ITEMS:,}")
    return tuple(found)


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


def _sigmoid(value: float) -> float:
    small = math.exp(-abs(value))
    return (1 if value >= 0 else small) / (1 + small)


def _softplus(value: float) -> float:
    return max(value, 0) + math.log1p(math.exp(-abs(value)))


def _clamp(value: float, least: float, most: float) -> float:
    return min(max(value, least), most)


def _where(condition: Any, then: Any, otherwise: Any) -> Any:
    return then if condition else otherwise


FUNCTIONS: dict[str, Function] = {
    "abs": Function(abs, 1, 1, number),
    "ceil": Function(math.ceil, 1, 1, number),
    "clamp": Function(_clamp, 3, 3, number),
    "cos": Function(math.cos, 1, 1, number),
    "erf": Function(math.erf, 1, 1, number),
    "exp": Function(math.exp, 1, 1, number),
    "float": Function(float, 1, 1, _number_or_truth),
    "floor": Function(math.floor, 1, 1, number),
    "int": Function(int, 1, 1, _number_or_truth),
    "len": Function(len, 1, 1, _list),
    "log": Function(math.log, 1, 1, number),
    "log2": Function(math.log2, 1, 1, number),
    "max": Function(_extreme(max), 1, 100, _number_or_list),
    "min": Function(_extreme(min), 1, 100, _number_or_list),
    "range": Function(_range, 1, 2, _whole),
    "relu": Function(lambda value: max(value, 0), 1, 1, number),
    "round": Function(_round, 1, 2, number),
    "round_to": Function(_round_to, 2, 2, number),
    "sigmoid": Function(_sigmoid, 1, 1, number),
    "sin": Function(math.sin, 1, 1, number),
    "softplus": Function(_softplus, 1, 1, number),
    "sqrt": Function(math.sqrt, 1, 1, number),
    "sum": Function(_sum, 1, 1, _list),
    "tanh": Function(math.tanh, 1, 1, number),
    "where": Function(_where, 3, 3, lambda value, what: value),
}
