"""Trackers and callbacks: who is told of a training, and who is part of it."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from safetensors.torch import load_file
from support import builtin_registry, changed

import zoo
from zoo.api import Callback, Moment, PluginError, RunError, Tracked, Tracker, TrainingError
from zoo.builder import Builder
from zoo.registry import Component, Registry
from zoo.spec.load import load_spec
from zoo.spec.schema import Spec
from zoo.training.loop import train
from zoo.training.reporter import Reporter
from zoo.training.run import Run
from zoo.training.trackers import numbers

SPEC: dict[str, Any] = {
    "zoo": 1,
    "name": "tiny",
    "task": "classify",
    "data": {"shapes": {"train_images": 300, "test_images": 100}},
    "augment": ["horizontal_flip"],
    "networks": {
        "classifier": {
            "architecture": {
                "layers": [{"conv": 4}, "batch_norm", {"dropout": 0.2}, "global_average_pool", {"linear": 100}]
            },
            "optimizer": "adam",
            "ema": 0.9,
        }
    },
    "train": {
        "steps": 12,
        "batch_size": 16,
        "device": "cpu",
        "precision": "fp32",
        "checkpoint_every": 4,
        "log_every": 2,
    },
}


@dataclass(kw_only=True)
class Counting(Callback):
    """Keeps one of everything that a checkpoint can hold."""

    every: int = 3
    spoils: str = ""
    kept: dict[str, Any] = field(default_factory=lambda: {"best": math.inf, "seen": [], "shape": (1, 2)}, init=False)

    def on_step(self, moment: Moment, /) -> None:
        if self.spoils == "raises":
            raise ValueError("no luck")
        network = moment.networks["classifier"].eval()
        network(torch.rand(2, 3, 32, 32)).sum().backward()  # leaves gradients and another mode
        torch.rand(7)
        weight = next(network.parameters()).detach()
        self.kept["mean"] = weight.mean()
        self.kept["seen"].append([moment.step, moment.figures.get("loss")])
        self.kept["best"] = min(self.kept["best"], float(weight.norm()))
        moment.log({"norm": float(weight.norm()), "seen": len(self.kept["seen"])})

    def state_dict(self) -> dict[str, Any]:
        return {"odd": object()} if self.spoils == "state" else self.kept

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        self.kept = state


@dataclass(kw_only=True)
class Telling(Tracker):
    """Remembers what it was told, and fails where it should."""

    fails: str = ""
    told: ClassVar[list[tuple[Any, ...]]] = []

    def _do(self, *what: Any) -> None:
        print("told")
        self.told.append(what)
        if what[0] == self.fails:
            raise SystemExit(2) if self.fails == "log" else OSError("the network is down")

    def open(self, run: Tracked, /) -> None:
        self._do("open", run)

    def log(self, step: int, figures: Mapping[str, float], /) -> None:
        self._do("log", step, dict(figures))

    def picture(self, step: int, name: str, path: Path, /) -> None:
        self._do("picture", step, name, path)

    def close(self, *, finished: bool) -> None:
        self._do("close", finished)


class Quiet(Reporter):
    """Remembers messages; stops as a kill does after `until` steps."""

    def __init__(self, until: int = -1) -> None:
        self.messages: list[str] = []
        self.until = until

    def message(self, text: str) -> None:
        self.messages.append(text)

    def step(self, step: int) -> None:
        if step == self.until:
            raise KeyboardInterrupt


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setitem(sys.modules, "watching_own", sys.modules[__name__])
    Telling.told.clear()
    parts = [("callback", "counting", "Counting"), ("tracker", "telling", "Telling")]
    return Registry.of(
        [*builtin_registry(), *(Component(kind, name, f"watching_own:{target}") for kind, name, target in parts)]
    )


@pytest.fixture
def go(own: Registry, tmp_path: Path) -> Callable[..., Run]:
    def train_it(folder: str = "run", reporter: Reporter | None = None, **parts: Any) -> Run:
        spec = load_spec(changed(SPEC, **parts), registry=own)
        return train(spec, Builder(own), tmp_path / folder, reporter or Quiet())

    return train_it


def resolved(own: Registry, **parts: Any) -> Spec:
    return load_spec(changed(SPEC, **parts), registry=own)


def without_time(run: Run) -> list[dict[str, Any]]:
    return [{key: one for key, one in line.items() if key != "seconds"} for line in run.metrics()]


def last_state(run: Run) -> tuple[dict[str, torch.Tensor], Any]:
    from safetensors import safe_open

    path = run.weights()
    with safe_open(path, framework="pt") as file:
        return load_file(path), json.loads(file.metadata()["zoo"])["callbacks"]


def test_a_callback_comes_back_bit_for_bit_when_a_run_goes_on(go: Callable[..., Run]) -> None:
    whole = go("whole", callbacks=["counting", "update_ratios"])
    with pytest.raises(KeyboardInterrupt):
        go("cut", Quiet(until=7), callbacks=["counting", "update_ratios"])
    cut = go("cut", callbacks=["counting", "update_ratios"])
    assert without_time(cut) == without_time(whole)
    (tensors, facts), (expected, wanted) = last_state(cut), last_state(whole)
    assert facts == wanted
    assert tensors.keys() == expected.keys()
    assert all(torch.equal(tensors[name], one) for name, one in expected.items())
    logged = [line for line in without_time(cut) if "counting/norm" in line]
    assert [line["step"] for line in logged] == [3, 6, 9, 12]
    assert [line["counting/seen"] for line in logged] == [1, 2, 3, 4]


def test_a_callback_that_only_looks_changes_no_weight(go: Callable[..., Run]) -> None:
    plain, watched = go("plain"), go("watched", callbacks=["counting"])
    expected, (tensors, _) = load_file(plain.weights()), last_state(watched)
    assert all(torch.equal(tensors[name], one) for name, one in expected.items())


def test_callbacks_are_part_of_the_spec_and_trackers_are_not(own: Registry) -> None:
    plain = resolved(own)
    assert resolved(own, callbacks=[]).hash == plain.hash != resolved(own, callbacks=["counting"]).hash
    tracked = resolved(own, trackers=["telling"])
    assert tracked.hash == plain.hash
    assert tracked == plain
    assert "trackers" not in tracked.to_data()
    assert [one.name for one in tracked.trackers] == ["telling"]


@pytest.mark.parametrize(
    ("spoils", "error", "message"),
    [
        ("raises", PluginError, r"the callback counting \(.*\) failed in on_step\(3\): ValueError: no luck; wanted"),
        (
            "state",
            TrainingError,
            r"the callback counting \(.*\) keeps <object .*> as its odd, which a checkpoint cannot",
        ),
    ],
)
def test_what_a_callback_does_wrong_is_named(
    go: Callable[..., Run], spoils: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        go(callbacks=[{"counting": {"spoils": spoils}}])


def test_a_checkpoint_of_other_callbacks_is_refused(go: Callable[..., Run], own: Registry, tmp_path: Path) -> None:
    from zoo.training.callbacks import Callbacks

    callbacks = Callbacks(resolved(own, callbacks=["counting"]), Builder(own))
    with pytest.raises(ValueError, match="it holds the state of 0 callbacks; the spec has 1"):
        callbacks.load([], {})


def test_a_callback_that_is_none_is_named(own: Registry, tmp_path: Path) -> None:
    wrong = Registry.of([*own, Component("callback", "wrong", "watching_own:Telling")])
    with pytest.raises(PluginError, match=r"the callback wrong \(.*\) returned .*; wanted a zoo.api.Callback"):
        zoo.train(changed(SPEC, callbacks=["wrong"]), run=tmp_path / "run", registry=wrong)


def test_a_tracker_is_told_what_the_metrics_say(go: Callable[..., Run], capsys: pytest.CaptureFixture[str]) -> None:
    run = go(trackers=["telling"], callbacks=["counting"], train__validation=50, train__evaluate_every=6)
    (_, tracked), *rest = Telling.told
    assert (tracked.step, tracked.steps, tracked.folder) == (0, 12, run.folder)
    assert tracked.spec["name"] == "tiny"
    lines = [(line["step"], dict(numbers(line))) for line in run.metrics()]
    *told, result, closed = rest
    assert told == [("log", *line) for line in lines]
    assert result[:2] == ("log", 12)
    assert result[2]["test/top1"] == run.result()["test"]["top1"]  # type: ignore[index]
    assert closed == ("close", True)
    assert capsys.readouterr().out == "", "what a tracker prints is no result"


def test_a_tracker_goes_on_with_the_same_run(go: Callable[..., Run]) -> None:
    with pytest.raises(KeyboardInterrupt):
        go(reporter=Quiet(until=7), trackers=["telling"])
    assert Telling.told[-1] == ("close", False)
    go(trackers=["telling"])
    first, second = (one[1] for one in Telling.told if one[0] == "open")
    assert (first.identity, first.step, second.step) == (second.identity, 0, 4)


@pytest.mark.parametrize("fails", ["open", "log", "close"])
def test_a_tracker_that_fails_warns_once_and_stops_nothing(go: Callable[..., Run], fails: str) -> None:
    reporter = Quiet()
    run = go(reporter=reporter, trackers=[{"telling": {"fails": fails}}, "telling"])
    assert run.result() is not None
    error = "SystemExit: 2" if fails == "log" else "OSError: the network is down"
    assert [one for one in reporter.messages if "telling" in one] == [
        f"warning: the tracker telling (watching_own:Telling) failed in {fails}: {error}; training goes on without it"
    ]
    assert Telling.told[-1] == ("close", True)


def test_pictures_reach_a_tracker(own: Registry, tmp_path: Path) -> None:
    small = ["train.steps=2", "train.batch_size=8", "train.sample_every=2", "trackers=[telling]", "train.device=cpu"]
    small += ["data={noise: {image: [3, 32, 32], classes: 100, train_images: 40, test_images: 12}}", "metrics=[]"]
    zoo.train("cifar100-dcgan", run=tmp_path / "run", overrides=small, registry=own)
    pictures = [one for one in Telling.told if one[0] == "picture"]
    assert pictures == [("picture", 2, "samples", tmp_path / "run" / "samples" / "step-00000002.png")]


def test_every_seed_has_trackers_and_callbacks_of_its_own(go: Callable[..., Run]) -> None:
    run = go(trackers=["telling"], callbacks=["counting"], train__seeds=2, train__steps=6)
    opened = [one[1] for one in Telling.told if one[0] == "open"]
    assert len({one.identity for one in opened}) == 2
    assert all(any("counting/norm" in line for line in one.metrics()) for one in run.seeds().values())


def test_side_by_side_trackers_are_closed(go: Callable[..., Run], captured: Callable[[], None]) -> None:
    captured()
    go(trackers=["telling"], train__seeds=2, train__steps=4)
    assert [one for one in Telling.told if one[0] == "close"] == [("close", True)] * 2


def test_a_damaged_state_of_a_callback_is_an_error_of_the_run(go: Callable[..., Run], monkeypatch: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        go(reporter=Quiet(until=7), callbacks=["counting"])
    monkeypatch.setattr("zoo.training.callbacks._decoded", lambda *given: {}["tensor"])
    with pytest.raises(RunError, match="it does not fit the callbacks: 'tensor'"):
        go(callbacks=["counting"])
