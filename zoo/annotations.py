"""What stands beside a type in a signature, and what a type says in words."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin


@dataclass(frozen=True, slots=True)
class Nested:
    """Marks an option whose value is a component of one of `kinds`."""

    kinds: tuple[str, ...]

    def __init__(self, *kinds: str) -> None:
        object.__setattr__(self, "kinds", kinds)


@dataclass(frozen=True, slots=True)
class Section:
    """Marks an option that is a fixed part of a spec, with the fields of `schema` as its keys."""

    schema: type


@dataclass(frozen=True, slots=True)
class Wanted:
    """Says in words what an option's value should be, where its type says it badly."""

    text: str


@dataclass(frozen=True, slots=True)
class Later:
    """Marks an option that a component got after specs of it were hashed: at its default it stands in no resolved spec.

    So what was trained before goes by the same hash still. The default has to mean what it was like without it.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A range and a help text: `Annotated[int, Field(ge=1, description="Channels.")]`.

    It means what pydantic's `Field` means, pydantic understands it, and it is there without importing pydantic.
    """

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    description: str | None = None

    #: pydantic takes what has this name for the constraints that it yields.
    __is_annotated_types_grouped_metadata__: ClassVar[bool] = True

    def __iter__(self) -> Iterator[Any]:
        from pydantic import Field

        given: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        info = Field(**{name: value for name, value in given.items() if value is not None})
        constraints, info.metadata = info.metadata, []
        yield from constraints
        yield info


def describe(annotation: Any) -> str:
    """Say in words what values `annotation` allows."""
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}
    if annotation in words:
        return words[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _described(arguments[0], arguments[1:])
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments)) if len(arguments) > 1 else str(arguments[0])
    if origin in (Union, types.UnionType):
        return " or ".join(describe(one) for one in arguments)
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        return f"a list of {len(arguments)}, each {describe(arguments[0])}"
    if origin in (list, tuple):
        return f"a list, each {describe(arguments[0])}"
    if origin is dict:
        return f"a mapping, each value {describe(arguments[1])}"
    if annotation is Any:
        return "any value"
    return str(getattr(annotation, "__name__", annotation))


def _described(base: Any, metadata: tuple[Any, ...]) -> str:
    parts = list(flatten(metadata))
    for part in parts:
        if isinstance(part, Wanted):
            return part.text
    bounds = {
        name: getattr(part, name)
        for part in parts
        for name in ("gt", "ge", "lt", "le", "min_length", "max_length")
        if getattr(part, name, None) is not None
    }
    least = bounds.get("min_length")
    if least and base is not str and least == bounds.get("max_length"):
        return describe(base).replace("a list", f"a list of {least}", 1)
    if least and base is not str:
        most = bounds.get("max_length")
        length = f"{least} to {most}" if most else f"{least} or more"
        return describe(base).replace("a list", f"a list of {length}", 1)
    if "ge" in bounds and "le" in bounds:
        return f"{describe(base)} from {_number(bounds['ge'])} to {_number(bounds['le'])}"
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    words = [f"{signs[name]} {_number(bound)}" for name, bound in bounds.items() if name in signs]
    return " ".join([describe(base), " and ".join(words)]).strip()


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def within(annotation: Any, part: Any) -> Any:
    """Return what a type allows inside of it, at an index or a key; the type itself where that cannot be told."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        # A text that describes the whole also describes what is inside.
        told = any(isinstance(one, Wanted) for one in arguments[1:])
        return annotation if told else within(arguments[0], part)
    if origin is tuple and Ellipsis not in arguments:
        return arguments[part] if isinstance(part, int) and part < len(arguments) else annotation
    if origin in (list, tuple):
        return arguments[0]
    if origin is dict:
        return arguments[1]
    return annotation


def flatten(metadata: tuple[Any, ...]) -> Iterator[Any]:
    """Yield what stands beside a type, with the constraints of pydantic's own `Field` each by itself."""
    for part in metadata:
        yield from getattr(part, "metadata", None) or [part]


def metadata_of(annotation: Any) -> Iterator[Any]:
    """Yield what stands beside a type, and beside each type of a union."""
    if get_origin(annotation) is Annotated:
        yield from annotation.__metadata__
        annotation = annotation.__origin__
    if get_origin(annotation) in (Union, types.UnionType):
        for one in get_args(annotation):
            yield from metadata_of(one)
