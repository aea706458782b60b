"""Modules that work along axes; of a batch, whose own axis comes first."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Crop(nn.Module):
    """A part of each axis: a slice of it, or one index, which drops it."""

    def __init__(self, ranges: tuple[int | slice, ...]) -> None:
        super().__init__()
        self.ranges = ranges

    def forward(self, input: Tensor) -> Tensor:
        # A view would hold all the rest in memory for as long as this is needed.
        return input[(slice(None), *self.ranges)].clone()

    def extra_repr(self) -> str:
        return f"ranges={self.ranges}"


class Pad(nn.Module):
    """(N, ...) with so many places before and behind each axis, from the last axis on."""

    def __init__(self, padding: tuple[int, ...], mode: str) -> None:
        super().__init__()
        self.padding, self.mode = padding, mode

    def forward(self, input: Tensor) -> Tensor:
        return nn.functional.pad(input, self.padding, "constant" if self.mode == "zeros" else self.mode)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, mode={self.mode}"


class Roll(nn.Module):
    """(N, ...) shifted along axes; what leaves at one end comes in at the other."""

    def __init__(self, shifts: tuple[int, ...], dims: tuple[int, ...]) -> None:
        super().__init__()
        self.shifts, self.dims = shifts, dims

    def forward(self, input: Tensor) -> Tensor:
        return input.roll(self.shifts, self.dims)

    def extra_repr(self) -> str:
        return f"shifts={self.shifts}, dims={self.dims}"


class Permute(nn.Module):
    """(N, ...) with its axes in another order, which counts without the batch."""

    def __init__(self, order: tuple[int, ...]) -> None:
        super().__init__()
        self.order = order

    def forward(self, input: Tensor) -> Tensor:
        return input.permute(0, *[1 + axis for axis in self.order]).clone(memory_format=torch.contiguous_format)

    def extra_repr(self) -> str:
        return f"order={self.order}"


class Windows(nn.Module):
    """(N, C, H, W) to (N, C, windows, pixels of each)."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, images: Tensor) -> Tensor:
        cut = images.unflatten(3, (-1, self.size[1])).unflatten(2, (-1, self.size[0])).transpose(3, 4)
        return cut.clone(memory_format=torch.contiguous_format).flatten(4).flatten(2, 3)

    def extra_repr(self) -> str:
        return f"size={self.size}"


class MergeWindows(nn.Module):
    """(N, C, windows, pixels of each) to (N, C, H, W), with so many rows of windows."""

    def __init__(self, size: tuple[int, int], rows: int) -> None:
        super().__init__()
        self.size, self.rows = size, rows

    def forward(self, windows: Tensor) -> Tensor:
        cut = windows.unflatten(3, self.size).unflatten(2, (self.rows, -1)).transpose(3, 4)
        return cut.clone(memory_format=torch.contiguous_format).flatten(4).flatten(2, 3)

    def extra_repr(self) -> str:
        return f"size={self.size}, rows={self.rows}"


class ClassToken(nn.Module):
    """(N, C, L) to (N, C, count + L): learned tokens before the others, at first from N(0, std)."""

    def __init__(self, channels: int, count: int, std: float) -> None:
        super().__init__()
        self.channels, self.count, self.std = channels, count, std
        # No `weight`, since initializers would take it for that of a layer.
        self.token = nn.Parameter(torch.empty(channels, count))
        nn.init.normal_(self.token, std=std)

    def forward(self, tokens: Tensor) -> Tensor:
        return torch.cat([self.token.expand(len(tokens), -1, -1), tokens], 2)

    def extra_repr(self) -> str:
        return f"{self.channels}, count={self.count}, std={self.std}"


class StochasticDepth(nn.Module):
    """Sets all values of an image, or with `mode` batch those of the whole batch, to zero at random while training."""

    def __init__(self, probability: float, mode: str) -> None:
        super().__init__()
        self.probability, self.mode = probability, mode

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or not self.probability:
            return input
        kept = 1 - self.probability
        count = len(input) if self.mode == "row" else 1
        # Drawn on the device itself, so that a captured step draws anew each time.
        drawn = input.new_empty((count,) + (1,) * (input.dim() - 1)).bernoulli_(kept)
        return input * (drawn / kept if kept else drawn)

    def extra_repr(self) -> str:
        return f"probability={self.probability}, mode={self.mode}"


class ChannelMax(nn.Module):
    """(N, C, ...) to (N, C): the largest value of each channel."""

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(2).amax(2)
