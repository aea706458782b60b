"""Training on mixed labels: repeatable, resumable bit for bit, and measured as before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from host import HostForbidden
from safetensors.torch import load_file

from zoo.api import Batch
from zoo.training import checkpoint
from zoo.training.reporter import Reporter
from zoo.training.run import Run
from zoo.training.stepper import Stepper

AUGMENT: list[Any] = [
    "random_crop",
    "horizontal_flip",
    {"cutmix": {"alpha": 1.0, "probability": 0.5}},
    {"mixup": {"alpha": 0.2}},
    "trivial_augment",
]


class Killed(Reporter):
    """Ends the process in the middle, as a power cut would."""

    def step(self, step: int) -> None:
        if step == 7:
            raise MemoryError


def tensors(run: Run) -> dict[str, torch.Tensor]:
    path = checkpoint.newest(run.checkpoints)
    assert path is not None
    return load_file(path)


def assert_equal(one: Run, other: Run) -> None:
    first, second = tensors(one), tensors(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_a_run_on_mixed_labels_repeats_and_goes_on_bit_for_bit(run: Callable[..., Run]) -> None:
    straight, again = run("straight", augment=AUGMENT), run("again", augment=AUGMENT)
    with pytest.raises(MemoryError):
        run("killed", Killed(), augment=AUGMENT)
    resumed = run("killed", augment=AUGMENT)
    assert_equal(straight, again)
    assert_equal(straight, resumed)
    assert straight.result()["test"] == resumed.result()["test"]
    assert all(0 <= line["accuracy"] <= 1 for line in straight.metrics())


@pytest.mark.parametrize("loss", ["cross_entropy", "multi_margin"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_loss_trains_on_shares_in_every_precision(
    loss: str, precision: str, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.training.engine.bf16_units", lambda device: "imitated")  # slow is good enough here
    found = run(augment=AUGMENT, task={"classify": {"loss": loss}}, train__precision=precision, train__accumulate=2)
    assert all(line["loss"] > 0 for line in found.metrics())


def test_the_task_is_given_shares_that_the_host_has_not_seen(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Batch] = []
    original = Stepper._batch

    def watched(*given: Any) -> Batch:
        with HostForbidden():
            seen.append(original(*given))
        return seen[-1]

    monkeypatch.setattr(Stepper, "_batch", watched)
    run(augment=AUGMENT, train__steps=2)
    for batch in seen:
        assert (batch.labels.shape, batch.labels.dtype) == ((16, 100), torch.float32)
        torch.testing.assert_close(batch.labels.sum(1), torch.ones(16))


def test_a_batch_of_one_image_trains_on_its_label(run: Callable[..., Run]) -> None:
    plain = {"architecture": {"resnet": {"stem": 8, "widths": [8], "depths": [1], "norm": "none"}}}
    found = run(augment=AUGMENT, train__batch_size=1, train__steps=2, networks__classifier=plain)
    assert found.result()["images"] == 2
