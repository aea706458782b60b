"""The one torch module that the composites need beside `nn.Sequential`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Joined(nn.ModuleDict):
    """Runs every branch on one input and joins their outputs by `add`, `multiply` or `concat`.

    input: (N, C, ...); output: the same but for the channels of a `concat`.
    """

    def __init__(self, branches: Mapping[str, nn.Module], join: str) -> None:
        super().__init__(branches)
        self.join = join

    def forward(self, input: Tensor) -> Tensor:
        outputs = [branch(input) for branch in self.values()]
        if self.join == "concat":
            return torch.cat(outputs, dim=1) if len(outputs) > 1 else outputs[0]
        result = outputs[0]
        for other in outputs[1:]:
            result = result + other if self.join == "add" else result * other
        return result

    def extra_repr(self) -> str:
        return f"join={self.join}"
