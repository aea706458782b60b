"""What transformers need beside norms and 1x1 convolutions: attention, positions, and learned factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from zoo.api import Cost, Field, Layer, Shape, ShapeError, elements
from zoo_torch.layers import Size

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class SelfAttention(Layer):
    """Multi-head self-attention over the pixels of an image; torch.nn.MultiheadAttention.

    Every pixel is a token whose features are its channels. Memory is counted with the weights of all pairs of pixels
    held at once; torch's fused kernels hold less.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2; over images Dosovitskiy et al. 2020, arXiv:2010.11929.
    """

    heads: Annotated[Size, Field(description="Parts of the channels that attend by themselves.")] = 1
    qkv_bias: Annotated[bool, Field(description="Queries, keys and values have a bias.")] = True
    bias: Annotated[bool, Field(description="What comes out has a bias.")] = True

    def shape(self, input: Shape, /) -> Shape:
        if len(input) != 3:
            raise ShapeError(
                "self_attention takes an image (channels, height, width), whose pixels attend to each other, but the "
                f"shape here is {tuple(input)}; put it before flatten or global_average_pool"
            )
        if input[0] % self.heads:
            raise ShapeError(
                f"self_attention: heads {self.heads} does not divide {input[0]} channels; "
                "choose a divisor of the channels"
            )
        return input

    def cost(self, input: Shape, /) -> Cost:
        channels, height, width = self.shape(input)
        size, tokens = elements(input), height * width
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
        channels = input[0]
        found: dict[str, Shape] = {"in_proj.weight": (3 * channels, channels)}
        if self.qkv_bias:
            found["in_proj.bias"] = (3 * channels,)
        found["out_proj.weight"] = (channels, channels)
        if self.bias:
            found["out_proj.bias"] = (channels,)
        return found

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules import SelfAttention as Module

        return Module(self.shape(input)[0], self.heads, self.qkv_bias, self.bias)


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
        from zoo_torch.modules import Position as Module

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
        from zoo_torch.modules import Scale as Module

        return Module((self._count(input), *(1 for _ in input[1:])), self.initial)
