"""Memory of a device: what a step that found none left would need, and which batch would fit."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from zoo.errors import TrainingError

UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_ASKED = re.compile(r"Tried to allocate ([\d.]+) (bytes|KiB|MiB|GiB)")
WATCHED_STEPS = 3  # after which optimizers have their state, and nothing that stays is added


class Watch:
    """Knows what a training holds between its steps, and says of a step that runs out of memory what would fit."""

    def __init__(self, device: torch.device, batch_size: int, parts: int) -> None:
        self._device, self._batch_size, self._parts = device, batch_size, parts
        self._held = 0
        self._steps = 0

    @contextmanager
    def step(self) -> Iterator[None]:
        """Raise TrainingError in the place of torch's error when a step meanwhile finds no memory."""
        if self._steps < WATCHED_STEPS and self._device.type == "cuda":
            self._held = torch.cuda.memory_allocated(self._device)
            torch.cuda.reset_peak_memory_stats(self._device)
            self._steps += 1
        try:
            yield
        except torch.OutOfMemoryError as error:
            raise TrainingError(self._told(str(error))) from error

    def _told(self, text: str) -> str:
        found = _ASKED.search(text)
        asked = int(float(found[1]) * UNITS[found[2]]) if found else 0
        peak = torch.cuda.max_memory_allocated(self._device) + asked
        total = torch.cuda.get_device_properties(self._device).total_memory
        together = math.ceil(self._batch_size / self._parts)
        fitting = fitting_batch(together, self._held, peak, total)
        gib = [f"{one / 2**30:.1f} GiB" for one in (self._held, peak, total)]
        where = (
            f"out of memory on {self._device}: {together} images at once needed {gib[1]} or more, of which {gib[0]} "
            f"are held between steps, and there are {gib[2]}"
        )
        if fitting < 1:
            return f"{where}; not even one image fits: wanted a smaller network, or another device"
        parts = math.ceil(self._batch_size / fitting)
        return (
            f"{where}; at most {fitting} at once would fit by that: train.accumulate: {parts} keeps the batch of "
            f"{self._batch_size}, or train.batch_size: {fitting}"
        )


def fitting_batch(batch: int, held: int, peak: int, total: int) -> int:
    """Return how many images at most fit where `batch` reached `peak` bytes of `total`, with `held` that do not grow.

    What a step needs grows with its images; one that failed was not at its peak yet, so that fewer may be wanted.
    """
    return min(batch - 1, int(batch * (total - held) / max(peak - held, 1)))
