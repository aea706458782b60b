"""One network in training: its module, optimizers, schedule and averaged weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from zoo.builder import Builder
from zoo.checking import Report
from zoo.random import derive_seed
from zoo.spec.schema import NetworkSpec, Spec
from zoo.training.average import Average
from zoo.training.engine import Engine


class Trainee:
    """A network with what trains it. `module` is the plain network; `compiled` is what a step calls."""

    def __init__(self, module: nn.Module, section: NetworkSpec, builder: Builder, steps: int) -> None:
        self.module = module
        self.compiled: nn.Module = module
        self.clip = section.gradient_clip
        named = [(name, one) for name, one in module.named_parameters() if one.requires_grad]
        self.parameters = [one for _, one in named]
        made = builder.bind(section.optimizer)(named)
        self.optimizers: list[torch.optim.Optimizer] = [made] if isinstance(made, torch.optim.Optimizer) else list(made)
        self.factor: Callable[[int], float] = builder.bind(section.schedule)(steps)
        self._rates = [[group["lr"] for group in one.param_groups] for one in self.optimizers]
        self.average = None if section.ema is None else Average(module, section.ema)
        self.updates = 0

    @property
    def best(self) -> nn.Module:
        """The network to evaluate: the averaged one where there is one."""
        return self.module if self.average is None else self.average.module

    @property
    def capturable(self) -> bool:
        """Whether a captured step may hold the optimizers' steps: count and rate have to be tensors then.

        SGD counts nothing, and its fused form takes the rate as a tensor; others read such a rate on the host.
        """
        return all(
            "capturable" in group or (isinstance(one, torch.optim.SGD) and bool(group["fused"]))
            for one in self.optimizers
            for group in one.param_groups
        )

    def prepare_capture(self) -> None:
        """Keep the rates in tensors, and let the optimizers count their steps on the device."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["capturable"] = True
                group["lr"] = torch.tensor(float(group["lr"]), device=self.parameters[0].device)

    def set_rate(self, step: int) -> None:
        """Set the rate of `step`, for the updates that it makes."""
        factor = self.factor(step)
        for optimizer, rates in zip(self.optimizers, self._rates, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(rate * factor)
                else:
                    group["lr"] = rate * factor

    def rate(self, step: int) -> float:
        """Return the rate of the first group at `step`."""
        return float(self._rates[0][0] * self.factor(step))

    def update(self) -> Tensor:
        """Take one optimizer step with the gradients gathered, and clear them; return the norm that they had.

        Nothing is read from the device.
        """
        norm = nn.utils.get_total_norm([one.grad for one in self.parameters if one.grad is not None])
        if self.clip is not None:
            nn.utils.clip_grads_with_norm_(self.parameters, self.clip, norm)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update(first=self.updates == 0)
        self.updates += 1
        return norm

    def tensors(self) -> dict[str, Tensor]:
        """Return everything that a checkpoint must hold as tensors, by name; a shared weight appears once."""
        found = {f"network.{name}": tensor for name, tensor in state(self.module).items()}
        if self.average is not None:
            found |= {f"average.module.{name}": tensor for name, tensor in state(self.average.module).items()}
        for index, optimizer in enumerate(self.optimizers):
            for key, values in optimizer.state_dict()["state"].items():
                found |= {
                    f"optimizer.{index}.{key}.{name}": one for name, one in values.items() if isinstance(one, Tensor)
                }
        return found

    def load(self, tensors: dict[str, Tensor], updates: int) -> None:
        """Put back what `tensors` gave. Raises KeyError when a tensor is missing."""
        load_state(self.module, under(tensors, "network."))
        if self.average is not None:
            load_state(self.average.module, under(tensors, "average.module."))
        for index, optimizer in enumerate(self.optimizers):
            held: dict[int, dict[str, Any]] = {}
            for name, tensor in under(tensors, f"optimizer.{index}.").items():
                key, _, field = name.partition(".")
                held.setdefault(int(key), {})[field] = tensor
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": held, "param_groups": groups})
            _match_layout(optimizer)
        self.updates = updates


def make_trainees(spec: Spec, report: Report, builder: Builder, engine: Engine) -> dict[str, Trainee]:
    """Return the networks of `spec`, initialised from its seed (the same on every device), placed and ready."""
    trainees = {}
    for role, module in make_networks(spec, report, builder).items():
        trainee = Trainee(engine.place(module).train(), spec.networks[role], builder, spec.train.steps)
        trainee.compiled = engine.compile(trainee.module)
        trainees[role] = trainee
    return trainees


def make_networks(spec: Spec, report: Report, builder: Builder) -> dict[str, nn.Module]:
    """Return the networks of `spec` by role, on the CPU, initialised from its seed."""
    networks = {}
    for role, one in report.networks.items():
        # Layers draw from torch's default generator, which is the program's: it gets back the state that it had.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive_seed(spec.train.seed, f"init {role}"))
            networks[role] = one.network.module(one.input)
            builder.bind(spec.networks[role].init)(networks[role])
    return networks


def _match_layout(optimizer: torch.optim.Optimizer) -> None:
    """Lay out loaded state as its parameters are: fused optimizers walk both in the order of memory."""
    for parameter, values in optimizer.state.items():
        for name, value in values.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                values[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def state(module: nn.Module) -> dict[str, Tensor]:
    """Return the module's parameters and buffers by name; one that has several names appears under the first."""
    seen: set[int] = set()
    found: dict[str, Tensor] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            found[name] = tensor.detach()
    return found


def load_state(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Copy `tensors` into the module's own.

    Raises KeyError on a missing name, ValueError on a wrong shape or a name too many.
    """
    held = state(module)
    for name in tensors.keys() - held.keys():
        raise ValueError(f"it holds {name}, which this network has not")
    for name, own in held.items():
        if own.shape != tensors[name].shape:
            raise ValueError(f"{name} has shape {tuple(tensors[name].shape)}; this network wants {tuple(own.shape)}")
        own.copy_(tensors[name])


def under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `prefix`, under the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
