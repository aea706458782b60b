"""Which images a step sees: pure functions of the seed and the step, equal on every device."""

from __future__ import annotations

import numpy as np

from zoo.errors import DataError
from zoo.random import derive_seed


def generator(seed: int, purpose: str, step: int = 0) -> np.random.Generator:
    """Return numpy's generator for one purpose and step."""
    return np.random.Generator(np.random.PCG64(derive_seed(seed, purpose, step)))


class Sampler:
    """The stream of training images: one permutation of all of them after another, cut into batches.

    A batch may run over the border of two epochs, so that every image is seen exactly once in each.
    """

    def __init__(self, images: int, batch_size: int, seed: int) -> None:
        self.images, self.batch_size, self.seed = images, batch_size, seed
        self._epoch = -1
        self._order = np.empty(0, dtype=np.int64)

    def indices(self, step: int) -> np.ndarray:
        """Return the (batch_size,) int64 indices of a step, counted from 0."""
        parts, start, end = [], step * self.batch_size, (step + 1) * self.batch_size
        while start < end:
            epoch, at = divmod(start, self.images)
            part = self._permutation(epoch)[at : at + end - start]
            parts.append(part)
            start += len(part)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _permutation(self, epoch: int) -> np.ndarray:
        if epoch != self._epoch:
            self._order = generator(self.seed, "sampler", epoch).permutation(self.images)
            self._epoch = epoch
        return self._order


def validation_split(labels: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted indices that are trained on and the `count` that are held out, the same share of each class
    where an item has one.

    Raises DataError when nothing would be left to train on.
    """
    if not 0 <= count < len(labels):
        raise DataError(f"{count:,} of {len(labels):,} training images cannot be held out; wanted fewer than there are")
    return stratified_split(labels, count, generator(seed, "validation"))


def stratified_split(labels: np.ndarray, count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Cut `count` items out, the same share of each class up to rounding. Return the sorted indices left and cut.

    Labels that are no class, (N, ...), leave it to chance alone.
    """
    if labels.ndim > 1:
        labels = np.zeros(len(labels), dtype=np.int64)
    order = random.permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    classes = labels[by_class]
    first, last = np.searchsorted(classes, classes), np.searchsorted(classes, classes, side="right")
    # An image's place within its own class, in 0..1: cutting at one height cuts the same share of each.
    height = (np.arange(len(labels)) - first + 0.5) / (last - first)
    cut = np.sort(by_class[np.lexsort((random.permutation(len(labels)), height))][:count])
    return np.setdiff1d(np.arange(len(labels)), cut, assume_unique=True), cut
