"""The engine: what is asked for by name is had or refused, and every choice gives the same training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from support import needs_bf16

from zoo.errors import TrainingError
from zoo.spec.schema import TrainSpec
from zoo.training.devices import bf16_units
from zoo.training.engine import choose
from zoo.training.run import Run

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="capturing needs a CUDA device")
NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU, so asking for one is no error")


@pytest.mark.parametrize(
    ("units", "reason"),
    [
        ("AMX", "precision fp32: bf16, which this CPU has (AMX), is quicker; name it to have it"),
        ("", "precision fp32: the default on cpu"),
    ],
)
def test_auto_says_what_it_chose_and_why(units: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.training.engine.bf16_units", lambda device: units)
    engine = choose(TrainSpec(steps=1, device="cpu"))
    assert engine.describe() == "cpu, fp32, eager"
    assert engine.reasons == (reason, "engine eager: compiling gains little in fp32 on cpu")


def test_bf16_by_name_needs_a_cpu_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.training.engine.bf16_units", lambda device: "")
    with pytest.raises(TrainingError) as caught:
        choose(TrainSpec(steps=1, device="cpu", precision="bf16"))
    assert str(caught.value) == ("train.precision: found bf16, but this cpu computes no bf16; wanted fp32 or auto")


@pytest.mark.parametrize(
    ("amx", "avx", "units"), [(True, True, "AMX"), (False, True, "AVX-512 BF16"), (False, False, "")]
)
def test_bf16_counts_only_where_the_cpu_has_instructions_for_it(
    amx: bool, avx: bool, units: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.training.devices.platform.machine", lambda: "x86_64")
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: avx)
    assert bf16_units(torch.device("cpu")) == units


@pytest.mark.parametrize(
    ("steps", "networks", "compiler", "compiled", "reason"),
    [
        (10_000, 1, "/usr/bin/g++", True, "engine compile: in bf16 it pays over 10,000 steps"),
        (100, 1, "/usr/bin/g++", False, "engine eager: compiling pays from some 4,000 steps on"),
        (10_000, 2, "/usr/bin/g++", False, "engine eager: compiling a game of networks gains little on a CPU"),
        (10_000, 1, None, False, "engine eager: no C++ compiler (g++, clang++, c++, cl) was found"),
    ],
)
def test_bf16_on_a_cpu_is_compiled_where_it_pays(
    steps: int, networks: int, compiler: str | None, compiled: bool, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr("zoo.training.engine.shutil.which", lambda name: compiler)
    monkeypatch.setattr("zoo.training.engine.bf16_units", lambda device: "AMX")
    engine = choose(TrainSpec(steps=steps, device="cpu", precision="bf16"), networks)
    assert (engine.compiled, engine.reasons) == (compiled, (reason,))


def test_compiling_by_name_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "nowhere++")
    with pytest.raises(TrainingError) as caught:
        choose(TrainSpec(steps=1, device="cpu", engine="compile"))
    assert str(caught.value) == (
        "train.engine: found compile, but no C++ compiler (nowhere++) was found; wanted eager or auto"
    )


@pytest.mark.parametrize("engine", ["graph", "compiled_graph"])
def test_graphs_by_name_need_a_cuda_device(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.training.engine.shutil.which", lambda name: "/usr/bin/g++")
    with pytest.raises(TrainingError) as caught:
        choose(TrainSpec(steps=1, device="cpu", engine=engine))
    assert str(caught.value) == (
        f"train.engine: found {engine}, but only a CUDA device replays graphs; this is cpu; "
        "wanted eager, compile or auto"
    )


@NO_GPU
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(TrainingError) as caught:
        choose(TrainSpec(steps=1, device="cuda"))
    assert str(caught.value) == "train.device: found 'cuda', but this machine has no such device; wanted auto or cpu"


def test_tf32_is_refused_where_it_does_not_exist() -> None:
    with pytest.raises(TrainingError, match="train.precision: found tf32, which only a CUDA device has; this is cpu"):
        choose(TrainSpec(steps=1, device="cpu", precision="tf32"))


STEPS = 50
#: How far a loss may be from that of eager fp32 over the first 50 steps, in shares of it: rounding grows with each
#: step, and bf16 keeps 8 bits.
TOLERANCE = {"fp32": 2e-3, "bf16": 2e-2}
ENGINES = [
    pytest.param("eager", "bf16", marks=needs_bf16),
    pytest.param("compile", "fp32", marks=pytest.mark.slow),
    pytest.param("compile", "bf16", marks=[pytest.mark.slow, needs_bf16]),
    pytest.param("graph", "tf32", marks=GPU),
    pytest.param("graph", "bf16", marks=GPU),
    pytest.param("compiled_graph", "bf16", marks=[pytest.mark.slow, GPU]),
]


def losses(run: Run) -> list[float]:
    return [line["loss"] for line in run.metrics() if "loss" in line]


@pytest.mark.parametrize(("engine", "precision"), ENGINES)
def test_every_engine_has_the_losses_of_eager_fp32(engine: str, precision: str, run: Callable[..., Run]) -> None:
    """With a constant rate and no dropout, whose numbers a compiler may draw in another order."""
    plain = {
        "networks__classifier__architecture": {"resnet": {"stem": 8, "widths": [8, 16], "depths": [1, 1]}},
        "networks__classifier__optimizer": {"adamw": {"lr": 0.002}},
        "networks__classifier__schedule": "constant",
        "train__steps": STEPS,
        "train__log_every": 1,
        "train__test_at_end": False,
    }
    device = "cuda" if "graph" in engine else "cpu"
    eager = losses(run("eager", **plain))
    found = losses(run("other", **plain, train__engine=engine, train__precision=precision, train__device=device))
    assert len(found) == STEPS
    assert found != eager
    assert found == pytest.approx(eager, rel=TOLERANCE.get(precision, TOLERANCE["bf16"]))
