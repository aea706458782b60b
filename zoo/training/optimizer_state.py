"""An optimizer's state in a checkpoint: tensors and plain values by name, held against what a fresh one would have."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from zoo.errors import TrainingError, listing

Group = dict[str, Any]
#: What the schedule and the engine put into a group; a checkpoint may go on with others.
NOT_KEPT = {"params", "param_names", "lr", "capturable", "fused", "foreach"}


def tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """Return the tensors that `optimizer` keeps: `3.exp_avg` of its fourth parameter, `group.0.d` of a group."""
    found = {f"{key}.{name}": one for key, name, one in _values(optimizer) if isinstance(one, Tensor)}
    for index, group in enumerate(groups(optimizer)):
        found |= {f"group.{index}.{name}": one for name, one in group.items() if isinstance(one, Tensor)}
    return found


def groups(optimizer: Optimizer) -> list[Group]:
    """Return what a checkpoint keeps of the parameter groups."""
    return [{name: value for name, value in one.items() if name not in NOT_KEPT} for one in optimizer.param_groups]


def facts(optimizer: Optimizer, began: list[Group]) -> dict[str, Any]:
    """Return what else must be known as plain data: which parameters have state, values that are no tensors, and what
    differs in the groups from how they `began`.

    Raises TrainingError when a checkpoint cannot hold a value.
    """
    name = type(optimizer).__name__
    changed = [
        {
            key: _encoded(value, f"{key} of a group", name)
            for key, value in group.items()
            if not isinstance(value, Tensor) and not (key in before and _same(value, before[key]))
        }
        for group, before in zip(groups(optimizer), began, strict=True)
    ]
    values = {
        f"{key}.{field}": _encoded(one, field, name)
        for key, field, one in _values(optimizer)
        if not isinstance(one, Tensor)
    }
    return {"held": list(optimizer.state_dict()["state"]), "values": values, "groups": changed}


def load(
    optimizer: Optimizer,
    held: Mapping[str, Tensor],
    known: Mapping[str, Any] | None,
    fresh: Optimizer | None,
    names: list[str],
    *,
    updated: bool = True,
) -> None:
    """Put back what `tensors` and `facts` gave, after a look at all of it.

    known: the facts, None in a checkpoint of an earlier version; fresh: such an optimizer after one step, where it
    could be had; names: of the parameters, in order; updated: whether there were steps before. Raises ValueError when
    something is missing or does not fit.
    """
    state: dict[Any, dict[str, Any]] = {}
    for name, value in (*held.items(), *((known or {}).get("values", {}).items())):
        key, _, field = name.partition(".")
        if key != "group":
            state.setdefault(int(key) if key.isdecimal() else key, {})[field] = (
                value if isinstance(value, Tensor) else _decoded(value)
            )
    parameters = [one for group in optimizer.param_groups for one in group["params"]]
    changes = (known or {}).get("groups", [{}] * len(optimizer.param_groups))
    changed = [_changed(*pair) for pair in zip(optimizer.param_groups, changes, strict=True)]
    wanted = _wanted(fresh, changed)
    missing = set((known or {}).get("held", wanted if updated and not state else ())) - state.keys()
    if missing:
        raise ValueError(f"the optimizer's state of {_called(min(missing, key=str), names)} is missing")
    for key, values in state.items():
        if isinstance(key, int) and key >= len(parameters):
            raise ValueError(f"the optimizer has state of parameter {key}; this network has {len(parameters)}")
        _require(values, wanted.get(key, {}), parameters[key] if isinstance(key, int) else None, _called(key, names))
    param_groups = optimizer.state_dict()["param_groups"]
    for group, values in zip(param_groups, changed, strict=True):
        group.update(values)
    optimizer.load_state_dict({"state": state, "param_groups": param_groups})
    for index, group in enumerate(optimizer.param_groups):
        for name, value in group.items():
            if isinstance(value, Tensor) and name not in NOT_KEPT:
                value.copy_(_fitting(held, f"group.{index}.{name}", value))
    _as_saved(optimizer, parameters, state)


def _changed(group: Group, changes: Mapping[str, Any]) -> Group:
    """Return the values of a group that a checkpoint changes. Raises ValueError for what a group has not, or not so."""
    found = {name: _decoded(value) for name, value in changes.items()}
    for name, value in found.items():
        if name not in group or name in NOT_KEPT or isinstance(group[name], Tensor):
            raise ValueError(f"it changes {name} of a group of parameters, which a checkpoint cannot")
        own = group[name]
        if own is not None and value is not None and _plain(own) is not _plain(value):
            raise ValueError(f"{name} of a group of parameters is {value!r}; wanted such as {own!r}")
    return found


def _plain(value: Any) -> type:
    return float if type(value) is int else type(value)


def _wanted(fresh: Optimizer | None, changed: Sequence[Group]) -> dict[Any, Any]:
    """Return the state that an optimizer has whose groups were `changed`; nothing where that is not known.

    Raises ValueError when it cannot take a step so: what a checkpoint says reaches copies first, not the weights.
    """
    if fresh is None:
        return {}
    for group, values in zip(fresh.param_groups, changed, strict=True):
        group.update(values)
    if any(changed):
        try:
            fresh.step()
        except Exception as error:  # whatever a plugin's optimizer makes of it
            raise ValueError(f"the optimizer cannot go on with {listing(set().union(*changed))} ({error!r})") from error
    found: dict[Any, Any] = fresh.state_dict()["state"]
    return found


def after_a_step(make: Callable[[Any], Any], named: Sequence[tuple[str, Tensor]]) -> list[Optimizer]:
    """Return what `make` gives, after a step on copies of the parameters; nothing where that cannot be had."""
    copies = [(name, torch.nn.Parameter(one.detach().clone())) for name, one in named]
    for _, copy in copies:
        copy.grad = torch.zeros_like(copy)
    try:
        made = make(copies)
        found = [made] if isinstance(made, Optimizer) else list(made)
        for one in found:
            one.step()
    except Exception:  # whatever a plugin's optimizer makes of gradients of zero
        return []
    return found


def _values(optimizer: Optimizer) -> list[tuple[Any, str, Any]]:
    """Return all state: the key of a parameter (its number, or what else an optimizer took), the name, the value."""
    found = []
    for key, values in optimizer.state_dict()["state"].items():
        if not isinstance(values, Mapping):
            raise _cannot_hold(str(key), type(optimizer).__name__, values)
        found += [(key, str(name), one) for name, one in values.items()]
    return found


def _require(values: Mapping[str, Any], wanted: Mapping[str, Any], parameter: Tensor | None, name: str) -> None:
    """Raise ValueError unless the state of a parameter is as `wanted`, or, where that is not known, of its shape."""
    for field, like in wanted.items():
        if field not in values:
            raise ValueError(f"the optimizer's {field} of {name} is missing")
        if isinstance(like, Tensor) != isinstance(values[field], Tensor):
            raise ValueError(f"the optimizer's {field} of {name} is {_kind(values[field])}; wanted {_kind(like)}")
        if isinstance(like, Tensor):
            _fitting(values, field, like, f"the optimizer's {field} of {name}")
    for field in values.keys() - wanted.keys():
        value = values[field]
        if isinstance(value, Tensor) and parameter is not None and value.numel() > 1 and value.shape != parameter.shape:
            raise ValueError(
                f"the optimizer's {field} of {name} has shape {tuple(value.shape)}; wanted {tuple(parameter.shape)}"
            )


def _fitting(values: Mapping[str, Any], field: str, like: Tensor, name: str = "") -> Tensor:
    """Return a value that has the shape and the type of `like`. Raises ValueError when it has not."""
    value, name = values.get(field), name or f"the optimizer's {field}"
    if value is None:
        raise ValueError(f"{name} is missing")
    if value.shape != like.shape or value.dtype != like.dtype:
        raise ValueError(f"{name} is {_kind(value)}; wanted {_kind(like)}")
    found: Tensor = value
    return found


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} of shape {tuple(value.shape)}"
    return f"no tensor, but {value!r}"


def _called(key: Any, names: list[str]) -> str:
    return names[key] if isinstance(key, int) and key < len(names) else str(key)


def _as_saved(optimizer: Optimizer, parameters: list[Tensor], saved: Mapping[Any, Mapping[str, Any]]) -> None:
    """Give loaded state its type again, which torch makes the parameter's, and the layout of its parameter: fused
    optimizers walk both in the order of memory.
    """
    for key, values in saved.items():
        parameter = parameters[key] if isinstance(key, int) else None
        loaded = optimizer.state[parameter if parameter is not None else key]
        for name, value in values.items():
            if not isinstance(value, Tensor):
                continue
            if loaded[name].dtype != value.dtype:
                loaded[name] = value.to(loaded[name].device)
            if parameter is not None and value.shape == parameter.shape:
                loaded[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(loaded[name])


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _encoded(value: Any, name: str, optimizer: str) -> Any:
    """Return a plain value as JSON can hold it, with tuples told from lists."""
    if isinstance(value, float) and math.isnan(value):
        raise TrainingError(f"{name} of the optimizer {optimizer} is no number any more; nothing was saved")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        items = [_encoded(one, name, optimizer) for one in value]
        return items if isinstance(value, list) else {"tuple": items}
    raise _cannot_hold(name, optimizer, value)


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(one) for one in value]
    return tuple(map(_decoded, value["tuple"])) if isinstance(value, dict) else value


def _cannot_hold(name: str, optimizer: str, value: Any) -> TrainingError:
    return TrainingError(
        f"the optimizer {optimizer} keeps a {type(value).__name__} as its {name}, which a checkpoint cannot hold; "
        "wanted tensors, numbers, text, and lists of these last two"
    )
