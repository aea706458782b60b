"""Averaged weights: of a young network they tell of that network, and no reading of the device is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from host import HostForbidden
from torch import nn

from zoo.errors import SpecError
from zoo.spec.schema import Averaging, Spec
from zoo.training.average import Average
from zoo.training.loop import Training
from zoo.training.run import Run

VALUES = torch.rand(200, generator=torch.Generator().manual_seed(0)).tolist()


def averaged(decay: float, values: list[float], *, warmup: bool) -> float:
    """Return the average of `values` by the formula, in double precision."""
    found = values[0]
    for before, value in enumerate(values[1:], 1):
        kept = min(decay, (1 + before) / (10 + before)) if warmup else decay
        found = kept * found + (1 - kept) * value
    return found


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("warmup", [False, True])
@pytest.mark.parametrize("decay", [0.5, 0.99, 0.9999])
def test_an_average_is_that_of_the_formula(decay: float, warmup: bool, captured: bool) -> None:
    module = nn.Linear(2, 2)
    average = Average(module, decay, warmup=warmup)
    if captured:
        average.prepare_capture()
    for made, value in enumerate(VALUES):
        with torch.no_grad():
            module.weight.fill_(value)
        with HostForbidden():
            average.update(made)
    expected = torch.full((2, 2), averaged(decay, VALUES, warmup=warmup))
    torch.testing.assert_close(average.module.weight.detach(), expected, rtol=1e-4, atol=1e-6)


def test_an_average_of_few_updates_has_forgotten_the_first() -> None:
    jump = [0.0] + [1.0] * 99
    assert averaged(0.999, jump, warmup=True) > 0.99
    assert averaged(0.999, jump, warmup=False) < 0.1


def test_validation_tells_of_a_young_network(run: Callable[..., Run]) -> None:
    """The fault: with a decay of 0.999 the average stayed where the training began."""
    plain = {
        "architecture": {"layers": [{"conv": 4}, "relu", "global_average_pool", {"linear": 100}]},
        "optimizer": {"adam": {"lr": 0.03}},
        "ema": 0.999,
    }
    given: dict[str, Any] = {
        "data": {"shapes": {"train_images": 200, "test_images": 100}},
        "augment": [],
        "train__batch_size": 20,
        "train__steps": 40,
        "train__validation": 100,
        "train__evaluate_every": 40,
        "networks__classifier": plain,
    }
    warm = run("warm", **given).metrics()[-1]["validation_loss"]
    bare = run("bare", **given | {"networks__classifier": plain | {"ema": None}}).metrics()[-1]["validation_loss"]
    cold = plain | {"ema": {"decay": 0.999, "warmup": False}}
    before = run("cold", **given | {"networks__classifier": cold}).metrics()[-1]["validation_loss"]
    assert abs(warm - bare) < abs(before - bare) / 2


def test_what_means_the_same_has_one_hash(spec: Callable[..., Spec]) -> None:
    short, long = (spec(networks__classifier__ema=one) for one in (0.9, {"decay": 0.9, "warmup": True}))
    other = spec(networks__classifier__ema={"decay": 0.9, "warmup": False})
    assert short.hash == long.hash != other.hash
    assert short.to_data()["networks"]["classifier"]["ema"] == 0.9
    assert other.networks["classifier"].ema == Averaging(decay=0.9, warmup=False)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ({"decay": 1}, r"ema\.decay: found 1; wanted"),
        ({"decay": 0.9, "warm_up": True}, r"ema\.warm_up: found true; wanted"),
        ({"warmup": True}, r"ema: found a mapping; wanted|ema: found no 'decay'"),
        ({"decay": 0.9, "warmup": 1}, r"ema\.warmup: found 1; wanted"),
    ],
)
def test_an_average_that_cannot_be_is_refused_once(written: Any, found: str, spec: Callable[..., Spec]) -> None:
    with pytest.raises(SpecError, match=found) as caught:
        spec(networks__classifier__ema=written)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("stop", [1, 6])
def test_captured_averages_go_on_bit_for_bit(
    stop: int, run: Callable[..., Run], captured: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    captured()
    given: dict[str, Any] = {
        "networks__classifier__optimizer": {"adamw": {"lr": 0.01}},
        "networks__classifier__ema": 0.99,
    }
    whole = run("whole", **given)
    after = Training._after_step

    def stopping(training: Training) -> None:
        after(training)
        if training.step == stop:
            training.save()
            raise KeyboardInterrupt

    monkeypatch.setattr(Training, "_after_step", stopping)
    with pytest.raises(KeyboardInterrupt):
        run("parts", **given)
    monkeypatch.setattr(Training, "_after_step", after)
    from zoo.training.checkpoint import read

    one, other = (read(found.weights())[1] for found in (whole, run("parts", **given)))
    assert all(torch.equal(value, other[name]) for name, value in one.items())
