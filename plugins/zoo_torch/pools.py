"""torch's pooling layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from zoo.api import Cost, Field, Layer, Shape, ShapeError, image
from zoo_torch.layers import ExtentPair, Size, SizePair, pair, window

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class MaxPool(Layer):
    """The largest value in each window; torch.nn.MaxPool2d."""

    kernel: SizePair = 2
    stride: Annotated[Size | tuple[Size, Size] | None, Field(description="null: as large as the kernel.")] = None
    padding: ExtentPair = 0
    ceil_mode: bool = False

    def _window(self) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        kernel, padding = pair(self.kernel), pair(self.padding)
        if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
            raise ShapeError(f"{self.label}: padding {self.padding} is more than half of the kernel, {self.kernel}")
        return kernel, kernel if self.stride is None else pair(self.stride), padding

    def shape(self, input: Shape, /) -> Shape:
        image(input, self.label)
        return (input[0], *window(self.label, input, *self._window(), ceil=self.ceil_mode))

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, self.shape(input))

    def idle(self, input: Shape, /) -> bool:
        kernel, stride, _ = self._window()
        return kernel == stride == (1, 1) and self.shape(input) == tuple(input)

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        self.shape(input)
        return nn.MaxPool2d(*self._window(), ceil_mode=self.ceil_mode)


@dataclass(frozen=True, kw_only=True)
class AveragePool(MaxPool):
    """The mean of each window; torch.nn.AvgPool2d."""

    count_include_pad: bool = True

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        self.shape(input)
        return nn.AvgPool2d(*self._window(), ceil_mode=self.ceil_mode, count_include_pad=self.count_include_pad)


@dataclass(frozen=True, kw_only=True)
class AdaptiveAveragePool(Layer):
    """Means over as many windows as are asked for; torch.nn.AdaptiveAvgPool2d."""

    size: SizePair = 1

    def shape(self, input: Shape, /) -> Shape:
        return (image(input, "adaptive_average_pool")[0], *pair(self.size))

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, self.shape(input))

    def idle(self, input: Shape, /) -> bool:
        return self.shape(input) == tuple(input)

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        from zoo_torch.modules import ChannelMean

        if pair(self.size) == (1, 1):
            return ChannelMean(keepdim=True)
        return nn.AdaptiveAvgPool2d(pair(self.size))


@dataclass(frozen=True, kw_only=True)
class GlobalAveragePool(Layer):
    """The mean of each channel: (C, H, W) becomes (C,)."""

    def shape(self, input: Shape, /) -> Shape:
        return (image(input, "global_average_pool")[0],)

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, self.shape(input))

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules import ChannelMean

        return ChannelMean()


@dataclass(frozen=True, kw_only=True)
class AdaptiveMaxPool(AdaptiveAveragePool):
    """The largest value in each of as many windows as are asked for; torch.nn.AdaptiveMaxPool2d."""

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        size = self.shape(input)[1:]
        kind = (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)[len(size) - 1]
        return kind(size)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class GlobalMaxPool(GlobalAveragePool):
    """The largest value of each channel: (C, ...) becomes (C,)."""

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.along import ChannelMax

        self.shape(input)
        return ChannelMax()
