"""A checkpoint that is not what was written is told of and passed over, whatever was changed in it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from zoo.errors import Interrupted, RunError
from zoo.training import checkpoint, checkpoint_files
from zoo.training.reporter import Reporter
from zoo.training.run import Run


class Stop(Reporter):
    def __init__(self) -> None:
        self.told: list[str] = []

    def step(self, step: int) -> None:
        if step == 9:
            os.kill(os.getpid(), signal.SIGINT)

    def message(self, text: str) -> None:
        self.told.append(text)


def flip(path: Path) -> None:
    """Change one bit of the last tensor, which no reader of safetensors notices."""
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("damage", [flip, cut, pipe])
def test_the_newest_good_one_is_used(damage: Callable[[Path], None], run: Callable[..., Run], tmp_path: Path) -> None:
    straight = run("straight")
    with pytest.raises(Interrupted):
        run("stopped", Stop())
    path = checkpoint.newest(tmp_path / "stopped" / "checkpoints")
    assert path is not None and path.name == "step-00000009.safetensors"
    damage(path)
    with pytest.raises(checkpoint.Damaged, match="this is no checkpoint that can be read"):
        checkpoint.read(path)
    watcher = Stop()
    watcher.step = lambda step: None  # type: ignore[method-assign]
    again = run("stopped", watcher)
    assert f"{path} is damaged and passed over; it is now step-00000009.safetensors.damaged" in watcher.told[0]
    assert "going on at step 8" in watcher.told[1]
    one, other = (checkpoint.read(each.weights())[1] for each in (straight, again))
    assert all(checkpoint.same_bits(value, other[name]) for name, value in one.items())


def test_where_all_are_damaged_it_begins_anew(run: Callable[..., Run], tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run("stopped", Stop())
    for path in checkpoint_files.checkpoints(tmp_path / "stopped" / "checkpoints"):
        flip(path)
    assert (run("stopped").result() or {})["steps"] == 12


def test_a_measurement_is_of_the_newest_or_none(run: Callable[..., Run]) -> None:
    finished = run()
    flip(finished.weights())
    with pytest.raises(RunError, match="its content has not the hash that it was written with"):
        checkpoint.read(finished.weights())


@pytest.mark.parametrize("bits", [torch.float32, torch.bfloat16, torch.int64, torch.bool])
def test_bits_are_compared(bits: torch.dtype) -> None:
    one = torch.ones(2, 3).to(bits)
    assert checkpoint.same_bits(one, one.clone()) and not checkpoint.same_bits(one, one.new_zeros(2, 3))
    assert not checkpoint.same_bits(one, one.reshape(3, 2))
    assert not checkpoint.same_bits(torch.tensor(0.0), torch.tensor(-0.0))
    assert checkpoint.same_bits(torch.tensor(float("nan")), torch.tensor(float("nan")))
