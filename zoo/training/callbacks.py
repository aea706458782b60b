"""The callbacks of a training: called after every so many steps, with their state in its checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from zoo.builder import Builder
from zoo.errors import TrainingError, ZooError
from zoo.promises import broken
from zoo.spec.document import shorten
from zoo.spec.schema import ComponentSpec, Spec
from zoo.training.watching import Callback, Moment

Log = Callable[[Mapping[str, float]], None]


class Callbacks:
    """Those that a spec names, in its order."""

    def __init__(self, spec: Spec, builder: Builder) -> None:
        self._all: list[tuple[ComponentSpec, Callback]] = [(one, builder.bind(one)) for one in spec.callbacks]

    def due(self, step: int) -> list[tuple[ComponentSpec, Callback]]:
        """Return those that are called after `step` steps."""
        return [(one, callback) for one, callback in self._all if step % callback.every == 0]

    def call(self, step: int, moment: Callable[[Log], Moment], log: Log) -> None:
        """Call those that are due; `log` takes their figures, under their names."""
        for one, callback in self.due(step):

            def own(figures: Mapping[str, float], name: str = one.name) -> None:
                log({f"{name}/{key}": float(value) for key, value in figures.items()})

            with _naming(one, f"on_step({step})"):
                callback.on_step(moment(own))

    def state(self) -> tuple[list[Any], dict[str, Tensor]]:
        """Return what a checkpoint holds of them: plain data, and the tensors that it names."""
        tensors: dict[str, Tensor] = {}
        facts = []
        for index, (one, callback) in enumerate(self._all):
            with _naming(one, "state_dict"):
                state = callback.state_dict()
            facts.append(_encoded(state, f"callback:{index}", tensors, one))
        return facts, tensors

    def load(self, facts: list[Any], tensors: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave. Raises ValueError when it is that of other callbacks."""
        if len(facts) != len(self._all):
            raise ValueError(f"it holds the state of {len(facts)} callbacks; the spec has {len(self._all)}")
        for (one, callback), state in zip(self._all, facts, strict=True):
            decoded = _decoded(state, tensors)
            with _naming(one, "load_state_dict"):
                callback.load_state_dict(decoded)


@contextmanager
def _naming(one: ComponentSpec, what: str) -> Iterator[None]:
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise broken(one.component, f"failed in {what}: {text}", "none of it to raise") from error


def _encoded(value: Any, path: str, tensors: dict[str, Tensor], one: ComponentSpec) -> Any:
    """Return state as JSON can hold it; each tensor goes to `tensors`, its name stays."""
    if isinstance(value, Tensor):
        tensors[path] = value.detach().clone().contiguous()
        return {"tensor": path}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"mapping": {key: _encoded(item, f"{path}.{key}", tensors, one) for key, item in value.items()}}
    if isinstance(value, (list, tuple)):
        items = [_encoded(item, f"{path}.{index}", tensors, one) for index, item in enumerate(value)]
        return items if isinstance(value, list) else {"tuple": items}
    raise TrainingError(
        f"the callback {one.name} ({one.component.target}) keeps {shorten(repr(value))} as its "
        f"{path.partition('.')[2] or 'state'}, which a checkpoint cannot hold; wanted tensors, numbers, text, and "
        "lists and mappings of these"
    )


def _decoded(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_decoded(one, tensors) for one in value]
    if not isinstance(value, dict):
        return value
    ((kind, held),) = value.items()
    if kind == "tensor":
        return tensors[held].clone()
    if kind == "float":
        return float(held)
    if kind == "tuple":
        return tuple(_decoded(one, tensors) for one in held)
    return {key: _decoded(one, tensors) for key, one in held.items()}
