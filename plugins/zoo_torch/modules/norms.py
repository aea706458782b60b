"""Norms over the channels at each position."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ChannelLayerNorm(nn.LayerNorm):
    """(N, C, ...) to (N, C, ...): torch.nn.LayerNorm over C at each position."""

    def __init__(self, channels: int, eps: float, affine: bool) -> None:
        super().__init__(channels, eps, affine)
        self.channels, self.affine = channels, affine

    def forward(self, input: Tensor) -> Tensor:
        output = super().forward(input.movedim(1, -1)).movedim(-1, 1)
        # Now the channels lie together; so they stay only if they came so.
        return output.clone(memory_format=torch.contiguous_format) if input.is_contiguous() else output


class RMSNorm(nn.Module):
    """(N, C, ...) to (N, C, ...): torch.nn.RMSNorm over C at each position."""

    def __init__(self, channels: int, eps: float, affine: bool) -> None:
        super().__init__()
        self.channels, self.eps, self.affine = channels, eps, affine
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None

    def forward(self, input: Tensor) -> Tensor:
        output = input * (input.square().mean(1, keepdim=True) + self.eps).rsqrt()
        if self.weight is None:
            return output
        return output * self.weight.view(-1, *(1 for _ in input.shape[2:]))

    def extra_repr(self) -> str:
        return f"{self.channels}, eps={self.eps}, affine={self.affine}"
