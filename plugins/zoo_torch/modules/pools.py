"""Means and maxima over whole channels."""

from __future__ import annotations

from torch import Tensor, nn


class ChannelMean(nn.Module):
    """(N, C, ...) to (N, C), or to (N, C, 1, ...) with `keepdim`: the mean of each channel."""

    def __init__(self, keepdim: bool = False) -> None:
        super().__init__()
        self.keepdim = keepdim

    def forward(self, images: Tensor) -> Tensor:
        # torch's pooling hands back a gradient with channels apart, and all before it would meet it in that layout.
        axes = images.dim() - 2
        means = images.movedim(1, -1).mean(tuple(range(1, axes + 1)))
        return means[(..., *[None] * axes)] if self.keepdim else means

    def extra_repr(self) -> str:
        return f"keepdim={self.keepdim}"


class ChannelMax(nn.Module):
    """(N, C, ...) to (N, C): the largest value of each channel."""

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(2).amax(2)
