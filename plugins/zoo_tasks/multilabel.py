"""The task `multilabel`: one network, from items to whether each of several classes is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from zoo.api import Batch, DataInfo, Direction, Field, Loss, PredictiveTask, Target, Terminals
from zoo_tasks.metrics import counts_of_labels, f1

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Multilabel(PredictiveTask):
    """Say of each class whether it is there: by binary cross entropy of logits unless another loss is named.

    A class is named where its probability is `threshold` or more.
    """

    loss: Loss = "binary_cross_entropy"
    normalize: Annotated[bool, Field(description="Shift and scale items by the training items' statistics.")] = True
    threshold: Annotated[float, Field(gt=0, lt=1, description="Probability from which on a class is named.")] = 0.5

    roles: ClassVar[tuple[str, ...]] = ("classifier",)
    targets: ClassVar[tuple[Target, ...]] = ("classes",)
    predicts: ClassVar[Any] = "classes"
    reported: ClassVar[tuple[str, ...]] = ("threshold",)

    def terminals(self, role: str, info: DataInfo) -> Terminals:
        return Terminals(info.image, (info.classes,))

    def wanted(self, batch: Batch, info: DataInfo) -> Tensor:
        return batch.labels.float()

    def measure(self, info: DataInfo, *observed: Tensor) -> dict[str, Any]:
        """Return the share of items of which all is right, of single labels that are right, and F1: of all labels
        together (micro), and the mean over the classes (macro), each class with its own.
        """
        logits, true = observed
        named = self.answers(logits) >= self.threshold
        right = named == true
        hits, found, there = counts_of_labels(named, true)
        per_class = f1(hits, found, there)
        return {
            "exact_match": float(right.all(1).double().mean()),
            "label_accuracy": float(right.double().mean()),
            "micro_f1": float(f1(hits.sum(), found.sum(), there.sum())),
            "macro_f1": float(per_class.mean()),
            "per_class_f1": per_class.tolist(),
        }

    def figures(self) -> Mapping[str, Direction]:
        shares = ("exact_match", "label_accuracy", "micro_f1", "macro_f1")
        return {**dict.fromkeys(shares, "maximize"), **dict.fromkeys(self.losses(), "minimize")}
