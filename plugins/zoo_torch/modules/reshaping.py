"""Modules that give values another shape, or drop some of them."""

from __future__ import annotations

from torch import Tensor, nn


class Reshape(nn.Module):
    """(N, ...) to (N, *shape)."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, input: Tensor) -> Tensor:
        return input.reshape(input.shape[0], *self.shape)

    def extra_repr(self) -> str:
        return f"shape={self.shape}"


class Channels(nn.Module):
    """(N, C, ...) to (N, count, ...)."""

    def __init__(self, start: int, count: int) -> None:
        super().__init__()
        self.start, self.count = start, count

    def forward(self, input: Tensor) -> Tensor:
        # A view would hold all the other channels in memory for as long as these are needed.
        return input.narrow(1, self.start, self.count).clone()

    def extra_repr(self) -> str:
        return f"start={self.start}, count={self.count}"


class ShortcutPad(nn.Module):
    """(N, C, H, W) to (N, C + extra, ceil(H / stride), ceil(W / stride)), without weights."""

    def __init__(self, extra: int, stride: int) -> None:
        super().__init__()
        self.extra, self.stride = extra, stride

    def forward(self, images: Tensor) -> Tensor:
        before = self.extra // 2
        return nn.functional.pad(
            images[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.extra - before)
        )

    def extra_repr(self) -> str:
        return f"extra={self.extra}, stride={self.stride}"


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
