"""The task `regress`: one network, from items to numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from zoo.api import Batch, DataInfo, Direction, Field, Loss, PredictiveTask, Target, Terminals, statistics
from zoo_tasks.metrics import R2, MeanAbsoluteError, RootMeanSquareError

if TYPE_CHECKING:
    from torch import Tensor

METRICS = (MeanAbsoluteError(), RootMeanSquareError(), R2())


@dataclass(frozen=True, kw_only=True)
class Regress(PredictiveTask):
    """Predict numbers: by mean squared error unless another loss is named; figures are in the numbers' own units.

    With `standardize` the network learns numbers of mean 0 and deviation 1, which the loss is stated in too.
    """

    loss: Loss = "mean_squared_error"
    normalize: Annotated[bool, Field(description="Shift and scale items by the training items' statistics.")] = True
    standardize: Annotated[bool, Field(description="Shift and scale the numbers likewise, and back.")] = True

    roles: ClassVar[tuple[str, ...]] = ("regressor",)
    targets: ClassVar[tuple[Target, ...]] = ("numbers",)
    predicts: ClassVar[Any] = "numbers"

    def terminals(self, role: str, info: DataInfo) -> Terminals:
        return Terminals(info.image, info.target_shape)

    def wanted(self, batch: Batch, info: DataInfo) -> Tensor:
        if not self.standardize:
            return batch.labels
        mean, std = statistics(info.target_mean, info.target_std, batch.labels)
        return (batch.labels - mean) / std

    def said(self, outputs: Tensor, info: DataInfo) -> Tensor:
        if not self.standardize:
            return outputs
        mean, std = statistics(info.target_mean, info.target_std, outputs)
        return outputs * std + mean

    def measure(self, info: DataInfo, *observed: Tensor) -> dict[str, Any]:
        said, true = observed
        return {name: value for metric in METRICS for name, value in metric(said, true).items()}

    def figures(self) -> Mapping[str, Direction]:
        found: dict[str, Direction] = {name: way for metric in METRICS for name, way in metric.figures().items()}
        return {**found, **dict.fromkeys(self.losses(), "minimize")}
