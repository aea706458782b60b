"""Captured steps, with a stand-in for the capture: the same training as eager's, and nothing read from the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from host import HostForbidden
from support import builtin_registry

from zoo.builder import Builder
from zoo.checking import check
from zoo.errors import TrainingError
from zoo.spec.load import load_spec
from zoo.spec.schema import Spec
from zoo.training import loop
from zoo.training.checkpoint import newest, read
from zoo.training.graph import WARM_STEPS, Graphs
from zoo.training.reporter import Reporter
from zoo.training.run import Run

NAMES = ["cifar100-resnet-silu", "cifar100-resnet8", "cifar100-dcgan", "cifar100-cgan", "cifar100-diffusion"]
ADAMW = {"adamw": {"lr": 0.01}}


def tensors(run: Run) -> dict[str, torch.Tensor]:
    last = newest(run.checkpoints)
    assert last is not None
    return read(last)[1]


def assert_same(one: Run, other: Run) -> None:
    first, second = tensors(one), tensors(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(value.float(), second[name].float(), rtol=1e-5, atol=1e-6, msg=name)


def figures(run: Run) -> list[dict[str, Any]]:
    return [{key: value for key, value in line.items() if key != "seconds"} for line in run.metrics()]


def test_captured_steps_train_as_eager_ones(run: Callable[..., Run], captured: Callable[[], None]) -> None:
    eager = run("eager", networks__classifier__optimizer=ADAMW)
    captured()
    replayed = run("captured", networks__classifier__optimizer=ADAMW)
    assert replayed.facts()["engine"] == "cpu, fp32, captured"
    assert_same(eager, replayed)
    for one, other in zip(figures(eager), figures(replayed), strict=True):
        assert one["updates"] == other["updates"]
        assert one["lr"] == pytest.approx(other["lr"])
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_what_ships_can_be_captured(name: str, builder: Builder, captured: Callable[[], None], tmp_path: Path) -> None:
    """No step waits for the device, and what is replayed is what would have been done."""
    data = "data={shapes: {train_images: 100, test_images: 100}}"
    changes = [
        data,
        "train.log_every=1",
        "train.batch_size=4",
        "train.steps=5",
        "train.device=cpu",
        "train.precision=fp32",
        "train.test_at_end=false",
        "train.sample_every=0",
    ]
    spec = load_spec(name, overrides=changes, registry=builder.registry)
    captured()
    runs = []
    for folder in ("eager", "captured"):
        # Both keep their rates in tensors: a rate that is rounded elsewhere moves the gradients of a game by percents.
        training = prepared(spec, builder, tmp_path / folder, captured=folder == "captured")
        training.go(lambda: "")
        runs.append(training)
    assert runs[1].stepper.graphs is not None
    assert runs[1].stepper.graphs._recordings
    for one, other in zip(figures(runs[0].run), figures(runs[1].run), strict=True):
        assert one.pop("updates") == other.pop("updates")
        assert one.pop("remarks", None) == other.pop("remarks", None)
        assert one.pop("lr") == other.pop("lr")
        assert one == pytest.approx(other, rel=1e-5, abs=1e-6)


def test_steps_of_another_kind_are_captured_apart(
    captured: Callable[[], None], builder: Builder, tmp_path: Path
) -> None:
    changes = ["data={shapes: {train_images: 100, test_images: 100}}", "train.batch_size=4", "train.steps=12",
               "train.device=cpu", "task.gan.penalty_every=3", "train.test_at_end=false"]  # fmt: skip
    spec = load_spec("cifar100-rgan", overrides=changes, registry=builder.registry)
    captured()
    training = prepared(spec, builder, tmp_path / "run")
    for _ in range(12):
        training.advance()
    assert training.stepper.graphs is not None
    assert set(training.stepper.graphs._recordings) == {True, False}
    eager = prepared(spec, builder, tmp_path / "eager", captured=False)
    for _ in range(12):
        eager.advance()
    for role, trainee in training.trainees.items():
        for one, other in zip(trainee.parameters, eager.trainees[role].parameters, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def prepared(spec: Spec, builder: Builder, folder: Path, *, captured: bool = True) -> loop.Training:
    training = loop.Training(spec, check(spec, builder), builder, Run.prepare(folder, spec), Reporter())
    if not captured:
        training.stepper.graphs = None
    return training


def test_resuming_captured_steps_is_bit_exact(
    run: Callable[..., Run], captured: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    captured()
    whole = run("whole", networks__classifier__optimizer=ADAMW)
    after = loop.Training._after_step

    def stop(training: loop.Training) -> None:
        after(training)
        if training.step == 8:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop.Training, "_after_step", stop)
    with pytest.raises(KeyboardInterrupt):
        run("parts", networks__classifier__optimizer=ADAMW)
    monkeypatch.setattr(loop.Training, "_after_step", after)
    parts = run("parts", networks__classifier__optimizer=ADAMW)
    one, other = tensors(whole), tensors(parts)
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_a_recording_counts_updates_once() -> None:
    class Counted:
        updates = 0

    counted: Any = Counted()
    done: list[int] = []

    def work() -> dict[str, torch.Tensor]:
        counted.updates += 2
        done.append(counted.updates)
        return {"loss": torch.tensor(float(counted.updates))}

    def record(work: Any) -> Any:
        found = work()
        return lambda: done.append(-1), found

    graphs = Graphs(record, {"one": counted})
    for step in range(6):
        graphs(None, work)
        assert counted.updates == 2 * (step + 1)
    assert done == [2, 4, 6, 8, -1, -1, -1]
    assert WARM_STEPS == 3


def test_what_is_handed_out_is_no_part_of_the_recording() -> None:
    kept = torch.zeros(())
    graphs = Graphs(lambda work: (lambda: kept.add_(1), {"loss": kept}), {})  # type: ignore[arg-type,return-value]
    graphs._warm[None] = WARM_STEPS
    first, second = (graphs(None, dict)["loss"] for _ in range(2))
    assert (float(first), float(second)) == (1.0, 2.0)


def test_reading_the_device_is_refused_by_the_stand_in() -> None:
    for work in (lambda: torch.ones(2).sum().item(), lambda: torch.tensor([1.0]), lambda: torch.ones(2).nonzero()):
        with pytest.raises(RuntimeError, match="needs the host"), HostForbidden():
            work()


def test_an_optimizer_that_counts_on_the_host_is_not_captured(
    spec: Callable[..., Spec], builder: Builder, captured: Callable[[], None], tmp_path: Path, monkeypatch: Any
) -> None:
    captured()
    heard: list[str] = []
    reporter = Reporter()
    reporter.message = heard.append  # type: ignore[method-assign]
    sgd = spec(networks__classifier__optimizer={"adagrad": {}})
    loop.Training(sgd, check(sgd, builder), builder, Run.prepare(tmp_path / "run", sgd), reporter)
    assert heard == ["steps are not captured, since an optimizer counts its steps on the host"]
    choose = loop.choose
    monkeypatch.setattr(loop, "choose", lambda *given: replace(choose(*given), named=True))
    with pytest.raises(TrainingError) as caught:
        loop.Training(sgd, check(sgd, builder), builder, Run.prepare(tmp_path / "other", sgd), reporter)
    assert str(caught.value) == (
        "train.engine: a step cannot be captured, since an optimizer counts its steps on the host; wanted eager or auto"
    )


def test_sgd_which_counts_nothing_is_captured(run: Callable[..., Run], captured: Callable[[], None]) -> None:
    sgd = {"sgd": {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}}
    eager = run("eager", networks__classifier__optimizer=sgd)
    captured()
    replayed = run("captured", networks__classifier__optimizer=sgd)
    assert replayed.facts()["engine"] == "cpu, fp32, captured"
    assert_same(eager, replayed)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="capturing needs a CUDA device")
@pytest.mark.parametrize("name", NAMES)
def test_a_real_capture_trains_as_eager_steps_do(name: str, builder: Builder, tmp_path: Path) -> None:
    registry = builtin_registry()
    changes = ["data={shapes: {train_images: 2000, test_images: 100}}", "train.batch_size=64", "train.steps=50",
               "train.test_at_end=false", "train.precision=fp32"]  # fmt: skip
    runs = []
    for engine in ("eager", "graph"):
        spec = load_spec(name, overrides=[*changes, f"train.engine={engine}"], registry=registry)
        # To move networks and images there is to wait; steps may not.
        training = prepared(spec, builder, tmp_path / engine, captured=engine == "graph")
        torch.cuda.set_sync_debug_mode("error" if engine == "graph" else "default")
        try:
            figures = []
            for step in range(49):
                figures.append(training.stepper.take(step))
        finally:
            torch.cuda.set_sync_debug_mode("default")
        runs.append(torch.stack([next(iter(one.values())) for one in figures]).cpu())
    torch.testing.assert_close(runs[0], runs[1], rtol=1e-2, atol=1e-3)
