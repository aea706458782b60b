"""torch's layers with weights, each with its output shape and its cost in closed form. Defaults are torch's own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from zoo.api import Cost, Field, Layer, Shape, ShapeError, Wanted, image

if TYPE_CHECKING:
    from torch import nn

Size = Annotated[int, Field(ge=1, le=2**31)]
Extent = Annotated[int, Field(ge=0, le=2**20)]
#: One number for both directions, or [height, width].
SizePair = Annotated[Size | tuple[Size, Size], Wanted("a whole number >= 1, or two of them: [height, width]")]
ExtentPair = Annotated[Extent | tuple[Extent, Extent], Wanted("a whole number >= 0, or two of them: [height, width]")]
Padding = Annotated[
    Extent | tuple[Extent, Extent] | None,
    Wanted("a whole number >= 0, two of them, or null for half the kernel"),
    Field(description="null: half the kernel, rounded down; an odd kernel then keeps the size at stride 1."),
]


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    """Return one number for both directions, or two, as (height, width)."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def window(
    layer: str,
    input: Shape,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
    ceil: bool = False,
) -> tuple[int, int]:
    """Return (height, width) of what a sliding window gives. Raises ShapeError when it does not fit.

    Source: the shape formula in the documentation of torch.nn.Conv2d and MaxPool2d.
    """
    sizes = []
    for size, k, s, p, d in zip(input[1:], kernel, stride, padding, dilation, strict=True):
        room = size + 2 * p - d * (k - 1) - 1
        steps = -(-room // s) if ceil else room // s
        # With ceil_mode torch drops a last window that would begin in the padding on the right.
        if ceil and steps * s >= size + p:
            steps -= 1
        if steps < 0:
            raise ShapeError(
                f"{layer}: a kernel of {kernel[0]}x{kernel[1]} does not fit {tuple(input)} with padding {p}; "
                "make the kernel or an earlier stride smaller, or the padding larger"
            )
        sizes.append(steps + 1)
    return sizes[0], sizes[1]


@dataclass(frozen=True, kw_only=True)
class Conv(Layer):
    """Convolution of an image; torch.nn.Conv2d."""

    channels: Annotated[Size, Field(description="Channels that come out.")]
    kernel: SizePair = 3
    stride: SizePair = 1
    padding: Padding = None
    dilation: SizePair = 1
    groups: Annotated[
        Size | Literal["depthwise"],
        Wanted('a whole number >= 1, or "depthwise": as many as channels come in'),
        Field(description='Groups of channels; "depthwise": as many as come in.'),
    ] = 1
    bias: bool = True

    def _padding(self) -> tuple[int, int]:
        if self.padding is not None:
            return pair(self.padding)
        (kh, kw), (dh, dw) = pair(self.kernel), pair(self.dilation)
        return dh * (kh - 1) // 2, dw * (kw - 1) // 2

    def _groups(self, input: Shape) -> int:
        groups = input[0] if self.groups == "depthwise" else int(self.groups)
        if input[0] % groups or self.channels % groups:
            raise ShapeError(
                f"conv: groups {groups} does not divide both {input[0]} channels in and {self.channels} out"
            )
        return groups

    def groups_of(self, input: Shape, /) -> int:
        return self._groups(input)

    def shape(self, input: Shape, /) -> Shape:
        image(input, "conv")
        self._groups(input)
        size = window("conv", input, pair(self.kernel), pair(self.stride), self._padding(), pair(self.dilation))
        return (self.channels, *size)

    def cost(self, input: Shape, /) -> Cost:
        output = self.shape(input)
        weights = self.channels * (input[0] // self._groups(input)) * math.prod(pair(self.kernel))
        return Cost.operation(
            input,
            output,
            parameters=weights + self.bias * self.channels,
            tensors=1 + self.bias,
            macs=weights * output[1] * output[2],
        )

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        weight = (self.channels, input[0] // self._groups(input), *pair(self.kernel))
        return {"weight": weight, **({"bias": (self.channels,)} if self.bias else {})}

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        self.shape(input)
        return nn.Conv2d(
            input[0],
            self.channels,
            pair(self.kernel),
            pair(self.stride),
            self._padding(),
            pair(self.dilation),
            self._groups(input),
            self.bias,
        )


@dataclass(frozen=True, kw_only=True)
class ConvTranspose(Layer):
    """Transposed convolution of an image; torch.nn.ConvTranspose2d."""

    channels: Annotated[Size, Field(description="Channels that come out.")]
    kernel: SizePair = 4
    stride: SizePair = 1
    padding: ExtentPair = 0
    output_padding: ExtentPair = 0
    groups: Size = 1
    bias: bool = True

    def shape(self, input: Shape, /) -> Shape:
        image(input, "conv_transpose")
        if input[0] % self.groups or self.channels % self.groups:
            raise ShapeError(
                f"conv_transpose: groups {self.groups} does not divide both {input[0]} channels in "
                f"and {self.channels} out"
            )
        sizes = []
        for size, k, s, p, extra in zip(
            input[1:],
            pair(self.kernel),
            pair(self.stride),
            pair(self.padding),
            pair(self.output_padding),
            strict=True,
        ):
            if extra >= s:
                raise ShapeError(f"conv_transpose: output_padding {extra} must be smaller than the stride, {s}")
            sizes.append((size - 1) * s - 2 * p + k + extra)
        if min(sizes) < 1:
            raise ShapeError(
                f"conv_transpose: padding {self.padding} leaves nothing of {tuple(input)}; make it smaller"
            )
        return (self.channels, *sizes)

    def cost(self, input: Shape, /) -> Cost:
        output = self.shape(input)
        weights = input[0] * (self.channels // self.groups) * math.prod(pair(self.kernel))
        return Cost.operation(
            input,
            output,
            parameters=weights + self.bias * self.channels,
            tensors=1 + self.bias,
            macs=weights * input[1] * input[2],
        )

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        weight = (input[0], self.channels // self.groups, *pair(self.kernel))
        return {"weight": weight, **({"bias": (self.channels,)} if self.bias else {})}

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        self.shape(input)
        return nn.ConvTranspose2d(
            input[0],
            self.channels,
            pair(self.kernel),
            pair(self.stride),
            pair(self.padding),
            pair(self.output_padding),
            self.groups,
            self.bias,
        )


@dataclass(frozen=True, kw_only=True)
class Linear(Layer):
    """Matrix product over the features of a vector, with a bias; torch.nn.Linear."""

    features: Annotated[Size, Field(description="Features that come out.")]
    bias: bool = True

    def shape(self, input: Shape, /) -> Shape:
        if len(input) != 1:
            raise ShapeError(
                f"linear takes a vector (features,), but the shape here is {tuple(input)}; "
                "put flatten or global_average_pool before it"
            )
        return (self.features,)

    def cost(self, input: Shape, /) -> Cost:
        output = self.shape(input)
        weights = input[0] * self.features
        return Cost.operation(
            input, output, parameters=weights + self.bias * self.features, tensors=1 + self.bias, macs=weights
        )

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        return {"weight": (self.features, input[0]), **({"bias": (self.features,)} if self.bias else {})}

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        self.shape(input)
        return nn.Linear(input[0], self.features, self.bias)
