"""What a plugin of tests adds: tasks and optimizers that a stranger might write, rightly or wrongly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from support import builtin_registry
from torch import Tensor

from zoo.api import Turn
from zoo.builder import Builder
from zoo.registry import Component, Provider, Registry
from zoo_classifier.task import Classify


@dataclass(frozen=True, kw_only=True)
class Idle(Classify):
    """Look at the images and learn nothing."""

    def step(self, turn: Turn) -> dict[str, Tensor]:
        images, labels = turn.batch
        return {"loss": self.loss(self.predict(turn.networks, images, turn.info), labels).detach()}


@dataclass(frozen=True, kw_only=True)
class Twice(Classify):
    """Update the network twice a step."""

    def updates(self, role: str) -> int:
        return 2


class Counting(torch.optim.Optimizer):
    """Plain descent whose rate falls with steps that it counts in a whole number, and with a group's own factor."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, {"lr": lr, "trust": 1.0, "bounds": (0.0, 1.0)})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        for group in self.param_groups:
            group["trust"] *= 0.9
            group["bounds"] = (group["trust"] / 2, 1.0)
            for one in group["params"]:
                state = self.state[one]
                if not state:
                    state |= {"step": 0, "seen": torch.zeros((), dtype=torch.int64)}
                state["step"] += 1
                state["seen"] += 1
                rate = group["lr"] * (group["trust"] + group["bounds"][0]) / (state["step"] + int(state["seen"]))
                one -= rate * one.grad
        return None


class Hoarding(Counting):
    """Keep what no checkpoint can hold."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        super().step()
        for values in self.state.values():
            values["history"] = [torch.zeros(1)]
        return None


def counting(parameters: Any, /, *, lr: float = 0.1) -> Counting:
    return Counting([one for _, one in parameters], lr)


def hoarding(parameters: Any, /, *, lr: float = 0.1) -> Hoarding:
    return Hoarding([one for _, one in parameters], lr)


def builder() -> Builder:
    """Build what is built in, and what stands here."""
    registry, known = Registry(), builtin_registry()
    for component in known:
        registry.add(component, known.provider(component))
    for kind, name, target in (
        ("task", "idle", "Idle"),
        ("task", "twice", "Twice"),
        ("optimizer", "counting", "counting"),
        ("optimizer", "hoarding", "hoarding"),
    ):
        registry.add(Component(kind, name, f"{__name__}:{target}"), Provider("strangers"))
    return Builder(registry)
