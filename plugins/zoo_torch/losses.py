"""torch's losses, each the mean over the batch; `about` says what a task predicts that they are for.

Of one class they take logits (N, classes) and labels, (N,) int64 or (N, classes) float32: the share of each class. Of
any number of classes they take logits (N, classes) and 0 or 1 for each; of numbers, two tensors of one shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from zoo.api import Field, Finding, Setting, requires

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class CrossEntropy:
    """The cross entropy; torch.nn.CrossEntropyLoss. Labels are smoothed in training; what is measured is without."""

    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0

    about: ClassVar[tuple[str, ...]] = ("class",)

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        from torch.nn import functional

        return functional.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)

    def check(self, setting: Setting) -> Iterator[Finding]:
        classes = max(setting.info.classes, 1)
        right = 1 - self.label_smoothing + self.label_smoothing / classes
        if right < 0.5 and classes > 1:
            found = f"found {self.label_smoothing}, which leaves the right class {right:.0%}"
            yield Finding(found, "at most 0.5; 0.1 is usual", "label_smoothing", warning=True)

    @property
    def measured(self) -> CrossEntropy:
        """The loss by which networks are compared, however they were trained."""
        return CrossEntropy() if self.label_smoothing else self


@requires(about=("class",))
def multi_margin(
    logits: Tensor, labels: Tensor, /, *, p: Literal[1, 2] = 1, margin: Annotated[float, Field(gt=0)] = 1.0
) -> Tensor:
    """Return the multi-class hinge loss; torch.nn.MultiMarginLoss.

    Of shares it is the mean over the classes, each with its share.
    """
    import torch
    from torch.nn import functional

    if labels.dim() == 1:
        return functional.multi_margin_loss(logits, labels, p=p, margin=margin)
    count, classes = logits.shape
    each = torch.arange(classes, device=logits.device).repeat(count)
    repeated = logits.repeat_interleave(classes, 0)
    losses = functional.multi_margin_loss(repeated, each, p=p, margin=margin, reduction="none")
    return (losses.view(count, classes) * labels).sum(1).mean()


@requires(about=("classes", "items"))
def binary_cross_entropy(
    logits: Tensor,
    targets: Tensor,
    /,
    *,
    positive_weight: Annotated[float, Field(gt=0, le=1e6, description="Weight of what is there, over the rest.")] = 1.0,
) -> Tensor:
    """Return the binary cross entropy of logits; torch.nn.BCEWithLogitsLoss."""
    from torch.nn import functional

    weight = None if positive_weight == 1 else logits.new_full((), positive_weight)
    return functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=weight)


@requires(about=("numbers", "items"))
def mean_squared_error(outputs: Tensor, targets: Tensor, /) -> Tensor:
    """Return the mean squared difference; torch.nn.MSELoss."""
    from torch.nn import functional

    return functional.mse_loss(outputs, targets)


@requires(about=("numbers", "items"))
def mean_absolute_error(outputs: Tensor, targets: Tensor, /) -> Tensor:
    """Return the mean absolute difference; torch.nn.L1Loss."""
    from torch.nn import functional

    return functional.l1_loss(outputs, targets)


@requires(about=("numbers", "items"))
def huber(
    outputs: Tensor,
    targets: Tensor,
    /,
    *,
    delta: Annotated[float, Field(gt=0, description="Difference from which on the loss grows like its size.")] = 1.0,
) -> Tensor:
    """Return the Huber loss; torch.nn.HuberLoss."""
    from torch.nn import functional

    return functional.huber_loss(outputs, targets, delta=delta)
