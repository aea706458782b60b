"""Which images a step sees: pure functions of the seed and the step, equal on every device."""

from __future__ import annotations

import numpy as np

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
        return np.concatenate(parts)

    def _permutation(self, epoch: int) -> np.ndarray:
        if epoch != self._epoch:
            self._order = generator(self.seed, "sampler", epoch).permutation(self.images)
            self._epoch = epoch
        return self._order


def validation_split(labels: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted indices that are trained on and the `count` that are held out, the same share of each class."""
    random = generator(seed, "validation")
    order = random.permutation(len(labels))
    # Images are taken class by class in turn: the n-th of each class before the (n+1)-th of any.
    by_class = order[np.argsort(labels[order], kind="stable")]
    sorted_labels = labels[by_class]
    first = np.searchsorted(sorted_labels, sorted_labels)
    rank = np.arange(len(labels)) - first
    chosen = by_class[np.lexsort((random.permutation(len(labels)), rank))][:count]
    held = np.sort(chosen)
    return np.setdiff1d(np.arange(len(labels)), held, assume_unique=True), held
