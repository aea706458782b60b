"""What a metric is given, and what it gives."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zoo.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from zoo.data.dataset import Dataset
    from zoo.evaluation.trained import Trained


@dataclass(frozen=True)
class Measurement:
    """One measured figure: its value for each seed, and what has to be known to compare it.

    `facts` say what it was measured with: extractor, its hash, resize, reference, counts.
    """

    name: str
    values: tuple[float, ...]
    seeds: tuple[int, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def std(self) -> float | None:
        """The sample standard deviation over seeds; None for a single one."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    def figures(self) -> dict[str, float]:
        """Return the mean, and the standard deviation where there is one, by name."""
        return {self.name: self.mean} | ({} if self.std is None else {f"{self.name}_std": self.std})

    def to_data(self) -> dict[str, Any]:
        """Return the measurement as plain data."""
        return {
            "name": self.name,
            "mean": self.mean,
            "standard_deviation": self.std,
            "values": list(self.values),
            "seeds": list(self.seeds),
            **self.facts,
        }


@dataclass(frozen=True)
class Evidence:
    """The images that a metric holds against each other: real ones of a split, and those that a run makes.

    `rows`: the split's images within the training set, where some were held out.
    """

    trained: Trained
    dataset: Dataset
    split: str
    rows: np.ndarray | None = None
    _drawn: dict[tuple[int, int], Tensor] = field(default_factory=dict)

    @property
    def device(self) -> Any:
        """The torch.device that the run's networks are on."""
        return self.trained.device

    @cached_property
    def real(self) -> Tensor:
        """All real images of the split, (N, C, H, W) uint8 on the CPU."""
        import numpy as np
        import torch

        images = self.dataset.test.images if self.split == "test" else self.dataset.train.images
        return torch.from_numpy(np.array(images if self.rows is None else images[self.rows]))

    def generated(self, count: int, seed: int) -> Tensor:
        """Return images of the run, (count, C, H, W) uint8 on the CPU, the classes in turn. Raises DataError when it
        makes another number.
        """
        key = (count, seed)
        if key not in self._drawn:
            self._drawn[key] = self.trained.draw(range(count), seed=seed)
        images = self._drawn[key]
        if len(images) != count:
            raise DataError(f"the generator made {len(images)} images; wanted exactly {count}")
        return images


def content_hash(images: Tensor) -> str:
    """Return the SHA-256 of uint8 images and their shape."""
    header = str(tuple(images.shape)).encode()
    return hashlib.sha256(header + images.contiguous().numpy().tobytes()).hexdigest()
