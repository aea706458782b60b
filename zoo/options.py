"""Options come from signatures: what a target takes by keyword is what its spec can say.

Positional-only arguments are what the core supplies. From the keyword-only ones (or the fields of a keyword-only
dataclass) one strict pydantic model can be derived; it gives validation, defaults and JSON Schema. It is asked only for
what `zoo.values` is not sure of, since to import pydantic takes longer than to check a spec.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from zoo.annotations import Later, Nested, Section, describe, flatten, metadata_of
from zoo.errors import PluginError
from zoo.values import UNSURE, Take, taker

if typing.TYPE_CHECKING:
    from pydantic import BaseModel

REQUIRED: Any = inspect.Parameter.empty
Form = Literal["value", "one", "list", "mapping", "section", "sections"]


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

    def fresh_default(self) -> Any:
        """Return the default, in a copy where it can be changed."""
        return deepcopy(self.default) if isinstance(self.default, (list, dict)) else self.default

    @cached_property
    def later(self) -> bool:
        """Whether it is left out of resolved specs at its default."""
        return any(isinstance(part, Later) for part in metadata_of(self.annotation))

    @cached_property
    def description(self) -> str:
        for part in metadata_of(self.annotation):
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
        if self.form != "list":
            return with_article(noun)
        return f"a list of {self.least} or more {noun}s" if self.least else f"a list of {noun}s"

    @cached_property
    def least(self) -> int:
        """The fewest items of a list of components."""
        metadata = self.annotation.__metadata__ if get_origin(self.annotation) is Annotated else ()
        return max((getattr(part, "min_length", None) or 0 for part in flatten(metadata)), default=0)


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

    def part(self, names: Collection[str]) -> Options:
        """Return just the options of these names."""
        found = Options.__new__(Options)
        found.target, found.name, found.supplied = self.target, self.name, self.supplied
        found.by_name = {name: option for name, option in self.by_name.items() if name in names}
        return found

    @property
    def first(self) -> Option | None:
        """The option that a bare value sets: `linear: 10` is `linear: {features: 10}`."""
        return next(iter(self), None)

    @cached_property
    def held(self) -> tuple[Option, ...]:
        """Those that hold components or sections."""
        return tuple(option for option in self if option.form != "value")

    @cached_property
    def later(self) -> tuple[Option, ...]:
        """Those that are left out of resolved specs at their defaults."""
        return tuple(option for option in self if option.later)

    @cached_property
    def _takers(self) -> tuple[tuple[Option, Take], ...]:
        return tuple((option, taker(option.annotation)) for option in self if option.form == "value")

    def take(self, given: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the values of all plain options as the model would; None where it has to be asked."""
        values: dict[str, Any] = {}
        for option, take in self._takers:
            name = option.name
            if name in given:
                values[name] = found = take(given[name])
                if found is UNSURE:
                    return None
            elif option.default is REQUIRED:
                return None
            else:
                values[name] = option.fresh_default()
        return values

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


def _options(target: Callable[..., Any]) -> Iterator[Option]:
    for parameter in _parameters(target):
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            annotation = _annotation(target, parameter)
            default = _as_number(annotation, _default(target, parameter))
            yield _classified(Option(parameter.name, annotation, default))
        elif parameter.kind is not inspect.Parameter.POSITIONAL_ONLY:
            raise PluginError(
                f"{getattr(target, '__qualname__', target)}: argument {parameter.name!r} is neither positional-only "
                "(supplied by the core) nor keyword-only (an option); add '/' or '*' to the signature"
            )


def _parameters(target: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        found = list(inspect.signature(target).parameters.values())
        # A module without a constructor of its own has that of nn.Module, which takes nothing.
        bare = isinstance(target, type) and all(one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in found)
        return [] if bare else found
    except (TypeError, ValueError) as error:
        raise PluginError(f"{target!r} has no signature to take options from: {error}") from error


def _default(target: Any, parameter: inspect.Parameter) -> Any:
    for one in dataclasses.fields(target) if dataclasses.is_dataclass(target) else ():
        if one.name == parameter.name and one.default_factory is not dataclasses.MISSING:
            return one.default_factory()
    return parameter.default


def _as_number(annotation: Any, default: Any) -> Any:
    """Return a whole number as what it is when it is read: `momentum: float = 0` means 0.0, in a hash too."""
    bare = _bare(annotation)
    kinds = set(get_args(bare)) if get_origin(bare) in (Union, types.UnionType) else {bare}
    return float(default) if type(default) is int and float in kinds and int not in kinds else default


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
    for part in metadata_of(annotation):
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


def with_article(noun: str) -> str:
    """Return "a norm" for norm, "an activation" for activation."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def canonical(value: Any) -> Any:
    """Return a validated option value as plain JSON data: tuples become lists, paths become text."""
    if isinstance(value, Mapping):
        return {str(key): canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)
