"""torch's losses for classification: functions of logits (N, classes) and labels (N,), mean over the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from zoo.api import Field

if TYPE_CHECKING:
    from torch import Tensor


def cross_entropy(
    logits: Tensor, labels: Tensor, /, *, label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
) -> Tensor:
    """Return the cross entropy; torch.nn.CrossEntropyLoss."""
    from torch.nn import functional

    return functional.cross_entropy(logits, labels, label_smoothing=label_smoothing)


def multi_margin(
    logits: Tensor, labels: Tensor, /, *, p: Literal[1, 2] = 1, margin: Annotated[float, Field(gt=0)] = 1.0
) -> Tensor:
    """Return the multi-class hinge loss; torch.nn.MultiMarginLoss."""
    from torch.nn import functional

    return functional.multi_margin_loss(logits, labels, p=p, margin=margin)
