"""The engine: what is asked for by name is had or refused, and every choice gives the same training."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from zoo.errors import TrainingError
from zoo.spec.schema import TrainSpec
from zoo.training.engine import choose
from zoo.training.run import Run

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU, so asking for one is no error")


def test_auto_says_what_it_chose_and_why() -> None:
    engine = choose(TrainSpec(steps=1, device="cpu"))
    assert engine.describe() == "cpu, fp32, eager"
    assert engine.reasons == ("precision fp32: the default on cpu",)


@NO_GPU
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(TrainingError) as caught:
        choose(TrainSpec(steps=1, device="cuda"))
    assert str(caught.value) == "train.device: found 'cuda', but this machine has no such device; wanted auto or cpu"


def test_tf32_is_refused_where_it_does_not_exist() -> None:
    with pytest.raises(TrainingError, match="train.precision: found tf32, which only a CUDA device has; this is cpu"):
        choose(TrainSpec(steps=1, device="cpu", precision="tf32"))


def losses(run: Run) -> list[float]:
    return [line["loss"] for line in run.metrics() if "loss" in line]


def test_bf16_trains_as_fp32_within_its_precision(run: Callable[..., Run]) -> None:
    plain, low = losses(run("fp32")), losses(run("bf16", train__precision="bf16"))
    assert low == pytest.approx(plain, rel=0.02)
    assert low != plain


@pytest.mark.slow
def test_compiling_changes_losses_by_rounding_only(run: Callable[..., Run]) -> None:
    eager = losses(
        run("eager", networks__classifier__architecture={"resnet": {"stem": 8, "widths": [8], "depths": [1]}})
    )
    compiled = losses(
        run(
            "compiled",
            networks__classifier__architecture={"resnet": {"stem": 8, "widths": [8], "depths": [1]}},
            train__engine="compile",
        )
    )
    assert compiled == pytest.approx(eager, rel=1e-3)
