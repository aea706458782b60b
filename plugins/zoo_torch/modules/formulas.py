"""Functions that a spec writes as a formula."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

#: What the operators of formulas do, by the names of Python's syntax tree.
OPERATORS: dict[str, Callable[..., Any]] = {
    "Add": operator.add, "Sub": operator.sub, "Mult": operator.mul, "Div": operator.truediv,
    "FloorDiv": operator.floordiv, "Mod": operator.mod, "Pow": operator.pow, "USub": operator.neg, "UAdd": operator.pos,
    "Lt": operator.lt, "LtE": operator.le, "Gt": operator.gt, "GtE": operator.ge,
    "Eq": operator.eq, "NotEq": operator.ne, "BitAnd": operator.and_, "BitOr": operator.or_, "Invert": operator.invert,
}  # fmt: skip


def torch_function(path: str) -> Callable[..., Any]:
    """Return the function that stands at `path`, from torch or its `nn` on."""
    found: Any = {"torch": torch, "nn": nn}[path.partition(".")[0]]
    for part in path.split(".")[1:]:
        found = getattr(found, part)
    called: Callable[..., Any] = found
    return called


class Formula(nn.Module):
    """(N, C, ...) to (N, C, ...): a function of each value and of trainable ones, some of them one for each channel."""

    def __init__(
        self,
        function: Callable[..., Tensor],
        trainable: dict[str, float],
        per_channel: dict[str, float],
        shape: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.function, self.trainable, self.per_channel, self.shape = function, trainable, per_channel, shape
        self.values = nn.ParameterDict(
            {name: nn.Parameter(torch.tensor(value)) for name, value in trainable.items()}
            | {name: nn.Parameter(torch.full(shape, value)) for name, value in per_channel.items()}
        )
        self._names = (*trainable, *per_channel)

    def forward(self, input: Tensor) -> Tensor:
        return self.function(input, *[self.values[name] for name in self._names])

    def extra_repr(self) -> str:
        return repr(self.function)
