"""torch.nn.RNN and its kin over (N, features, length)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class FeaturesFirst(nn.RNNBase):
    """(N, C, L) to (N, features, L), or to (N, features) with `last`; features are those of both directions."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        last: bool = False,
        **own: Any,
    ) -> None:
        told = {"bias": bias, "dropout": dropout, "bidirectional": bidirectional, "batch_first": True, **own}
        super().__init__(input_size, hidden_size, num_layers, **told)  # type: ignore[arg-type]
        self.last = last

    def forward(self, input: Tensor) -> Tensor:
        steps = super().forward(input.transpose(1, 2))[0]
        if not self.last:
            return steps.transpose(1, 2).contiguous()
        return torch.cat([steps[:, -1, : self.hidden_size], steps[:, 0, self.hidden_size :]], 1)


class RNN(FeaturesFirst, nn.RNN):  # type: ignore[misc]
    """Elman's."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        last: bool = False,
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers, bias, dropout, bidirectional, last, nonlinearity=nonlinearity
        )


class LSTM(FeaturesFirst, nn.LSTM):  # type: ignore[misc]
    """Hochreiter and Schmidhuber's."""


class GRU(FeaturesFirst, nn.GRU):  # type: ignore[misc]
    """Cho et al.'s."""
