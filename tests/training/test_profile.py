"""Where a step's time goes."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from zoo.builder import Builder
from zoo.checking import check
from zoo.spec.schema import Spec, TrainSpec
from zoo.training import loop
from zoo.training import profile as module
from zoo.training.engine import Engine
from zoo.training.profile import PHASES, PhaseClock, profile


def test_an_inner_phase_takes_its_time_from_the_outer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 1.0, 3.0, 3.5, 10.0, 12.0])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(times))
    clock = PhaseClock(torch.device("cpu"))
    with clock("forward"):
        with clock("backward"):
            pass
        with clock("optimizer"):
            pass
    assert clock.seconds == {"forward": 1.0 + 0.5 + 2.0, "backward": 2.0, "optimizer": 6.5}


def test_a_profile_tells_phases_operations_and_peak(
    spec: Callable[..., Spec], builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.01)
    found = profile(spec(), builder, steps=2)
    assert list(found.phases) == list(PHASES)
    assert all(value > 0 for value in found.phases.values())
    assert (found.steps, found.images, found.engine) == (2, 16, "cpu, fp32, eager")
    # The first convolution's input needs no gradient; every other product is done once forward and twice backward.
    macs = check(spec(), builder).total.macs
    stem = 8 * 3 * 9 * 32 * 32
    assert found.operations == 2 * 16 * (3 * macs - stem)
    assert found.share_of_peak == pytest.approx(found.operations / (found.step_milliseconds / 1000) / found.peak)
    assert math.isfinite(found.page_faults)


def test_a_captured_step_is_taken_apart_for_its_phases(
    spec: Callable[..., Spec], builder: Builder, captured: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.01)
    changes = {"networks__classifier__optimizer": {"adamw": {"lr": 0.01}}}
    eager = profile(spec(**changes), builder, steps=1)
    captured()
    found = profile(spec(**changes), builder, steps=1)
    assert found.engine == "cpu, fp32, captured"
    assert all(value > 0 for value in found.phases.values())
    assert found.operations == eager.operations


def test_the_engine_is_that_of_the_whole_training(
    spec: Callable[..., Spec], builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    choose = loop.choose

    def chosen(train: TrainSpec, networks: int) -> Engine:
        asked.append(train.steps)
        return choose(train, networks)

    monkeypatch.setattr(module, "PROBE_SECONDS", 0.01)
    monkeypatch.setattr(loop, "choose", chosen)
    profile(spec(train__steps=5_000, networks__classifier__schedule="constant"), builder, steps=1)
    assert asked == [5_000]


def test_a_profile_leaves_no_run_behind(
    spec: Callable[..., Spec], builder: Builder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.01)
    profile(spec(), builder, steps=1)
    assert list(tmp_path.iterdir()) == []
