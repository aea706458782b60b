"""torch's layers with weights, each with its output shape and its cost in closed form. Defaults are torch's own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from zoo.api import AXES, Cost, Field, Later, Layer, Shape, ShapeError, Wanted, elements, spatial

if TYPE_CHECKING:
    from torch import nn

Size = Annotated[int, Field(ge=1, le=2**31)]
Extent = Annotated[int, Field(ge=0, le=2**20)]
_EACH = Field(min_length=1, max_length=3)
#: One number for every axis, or one for each: of an image [height, width].
Sizes = Annotated[
    Size | Annotated[tuple[Size, ...], _EACH],
    Wanted("a whole number >= 1, or one for each axis: [height, width]"),
]
Extents = Annotated[
    Extent | Annotated[tuple[Extent, ...], _EACH],
    Wanted("a whole number >= 0, or one for each axis: [height, width]"),
]
Padding = Annotated[
    Extent | Annotated[tuple[Extent, ...], _EACH] | None,
    Wanted("a whole number >= 0, one for each axis, or null for half the kernel"),
    Field(description="null: half the kernel, rounded down; an odd kernel then keeps the size at stride 1."),
]

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]


def each(value: int | tuple[int, ...], axes: int, option: str) -> tuple[int, ...]:
    """Return a number for each axis. Raises ShapeError when `value` has them for more or fewer axes."""
    if isinstance(value, int):
        return (value,) * axes
    if len(value) != axes:
        raise ShapeError(
            f"{option} {list(value)} has {_counted(len(value), 'number')}, but here is a shape with "
            f"{_counted(axes, 'axis')} beside the channels; wanted a number, or one for each axis"
        )
    return tuple(value)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {'axes' if what == 'axis' else f'{what}s'}"


def window(
    layer: str,
    input: Shape,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...] | None = None,
    ceil: bool = False,
) -> Shape:
    """Return the sizes of what a sliding window gives. Raises ShapeError when it does not fit.

    Source: the shape formula in the documentation of torch.nn.Conv2d and MaxPool2d.
    """
    sizes = []
    for size, k, s, p, d in zip(input[1:], kernel, stride, padding, dilation or (1,) * len(kernel), strict=True):
        room = size + 2 * p - d * (k - 1) - 1
        steps = -(-room // s) if ceil else room // s
        # With ceil_mode torch drops a last window that would begin in the padding on the right.
        if ceil and steps * s >= size + p:
            steps -= 1
        if steps < 0:
            raise ShapeError(
                f"{layer}: a kernel of {'x'.join(map(str, kernel))} does not fit {tuple(input)} with padding {p}; "
                "make the kernel or an earlier stride smaller, or the padding larger"
            )
        sizes.append(steps + 1)
    return tuple(sizes)


def require_border(layer: str, axis: str, border: int, size: int, mode: str) -> None:
    """Raise ShapeError when a border is wider than what it is made of."""
    most = {"reflect": size - 1, "circular": size}.get(mode, border)
    if border > most:
        raise ShapeError(f"{layer}: {mode} reaches {most} places beyond the {size} of {axis}; found {border}")


@dataclass(frozen=True, kw_only=True)
class Conv(Layer):
    """Convolution of a sequence, an image or a volume; torch.nn.Conv1d, Conv2d or Conv3d, as the shape is."""

    channels: Annotated[Size, Field(description="Channels that come out.")]
    kernel: Sizes = 3
    stride: Sizes = 1
    padding: Padding = None
    dilation: Sizes = 1
    groups: Annotated[
        Size | Literal["depthwise"],
        Wanted('a whole number >= 1, or "depthwise": as many as channels come in'),
        Field(description='Groups of channels; "depthwise": as many as come in.'),
    ] = 1
    bias: bool = True
    padding_mode: Annotated[
        PaddingMode,
        Later(),
        Field(
            description="What stands in the padding: zeros, or the image mirrored, repeated, or from its other side."
        ),
    ] = "zeros"

    def _kernel(self, input: Shape) -> tuple[int, ...]:
        return each(self.kernel, len(input) - 1, "conv: kernel")

    def _slide(self, input: Shape) -> tuple[Shape, Shape, Shape, Shape]:
        """Return kernel, stride, padding and dilation of each axis."""
        axes = len(input) - 1
        kernel, dilation = self._kernel(input), each(self.dilation, axes, "conv: dilation")
        if self.padding is None:
            padding = tuple([d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True)])
        else:
            padding = each(self.padding, axes, "conv: padding")
        return kernel, each(self.stride, axes, "conv: stride"), padding, dilation

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
        spatial(input, "conv")
        self._groups(input)
        kernel, stride, padding, dilation = self._slide(input)
        for axis, size, border in zip(AXES[len(input)][1:], input[1:], padding, strict=True):
            require_border("conv", axis, border, size, self.padding_mode)
        return (self.channels, *window("conv", input, kernel, stride, padding, dilation))

    def cost(self, input: Shape, /) -> Cost:
        output = self.shape(input)
        weights = self.channels * (input[0] // self._groups(input)) * math.prod(self._kernel(input))
        cost = Cost.operation(
            input,
            output,
            parameters=weights + self.bias * self.channels,
            tensors=1 + self.bias,
            macs=weights * math.prod(output[1:]),
        )
        if self.padding_mode == "zeros" or self._mode(input) == "zeros":
            return cost
        # torch pads first, into a tensor of its own.
        padding = self._slide(input)[2]
        padded = input[0] * math.prod(size + 2 * border for size, border in zip(input[1:], padding, strict=True))
        taken, given = elements(input), elements(output)
        return cost._replace(peak=padded + max(taken, given), held_peak=padded + taken + given)

    def _mode(self, input: Shape) -> PaddingMode:
        return self.padding_mode if any(self._slide(input)[2]) else "zeros"

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        weight = (self.channels, input[0] // self._groups(input), *self._kernel(input))
        return {"weight": weight, **({"bias": (self.channels,)} if self.bias else {})}

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        self.shape(input)
        kind: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[len(input) - 2]
        slide, groups, mode = self._slide(input), self._groups(input), self._mode(input)
        made: nn.Module = kind(input[0], self.channels, *slide, groups, self.bias, mode)
        return made


@dataclass(frozen=True, kw_only=True)
class ConvTranspose(Layer):
    """Transposed convolution of a sequence, an image or a volume; torch.nn.ConvTranspose1d, 2d or 3d."""

    channels: Annotated[Size, Field(description="Channels that come out.")]
    kernel: Sizes = 4
    stride: Sizes = 1
    padding: Extents = 0
    output_padding: Extents = 0
    groups: Size = 1
    bias: bool = True

    def _slide(self, input: Shape) -> tuple[Shape, Shape, Shape, Shape]:
        """Return kernel, stride, padding and output padding of each axis."""
        axes = len(input) - 1
        return (
            each(self.kernel, axes, "conv_transpose: kernel"),
            each(self.stride, axes, "conv_transpose: stride"),
            each(self.padding, axes, "conv_transpose: padding"),
            each(self.output_padding, axes, "conv_transpose: output_padding"),
        )

    def shape(self, input: Shape, /) -> Shape:
        spatial(input, "conv_transpose")
        if input[0] % self.groups or self.channels % self.groups:
            raise ShapeError(
                f"conv_transpose: groups {self.groups} does not divide both {input[0]} channels in "
                f"and {self.channels} out"
            )
        sizes = []
        for size, k, s, p, extra in zip(input[1:], *self._slide(input), strict=True):
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
        weights = input[0] * (self.channels // self.groups) * math.prod(self._slide(input)[0])
        return Cost.operation(
            input,
            output,
            parameters=weights + self.bias * self.channels,
            tensors=1 + self.bias,
            macs=weights * math.prod(input[1:]),
        )

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        weight = (input[0], self.channels // self.groups, *self._slide(input)[0])
        return {"weight": weight, **({"bias": (self.channels,)} if self.bias else {})}

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        self.shape(input)
        kind: Any = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[len(input) - 2]
        made: nn.Module = kind(input[0], self.channels, *self._slide(input), self.groups, self.bias)
        return made


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
