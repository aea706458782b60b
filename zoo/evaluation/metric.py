"""What a metric is given, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from zoo.errors import DataError
from zoo.evaluation.spread import deviation

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.builder import Builder
    from zoo.spec.schema import ComponentSpec, Spec


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
        from statistics import fmean

        return fmean(self.values)

    @property
    def std(self) -> float | None:
        """The sample standard deviation over seeds; None for a single one."""
        return deviation(self.values)

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
    """The images that a metric holds against each other: all real ones of a split, and any number of others.

    `real`: (N, C, H, W) uint8 on the CPU. `draw` returns the first so many others of a seed, in the same form.
    `device`: the torch.device to compute on. `other_data`: networks that judge are taken although the data sets
    that they were trained on are other ones here.
    """

    split: str
    real: Tensor
    draw: Callable[[int, int], Tensor]
    device: Any
    other_data: bool = field(default=False, kw_only=True)
    _drawn: dict[tuple[int, int], Tensor] = field(default_factory=dict)

    def generated(self, count: int, seed: int) -> Tensor:
        """Return the first `count` of the images of `seed`, kept for the next metric.

        Raises DataError when there are more or fewer.
        """
        key = (count, seed)
        if key not in self._drawn:
            images = self.draw(count, seed)
            if len(images) != count:
                raise DataError(f"found {len(images):,} generated images; wanted exactly {count:,}")
            self._drawn[key] = images
        return self._drawn[key]


class PredictionMetric:
    """Base of the metrics that hold what a task says of items against what is true of them.

    A subclass is a keyword-only frozen dataclass: its fields are its options. `about` are the predictions it is for,
    as a task names its own (`Task.predicts`).
    """

    about: ClassVar[tuple[str, ...]] = ("class",)

    def __call__(self, answers: Tensor, targets: Tensor, /) -> Mapping[str, Any]:
        """Return figures by name.

        answers: what is said of all items of a split, float32 on the CPU: probabilities (N, classes), numbers (N, ...),
        or items again; targets: what is true, as a Batch has it.
        """
        raise NotImplementedError

    def figures(self) -> Mapping[str, str]:
        """Return the single numbers among them, each with its better direction, "maximize" or "minimize"."""
        return {}


def over_predictions(spec: Spec, builder: Builder) -> list[PredictionMetric]:
    """Return the metrics of a spec that are over predictions."""
    return [builder.bind(one) for one in spec.metrics if is_over_predictions(one, builder)]


def figures_of(spec: Spec, builder: Builder) -> dict[str, str]:
    """Return the single numbers that evaluation finds for a spec, each with its better direction: its task's own, then
    those of its metrics.
    """
    found: dict[str, str] = dict(builder.bind(spec.task).figures())
    for metric in over_predictions(spec, builder):
        found |= metric.figures()
    return found


def is_over_predictions(metric: ComponentSpec, builder: Builder) -> bool:
    """Whether a metric is over predictions, and not over images that were made."""
    target = builder.resolver.options(metric.component).target
    return isinstance(target, type) and issubclass(target, PredictionMetric)


def content_hash(images: Tensor) -> str:
    """Return the SHA-256 of uint8 images and their shape."""
    import hashlib

    header = str(tuple(images.shape)).encode()
    return hashlib.sha256(header + images.contiguous().numpy().tobytes()).hexdigest()
