"""The kit that plugins are tested with: what ships keeps its contracts, and what does not keep one is found."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from support import builtin_plugins, builtin_registry
from torch import Tensor, nn

import zoo
from zoo.api import Augmentation, Callback, Moment, Tracked, Tracker
from zoo.plugins import Installed, Plugin
from zoo.registry import Component, Provider, Registry
from zoo.testing import Unchecked, checks_of, checks_of_components

#: One of a kind is tried with each run of the suite, more where they are quick; all of them by `make test-slow`.
SAMPLE = {
    "layer": ["conv", "self_attention", "residual"],
    "activation": ["relu", "gelu", "prelu"],
    "norm": ["batch_norm", "group_norm"],
    "architecture": ["resnet"],
    "initializer": ["orthogonal"],
    "loss": ["cross_entropy"],
    "adversarial_loss": ["bce", "hinge"],
    "optimizer": ["adam"],
    "schedule": ["cosine", "warmup", "one_cycle"],
    "dataset": ["noise"],
    "augmentation": ["horizontal_flip", "color_jitter", "mixup"],
    "task": ["classify"],
    "limit": ["parameters", "arena"],
    "callback": ["update_ratios"],
    "tracker": ["tensorboard"],
}
OPTIONS: dict[str, dict[str, Any]] = {
    "dataset/noise": {"image": [3, 4, 4], "classes": 5, "train_images": 16, "test_images": 8},
    "activation/formula": {"formula": "x * sigmoid(x)"},
    "schedule/formula": {"formula": "1 - step / steps"},
    "layer/windows": {"size": 4},
    "layer/spectral_norm": {"layer": {"linear": 4}},
}
ALL = list(builtin_registry())
SAMPLED = [one for one in ALL if one.name in SAMPLE.get(one.kind, ())]


@pytest.mark.parametrize("check", checks_of_components(SAMPLED, builtin_registry(), OPTIONS), ids=str)
def test_what_ships_keeps_its_contract(check: Any) -> None:
    check()


@pytest.mark.slow
@pytest.mark.parametrize(
    "check", checks_of_components([one for one in ALL if one not in SAMPLED], builtin_registry(), OPTIONS), ids=str
)
def test_all_that_ships_keeps_its_contract(check: Any) -> None:
    check()


def test_every_kind_is_sampled() -> None:
    assert {one.kind for one in SAMPLED} == {one.kind for one in ALL} - {"metric", "extractor"}
    assert builtin_plugins()


class Doubled(nn.Module):
    """In place."""

    def forward(self, values: Tensor) -> Tensor:
        return values.mul_(2)


class Noisy(nn.Module):
    """Random in evaluation, too."""

    def forward(self, values: Tensor) -> Tensor:
        return values + torch.rand_like(values)


class Whole(Augmentation):
    """One draw for a batch."""

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        return images * torch.rand((), generator=generator)


class OfTorch(Augmentation):
    """Random by torch's own generator."""

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        return images * torch.rand(len(images), 1, 1, 1)


class Bright(Augmentation):
    """Out of range."""

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        return images * 2


class Forgetful(torch.optim.SGD):
    """Keeps its count where no checkpoint sees it."""

    count = 0

    def step(self, closure: Any = None) -> Any:
        self.count += 1
        for group in self.param_groups:
            group["lr"] = 0.1 / self.count
        return super().step(closure)


def forgetful(parameters: Any, /) -> Any:
    return Forgetful([one for _, one in parameters], lr=0.1)


def remembering(steps: int, /) -> Any:
    asked: list[int] = []
    return lambda step: asked.append(step) or 1 / len(asked)  # type: ignore[func-returns-value]


def dead(*, weight: float = 1.0) -> Any:
    return lambda logits, labels: (logits * 0).sum()


@dataclass(kw_only=True)
class Meddling(Callback):
    def on_step(self, moment: Moment, /) -> None:
        for one in moment.networks["classifier"].parameters():
            one.data.mul_(0.5)


@dataclass(kw_only=True)
class Counting(Callback):
    count: int = 0

    def on_step(self, moment: Moment, /) -> None:
        self.count += 1
        moment.log({"count": self.count})


class Offline(Tracker):
    def open(self, run: Tracked, /) -> None:
        raise OSError("no network")


BROKEN = [
    ("activation", Doubled, "shape, cost and gradients", "it changes its input in place"),
    ("activation", Noisy, "shape, cost and gradients", "in evaluation it is not deterministic"),
    ("augmentation", Whole, "shape, range", "it draws once for a whole batch; wanted a draw for each image"),
    ("augmentation", OfTorch, "shape, range", "it draws from torch's own generator"),
    ("augmentation", Bright, "shape, range", "it leaves the range 0..1"),
    ("optimizer", forgetful, "bit for bit", "a run that was killed and went on is another one in"),
    ("schedule", remembering, "pure function", "its factors depend on the order in which they are asked for"),
    ("loss", dead, "finite", "its gradient is not finite, or nothing"),
    ("loss", dead, "options", "the option 'weight' has neither a range nor a help text; wanted a Field"),
    ("callback", Meddling, "bit for bit", "it changes classifier.network."),
    ("callback", Counting, "bit for bit", "where it was stopped"),
    ("tracker", Offline, "takes a training", "OSError: no network"),
]


@pytest.mark.parametrize(("kind", "target", "contract", "found"), BROKEN)
def test_what_breaks_its_contract_is_found(
    kind: str, target: Any, contract: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "contracts_own", sys.modules[__name__])
    record = Component(kind, "broken", f"contracts_own:{target.__name__}", "Broken.")
    registry = Registry.of([*ALL, record])
    (check,) = [one for one in checks_of_components([record], registry) if contract in one.contract]
    with pytest.raises(AssertionError) as caught:
        check()
    assert str(caught.value).startswith(f"{kind} broken: {check.contract}: ")
    assert found in str(caught.value)


def test_a_package_is_found_by_its_name_and_its_specs_are_checked(tmp_path: Path) -> None:
    (tmp_path / "fine.yaml").write_text("extends: quickstart\nname: fine\n")
    (tmp_path / "large.yaml").write_text("extends: quickstart\nname: large\nbudget: {parameters: 5}\n")
    plugin = Plugin(Provider("shiny", "zoo-shiny", "1.0"), specs=[tmp_path])
    found = Installed([plugin], builtin_registry())
    checks = {str(one): one for one in checks_of("zoo-shiny", found=found)}
    assert list(checks) == [
        "plugin shiny: it is sound",
        "spec fine: it can work and keeps its limits",
        "spec large: it can work and keeps its limits",
    ]
    checks["plugin shiny: it is sound"]()
    checks["spec fine: it can work and keeps its limits"]()
    with pytest.raises(AssertionError, match="large: parameters: 83,892 of 5"):
        checks["spec large: it can work and keeps its limits"]()


def test_a_broken_plugin_and_one_that_is_not_there_fail() -> None:
    found = Installed([Plugin(Provider("shiny", "zoo-shiny"), error="its import failed: no luck")], Registry())
    with pytest.raises(AssertionError, match="plugin shiny: it is sound: its import failed: no luck"):
        checks_of("shiny", found=found)[0]()
    with pytest.raises(AssertionError, match="zoo-dull: it is installed: it is not; installed are: zoo-shiny"):
        checks_of("zoo-dull", found=found)[0]()


def test_what_cannot_be_checked_here_is_skipped() -> None:
    def run() -> None:
        raise Unchecked("it is large")

    with pytest.raises(pytest.skip.Exception, match="data big: loads: it is large"):
        zoo.testing.Check("data big", "loads", run)()
