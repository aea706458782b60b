"""Layers without weights that pass on, drop, enlarge or rearrange values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from zoo.api import Cost, Field, Later, Layer, Shape, ShapeError, Wanted, elements, image, spatial
from zoo_torch.axes import sides
from zoo_torch.layers import Size

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Flatten(Layer):
    """All values as one vector; torch.nn.Flatten."""

    def shape(self, input: Shape, /) -> Shape:
        return (elements(input),)

    def cost(self, input: Shape, /) -> Cost:
        return Cost.view(input)

    def idle(self, input: Shape, /) -> bool:
        return len(input) == 1

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        return nn.Flatten()


@dataclass(frozen=True, kw_only=True)
class Reshape(Layer):
    """The same values in another shape; torch.Tensor.reshape without the batch."""

    to: Annotated[
        list[Annotated[int, Field(ge=-1, le=2**31)]],
        Field(
            min_length=1, max_length=4, description="[channels, height, width] or [features]; -1 once: what is left."
        ),
    ]

    def shape(self, input: Shape, /) -> Shape:
        left, rest = divmod(elements(input), max(1, elements(tuple(size for size in self.to if size != -1))))
        shape = tuple(left if size == -1 else size for size in self.to)
        if 0 in shape or rest or self.to.count(-1) > 1 or elements(shape) != elements(input):
            raise ShapeError(f"reshape: {tuple(input)} has {elements(input)} values, which do not fill {self.to}")
        return shape

    def cost(self, input: Shape, /) -> Cost:
        self.shape(input)
        return Cost.view(input)

    def idle(self, input: Shape, /) -> bool:
        return self.shape(input) == tuple(input)

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules.reshaping import Reshape as Module

        return Module(self.shape(input))


@dataclass(frozen=True, kw_only=True)
class Identity(Layer):
    """Hands its input on; torch.nn.Identity."""

    def cost(self, input: Shape, /) -> Cost:
        return Cost.view(input)

    def idle(self, input: Shape, /) -> bool:
        return True

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        return nn.Identity()


@dataclass(frozen=True, kw_only=True)
class Dropout(Layer):
    """Sets values to zero at random while training; torch.nn.Dropout."""

    probability: Annotated[float, Field(ge=0, lt=1)] = 0.5

    def cost(self, input: Shape, /) -> Cost:
        return Cost.view(input)

    def idle(self, input: Shape, /) -> bool:
        return not self.probability

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        return nn.Dropout(self.probability)


@dataclass(frozen=True, kw_only=True)
class ChannelDropout(Dropout):
    """Sets whole channels to zero at random while training; torch.nn.Dropout1d, Dropout2d or Dropout3d."""

    def shape(self, input: Shape, /) -> Shape:
        return spatial(input, "channel_dropout")

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        return (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)[len(input) - 2](self.probability)


@dataclass(frozen=True, kw_only=True)
class StochasticDepth(Dropout):
    """Sets all values of an image to zero at random while training, so that a residual skips its layers.

    The others are divided by the share that stays; torchvision.ops.StochasticDepth. Source: Huang et al. 2016,
    arXiv:1603.09382.
    """

    probability: Annotated[float, Field(ge=0, le=1, description="How likely an image loses its values.")] = 0.1
    mode: Annotated[
        Literal["row", "batch"], Field(description='"row": each image by itself; "batch": all of a batch or none.')
    ] = "row"

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules.reshaping import StochasticDepth as Module

        return Module(self.probability, self.mode)


@dataclass(frozen=True, kw_only=True)
class Upsample(Layer):
    """Enlarge an image, by a factor or to a size; torch.nn.Upsample.

    A size can also be the name of a value, whose height and width are then wanted: no rounding on the way down matters.
    """

    factor: Annotated[
        Size | tuple[Size, Size],
        Wanted("a whole number >= 1, or two of them: [height, width]"),
        Field(description="How many times as large, where no size is given: one number, or [height, width]."),
    ] = 2
    mode: Literal["nearest", "bilinear", "bicubic"] = "nearest"
    size: Annotated[
        Size | tuple[Size, Size] | Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] | None,
        Wanted("a whole number >= 1, two of them: [height, width], or the name of a value"),
        Later(),
        Field(description="The size itself: one number, [height, width], or the name of a value that has it."),
    ] = None
    align_corners: Annotated[
        bool,
        Later(),
        Field(description="Corner pixels keep their places, instead of the corners of the image; not for nearest."),
    ] = False

    def lower_into(self, flow: Any, name: str) -> None:
        if not isinstance(self.size, str):
            super().lower_into(flow, name)
            return
        wanted = flow.graph.shape_of(flow.read(self.size))
        _, height, width = image(wanted, f"upsample: the size of {self.size!r}")
        sized = replace(self, size=(height, width))
        for key in ("label", "at"):
            object.__setattr__(sized, key, getattr(self, key))
        sized.lower_into(flow, name)

    def shape(self, input: Shape, /) -> Shape:
        channels, height, width = image(input, "upsample")
        if self.size is None:
            rows, columns = sides(self.factor)
            return (channels, height * rows, width * columns)
        if isinstance(self.size, str):
            raise ShapeError(f"upsample: no value is called {self.size!r} here")
        return (channels, *sides(self.size))

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, self.shape(input))

    def idle(self, input: Shape, /) -> bool:
        return self.shape(input) == tuple(input)

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        corners = None if self.mode == "nearest" else self.align_corners
        if self.size is not None:
            return nn.Upsample(self.shape(input)[1:], None, self.mode, corners)
        factor = self.factor if isinstance(self.factor, int) or len({*self.factor}) > 1 else self.factor[0]
        return nn.Upsample(None, factor, self.mode, corners)


@dataclass(frozen=True, kw_only=True)
class PixelShuffle(Layer):
    """Channels into space: (C r r, H, W) becomes (C, H r, W r); torch.nn.PixelShuffle."""

    factor: Size = 2

    def shape(self, input: Shape, /) -> Shape:
        channels, height, width = image(input, "pixel_shuffle")
        if channels % self.factor**2:
            raise ShapeError(f"pixel_shuffle: {channels} channels are no multiple of factor squared, {self.factor**2}")
        return (channels // self.factor**2, height * self.factor, width * self.factor)

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, self.shape(input))

    def idle(self, input: Shape, /) -> bool:
        return self.factor == 1

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        self.shape(input)
        return nn.PixelShuffle(self.factor)


@dataclass(frozen=True, kw_only=True)
class PixelUnshuffle(Layer):
    """Space into channels: (C, H r, W r) becomes (C r r, H, W); torch.nn.PixelUnshuffle."""

    factor: Size = 2

    def shape(self, input: Shape, /) -> Shape:
        channels, height, width = image(input, "pixel_unshuffle")
        if height % self.factor or width % self.factor:
            raise ShapeError(f"pixel_unshuffle: {height}x{width} pixels are no multiple of the factor, {self.factor}")
        return (channels * self.factor**2, height // self.factor, width // self.factor)

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, self.shape(input))

    def idle(self, input: Shape, /) -> bool:
        return self.factor == 1

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        self.shape(input)
        return nn.PixelUnshuffle(self.factor)


@dataclass(frozen=True, kw_only=True)
class ChannelShuffle(Layer):
    """Deal the channels out anew, one of each group in turn; torch.nn.ChannelShuffle.

    Source: Zhang et al. 2017, arXiv:1707.01083, section 3.1.
    """

    groups: Size = 2

    def shape(self, input: Shape, /) -> Shape:
        channels = spatial(input, "channel_shuffle")[0]
        if channels % self.groups:
            raise ShapeError(f"channel_shuffle: {channels} channels are no multiple of groups, {self.groups}")
        return input

    def cost(self, input: Shape, /) -> Cost:
        self.shape(input)
        return Cost.view(input) if self.idle(input) else Cost.operation(input, input)

    def idle(self, input: Shape, /) -> bool:
        return self.groups in (1, input[0])

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        self.shape(input)
        return nn.ChannelShuffle(self.groups)


@dataclass(frozen=True, kw_only=True)
class Channels(Layer):
    """Some of the channels, or of the features of a vector: `count` of them from `start` on, as a copy."""

    count: Size
    start: Annotated[int, Field(ge=0, le=2**31)] = 0

    def shape(self, input: Shape, /) -> Shape:
        if self.start + self.count > input[0]:
            raise ShapeError(f"channels: {self.start} to {self.start + self.count} of {input[0]} that come in")
        return (self.count, *input[1:])

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, self.shape(input))

    def idle(self, input: Shape, /) -> bool:
        return self.count == input[0]

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules.reshaping import Channels as Module

        self.shape(input)
        return Module(self.start, self.count)


@dataclass(frozen=True, kw_only=True)
class ZeroPad(Layer):
    """Zeros around an image; torch.nn.ZeroPad2d."""

    padding: Annotated[
        list[Annotated[int, Field(ge=0, le=2**20)]],
        Field(min_length=4, max_length=4, description="[left, right, top, bottom]"),
    ]

    def shape(self, input: Shape, /) -> Shape:
        channels, height, width = image(input, "zero_pad")
        left, right, top, bottom = self.padding
        return (channels, height + top + bottom, width + left + right)

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, self.shape(input))

    def idle(self, input: Shape, /) -> bool:
        return not any(self.padding)

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        left, right, top, bottom = self.padding
        return nn.ZeroPad2d((left, right, top, bottom))


@dataclass(frozen=True, kw_only=True)
class ShortcutPad(Layer):
    """Every `stride`-th pixel, with channels of zeros added in equal parts before and behind; no parameters.

    Source: He et al. 2015, arXiv:1512.03385, section 4.2, shortcut option A.
    """

    channels: Annotated[Size, Field(description="Channels that come out.")]
    stride: Size = 1

    def shape(self, input: Shape, /) -> Shape:
        channels, height, width = image(input, "shortcut_pad")
        if self.channels < channels:
            raise ShapeError(f"shortcut_pad: {channels} channels come in, more than the {self.channels} that come out")
        return (self.channels, -(-height // self.stride), -(-width // self.stride))

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, self.shape(input))

    def idle(self, input: Shape, /) -> bool:
        return self.shape(input) == tuple(input)

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules.reshaping import ShortcutPad as Module

        return Module(self.shape(input)[0] - input[0], self.stride)
