"""torch's pooling layers, of sequences, images and volumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from zoo.api import Cost, Field, Layer, Shape, ShapeError, Wanted, elements, spatial
from zoo_torch.layers import Extents, Size, Sizes, each, window

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class MaxPool(Layer):
    """The largest value in each window; torch.nn.MaxPool1d, MaxPool2d or MaxPool3d."""

    kernel: Sizes = 2
    stride: Annotated[
        Size | Annotated[tuple[Size, ...], Field(min_length=1, max_length=3)] | None,
        Wanted("a whole number >= 1, one for each axis, or null for the kernel"),
        Field(description="null: as large as the kernel."),
    ] = None
    padding: Extents = 0
    ceil_mode: bool = False

    def _window(self, input: Shape) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        axes, label = len(spatial(input, self.label)) - 1, self.label
        kernel, padding = each(self.kernel, axes, f"{label}: kernel"), each(self.padding, axes, f"{label}: padding")
        if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
            raise ShapeError(f"{self.label}: padding {self.padding} is more than half of the kernel, {self.kernel}")
        stride = kernel if self.stride is None else each(self.stride, axes, f"{label}: stride")
        return kernel, stride, padding

    def shape(self, input: Shape, /) -> Shape:
        return (input[0], *window(self.label, input, *self._window(input), ceil=self.ceil_mode))

    def cost(self, input: Shape, /) -> Cost:
        output = self.shape(input)
        cost = Cost.operation(input, output)
        if len(input) != 2 or type(self) is not MaxPool:
            return cost
        # Over one axis torch reads the places of the largest values once more, so that they are held too.
        indices = elements(output)
        return cost._replace(peak=cost.peak + indices, held_peak=cost.held_peak + indices)

    def idle(self, input: Shape, /) -> bool:
        kernel, stride, _ = self._window(input)
        return {*kernel, *stride} == {1} and self.shape(input) == tuple(input)

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        self.shape(input)
        kind = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[len(input) - 2]
        return kind(*self._window(input), ceil_mode=self.ceil_mode)


@dataclass(frozen=True, kw_only=True)
class AveragePool(MaxPool):
    """The mean of each window; torch.nn.AvgPool1d, AvgPool2d or AvgPool3d."""

    count_include_pad: bool = True

    def shape(self, input: Shape, /) -> Shape:
        kernel = self._window(input)[0]
        if len(input) == 4 and any(size < k for size, k in zip(input[1:], kernel, strict=True)):
            raise ShapeError(
                f"{self.label}: a kernel of {'x'.join(map(str, kernel))} is larger than {tuple(input)}, which torch "
                "does not take over three axes, padded or not; make it smaller"
            )
        return super().shape(input)

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        self.shape(input)
        kind: type[nn.Module] = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[len(input) - 2]
        return kind(*self._window(input), ceil_mode=self.ceil_mode, count_include_pad=self.count_include_pad)


@dataclass(frozen=True, kw_only=True)
class AdaptiveAveragePool(Layer):
    """Means over as many windows as are asked for; torch.nn.AdaptiveAvgPool1d, 2d or 3d."""

    size: Sizes = 1

    def shape(self, input: Shape, /) -> Shape:
        axes = len(spatial(input, self.label)) - 1
        return (input[0], *each(self.size, axes, f"{self.label}: size"))

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, self.shape(input))

    def idle(self, input: Shape, /) -> bool:
        return self.shape(input) == tuple(input)

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        from zoo_torch.modules.pools import ChannelMean

        size = self.shape(input)[1:]
        if set(size) == {1}:
            return ChannelMean(keepdim=True)
        kind = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)[len(size) - 1]
        return kind(size)


@dataclass(frozen=True, kw_only=True)
class GlobalAveragePool(Layer):
    """The mean of each channel: (C, ...) becomes (C,)."""

    def shape(self, input: Shape, /) -> Shape:
        return spatial(input, self.label)[:1]

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, self.shape(input))

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules.pools import ChannelMean

        return ChannelMean()


@dataclass(frozen=True, kw_only=True)
class AdaptiveMaxPool(AdaptiveAveragePool):
    """The largest value in each of as many windows as are asked for; torch.nn.AdaptiveMaxPool1d, 2d or 3d."""

    def cost(self, input: Shape, /) -> Cost:
        output = self.shape(input)
        cost = Cost.operation(input, output)
        # Of a sequence torch still holds where the values were found.
        extra = elements(output) * (len(input) == 2)
        return cost._replace(peak=cost.peak + extra, held_peak=cost.held_peak + extra)

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        size = self.shape(input)[1:]
        kind = (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)[len(size) - 1]
        return kind(size)


@dataclass(frozen=True, kw_only=True)
class GlobalMaxPool(GlobalAveragePool):
    """The largest value of each channel: (C, ...) becomes (C,)."""

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules.pools import ChannelMax

        self.shape(input)
        return ChannelMax()
