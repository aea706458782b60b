"""Norms that take their statistics anew at the end: exactly those of the batches that they were shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from test_training_loop import SignalAt, assert_equal, last_tensors

from zoo.checking import check
from zoo.errors import Interrupted
from zoo.random import derive_seed
from zoo.training.loop import Training
from zoo.training.run import Run

NORMED = {
    "architecture": {
        "layers": ["batch_norm", {"conv": 4}, "batch_norm", "relu", "global_average_pool", {"linear": 100}]
    },
}
BATCHES = 3


@pytest.mark.parametrize("ema", [None, 0.9])
def test_statistics_are_the_means_over_the_batches_after_the_last(
    spec: Callable[..., Any], run: Callable[..., Run], builder: Any, tmp_path: Path, ema: float | None
) -> None:
    options: dict[str, Any] = {
        "networks": {"classifier": {**NORMED, "ema": ema}},
        "augment": [{"random_crop": {"padding": 2}}],
        "task": {"classify": {"normalize": False}},
    }
    kept = last_tensors(run("plain", **options))
    renewed = last_tensors(run("renewed", train__norm_batches=BATCHES, **options))
    made = spec(train__norm_batches=BATCHES, **options)
    training = Training(made, check(made, builder), builder, Run.prepare(tmp_path / "by hand", made), SignalAt(0))
    crop, random = training.stepper.augment[0], torch.Generator()
    means, variances = [], []
    for step in range(made.train.steps, made.train.steps + BATCHES):
        random.manual_seed(derive_seed(made.train.seed, "augment", step))
        fetch = training.images.fetch(training.stepper.sampler.indices(step), torch.zeros(made.train.batch_size).long())
        images = crop(fetch()[0].float() / 255, random)
        means.append(images.mean((0, 2, 3)))
        variances.append(images.transpose(0, 1).flatten(1).var(1))
    owner = "classifier.average" if ema else "classifier.network"
    prefix = next(name for name in renewed if name.startswith(owner) and name.endswith("running_mean"))
    torch.testing.assert_close(renewed[prefix], torch.stack(means).mean(0))
    torch.testing.assert_close(renewed[prefix.replace("mean", "var")], torch.stack(variances).mean(0))
    moved = {name for name in kept if not torch.equal(kept[name], renewed[name])}
    assert moved
    assert all(name.endswith(("running_mean", "running_var", "num_batches_tracked")) for name in moved)


def test_a_stopped_run_with_renewed_norms_goes_on_bit_for_bit(run: Callable[..., Run]) -> None:
    options = {"networks": {"classifier": NORMED}, "train__norm_batches": BATCHES}
    straight = run("straight", **options)
    with pytest.raises(Interrupted):
        run("stopped", SignalAt(5), **options)
    resumed = run("stopped", **options)
    assert_equal(last_tensors(straight), last_tensors(resumed))
    assert straight.result()["test"] == resumed.result()["test"]


def test_networks_without_such_norms_are_warned_of(spec: Callable[..., Any], builder: Any) -> None:
    plain = {"architecture": {"layers": ["global_average_pool", {"linear": 100}]}}
    for network, expected in ((plain, 1), (NORMED, 0)):
        made = spec(train__norm_batches=2, networks={"classifier": network})
        assert sum("no norm keeps" in str(one) for one in check(made, builder).warnings) == expected
