"""Checkpoints: in the order of their steps, with all that an optimizer knows, and looked at before they are used."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import strangers
import torch
from safetensors.torch import save_file
from support import changed

from zoo.errors import Interrupted, RunError, TrainingError
from zoo.spec.load import load_spec
from zoo.spec.schema import Spec
from zoo.training import checkpoint, checkpoint_files
from zoo.training.loop import train
from zoo.training.reporter import Reporter
from zoo.training.run import Run
from zoo.training.trainee import Trainee

PLAIN: dict[str, Any] = {
    "architecture": {"layers": [{"conv": 4}, "batch_norm", "relu", "global_average_pool", {"linear": 100}]},
    "optimizer": "adam",
    "ema": 0.9,
}
PART: dict[str, Any] = {"networks__classifier": PLAIN, "augment": []}
OPTIMIZERS = [
    "adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "nadam", "radam", "rmsprop", "rprop", "sgd",
    {"sgd": {"momentum": 0.9}}, {"adam": {"amsgrad": True}}, {"rmsprop": {"centered": True, "momentum": 0.5}},
    {"by_group": {"matrices": "muon", "rest": "adamw"}},
]  # fmt: skip


class Stop(Reporter):
    def step(self, step: int) -> None:
        if step == 5:
            os.kill(os.getpid(), signal.SIGINT)


def rewrite(path: Path, change: Callable[[dict[str, Any], dict[str, torch.Tensor]], object]) -> None:
    """Write a checkpoint again, after `change` of its facts and tensors."""
    facts, tensors = checkpoint.read(path)
    change(facts, tensors)
    save_file(tensors, path, {"zoo": json.dumps(facts)})


def stopped(run: Callable[..., Run], folder: Path, **parts: Any) -> Path:
    """Train to step 5 in `folder` and return the checkpoint."""
    with pytest.raises(Interrupted):
        run(folder.name, Stop(), **parts)
    path = checkpoint.newest(folder / "checkpoints")
    assert path is not None
    return path


def tensors(run: Run) -> dict[str, torch.Tensor]:
    return checkpoint.read(run.weights())[1]


def assert_equal(one: Run, other: Run) -> None:
    first, second = tensors(one), tensors(other)
    assert first.keys() == second.keys()
    assert [name for name, value in first.items() if not torch.equal(value, second[name])] == []


def test_the_newest_checkpoint_is_that_of_the_last_step(tmp_path: Path) -> None:
    steps = [99_999_999, 100_000_000, 100_000_500, 5]
    for step in steps:
        (tmp_path / f"step-{step:08d}.safetensors").touch()
    (tmp_path / "step-best.safetensors").touch()
    assert [int(path.stem[5:]) for path in checkpoint_files.checkpoints(tmp_path)] == sorted(steps)
    newest = checkpoint.newest(tmp_path)
    assert newest is not None
    assert newest.name == "step-100000500.safetensors"


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_every_optimizer_goes_on_bit_for_bit(optimizer: Any, run: Callable[..., Run], tmp_path: Path) -> None:
    given = PART | {"networks__classifier": PLAIN | {"optimizer": optimizer}}
    stopped(run, tmp_path / "stopped", **given)
    assert_equal(run("straight", **given), run("stopped", **given))


def test_numbers_and_groups_of_an_optimizer_are_kept(spec: Callable[..., Spec], tmp_path: Path) -> None:
    builder = strangers.builder()
    network = PLAIN | {"optimizer": {"counting": {"lr": 0.5}}}
    given = load_spec(changed(spec().to_data(), networks__classifier=network, augment=[]), registry=builder.registry)
    straight = train(given, builder, tmp_path / "straight")
    with pytest.raises(Interrupted):
        train(given, builder, tmp_path / "stopped", Stop())
    facts, held = checkpoint.read(Run(tmp_path / "stopped").weights())
    (kept,) = facts["state"]["classifier"]["optimizers"]
    assert kept["values"]["0.step"] == 5
    assert kept["groups"] == [{"trust": pytest.approx(0.9**5), "bounds": {"tuple": [pytest.approx(0.9**5 / 2), 1.0]}}]
    assert held["classifier.optimizer.0.0.seen"].dtype == torch.int64
    assert_equal(straight, train(given, builder, tmp_path / "stopped"))


def test_what_no_checkpoint_can_hold_is_said_at_the_first_line(spec: Callable[..., Spec], tmp_path: Path) -> None:
    builder = strangers.builder()
    network = PLAIN | {"optimizer": {"hoarding": {}}}
    given = load_spec(changed(spec().to_data(), networks__classifier=network, augment=[]), registry=builder.registry)
    with pytest.raises(TrainingError) as caught:
        train(given, builder, tmp_path / "run")
    assert str(caught.value) == (
        "the optimizer Hoarding keeps a Tensor as its history, which a checkpoint cannot hold; "
        "wanted tensors, numbers, text, and lists of these last two"
    )


NAME = "classifier.optimizer.0.0.exp_avg"
CHANGES: dict[str, tuple[Callable[[dict[str, Any], dict[str, torch.Tensor]], object], str]] = {
    "shape": (
        lambda facts, held: held.update({NAME: torch.zeros(3)}),
        r"the optimizer's exp_avg of 0.weight is float32 of shape \(3,\); wanted float32 of shape \(4, 3, 3, 3\)",
    ),
    "type": (
        lambda facts, held: held.update({NAME: held[NAME].to(torch.int64)}),
        r"the optimizer's exp_avg of 0.weight is int64 of shape \(4, 3, 3, 3\); wanted float32",
    ),
    "absent": (lambda facts, held: held.pop(NAME), r"the optimizer's exp_avg of 0.weight is missing"),
    "absent for a parameter": (
        lambda facts, held: [held.pop(name) for name in list(held) if name.startswith("classifier.optimizer.0.0.")],
        r"the optimizer's state of 0.weight is missing",
    ),
    "absent altogether": (
        lambda facts, held: [held.pop(name) for name in list(held) if ".optimizer." in name],
        r"the optimizer's state of 0.weight is missing",
    ),
    "another parameter's": (
        lambda facts, held: held.update({"classifier.optimizer.0.99.exp_avg": torch.zeros(1)}),
        r"the optimizer has state of parameter 99; this network has 6",
    ),
    "unknown and of another shape": (
        lambda facts, held: held.update({"classifier.optimizer.0.0.extra": torch.zeros(7)}),
        r"the optimizer's extra of 0.weight has shape \(7,\); wanted \(4, 3, 3, 3\)",
    ),
    "a count that says there were no steps": (
        lambda facts, held: (facts.update(updates={"classifier": 0}), held.update({NAME: torch.zeros(1)})),
        r"the optimizer's exp_avg of 0.weight is float32 of shape \(1,\); wanted float32 of shape \(4, 3, 3, 3\)",
    ),
    "weight of another type": (
        lambda facts, held: held.update({"classifier.network.0.weight": torch.zeros(4, 3, 3, 3, dtype=torch.int64)}),
        r"0.weight is torch.int64; this network wants torch.float32",
    ),
    "weight missing": (
        lambda facts, held: held.pop("classifier.network.0.weight"),
        r"it holds no 0.weight, which this network has",
    ),
}


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("name", CHANGES)
def test_state_that_does_not_fit_is_refused(name: str, older: bool, run: Callable[..., Run], tmp_path: Path) -> None:
    if older and name == "absent for a parameter":
        pytest.skip("earlier versions did not write down which parameters have state")
    change, told = CHANGES[name]
    path = stopped(run, tmp_path / "run", **PART)
    rewrite(path, change)
    if older:
        rewrite(path, lambda facts, held: (facts.pop("state"), facts.pop("figures")))
    with pytest.raises(RunError, match=rf"step-00000005.safetensors: it does not fit the network 'classifier': {told}"):
        run(**PART)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"fused": True}, "it changes fused of a group of parameters, which a checkpoint cannot"),
        ({"lr": 1e9}, "it changes lr of a group of parameters, which a checkpoint cannot"),
        ({"params": []}, "it changes params of a group of parameters, which a checkpoint cannot"),
        ({"unknown": 1}, "it changes unknown of a group of parameters, which a checkpoint cannot"),
        ({"eps": "small"}, "eps of a group of parameters is 'small'; wanted such as"),
        ({"amsgrad": True}, "the optimizer cannot go on with amsgrad"),
    ],
)
def test_groups_that_do_not_fit_are_refused(
    values: dict[str, Any], told: str, run: Callable[..., Run], tmp_path: Path
) -> None:
    path = stopped(run, tmp_path / "run", **PART)
    rewrite(path, lambda facts, held: facts["state"]["classifier"]["optimizers"][0].update(groups=[values]))
    with pytest.raises(RunError, match=f"it does not fit the network 'classifier': {told}"):
        run(**PART)


def test_a_checkpoint_of_an_earlier_version_goes_on_as_it_began(
    run: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no facts of optimizers, and its averages had no warm-up."""
    cold = PLAIN | {"ema": {"decay": 0.9, "warmup": False}}
    straight = run("straight", **PART | {"networks__classifier": cold})
    monkeypatch.setattr(Trainee, "facts", lambda self: {})
    before = Trainee.__init__

    def older(trainee: Trainee, *given: Any) -> None:
        before(trainee, *given)
        assert trainee.average is not None
        trainee.average.warmup = False

    monkeypatch.setattr(Trainee, "__init__", older)
    path = stopped(run, tmp_path / "older", **PART)
    monkeypatch.undo()
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "zoo-data"))
    rewrite(path, lambda facts, held: (facts.pop("state"), facts.pop("figures")))
    with pytest.raises(Interrupted):
        run("older", At7(), **PART)
    assert_equal(straight, run("older", **PART))


class At7(Reporter):
    def step(self, step: int) -> None:
        if step == 7:
            os.kill(os.getpid(), signal.SIGINT)
