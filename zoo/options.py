"""Options come from signatures: what a target takes by keyword is what its spec can say.

Positional-only arguments are what the core supplies. From the keyword-only ones (or the fields of a keyword-only
dataclass) one strict pydantic model is derived, once; it gives validation, defaults, help texts and JSON Schema.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from zoo.errors import PluginError

if typing.TYPE_CHECKING:
    from pydantic import BaseModel

REQUIRED: Any = inspect.Parameter.empty
Form = Literal["value", "one", "list", "mapping", "section", "sections"]


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


@dataclass(frozen=True)
class Option:
    """One option of a component.

    `form` says how it is written: a plain value, one component, a list of components, a mapping from names to
    the options of components, a section, or a mapping from names to sections.
    """

    name: str
    annotation: Any
    default: Any
    form: Form = "value"
    kinds: tuple[str, ...] = ()
    section: type | None = None
    optional: bool = False

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    @cached_property
    def description(self) -> str:
        for part in _metadata(self.annotation):
            text = getattr(part, "description", None)
            if text:
                return str(text)
        return ""

    @cached_property
    def wanted(self) -> str:
        """What the value should be, in words."""
        if self.form == "value":
            return describe(self.annotation)
        if self.form in ("section", "sections", "mapping"):
            return "a mapping"
        noun = self.kinds[0]
        article = "an" if noun[0] in "aeiou" else "a"
        if self.form != "list":
            return f"{article} {noun}"
        return f"a list of {self.least} or more {noun}s" if self.least else f"a list of {noun}s"

    @cached_property
    def least(self) -> int:
        """The fewest items of a list of components."""
        metadata = self.annotation.__metadata__ if get_origin(self.annotation) is Annotated else ()
        return max((getattr(part, "min_length", None) or 0 for part in _flatten(metadata)), default=0)


class Options:
    """The options of one target, in the order of its signature."""

    def __init__(self, target: Callable[..., Any], name: str = "") -> None:
        self.target = target
        self.name = name or getattr(target, "__name__", str(target))
        self.by_name: dict[str, Option] = {option.name: option for option in _options(target)}
        self.supplied: tuple[str, ...] = tuple(
            parameter.name for parameter in _parameters(target) if parameter.kind is inspect.Parameter.POSITIONAL_ONLY
        )

    def __iter__(self) -> Iterator[Option]:
        return iter(self.by_name.values())

    @property
    def first(self) -> Option | None:
        """The option that a bare value sets: `linear: 10` is `linear: {features: 10}`."""
        return next(iter(self), None)

    @cached_property
    def model(self) -> type[BaseModel]:
        """A strict pydantic model of the plain options; those that hold components are checked elsewhere."""
        from pydantic import ConfigDict, create_model

        fields: dict[str, Any] = {}
        for option in self:
            if option.form == "value":
                fields[option.name] = (option.annotation, ... if option.required else option.default)
        config = ConfigDict(strict=True, extra="forbid", frozen=True, arbitrary_types_allowed=True, allow_inf_nan=False)
        return create_model(self.name, __config__=config, **fields)


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
    parts = list(_flatten(metadata))
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
        return describe(base).replace("a list", f"a list of {bounds['min_length']} or more", 1)
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


def _flatten(metadata: tuple[Any, ...]) -> Iterator[Any]:
    for part in metadata:
        yield from getattr(part, "metadata", None) or [part]


def _metadata(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Annotated:
        yield from annotation.__metadata__
        annotation = annotation.__origin__
    if get_origin(annotation) in (Union, types.UnionType):
        for one in get_args(annotation):
            yield from _metadata(one)


def _options(target: Callable[..., Any]) -> Iterator[Option]:
    for parameter in _parameters(target):
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            annotation = _annotation(target, parameter)
            yield _classified(Option(parameter.name, annotation, _default(target, parameter)))
        elif parameter.kind is not inspect.Parameter.POSITIONAL_ONLY:
            raise PluginError(
                f"{getattr(target, '__qualname__', target)}: argument {parameter.name!r} is neither positional-only "
                "(supplied by the core) nor keyword-only (an option); add '/' or '*' to the signature"
            )


def _parameters(target: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(target).parameters.values())
    except (TypeError, ValueError) as error:
        raise PluginError(f"{target!r} has no signature to take options from: {error}") from error


def _default(target: Any, parameter: inspect.Parameter) -> Any:
    for one in dataclasses.fields(target) if dataclasses.is_dataclass(target) else ():
        if one.name == parameter.name and one.default_factory is not dataclasses.MISSING:
            return one.default_factory()
    return parameter.default


def _annotation(target: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """Resolve one annotation alone: the others may name types that are imported for type checkers only."""
    if parameter.annotation is inspect.Parameter.empty:
        raise PluginError(f"{getattr(target, '__qualname__', target)}: option {parameter.name!r} has no annotation")
    holder = types.SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    try:
        return typing.get_type_hints(holder, _namespace(target, parameter.name), include_extras=True)[parameter.name]
    except Exception as error:
        raise PluginError(
            f"{getattr(target, '__qualname__', target)}: the annotation of option {parameter.name!r} "
            f"cannot be resolved: {error}"
        ) from error


def _namespace(target: Any, name: str) -> dict[str, Any]:
    if isinstance(target, type):
        owners = [one for one in target.__mro__ if name in vars(one).get("__annotations__", {})]
        owner = owners[0] if owners and dataclasses.is_dataclass(target) else target
        return vars(sys.modules[owner.__module__])
    return getattr(inspect.unwrap(target), "__globals__", {})


def _classified(option: Option) -> Option:
    """Recognise an option that holds components or sections, however it is wrapped."""
    annotation, optional = _bare(option.annotation), False
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [one for one in get_args(annotation) if one is not type(None)]
        if len(rest) == 1 and len(rest) < len(get_args(annotation)):
            annotation, optional = _bare(rest[0]), True
    form: Form = "one"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (list, tuple):
        annotation, form = arguments[0], "list"
    elif origin is dict:
        annotation, form = arguments[1], "mapping"
    for part in _metadata(annotation):
        if isinstance(part, Nested):
            return dataclasses.replace(option, form=form, kinds=part.kinds, optional=optional)
        if isinstance(part, Section):
            form = "sections" if form == "mapping" else "section"
            return dataclasses.replace(option, form=form, section=part.schema, optional=optional)
    return option


def _bare(annotation: Any) -> Any:
    """Return an annotation without ranges and descriptions around it, but with what says that it is a component."""
    while get_origin(annotation) is Annotated and not any(
        isinstance(part, (Nested, Section)) for part in annotation.__metadata__
    ):
        annotation = get_args(annotation)[0]
    return annotation


def canonical(value: Any) -> Any:
    """Return a validated option value as plain JSON data: tuples become lists, paths become text."""
    if isinstance(value, Mapping):
        return {str(key): canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)
