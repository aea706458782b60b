"""Layers for what a network is called with beside its input, a label or a time, and for how that is taken in."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from zoo.api import Cost, Field, Finding, Layer, LayerOption, Setting, Shape, ShapeError, elements, image, spatial
from zoo_torch.layers import Size

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Embedding(Layer):
    """A learned vector for each label, or for each token of a sequence; torch.nn.Embedding.

    A label gives (features,), a sequence of whole numbers (length,) gives (features, length).
    """

    takes_tokens: ClassVar[bool] = True

    features: Annotated[Size, Field(description="Features of each vector.")]
    classes: Annotated[Size, Field(description="How many labels, or kinds of tokens, there are.")]

    def shape(self, input: Shape, /) -> Shape:
        if len(input) > 1:
            raise ShapeError(
                "embedding takes a label, one number for each image, or tokens (length,), but the shape here is "
                f"{tuple(input)}; put `from: label` before it, or the embedding before what changes the tokens"
            )
        return (self.features, *input)

    def cost(self, input: Shape, /) -> Cost:
        size = elements(self.shape(input))
        peak = held = size
        if input:
            # The vectors as they are looked up, then beside them the features first.
            copied = size if self.features > 1 and input[0] > 1 else 0
            peak, held = max(input[0] + size, size + copied), input[0] + size + copied
        return Cost(parameters=self.classes * self.features, tensors=1, peak=peak, held_peak=held)

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        return {"weight": (self.classes, self.features)}

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        tokens = setting.info.tokens
        if setting.input and not tokens:
            found = f"found embedding of {setting.input[0]} numbers that are no tokens"
            yield Finding(found, "data of tokens, or `from: label` before it")
        elif setting.input and self.classes < tokens:
            yield Finding(f"found embedding of {self.classes} tokens, of which the data have {tokens}", f"{tokens}")

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        from zoo_torch.modules.conditioning import TokenEmbedding

        self.shape(input)
        return (TokenEmbedding if input else nn.Embedding)(self.classes, self.features)


@dataclass(frozen=True, kw_only=True)
class Sinusoids(Layer):
    """Sines, then cosines, of a time at frequencies from 1 to `highest` radians, each as much above the one before it.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.5.
    """

    frequencies: Size = 16
    highest: Annotated[float, Field(gt=1, le=1e6, description="Radians in a unit of time.")] = 1000.0

    def shape(self, input: Shape, /) -> Shape:
        if input != ():
            raise ShapeError(
                f"sinusoids takes a time, one number for each image, but the shape here is {tuple(input)}; "
                "put `from: time` before it"
            )
        return (2 * self.frequencies,)

    def cost(self, input: Shape, /) -> Cost:
        (features,) = self.shape(input)
        # Both halves stand beside the whole.
        return Cost(buffers=self.frequencies, peak=2 * features, held_peak=2 * features)

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules.conditioning import Sinusoids as Module

        self.shape(input)
        return Module(self.frequencies, math.log(self.highest))


@dataclass(frozen=True, kw_only=True)
class Sum(Layer):
    """The sum of each channel, as a vector, or of all channels or features, as one."""

    over: Literal["pixels", "channels"] = "pixels"

    def shape(self, input: Shape, /) -> Shape:
        return spatial(input, "sum")[:1] if self.over == "pixels" else (1, *input[1:])

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, self.shape(input))

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules.conditioning import Sum as Module

        self.shape(input)
        return Module(self.over)


@dataclass(frozen=True, kw_only=True)
class QKVAttention(Layer):
    """Multi-head attention among the pixels of an image whose channels are queries, keys and values, a third each.

    Memory is counted as that of self_attention is. Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.
    """

    heads: Annotated[Size, Field(description="Parts of the channels that attend by themselves.")] = 1

    def shape(self, input: Shape, /) -> Shape:
        channels, height, width = image(input, "qkv_attention")
        if channels % (3 * self.heads):
            raise ShapeError(f"qkv_attention: three times heads {self.heads} does not divide {channels} channels")
        return (channels // 3, height, width)

    def cost(self, input: Shape, /) -> Cost:
        channels, height, width = self.shape(input)
        size, tokens = channels * height * width, height * width
        pairs = self.heads * tokens**2
        # What comes in (3 sizes) stays to the end: beside the scaled queries and keys when their products are taken,
        # then beside these and their softmax.
        peak = elements(input) + max(2 * size + pairs, 2 * pairs)
        return Cost(macs=2 * channels * tokens**2, peak=peak, held_peak=peak)

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules.conditioning import QKVAttention as Module

        self.shape(input)
        return Module(self.heads)


@dataclass(frozen=True, kw_only=True)
class ZeroInit(Layer):
    """A layer whose weight begins at zero, so that what it ends begins as nothing."""

    layer: LayerOption

    def shape(self, input: Shape, /) -> Shape:
        output: Shape = self.layer.shape(input)
        return output

    def cost(self, input: Shape, /) -> Cost:
        cost: Cost = self.layer.cost(input)
        return cost

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        weights: dict[str, Shape] = self.layer.weights(input)
        return weights

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules.conditioning import zeroed

        module = self.layer.module(input)
        if not hasattr(module, "weight"):
            raise ShapeError(f"zero_init: {self.layer.label} has no weight; wanted conv, linear or another that has")
        return zeroed(module)
