"""The self-check: it knows a wrong gradient, outlives a death, and names the operation that was under way."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from zoo.builder import Builder
from zoo.network.layer import Cost, Layer, Shape
from zoo.registry import LAYER_FAMILY, Registry
from zoo.training import selfcheck
from zoo.training.selfcheck import Operation, error_of, operations

ROOT = Path(__file__).parents[2]


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


#: In the process that computes, which is a fork.
UNPROTECTED = """
def unprotected(*given, main=selfcheck.main):
    from zoo.training import strided

    strided._touched = lambda *_: False
    main(*given)

selfcheck.main = unprotected
"""


def examined(before: str = "", **environment: str) -> list[Any]:
    """Return what a program of its own finds: [operations, [[operation, text, avoided], ...]]."""
    path = [str(ROOT), str(ROOT / "plugins"), str(ROOT / "tests"), *sys.path]
    code = f"""
import json, sys
sys.path[:0] = {[one for one in path if one]!r}
from zoo.training import selfcheck
{before}
if __name__ == "__main__":
    found = selfcheck.examine()
    print(json.dumps([found.operations, [[one.operation, one.text, one.avoided] for one in found.faults]]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        env=os.environ | environment,
    )
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_all_operations_are_right_as_they_are_placed() -> None:
    """With one thread and with all, in processes of their own: where they are not right, they may die."""
    count, faults = examined()
    assert [fault for fault in faults if not fault[2]] == []
    assert count > 100


def test_what_is_left_to_a_library_that_computes_it_wrongly_is_found() -> None:
    """Strided 1x1 convolutions of few channels, as they are on a CPU without AVX-512."""
    lesser = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
    _, faults = examined(UNPROTECTED, **lesser)
    if not any(avoided for *_, avoided in faults):
        pytest.skip("the library computes them rightly on this machine")
    found = {operation.partition(":")[0] for operation, _, avoided in faults if not avoided}
    assert found >= {"conv", "conv_transpose"}
    assert all("stride" in operation or "shortcut" in operation for operation, _, avoided in faults if not avoided)


def test_a_death_is_reported_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def compute(saying: Connection, kind: str, first: int) -> None:
        for index, name in list(enumerate(["conv", "relu", "linear", "tanh"]))[first:]:
            saying.send((index, name, None))
            if name == "relu":
                os.kill(os.getpid(), signal.SIGKILL)
            if name == "linear":
                os._exit(3)
            saying.send((index, name, "off" if name == "tanh" else ""))

    monkeypatch.setattr(selfcheck, "main", compute)
    assert list(selfcheck._results(multiprocessing.get_context("fork"), "placed")) == [
        ("conv", ""),
        ("relu", "kills the process (signal 9)"),
        ("linear", "ends the process (exit code 3)"),
        ("tanh", "off"),
    ]


def test_a_process_that_says_nothing_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selfcheck, "SECONDS", 0.1)
    monkeypatch.setattr(selfcheck, "main", lambda saying, kind, first: signal.pause())
    assert list(selfcheck._results(multiprocessing.get_context("fork"), "placed")) == [
        ("the beginning", "hangs (nothing came in 0 seconds)")
    ]
