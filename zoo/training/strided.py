"""Strided 1x1 convolutions of few channels, rewritten: on many CPUs the library computes their gradients wrongly.

oneDNN writes the gradient of such a kernel past its buffer where the CPU has AVX2 and no AVX-512, fewer than 8
channels are involved, and weights or images are in channels-last: with one thread the process dies or its memory is
damaged in silence, with more the gradient is wrong. A transposed convolution of few channels out does the same, since
its gradient is that of a convolution the other way round. Source: uxlfoundation/oneDNN, issue 6035.

A 1x1 kernel with a stride reads only every stride-th pixel. To pick those first and then convolve without a stride is
the same in exact arithmetic; transposed, the pixels are spread over zeros first. It is done on every CPU, so that no
guess at what a library will choose is needed, and before the module runs, so that spectral norm, copies, subclasses
and compiled steps have it too.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

FEW = 8  # channels in a vector of AVX2


def without_strides(module: nn.Module) -> nn.Module:
    """Rewrite the convolutions inside `module` that must be; their parameters stay as they are."""
    for one in module.modules():
        if isinstance(one, _ConvNd) and _touched(one):
            _rewrite(one)
    return module


def _touched(convolution: _ConvNd) -> bool:
    transposed = isinstance(convolution, _ConvTransposeNd)
    channels = convolution.out_channels if transposed else convolution.in_channels
    return (
        math.prod(convolution.kernel_size) == 1
        and math.prod(convolution.stride) > 1
        and channels // convolution.groups < FEW
    )


def _rewrite(convolution: _ConvNd) -> None:
    stride, dimensions = tuple(convolution.stride), len(convolution.stride)
    nothing, one = (0,) * dimensions, (1,) * dimensions
    padding = nothing if isinstance(convolution.padding, str) else tuple(convolution.padding)
    before: Picked | Spread
    if isinstance(convolution, _ConvTransposeNd):
        before = Spread(stride, padding, tuple(convolution.output_padding))
        convolution.output_padding = nothing
    else:
        before = Picked(stride, padding, convolution.padding_mode)
        convolution.padding_mode = "zeros"
    convolution.stride, convolution.padding = one, nothing
    convolution.register_forward_pre_hook(before, prepend=False)


def _every(stride: tuple[int, ...]) -> Any:
    """Return the index of every stride-th pixel."""
    return (..., *(slice(None, None, step) for step in stride))


class Picked:
    """What runs before a convolution: pads its input and picks every stride-th pixel."""

    def __init__(self, stride: tuple[int, ...], padding: tuple[int, ...], mode: str) -> None:
        self.pick = _every(stride)
        self.padding = [side for one in reversed(padding) for side in (one, one)] if any(padding) else []
        self.mode = "constant" if mode == "zeros" else mode

    def __call__(self, module: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        input, *rest = given
        if self.padding:
            input = functional.pad(input, self.padding, self.mode)
        return (input[self.pick], *rest)


class Spread:
    """What runs before a transposed convolution: puts its input's pixels a stride apart, with zeros between."""

    def __init__(self, stride: tuple[int, ...], padding: tuple[int, ...], more: tuple[int, ...]) -> None:
        self.stride, self.padding, self.more = stride, padding, more
        self.pick = _every(stride)

    def __call__(self, module: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        input, *rest = given
        count = len(self.stride)
        shape = [(size - 1) * step + 1 for size, step in zip(input.shape[-count:], self.stride, strict=True)]
        wide = input.new_zeros(*input.shape[:-count], *shape)
        wide[self.pick] = input
        # Padding of a transposed convolution cuts its output off; a negative one adds to it.
        sides = [
            side
            for cut, more in zip(reversed(self.padding), reversed(self.more), strict=True)
            for side in (-cut, more - cut)
        ]
        return (functional.pad(wide, sides) if any(sides) else wide, *rest)
