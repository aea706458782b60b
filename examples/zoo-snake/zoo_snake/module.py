"""The torch module behind the snake activation."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SnakeModule(nn.Module):
    """x + sin^2(a x) / a over (N, channels, ...)."""

    def __init__(self, channels: int, frequency: float) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.full((channels,), frequency))

    def forward(self, x: Tensor) -> Tensor:
        a = self.a.view(-1, *[1] * (x.ndim - 2))
        return x + (a * x).sin().square() / a
