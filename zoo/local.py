"""Components of this process alone, such as a notebook's: by a decorator, or as objects in a spec that Python wrote."""

from __future__ import annotations

import copy
import inspect
import re
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from zoo.data.dataset import Dataset, DataSource
from zoo.errors import PluginError
from zoo.registry import KINDS, Component, Provider, Registry

Target = TypeVar("Target")
HERE = Provider("this process")
#: The kinds that stand below the keys of a spec; elsewhere an object is a layer.
KEYS = {
    "activation": "activation",
    "architecture": "architecture",
    "augment": "augmentation",
    "budget": "limit",
    "callbacks": "callback",
    "data": "dataset",
    "init": "initializer",
    "layers": "layer",
    "loss": "loss",
    "metrics": "metric",
    "norm": "norm",
    "optimizer": "optimizer",
    "schedule": "schedule",
    "task": "task",
    "trackers": "tracker",
}
#: What Zoo hands over before the options, where a signature does not tell them apart by a slash.
HANDED = ("input", "output", "conditions")
SUPPLIED = {"initializer": 1, "optimizer": 1, "schedule": 1, "limit": 1}
#: Kinds whose function may be the thing itself, and not what makes it.
DIRECT = ("augmentation", "loss", "metric")

_held: dict[str, Any] = {}  # by the attribute of this module that a record names
_names: dict[tuple[str, int], tuple[Any, str]] = {}  # by the identities of objects, which stand beside


def __getattr__(name: str) -> Any:
    try:
        return _held[name]
    except KeyError:
        raise AttributeError(f"nothing is registered as {name!r} in this process") from None


def register(
    kind: str, name: str = "", *, registry: Registry, summary: str = "", source: str = ""
) -> Callable[[Target], Target]:
    """Return a decorator that makes a class, a function or an object a component of `registry` in this process.

    What was registered here under the name before is replaced. Raises PluginError when a plugin has the name, or the
    kind is none.
    """
    if kind not in KINDS:
        raise PluginError(f"found the kind {kind!r}; wanted one of {', '.join(KINDS)}")

    def add(target: Target) -> Target:
        known = name or _name_of(target)
        attribute = f"{kind}_{known}".replace(":", "_")
        lines = (inspect.getdoc(target) or "").splitlines() or [""]
        record = Component(kind, known, f"{__name__}:{attribute}", summary or lines[0], source)
        if _is_anothers(record, registry):
            taken = registry.taken(record, HERE)
            raise PluginError(f"{taken}; choose another: zoo.register({kind!r}, 'name')")
        _held[attribute] = fitted(kind, target)
        registry.put(record, HERE)
        _names[kind, id(target)] = (target, known)
        return target

    return add


def named(value: Any, registry: Registry, kind: str = "layer") -> Any:
    """Return plain data in which names stand for the classes, functions and objects of `value`, which become known."""
    if isinstance(value, Mapping):
        return {
            key if isinstance(key, str) else _known(key, kind, registry): named(
                one, registry, KEYS.get(key, kind) if isinstance(key, str) else kind
            )
            for key, one in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [named(one, registry, kind) for one in value]
    if callable(value) or isinstance(value, (Dataset, DataSource)) or hasattr(value, "on_step"):
        return _known(value, kind, registry)
    return value


def _known(value: Any, kind: str, registry: Registry) -> str:
    known = _names.get((kind, id(value)))
    if known is None or registry.find((kind,), known[1]) is None:
        name = _name_of(value)
        if _is_anothers(Component(kind, name, f"{__name__}:{name}"), registry):
            name = f"own_{name}"  # torch.optim.SGD is another than the component `sgd`
        register(kind, name, registry=registry)(value)
        known = _names[kind, id(value)]
    return known[1]


def _is_anothers(record: Component, registry: Registry) -> bool:
    return bool(registry.taken(record, HERE)) and not registry.holds(record, HERE)


def fitted(kind: str, target: Any) -> Callable[..., Any]:
    """Return what has the options of `target` in its signature: all that it takes beyond what Zoo hands over."""
    if not isinstance(target, type) and (isinstance(target, (Dataset, DataSource)) or not inspect.isroutine(target)):
        if hasattr(target, "state_dict") and kind != "callback":
            raise PluginError(f"found a {type(target).__name__} that is made already; wanted its class, or a function")
        return (lambda: _Held(target)) if isinstance(target, Dataset) else (lambda: copy.deepcopy(target))
    parameters = list(inspect.signature(target).parameters.values())
    if all(one.kind in (one.POSITIONAL_ONLY, one.KEYWORD_ONLY) for one in parameters):
        found: Callable[..., Any] = target
        return found
    if kind in DIRECT and not isinstance(target, type):
        return lambda: target
    hints = _hints(target)
    handed: list[inspect.Parameter] = []
    options: list[inspect.Parameter] = []
    for one in parameters:
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            continue
        first = len(handed) < SUPPLIED.get(kind, 0) or one.name in HANDED[len(handed) : len(handed) + 1]
        if one.kind is one.POSITIONAL_ONLY or (first and not options):
            handed.append(one.replace(kind=one.POSITIONAL_ONLY, default=one.empty))
        else:
            annotation = hints.get(one.name, Any)
            options.append(one.replace(kind=one.KEYWORD_ONLY, annotation=annotation))

    def made(*given: Any, **chosen: Any) -> Any:
        return target(*given, **chosen)

    made.__name__ = made.__qualname__ = target.__name__
    made.__doc__ = target.__doc__
    made.__signature__ = inspect.Signature([*handed, *options])  # type: ignore[attr-defined]
    return made


class _Held(DataSource):
    """Data that are in memory already."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def info(self) -> Any:
        return self._dataset.info

    def load(self) -> Dataset:
        return self._dataset


def _hints(target: Any) -> dict[str, Any]:
    constructor = vars(target).get("__init__") if isinstance(target, type) else target
    try:
        return typing.get_type_hints(constructor, include_extras=True)
    except Exception:  # a type that is imported for type checkers only
        return {}


def _name_of(target: Any) -> str:
    if isinstance(target, Dataset):
        return f"own_{target.fingerprint[:12]}"
    name = getattr(target, "__name__", type(target).__name__)
    if not name.isidentifier():
        raise PluginError(f"found {name}, which has no name; wanted zoo.register(kind, 'name')")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().lstrip("_")
