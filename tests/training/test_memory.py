"""A step that runs out of the device's memory: which batch would fit, by what was measured."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from zoo.errors import TrainingError
from zoo.training.memory import Watch, fitting_batch

GIB = 2**30


@pytest.mark.parametrize(
    ("batch", "held", "peak", "total", "fits"),
    [(64, 10, 90, 50, 32), (64, 0, 10, 1000, 63), (1, 0, 100, 50, 0), (64, 49, 4000, 50, 0), (8, 5, 5, 50, 7)],
)
def test_what_fits_follows_from_the_peak(batch: int, held: int, peak: int, total: int, fits: int) -> None:
    assert fitting_batch(batch, held, peak, total) == fits


@pytest.mark.parametrize(
    ("peak", "advice"),
    [
        (
            19,
            "at most 24 at once would fit by that: train.accumulate: 6 keeps the batch of 128, or train.batch_size: 24",
        ),
        (999, "not even one image fits: wanted a smaller network, or another device"),
    ],
)
def test_the_error_says_what_to_do(peak: int, advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for a GPU: what torch says of its memory, and the error that it raises."""
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 2 * GIB)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: peak * GIB)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=16 * GIB))
    watch = Watch(torch.device("cuda", 0), 128, 4)
    with pytest.raises(TrainingError) as caught, watch.step():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 GiB. GPU 0 has")
    assert str(caught.value) == (
        f"out of memory on cuda:0: 32 images at once needed {peak + 1}.0 GiB or more, of which 2.0 GiB are held between "
        f"steps, and there are 16.0 GiB; {advice}"
    )
