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
