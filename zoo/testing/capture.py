"""A stand-in for CUDA graphs on the CPU: all of capturing and replaying but the capture itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from zoo.training.graph import Figures, Record, Work
from zoo.training.trainee import Trainee


class HostForbidden(TorchDispatchMode):
    """Raises where work would wait for a device, or bring from the host what a replay would not bring again."""

    REFUSED = ("_local_scalar_dense", "is_nonzero", "nonzero", "masked_select", "_unique2", "equal", "lift_fresh")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in self.REFUSED:
            raise RuntimeError(f"aten::{name} needs the host, which a captured step may not")
        return func(*args, **(kwargs or {}))


def recorder(trainees: Mapping[str, Trainee], generators: Sequence[torch.Generator]) -> Record:
    """Return what records as a capture does: the work runs once without a trace, and again at each replay."""

    def record(work: Work) -> tuple[Callable[[], None], Figures]:
        before = {role: _state(trainee) for role, trainee in trainees.items()}
        generators_before = [generator.get_state() for generator in (*generators, torch.default_generator)]
        with HostForbidden():
            figures = {name: value.clone() for name, value in work().items()}
        for generator, state in zip((*generators, torch.default_generator), generators_before, strict=True):
            generator.set_state(state)
        for role, trainee in trainees.items():
            for tensor, value in zip(_tensors(trainee), before[role], strict=True):
                tensor.copy_(value)

        def replay() -> None:
            with HostForbidden():
                found = work()
            for name, value in figures.items():
                value.copy_(found[name])

        return replay, figures

    return record


def _tensors(trainee: Trainee) -> list[Tensor]:
    modules = [trainee.module, *([trainee.average.module] if trainee.average else [])]
    found = [one.detach() for module in modules for one in module.state_dict(keep_vars=True).values()]
    found += [trainee.average.made] if trainee.average and trainee.average.made is not None else []
    for optimizer in trainee.optimizers:
        for values in optimizer.state.values():
            found += [one for one in values.values() if isinstance(one, Tensor)]
    return found


def _state(trainee: Trainee) -> list[Tensor]:
    return [one.clone() for one in _tensors(trainee)]
