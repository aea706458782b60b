"""Options for components that are tried: their own defaults, and a value where there is none."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from zoo.annotations import flatten, metadata_of
from zoo.errors import SpecError
from zoo.options import Option
from zoo.registry import Component
from zoo.spec.resolve import Resolver
from zoo.spec.schema import ComponentSpec
from zoo.testing import Unchecked

#: What stands for a component of a kind in another's option.
PLAIN: dict[str, Any] = {
    "layer": {"linear": 12},
    "activation": "relu",
    "norm": "batch_norm",
    "optimizer": "sgd",
    "schedule": "constant",
    "loss": "cross_entropy",
    "augmentation": "horizontal_flip",
    "initializer": "default",
    "adversarial_loss": "bce",
}
BOUND = "<1000000000000"


def sample(component: Component, resolver: Resolver, given: Mapping[str, Any] | None) -> ComponentSpec:
    """Return a component with options: those given, its defaults, and values for those that have none.

    Raises Unchecked when there is none that would do.
    """
    options = resolver.options(component)
    chosen = dict(given or {})
    for option in options:
        if option.required and option.name not in chosen:
            chosen[option.name] = _value(option)
    try:
        return resolver.component_from((component.kind,), {component.name: chosen})
    except SpecError as error:
        if given is not None:
            raise
        raise Unchecked(f"it wants options that checks(options=...) has to name: {error}") from error


def _value(option: Option) -> Any:
    if option.form == "one":
        return PLAIN.get(option.kinds[0])
    if option.form == "list":
        return [PLAIN.get(option.kinds[0])] * max(1, option.least)
    if option.form != "value":
        return {}
    return _of(option.annotation, list(metadata_of(option.annotation)))


def _of(annotation: Any, metadata: list[Any]) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _of(arguments[0], metadata)
    if origin is Literal:
        return arguments[0]
    if origin in (Union, types.UnionType):
        return None if type(None) in arguments else _of(arguments[0], metadata)
    bounds = {
        name: getattr(part, name)
        for part in flatten(tuple(metadata))
        for name in ("gt", "ge", "lt", "le", "min_length")
        if getattr(part, name, None) is not None
    }
    low = bounds.get("ge", bounds.get("gt"))
    if annotation is bool:
        return True
    if annotation is int:
        return 2 if low is None else max(int(low) + ("gt" in bounds), 2 if bounds.get("le", 2) >= 2 else 1)
    if annotation is float:
        high = bounds.get("le", bounds.get("lt"))
        if low is not None and high is not None:
            return (low + high) / 2
        if low is not None:
            return low + 0.5
        return 0.5 if high is None else high - 0.5
    if annotation is str:
        return "a"
    if origin in (list, tuple) and arguments:
        return [_of(arguments[0], metadata)] * max(1, int(bounds.get("min_length", 1)))
    if origin is dict:
        return {}
    return BOUND
