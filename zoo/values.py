"""Plain values and their types: what is surely right is taken, and what is not is left to pydantic, which says why."""

from __future__ import annotations

import math
import re
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from zoo.annotations import Field, Wanted

#: What is taken in place of a value that pydantic has to look at.
UNSURE: Any = object()
Take = Callable[[Any], Any]

_LARGEST_EXACT = 2**53  # of the integers that a float holds


def taker(annotation: Any) -> Take:
    """Return a function that gives a value of plain data as an option of this type has it, or UNSURE.

    What it gives is what pydantic's strict mode makes of the same value in JSON; a test holds them equal.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _constrained(taker(arguments[0]), arguments[0], arguments[1:])
    if origin is Literal:
        return _one_of(arguments)
    if origin in (Union, types.UnionType):
        return _either([taker(one) for one in arguments])
    if origin is list:
        return _items(taker(arguments[0]), list)
    if origin is tuple and arguments[1:] == (Ellipsis,):
        return _items(taker(arguments[0]), tuple)
    if origin is tuple:
        return _tuple([taker(one) for one in arguments])
    if origin is dict and arguments[0] is str:
        return _mapping(taker(arguments[1]))
    if annotation is float:
        return _float
    if annotation in (bool, int, str, type(None)):
        return lambda value: value if type(value) is annotation else UNSURE
    return _unsure


def _unsure(value: Any) -> Any:
    return UNSURE


def _float(value: Any) -> Any:
    if type(value) is float:
        return value if math.isfinite(value) else UNSURE
    return float(value) if type(value) is int and abs(value) <= _LARGEST_EXACT else UNSURE


def _one_of(choices: tuple[Any, ...]) -> Take:
    known = frozenset((type(one), one) for one in choices if type(one) in (int, str))
    return lambda value: value if type(value) in (int, str) and (type(value), value) in known else UNSURE


def _either(takers: list[Take]) -> Take:
    """Where several types of a union take a value, pydantic weighs which fits it best: int, of a whole number."""

    def take(value: Any) -> Any:
        taken = [found for found in (one(value) for one in takers) if found is not UNSURE]
        exact = [found for found in taken if type(found) is type(value) is int]
        fits = exact if len(exact) == 1 else taken
        return fits[0] if len(fits) == 1 else UNSURE

    return take


def _items(item: Take, into: Callable[[list[Any]], Any]) -> Take:
    def take(value: Any) -> Any:
        if type(value) is not list:
            return UNSURE
        items = [item(one) for one in value]
        return UNSURE if UNSURE in items else into(items)

    return take


def _mapping(value: Take) -> Take:
    def take(data: Any) -> Any:
        if type(data) is not dict:
            return UNSURE
        found = {key: value(one) if type(key) is str else UNSURE for key, one in data.items()}
        return UNSURE if any(one is UNSURE for one in found.values()) else found

    return take


def _tuple(takers: list[Take]) -> Take:
    def take(value: Any) -> Any:
        if type(value) is not list or len(value) != len(takers):
            return UNSURE
        items = tuple(one(part) for one, part in zip(takers, value, strict=True))
        return UNSURE if UNSURE in items else items

    return take


def _constrained(take: Take, base: Any, metadata: tuple[Any, ...]) -> Take:
    for part in metadata:
        if isinstance(part, Field):
            take = _bounded(_sized(take, base, part), base, part)
        elif not isinstance(part, Wanted):
            return _unsure
    return take


def _bounded(take: Take, base: Any, field: Field) -> Take:
    gt, ge, lt, le = field.gt, field.ge, field.lt, field.le
    if gt is ge is lt is le is None:
        return take
    if base not in (int, float):
        return _unsure

    def bounded(value: Any) -> Any:
        found = take(value)
        if (
            found is UNSURE
            or (ge is not None and found < ge)
            or (le is not None and found > le)
            or (gt is not None and found <= gt)
            or (lt is not None and found >= lt)
        ):
            return UNSURE
        return found

    return bounded


def _sized(take: Take, base: Any, field: Field) -> Take:
    least, most, pattern = field.min_length or 0, field.max_length, field.pattern
    if not least and most is None and pattern is None:
        return take
    if base is not str and (pattern is not None or get_origin(base) is not list):
        return _unsure
    search = re.compile(pattern or "").search

    def sized(value: Any) -> Any:
        found = take(value)
        if found is UNSURE or len(found) < least or (most is not None and len(found) > most):
            return UNSURE
        # Beyond printable ASCII, what a pattern means is not quite the same to Python and to pydantic.
        if pattern is not None and not (found.isascii() and found.isprintable() and search(found)):
            return UNSURE
        return found

    return sized
