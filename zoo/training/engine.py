"""The engine: where a step runs, in which precision and layout, and whether it is compiled."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from zoo.errors import TrainingError
from zoo.spec.schema import TrainSpec


@dataclass(frozen=True)
class Engine:
    """What `train.device`, `train.precision` and `train.engine` come to on this machine; `reasons` says why."""

    device: torch.device
    precision: str  # fp32, tf32 or bf16
    compiled: bool
    reasons: tuple[str, ...] = ()

    def place(self, module: nn.Module) -> nn.Module:
        """Move a network to the device, in the layout that its convolutions are fastest in."""
        return module.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def compile(self, module: nn.Module) -> nn.Module:
        """Return what a training step calls."""
        return torch.compile(module) if self.compiled else module  # type: ignore[return-value]

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context that a step's forward passes run in."""
        if self.precision == "bf16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return contextlib.nullcontext()

    def describe(self) -> str:
        """Say in a line what was chosen."""
        mode = "compiled" if self.compiled else "eager"
        return f"{self.device}, {self.precision}, {mode}"


def choose(train: TrainSpec) -> Engine:
    """Return the engine for this machine. Raises TrainingError when what the spec names is not to be had."""
    device, reasons = _device(train.device)
    precision = train.precision
    if precision == "auto":
        precision = "tf32" if device.type == "cuda" else "fp32"
        reasons.append(f"precision {precision}: the default on {device.type}")
    if precision == "bf16" and not _has_bf16(device):
        raise TrainingError(
            f"train.precision: found bf16, but this {device.type} computes no bf16; wanted fp32 or auto"
        )
    if precision == "tf32" and device.type != "cuda":
        raise TrainingError(f"train.precision: found tf32, which only a CUDA device has; this is {device.type}")
    if device.type == "cuda":
        mode = "tf32" if precision == "tf32" else "ieee"
        torch.backends.cuda.matmul.fp32_precision = mode
        torch.backends.cudnn.conv.fp32_precision = mode  # type: ignore[attr-defined]
    return Engine(device, precision, train.engine == "compile", tuple(reasons))


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


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return True
