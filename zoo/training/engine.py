"""The engine: where a step runs, in which precision and layout, and whether it is compiled or captured."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from zoo.errors import TrainingError
from zoo.spec.schema import TrainSpec
from zoo.training import devices
from zoo.training.devices import bf16_units

#: Steps from which compiling in bf16 on a CPU pays: it costs about a minute, and gains about 25 ms a step.
PAYS_FROM = 4_000


@dataclass(frozen=True)
class Engine:
    """What `train.device`, `train.precision` and `train.engine` come to on this machine; `reasons` says why."""

    device: torch.device
    precision: str  # fp32, tf32 or bf16
    compiled: bool
    captured: bool = False  # the whole step is recorded as a CUDA graph and replayed
    named: bool = False  # the spec asked for just this, so that nothing else may take its place
    reasons: tuple[str, ...] = ()

    def place(self, module: nn.Module) -> nn.Module:
        """Move a network to the device, in the layout that its convolutions are fastest in."""
        return devices.place(module, self.device)

    def compile(self, module: nn.Module) -> nn.Module:
        """Return what a training step calls."""
        return torch.compile(module) if self.compiled else module  # type: ignore[return-value]

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context that a step's forward passes run in."""
        if self.precision == "bf16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return contextlib.nullcontext()

    def flags(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which the device computes in this precision; after it the program's own flags hold."""
        return devices.precision(self.device, self.precision)

    def describe(self) -> str:
        """Say in a line what was chosen."""
        modes = [name for name, on in (("compiled", self.compiled), ("captured", self.captured)) if on]
        return f"{self.device}, {self.precision}, {' and '.join(modes) or 'eager'}"


def choose(train: TrainSpec, networks: int = 1) -> Engine:
    """Return the engine for this machine, for a spec of as many networks.

    Nothing is set: `flags` does it. Raises TrainingError when what the spec names is not to be had.
    """
    device, reasons = _device(train.device)
    precision: str = train.precision
    if precision == "auto":
        precision, reason = _precision(device)
        reasons.append(reason)
    if precision == "bf16" and not bf16_units(device):
        raise TrainingError(
            f"train.precision: found bf16, but this {device.type} computes no bf16; wanted fp32 or auto"
        )
    if precision == "tf32" and device.type != "cuda":
        raise TrainingError(f"train.precision: found tf32, which only a CUDA device has; this is {device.type}")
    compiled, captured, reason = _mode(train, device, precision, networks)
    return Engine(
        device, precision, compiled, captured, train.engine != "auto", (*reasons, *([reason] if reason else []))
    )


def _precision(device: torch.device) -> tuple[str, str]:
    """Return the default precision, with the reason: none that only some CPUs have, so that figures repeat."""
    if device.type == "cuda":
        return "tf32", "precision tf32: the default on cuda"
    units = bf16_units(device) if device.type == "cpu" else ""
    if units:
        return "fp32", f"precision fp32: bf16, which this CPU has ({units}), is quicker; name it to have it"
    return "fp32", f"precision fp32: the default on {device.type}"


def _mode(train: TrainSpec, device: torch.device, precision: str, networks: int) -> tuple[bool, bool, str]:
    """Return whether to compile and whether to capture, with the reason where the spec leaves it open."""
    lacking = _no_compiler(device)
    if train.engine in ("compile", "compiled_graph") and lacking:
        raise TrainingError(f"train.engine: found {train.engine}, but {lacking}; wanted eager or auto")
    if train.engine in ("graph", "compiled_graph") and device.type != "cuda":
        raise TrainingError(
            f"train.engine: found {train.engine}, but only a CUDA device replays graphs; this is {device.type}; "
            "wanted eager, compile or auto"
        )
    if train.engine != "auto":
        return train.engine in ("compile", "compiled_graph"), train.engine in ("graph", "compiled_graph"), ""
    if device.type == "cuda":
        return False, True, "engine graph: a step of a small network is shorter than the host takes to launch it"
    if device.type != "cpu" or precision != "bf16":
        return False, False, f"engine eager: compiling gains little in {precision} on {device.type}"
    if networks > 1:
        return False, False, "engine eager: compiling a game of networks gains little on a CPU"
    if train.steps < PAYS_FROM:
        return False, False, f"engine eager: compiling pays from some {PAYS_FROM:,} steps on"
    if lacking:
        return False, False, f"engine eager: {lacking}"
    return True, False, f"engine compile: in bf16 it pays over {train.steps:,} steps"


def _no_compiler(device: torch.device) -> str:
    """Say what torch.compile lacks on this machine; empty when it lacks nothing."""
    if device.type == "cuda":
        return "" if importlib.util.find_spec("triton") else "triton, which torch.compile needs on a GPU, is not here"
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++", "c++", "cl"]
    return "" if any(map(shutil.which, names)) else f"no C++ compiler ({', '.join(names)}) was found"


def _device(name: str) -> tuple[torch.device, list[str]]:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda"), ["device cuda: the first GPU"]
        if torch.backends.mps.is_available():
            return torch.device("mps"), ["device mps: Apple GPU"]
        return torch.device("cpu"), ["device cpu: no GPU was found"]
    device = torch.device(name)
    missing = (
        (device.type == "cuda" and not torch.cuda.is_available())
        or (device.type == "mps" and not torch.backends.mps.is_available())
        or (device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count())
    )
    if missing:
        raise TrainingError(f"train.device: found {name!r}, but this machine has no such device; wanted auto or cpu")
    return device, []
