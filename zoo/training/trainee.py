"""One network in training: its module, optimizers, schedule and averaged weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from zoo.builder import Builder
from zoo.checking import Report
from zoo.errors import RunError
from zoo.network.parts import innermost
from zoo.random import derive_seed
from zoo.spec.schema import Averaging, NetworkSpec, Spec
from zoo.training import optimizer_state
from zoo.training.average import Average
from zoo.training.engine import Engine


class Trainee:
    """A network with what trains it. `module` is the plain network; `compiled` is what a step calls."""

    def __init__(self, module: nn.Module, section: NetworkSpec, builder: Builder, steps: int) -> None:
        self.module = module
        self.compiled: nn.Module = module
        self.clip = section.gradient_clip
        freeze(module, section.freeze)
        named = [(name, one) for name, one in module.named_parameters() if one.requires_grad]
        self.parameters = [one for _, one in named]
        self._make = partial(_optimizers, builder.bind(section.optimizer), section.rates)
        self.optimizers: list[torch.optim.Optimizer] = self._make(named)
        self.factor: Callable[[int], float] = builder.bind(section.schedule)(steps)
        self._rates = [[group["lr"] for group in one.param_groups] for one in self.optimizers]
        self._groups = [optimizer_state.groups(one) for one in self.optimizers]
        averaging = Averaging.of(section.ema)
        self.average = None if averaging is None else Average(module, averaging.decay, warmup=averaging.warmup)
        self.updates = 0
        self.origin: dict[str, Any] = {}  # where weights came from that were trained before
        self.constant: set[str] = set()  # not finite from the beginning, such as a mask
        self.constant.update(self.not_finite())

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
        if self.average is not None:
            self.average.prepare_capture()

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
            self.average.update(self.updates)
        self.updates += 1
        return norm

    def tensors(self) -> dict[str, Tensor]:
        """Return everything that a checkpoint must hold as tensors, by name; a shared weight appears once."""
        found = {f"network.{name}": tensor for name, tensor in state(self.module).items()}
        if self.average is not None:
            found |= {f"average.module.{name}": tensor for name, tensor in state(self.average.module).items()}
        for index, optimizer in enumerate(self.optimizers):
            found |= {f"optimizer.{index}.{name}": one for name, one in optimizer_state.tensors(optimizer).items()}
        return found

    def facts(self) -> dict[str, Any]:
        """Return what else a checkpoint must hold, as plain data. Raises TrainingError when it cannot."""
        held = [optimizer_state.facts(*pair) for pair in zip(self.optimizers, self._groups, strict=True)]
        return {"optimizers": held, **({} if self.average is None else {"warmup": self.average.warmup})}

    def load(self, tensors: dict[str, Tensor], updates: int, facts: Mapping[str, Any] | None) -> None:
        """Put back what `tensors` and `facts` gave; checkpoints of earlier versions have no facts.

        Raises ValueError when something is missing or does not fit.
        """
        load_state(self.module, under(tensors, "network."))
        if self.average is not None:
            load_state(self.average.module, under(tensors, "average.module."))
            # An average that began without a warm-up, as those of earlier versions, goes on without.
            self.average.resume(updates, warmup=facts is not None and bool(facts["warmup"]))
        named = list(zip(self._names(), self.parameters, strict=True))
        fresh = optimizer_state.after_a_step(self._make, named)
        known = facts["optimizers"] if facts is not None else [None] * len(self.optimizers)
        for index, (optimizer, one) in enumerate(zip(self.optimizers, known, strict=True)):
            held = under(tensors, f"optimizer.{index}.")
            like = fresh[index] if index < len(fresh) else None
            optimizer_state.load(optimizer, held, one, like, self._names(optimizer), updated=updates > 0)
        self.updates = updates

    def not_finite(self) -> list[str]:
        """Return which of `tensors` are no longer finite; they are read from the device at once.

        What was not finite from the beginning is meant to be so.
        """
        groups: dict[torch.device, dict[str, Tensor]] = {}
        for name, one in self.tensors().items():
            if one.is_floating_point():
                groups.setdefault(one.device, {})[name] = one
        found = []
        for tensors in groups.values():
            finite = torch.stack([torch.isfinite(one).all() for one in tensors.values()]).tolist()
            found += [name for name, fine in zip(tensors, finite, strict=True) if not fine]
        return [name for name in found if name not in self.constant]

    def forget(self, kept: set[str]) -> None:
        """Let the optimizers forget all state but what has one of these names, as in `tensors`."""
        for index, optimizer in enumerate(self.optimizers):
            keys = [one for group in optimizer.param_groups for one in group["params"]]
            known = {name.split(".")[2] for name in kept if name.startswith(f"optimizer.{index}.")}
            for number, parameter in enumerate(keys):
                if str(number) not in known:
                    optimizer.state.pop(parameter, None)

    def describe(self, name: str) -> str:
        """Say in words which of `tensors` is meant."""
        kind, _, rest = name.partition(".")
        if kind != "optimizer":
            return rest if kind == "network" else f"the average of {rest.removeprefix('module.')}"
        index, key, field = rest.split(".", 2)
        names = self._names(self.optimizers[int(index)])
        return f"the optimizer's {field}" + (f" of {names[int(key)]}" if key.isdecimal() else "")

    def _names(self, optimizer: torch.optim.Optimizer | None = None) -> list[str]:
        """Return the names of all parameters in training, or of those of `optimizer`, in its order."""
        names = {id(one): name for name, one in self.module.named_parameters()}
        groups = optimizer.param_groups if optimizer is not None else [{"params": self.parameters}]
        return [names.get(id(one), "a parameter") for group in groups for one in group["params"]]


def _optimizers(
    make: Callable[[Any], Any], rates: Mapping[str, float], named: Sequence[tuple[str, nn.Parameter]]
) -> list[torch.optim.Optimizer]:
    """Return what `make` gives for the weights, apart for those of each factor on the rate; those of none first."""
    groups: dict[float, list[tuple[str, nn.Parameter]]] = {1.0: []}
    for name, one in named:
        path = innermost(name, rates)
        groups.setdefault(1.0 if path is None else rates[path], []).append((name, one))
    found: list[torch.optim.Optimizer] = []
    for factor, group in groups.items():
        if group:
            made = make(group)
            optimizers = [made] if isinstance(made, torch.optim.Optimizer) else list(made)
            for held in (held for one in optimizers for held in one.param_groups):
                held["lr"] *= factor
            found += optimizers
    return found


def freeze(module: nn.Module, paths: Sequence[str]) -> None:
    """Let parts of a module stay as they are: their weights are not trained, their norms keep their statistics."""
    for name, one in module.named_parameters():
        if innermost(name, paths) is not None:
            one.requires_grad_(False)
    for name, part in module.named_modules():
        if innermost(name, paths) is not None:
            part.eval().train = partial(_stays, part)


def _stays(module: nn.Module, mode: bool = True) -> nn.Module:
    return module


def make_trainees(spec: Spec, report: Report, builder: Builder, engine: Engine) -> dict[str, Trainee]:
    """Return the networks of `spec`, initialised from its seed (the same on every device), placed and ready."""
    trainees = {}
    for role, module, origin in _begun(spec, report, builder, frozen=False):
        trainee = Trainee(engine.place(module).train(), spec.networks[role], builder, spec.train.steps)
        trainee.compiled = engine.compile(trainee.module)
        trainee.origin = origin
        trainees[role] = trainee
    return trainees


def make_frozen(
    spec: Spec, report: Report, builder: Builder, engine: Engine
) -> tuple[dict[str, nn.Module], dict[str, dict[str, Any]]]:
    """Return the networks that the task of `spec` uses and never trains, placed, as they are evaluated; and where the
    weights of each come from, as far as its initializer says it.
    """
    networks: dict[str, nn.Module] = {}
    origins: dict[str, dict[str, Any]] = {}
    for role, module, origin in _begun(spec, report, builder, frozen=True):
        networks[role] = engine.place(module).eval().requires_grad_(False)
        origins |= {role: origin} if origin else {}
    return networks, origins


def make_networks(spec: Spec, report: Report, builder: Builder, *, begin: bool = True) -> dict[str, nn.Module]:
    """Return the networks of `spec` by role, on the CPU, initialised from its seed.

    begin: whether the initializers are called, which is of no use where weights are loaded next; those of networks
    that are never trained are, since no checkpoint holds them.
    """
    return {role: module for role, module, _ in _begun(spec, report, builder, begin=begin)}


def _begun(
    spec: Spec, report: Report, builder: Builder, *, begin: bool = True, frozen: bool | None = None
) -> Iterator[tuple[str, nn.Module, dict[str, Any]]]:
    """Yield each network of `spec` with its role, and what its initializer says of where weights came from.

    frozen: only those that are never trained, or only the others.
    """
    for role, one in report.networks.items():
        if frozen not in (None, one.frozen):
            continue
        # Layers draw from torch's default generator, which is the program's: it gets back the state that it had.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive_seed(spec.train.seed, f"init {role}"))
            module = one.network.module(one.input)
            origin = builder.bind(spec.networks[role].init)(module) if begin or one.frozen else None
        yield role, module, origin or {}


def frozen_facts(spec: Spec, frozen: Mapping[str, nn.Module]) -> dict[str, Any]:
    """Return what a run keeps of the networks that it uses and does not train: where each comes from, and its hash."""
    found = {
        role: {"init": spec.networks[role].init.written(), "sha256": weights_hash(module)}
        for role, module in frozen.items()
    }
    return {"frozen": found} if found else {}


def require_frozen(facts: Mapping[str, Any], spec: Spec, frozen: Mapping[str, nn.Module], label: str) -> None:
    """Raise RunError where a network that is not trained has other weights than those that a run was begun with."""
    known = facts.get("frozen", {})
    for role, one in frozen_facts(spec, frozen).get("frozen", {}).items():
        if role in known and known[role]["sha256"] != one["sha256"]:
            raise RunError(
                f"{label}: it was trained with other weights of {role} than {one['init']} gives now "
                f"({one['sha256'][:8]}, were {known[role]['sha256'][:8]}); bring those back, or train anew"
            )


def weights_hash(module: nn.Module) -> str:
    """Return the SHA-256 of a module's parameters and buffers, in their order."""
    import hashlib

    digest = hashlib.sha256()
    for tensor in state(module).values():
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


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

    Raises ValueError on a missing name, a name too many, and a wrong shape or type.
    """
    held = state(module)
    for name in tensors.keys() - held.keys():
        raise ValueError(f"it holds {name}, which this network has not")
    for name, own in held.items():
        if name not in tensors:
            raise ValueError(f"it holds no {name}, which this network has")
        if own.is_floating_point() != tensors[name].is_floating_point():
            raise ValueError(f"{name} is {tensors[name].dtype}; this network wants {own.dtype}")
        if own.shape != tensors[name].shape:
            raise ValueError(f"{name} has shape {tuple(tensors[name].shape)}; this network wants {tuple(own.shape)}")
        own.copy_(tensors[name])


def under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `prefix`, under the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
