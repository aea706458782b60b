"""torch's losses for classification: called with logits (N, classes) and labels, mean over the batch.

Labels are (N,) int64, or (N, classes) float32: the share of each class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from zoo.api import Field, Finding, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class CrossEntropy:
    """The cross entropy; torch.nn.CrossEntropyLoss. Labels are smoothed in training; what is measured is without."""

    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0

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
