"""A set of images on the device that trains: batches are gathered there, without worker processes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from zoo.data.dataset import ImageSet
from zoo.random import derive_seed

if TYPE_CHECKING:
    from torch import Tensor

SHARE = 0.5  # of the device's free memory that a set may take


class DeviceSet:
    """Items and targets as tensors, of the types in which a data set holds them. `length` counts the chosen ones.

    The images lie on the device where they fit into half of its free memory; otherwise they stay memory-mapped and
    each batch is copied.
    """

    def __init__(self, images: ImageSet, device: torch.device, chosen: np.ndarray | None = None) -> None:
        self.device = device
        self._chosen = chosen
        self.length = len(images.labels) if chosen is None else len(chosen)
        self._labels = torch.from_numpy(np.array(images.labels)).to(device)
        self._resident: Tensor | None = None
        self._mapped = images.images
        if images.images.nbytes <= SHARE * _free_bytes(device):
            self._resident = torch.from_numpy(np.array(images.images)).to(device)

    def choose(self, chosen: np.ndarray) -> DeviceSet:
        """Return the set of these rows of it, which shares the images."""
        found = copy.copy(self)
        found._chosen = chosen if self._chosen is None else self._chosen[chosen]
        found.length = len(chosen)
        return found

    @property
    def resident(self) -> bool:
        """Whether the images lie on the device."""
        return self._resident is not None

    def fetch(self, indices: np.ndarray, where: Tensor) -> Callable[[], tuple[Tensor, Tensor]]:
        """Put `indices` into the tensor `where`, and return what gathers the batch that stands there.

        Resident images are then gathered by the device alone, from whatever indices `where` holds at that time.
        """
        if self._resident is None:
            return lambda: self.batch(indices)
        rows = torch.from_numpy(indices if self._chosen is None else self._chosen[indices])
        where.copy_(rows.pin_memory() if self.device.type == "cuda" else rows, non_blocking=True)
        images, labels = self._resident, self._labels
        return lambda: (images.index_select(0, where), labels[where])

    def batch(self, indices: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return items (N, ...) and targets (N, ...) at `indices` of the chosen ones, on the device."""
        rows = indices if self._chosen is None else self._chosen[indices]
        where = torch.from_numpy(rows).to(self.device, non_blocking=True)
        if self._resident is not None:
            return self._resident.index_select(0, where), self._labels[where]
        images = torch.from_numpy(self._mapped[rows])
        if self.device.type == "cuda":
            images = images.pin_memory()
        return images.to(self.device, non_blocking=True), self._labels[where]

    def pixels(self) -> Tensor:
        """Return all chosen items in their own order, on the CPU."""
        rows = np.arange(self.length) if self._chosen is None else self._chosen
        return torch.from_numpy(np.array(self._mapped[rows]))

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield every chosen image once, in a fixed order that mixes the classes."""
        order = np.random.Generator(np.random.PCG64(derive_seed(0, "evaluation"))).permutation(self.length)
        for start in range(0, self.length, size):
            yield self.batch(order[start : start + size])


def as_input(items: Tensor) -> Tensor:
    """Return items as networks are given them: pixels float32 in 0..1, numbers and tokens as they are."""
    return items.to(torch.float32).div_(255) if items.dtype == torch.uint8 else items


def _free_bytes(device: torch.device) -> float:
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    import os

    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return 4e9
