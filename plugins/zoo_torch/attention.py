"""What transformers need beside norms and 1x1 convolutions: attention, positions, and learned factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from zoo.api import Cost, Field, Layer, Shape, ShapeError, Wanted, elements, image
from zoo_torch.axes import WindowSize, sides
from zoo_torch.layers import Extent, Size

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class SelfAttention(Layer):
    """Multi-head self-attention over the pixels of an image, or a sequence; torch.nn.MultiheadAttention.

    Every pixel, or place, is a token whose features are its channels. Memory is counted with the weights of all pairs
    of pixels held at once; torch's fused kernels hold less.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2; over images Dosovitskiy et al. 2020, arXiv:2010.11929.
    """

    heads: Annotated[Size, Field(description="Parts of the channels that attend by themselves.")] = 1
    qkv_bias: Annotated[bool, Field(description="Queries, keys and values have a bias.")] = True
    bias: Annotated[bool, Field(description="What comes out has a bias.")] = True

    def shape(self, input: Shape, /) -> Shape:
        if len(input) < 2:
            raise ShapeError(
                "self_attention takes an image (channels, height, width), whose pixels attend to each other, or a "
                f"sequence, but the shape here is {tuple(input)}; put it before flatten or global_average_pool"
            )
        if input[0] % self.heads:
            raise ShapeError(
                f"self_attention: heads {self.heads} does not divide {input[0]} channels; "
                "choose a divisor of the channels"
            )
        return input

    def cost(self, input: Shape, /) -> Cost:
        channels, size = self.shape(input)[0], elements(input)
        tokens = size // channels
        pairs = self.heads * tokens**2
        # Queries, keys and values (3 sizes) stay to the end: beside the scaled queries and keys when their products
        # are taken, then beside these and their softmax.
        peak = 3 * size + max(2 * size + pairs, 2 * pairs)
        return Cost(
            parameters=4 * channels**2 + channels * (3 * self.qkv_bias + self.bias),
            tensors=2 + self.qkv_bias + self.bias,
            macs=4 * channels**2 * tokens + 2 * channels * tokens**2,
            peak=peak,
            held_peak=peak + size,
        )

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        return _projections(input[0], self.qkv_bias, self.bias)

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules.attention import SelfAttention as Module

        return Module(self.shape(input)[0], self.heads, self.qkv_bias, self.bias)


@dataclass(frozen=True, kw_only=True)
class WindowAttention(Layer):
    """Multi-head self-attention among the pixels of each window of an image, as Swin's; torchvision's, to the value.

    Zeros at the right and below fill the last windows. Shifted windows begin `shift` pixels in, and pixels from both
    ends of the image, which meet in one window, do not attend to each other; along a side that one window covers there
    is no shift. Memory is counted as that of self_attention is.

    Source: Liu et al. 2021, arXiv:2103.14030, section 3.2.
    """

    heads: Annotated[Size, Field(description="Parts of the channels that attend by themselves.")] = 1
    window: WindowSize = 7
    shift: Annotated[
        Extent | tuple[Extent, Extent],
        Wanted("a whole number >= 0, or two of them: [height, width]"),
        Field(
            description="Where the windows begin: one number, or [height, width]; half a window in every other block."
        ),
    ] = 0
    position_bias: Annotated[
        bool, Field(description="A learned number for each offset between two pixels, and each head, is added.")
    ] = True
    qkv_bias: Annotated[bool, Field(description="Queries, keys and values have a bias.")] = True
    bias: Annotated[bool, Field(description="What comes out has a bias.")] = True

    def _grid(self, input: Shape) -> tuple[int, int]:
        """Return how many windows stand below and beside each other."""
        rows, columns = (-(-size // side) for size, side in zip(input[1:], sides(self.window), strict=True))
        return rows, columns

    def _shift(self, input: Shape) -> tuple[int, int]:
        rows, columns = (
            shift if count > 1 else 0 for shift, count in zip(sides(self.shift), self._grid(input), strict=True)
        )
        return rows, columns

    def shape(self, input: Shape, /) -> Shape:
        channels = image(input, "window_attention")[0]
        if channels % self.heads:
            raise ShapeError(
                f"window_attention: heads {self.heads} does not divide {channels} channels; "
                "choose a divisor of the channels"
            )
        if any(shift >= side for shift, side in zip(sides(self.shift), sides(self.window), strict=True)):
            shift, window = (list(one) if isinstance(one, tuple) else one for one in (self.shift, self.window))
            raise ShapeError(f"window_attention: shift {shift} is no part of the window, {window}")
        return input

    def cost(self, input: Shape, /) -> Cost:
        channels, (rows, columns), (tall, wide) = self.shape(input)[0], self._grid(input), sides(self.window)
        windows, pixels, shifted = rows * columns, tall * wide, any(self._shift(input))
        size = channels * windows * pixels  # with the zeros that fill the last windows
        pairs = self.heads * windows * pixels**2
        bias = self.position_bias * (pairs if shifted else pairs // windows)
        # As of self_attention, with what is added to the products beside them; where heads and windows are many,
        # queries and keys are copied to be multiplied.
        copied = 3 * size * (windows > 1 and self.heads > 1 and pixels > 1)
        peak = 3 * size + bias + max(2 * size + pairs, 2 * pairs, copied)
        return Cost(
            parameters=4 * channels**2
            + channels * (3 * self.qkv_bias + self.bias)
            + self.position_bias * (2 * tall - 1) * (2 * wide - 1) * self.heads,
            buffers=pixels**2 * (self.position_bias + windows * shifted),
            tensors=2 + self.qkv_bias + self.bias + self.position_bias,
            macs=size * (4 * channels + 2 * pixels),
            peak=peak,
            held_peak=peak + elements(input),
        )

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        (tall, wide), channels = sides(self.window), input[0]
        table = {"table": ((2 * tall - 1) * (2 * wide - 1), self.heads)} if self.position_bias else {}
        return table | _projections(channels, self.qkv_bias, self.bias)

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules.attention import WindowAttention as Module

        return Module(
            image(self.shape(input), "window_attention"),
            self.heads,
            sides(self.window),
            self._shift(input),
            self.position_bias,
            self.qkv_bias,
            self.bias,
        )


def _projections(channels: int, qkv_bias: bool, bias: bool) -> dict[str, Shape]:
    """Return the weights that make queries, keys and values, and what comes out."""
    found: dict[str, Shape] = {"in_proj.weight": (3 * channels, channels)}
    if qkv_bias:
        found["in_proj.bias"] = (3 * channels,)
    found["out_proj.weight"] = (channels, channels)
    if bias:
        found["out_proj.bias"] = (channels,)
    return found


@dataclass(frozen=True, kw_only=True)
class ClassToken(Layer):
    """Learned tokens before the others of a sequence: (channels, length) becomes (channels, count + length).

    `crop: {length: 0}` takes the first of them, once it has seen the others.

    Source: Dosovitskiy et al. 2020, arXiv:2010.11929, section 3.1; several: Darcet et al. 2023, arXiv:2309.16588.
    """

    count: Annotated[Size, Field(description="How many tokens.")] = 1
    std: Annotated[
        float, Field(ge=0, le=10, description="Standard deviation of the normal distribution that they begin with.")
    ] = 0.0

    def shape(self, input: Shape, /) -> Shape:
        if len(input) != 2:
            raise ShapeError(
                f"class_token takes a sequence (channels, length), but the shape here is {tuple(input)}; "
                "`reshape: [${channels}, -1]` makes one of an image"
            )
        return (input[0], input[1] + self.count)

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, self.shape(input), parameters=input[0] * self.count, tensors=1)

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        return {"token": (input[0], self.count)}

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules.attention import ClassToken as Module

        return Module(self.shape(input)[0], self.count, self.std)


@dataclass(frozen=True, kw_only=True)
class Position(Layer):
    """Add a learned value for each place of the input.

    Source: Dosovitskiy et al. 2020, arXiv:2010.11929, section 3.1.
    """

    std: Annotated[
        float, Field(ge=0, le=10, description="Standard deviation of the normal distribution that it begins with.")
    ] = 0.02

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, input, parameters=elements(input), tensors=1)

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        return {"embedding": tuple(input)}

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules.attention import Position as Module

        return Module(tuple(input), self.std)


@dataclass(frozen=True, kw_only=True)
class Scale(Layer):
    """Multiply by a learned factor for each channel, or by one for all.

    At the end of a residual's layers, for each channel from 1e-6 it is LayerScale, and one for all from 0 is ReZero.

    Source: Touvron et al. 2021, arXiv:2103.17239, section 2; Bachlechner et al. 2020, arXiv:2003.04887.
    """

    initial: Annotated[float, Field(ge=-1e3, le=1e3, description="What every factor begins with.")] = 1.0
    per_channel: Annotated[bool, Field(description="A factor for each channel instead of one for all.")] = True

    def _count(self, input: Shape) -> int:
        return input[0] if self.per_channel else 1

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, input, parameters=self._count(input), tensors=1)

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        return {"factor": (self._count(input), *(1 for _ in input[1:]))}

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules.attention import Scale as Module

        return Module((self._count(input), *(1 for _ in input[1:])), self.initial)
