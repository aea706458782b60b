"""Metrics over predictions: what a task says of items against what is true, in float64."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from zoo.api import Direction, Field, Finding, PredictionMetric, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class TopK(PredictionMetric):
    """The share of items whose class is among the `k` most probable ones: `top3`, of k 3."""

    k: Annotated[int, Field(ge=1, le=1_000_000)] = 3

    def check(self, setting: Setting) -> Iterator[Finding]:
        if self.k > setting.info.classes > 0:
            yield Finding(f"found {self.k}", f"at most {setting.info.classes}, the number of classes", "k")

    def __call__(self, answers: Tensor, targets: Tensor, /) -> dict[str, Any]:
        best = answers.topk(self.k, dim=1).indices
        return {f"top{self.k}": float((best == targets[:, None]).any(1).double().mean())}

    def figures(self) -> Mapping[str, Direction]:
        return {f"top{self.k}": "maximize"}


@dataclass(frozen=True, kw_only=True)
class CalibrationError(PredictionMetric):
    """The expected calibration error: how far the probability of the class that is named lies from the share of hits,
    in `bins` of equal width, weighted by how many items each holds.

    Source: Guo et al. 2017, arXiv:1706.04599, equation 3.
    """

    bins: Annotated[int, Field(ge=1, le=10_000)] = 15

    def __call__(self, answers: Tensor, targets: Tensor, /) -> dict[str, Any]:
        import torch

        sure, named = answers.double().max(1)
        bin_of = (sure * self.bins).ceil().long().sub(1).clamp(0, self.bins - 1)  # of (low, high]
        gaps = torch.zeros(self.bins, dtype=torch.double).index_add_(0, bin_of, sure - (named == targets).double())
        return {"calibration_error": float(gaps.abs().sum() / len(answers))}

    def figures(self) -> Mapping[str, Direction]:
        return {"calibration_error": "minimize"}


@dataclass(frozen=True, kw_only=True)
class Confusion(PredictionMetric):
    """How many items of each class (a row) were taken for which (a column)."""

    def __call__(self, answers: Tensor, targets: Tensor, /) -> dict[str, Any]:
        import torch

        classes = answers.shape[1]
        pairs = torch.bincount(targets * classes + answers.argmax(1), minlength=classes**2)
        return {"confusion": pairs.view(classes, classes).tolist()}


@dataclass(frozen=True, kw_only=True)
class MacroF1(PredictionMetric):
    """The mean over the classes of F1; that of a class which is neither named nor there is 0.

    Where an item may have several classes, those of a probability of `threshold` or more are named.
    """

    threshold: Annotated[float, Field(gt=0, lt=1, description="Of items with any number of classes.")] = 0.5
    about: ClassVar[tuple[str, ...]] = ("class", "classes")

    def __call__(self, answers: Tensor, targets: Tensor, /) -> dict[str, Any]:
        from torch.nn.functional import one_hot

        if targets.dim() == 1:
            named, true = (one_hot(one, answers.shape[1]).bool() for one in (answers.argmax(1), targets))
        else:
            named, true = answers >= self.threshold, targets
        return {"macro_f1": float(f1(*counts_of_labels(named, true)).mean())}

    def figures(self) -> Mapping[str, Direction]:
        return {"macro_f1": "maximize"}


@dataclass(frozen=True, kw_only=True)
class MeanAbsoluteError(PredictionMetric):
    """The mean distance between what is said and what is true."""

    about: ClassVar[tuple[str, ...]] = ("numbers", "items")

    def __call__(self, answers: Tensor, targets: Tensor, /) -> dict[str, Any]:
        return {"mean_absolute_error": float((answers.double() - targets).abs().mean())}

    def figures(self) -> Mapping[str, Direction]:
        return {"mean_absolute_error": "minimize"}


@dataclass(frozen=True, kw_only=True)
class RootMeanSquareError(PredictionMetric):
    """The root of the mean square of the distances."""

    about: ClassVar[tuple[str, ...]] = ("numbers", "items")

    def __call__(self, answers: Tensor, targets: Tensor, /) -> dict[str, Any]:
        return {"root_mean_square_error": float((answers.double() - targets).square().mean().sqrt())}

    def figures(self) -> Mapping[str, Direction]:
        return {"root_mean_square_error": "minimize"}


@dataclass(frozen=True, kw_only=True)
class R2(PredictionMetric):
    """The share of the variance of what is true that is explained, the mean over the numbers of an item.

    Of numbers that never change it is not known: then there is none.
    """

    about: ClassVar[tuple[str, ...]] = ("numbers",)

    def __call__(self, answers: Tensor, targets: Tensor, /) -> dict[str, Any]:
        true = targets.double().flatten(1)
        left = (answers.double().flatten(1) - true).square().sum(0)
        whole = (true - true.mean(0)).square().sum(0)
        return {"r2": float((1 - left / whole).mean()) if bool((whole > 0).all()) else None}

    def figures(self) -> Mapping[str, Direction]:
        return {"r2": "maximize"}


def counts_of_labels(named: Tensor, true: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return of each class how often it is named rightly, named, and there; named, true: (N, classes) bool."""
    return (named & true).sum(0).double(), named.sum(0).double(), true.sum(0).double()


def f1(hits: Tensor, named: Tensor, there: Tensor) -> Tensor:
    """Return the harmonic mean of precision and recall, 0 where neither is known."""
    return 2 * hits / (named + there).clamp_min(1)
