"""Which weights a training ends with, and when it has seen enough: a function of the validations that are logged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.spec.schema import TrainSpec


@dataclass
class Choice:
    """What the validations of a training say so far.

    `figure` is better `higher` or lower; `patience` is how many validations without a better one end the training.
    """

    figure: str
    higher: bool
    keep: str
    patience: int | None
    validations: int = 0
    step: int = 0  # of the best
    value: float | None = None
    since: int = 0  # validations

    @classmethod
    def of(cls, train: TrainSpec, figures: Mapping[str, str]) -> Choice | None:
        """Return what a spec asks for, before the first validation. figures: the task's, with their directions."""
        if train.keep == "last" and train.stop is None:
            return None
        figure = train.stop.figure if train.stop and train.stop.figure else next(iter(figures))
        patience = train.stop.patience if train.stop else None
        return cls(figure, figures[figure] == "maximize", train.keep, patience)

    @property
    def enough(self) -> bool:
        """Whether the training ends here."""
        return self.patience is not None and self.since >= self.patience

    def take(self, line: Mapping[str, Any]) -> bool:
        """Take a line of metrics, and return whether it is the best validation until now. Of equals, the first is."""
        name = f"validation_{self.figure}"
        if name not in line:
            return False
        value = line[name]
        self.validations += 1
        better = value is not None and (
            self.value is None or (value > self.value if self.higher else value < self.value)
        )
        if better:
            self.step, self.value, self.since = int(line["step"]), float(value), 0
        else:
            self.since += 1
        return better

    def to_data(self) -> dict[str, Any]:
        """Return what a result says of it."""
        return {
            "keep": self.keep,
            "figure": self.figure,
            "value": self.value,
            "step": self.step,
            "validations": self.validations,
            "enough": self.enough,
        }
