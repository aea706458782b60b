"""The self-check: it knows a wrong gradient, outlives a death, and names the operation that was under way."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from zoo.builder import Builder
from zoo.network.layer import Cost, Layer, Shape
from zoo.registry import LAYER_FAMILY, Registry
from zoo.training import selfcheck
from zoo.training.selfcheck import Operation, error_of, operations


class Twice(torch.autograd.Function):
    """The identity, with a gradient twice as large."""

    @staticmethod
    def forward(context: Any, input: torch.Tensor) -> torch.Tensor:
        return input.clone()

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return gradient * (2 if gradient.dtype == torch.float32 else 1)


class Wrong(Layer):
    def shape(self, input: Shape, /) -> Shape:
        return input

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, input)

    def module(self, input: Shape, /) -> nn.Module:
        class Doubled(nn.Module):
            def forward(self, input: torch.Tensor) -> torch.Tensor:
                return Twice.apply(input)  # type: ignore[no-any-return]

        return Doubled()


def test_a_wrong_gradient_is_named_with_its_size() -> None:
    assert error_of(Operation("wrong", Wrong(), (3, 4, 4))) == "the gradient of the input is off by 1"


def test_every_layer_that_is_registered_is_computed(registry: Registry, builder: Builder) -> None:
    made = {one.name for one in operations(registry, builder)}
    words = " ".join(made)
    for component in registry:
        # Forms of writing are gone before anything is computed.
        written_away = component.target.startswith("zoo_core.forms:")
        if component.kind in LAYER_FAMILY and component.kind != "architecture" and not written_away:
            assert component.name in words, component.name


def test_all_operations_are_right_as_they_are_placed() -> None:
    """With one thread and with all, in a process of its own: where they are not right, it may die."""
    found = selfcheck.examine()
    assert [one for one in found.faults if not one.avoided] == []
    assert found.operations > 100


def test_a_death_is_reported_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["conv", "relu", "linear", "tanh"]

    def start(kind: str, first: int) -> subprocess.Popen[str]:
        code = (
            "import json, os, sys\n"
            f"for index, name in list(enumerate({names!r}))[{first}:]:\n"
            "    print(json.dumps([index, name, None]), flush=True)\n"
            "    if name == 'relu': os.abort()\n"
            "    if name == 'linear': sys.exit(3)\n"
            "    print(json.dumps([index, name, 'off' if name == 'tanh' else '']), flush=True)\n"
        )
        return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)

    monkeypatch.setattr(selfcheck, "_start", start)
    assert list(selfcheck._results("placed", start("placed", 0))) == [
        ("conv", ""),
        ("relu", "kills the process (signal 6)"),
        ("linear", "ends the process (exit code 3)"),
        ("tanh", "off"),
    ]
