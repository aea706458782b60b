"""What a component returns, held against what its kind promises, where it enters: a plugin may return anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from zoo.budget import Verdict
from zoo.data.dataset import DataSource
from zoo.errors import PluginError, closest
from zoo.registry import Component
from zoo.spec.document import shorten


class Promise(NamedTuple):
    """What is wanted of a kind, in words, and whether a value is that."""

    wanted: str
    kept: Callable[[Any], bool]


#: Of what is called with what the core supplies, its result; of what the core supplies nothing to, the thing itself.
PROMISES = {
    "optimizer": Promise("an optimizer of torch, or a list of them", lambda made: all(map(_optimizes, _several(made)))),
    "schedule": Promise("a function from a step to a number", lambda made: callable(made) and _is_number(made(0))),
    "limit": Promise("a zoo.api.Verdict", lambda made: isinstance(made, Verdict)),
    "dataset": Promise("a zoo.api.DataSource", lambda made: isinstance(made, DataSource)),
    "callback": Promise("a zoo.api.Callback", lambda made: callable(getattr(made, "on_step", None)) and made.every > 0),
    "tracker": Promise("a zoo.api.Tracker", lambda made: callable(getattr(made, "log", None))),
    "task": Promise("a zoo.api.Task", lambda made: callable(getattr(made, "step", None))),
}


def keeping(component: Component, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return `call`, which refuses a result that is not what the kind of `component` promises."""
    if component.kind not in PROMISES:
        return call
    return lambda *given: kept(component, call(*given))


def kept(component: Component, value: Any) -> Any:
    """Return `value` if it is what the kind of `component` promises. Raises PluginError."""
    promise = PROMISES.get(component.kind)
    if promise is not None and not promise.kept(value):
        raise broken(component, f"returned {shorten(repr(value))}", promise.wanted)
    return value


def kept_figures(component: Component, figures: Any) -> Any:
    """Return what a task's step gave if it is figures by name: tensors of one number. Raises PluginError."""
    wanted = "a mapping from names to tensors of one number, such as {'loss': loss.detach()}"
    if not isinstance(figures, Mapping):
        raise broken(component, f"returned {shorten(repr(figures))} from a step", wanted)
    for name, value in figures.items():
        if getattr(value, "numel", lambda: 0)() != 1:
            raise broken(component, f"returned {shorten(repr(value))} as {name!r} from a step", wanted)
    return figures


class Roles(dict[str, Any]):
    """What there is for each role of a task; a role that there is not is the task's mistake."""

    def __init__(self, task: Component, parts: Mapping[str, Any]) -> None:
        super().__init__(parts)
        self._task = task

    def __missing__(self, role: str) -> Any:
        hint = closest(str(role), self)
        raise broken(self._task, f"asked for the role {role!r}", f"one of {', '.join(self)}{hint and f'; {hint}'}")


def broken(component: Component, found: str, wanted: str) -> PluginError:
    """Return the error that names a component, where it comes from, what it did and what is wanted."""
    return PluginError(f"the {component.kind} {component.name} ({component.target}) {found}; wanted {wanted}")


def _several(made: Any) -> Iterable[Any]:
    return [made] if _optimizes(made) else made if isinstance(made, (list, tuple)) and made else [None]


def _optimizes(made: Any) -> bool:
    return callable(getattr(made, "step", None)) and isinstance(getattr(made, "param_groups", None), list)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
