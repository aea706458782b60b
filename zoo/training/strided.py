"""Strided 1x1 convolutions of few channels, rewritten: on many CPUs the library computes their gradients wrongly.

oneDNN writes the gradient of such a kernel past its buffer where the CPU has AVX2 and no AVX-512, fewer than 8
channels are involved, and weights or images are in channels-last: with one thread the process dies or its memory is
damaged in silence, with more the gradient is wrong. A transposed convolution of few channels out does the same, since
its gradient is that of a convolution the other way round. Source: uxlfoundation/oneDNN, issue 6035.

A 1x1 kernel with a stride reads only every stride-th pixel. To pick those first and then convolve without a stride is
the same in exact arithmetic; transposed, the pixels are spread over zeros first. It is done on every CPU, so that no
guess at what a library will choose is needed, and before the module runs, so that spectral norm, copies, subclasses
and compiled steps have it too. Modules that strangers wrote may call the library's functions themselves: those run
with the functions rewritten, and networks that have none pay nothing.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.overrides import TorchFunctionMode

FEW = 8  # channels in a vector of AVX2
#: Whose modules leave all convolutions to torch's.
OWN = (
    "torch",
    "zoo",
    *(
        "zoo_core",
        "zoo_torch",
        "zoo_images",
        "zoo_classifier",
        "zoo_gan",
        "zoo_dcgan",
        "zoo_diffusion",
        "zoo_tasks",
        "zoo_arrays",
        "zoo_features",
        "zoo_trackers",
    ),
)


def without_strides(module: nn.Module) -> nn.Module:
    """Rewrite the convolutions inside `module` that must be; their parameters stay as they are."""
    for one in module.modules():
        if isinstance(one, _ConvNd) and _touched(one.weight, one.stride):
            _rewrite(one)
        elif not isinstance(one, torch.jit.ScriptModule) and type(one).__module__.partition(".")[0] not in OWN:
            _rewrite_calls(one)
    return module


def _touched(weight: Tensor, stride: tuple[int, ...]) -> bool:
    """Return whether a convolution is one; its channels of a group, in or transposed out, are the weight's second."""
    return math.prod(weight.shape[2:]) == 1 and math.prod(stride) > 1 and weight.shape[1] < FEW


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

    def __call__(self, module: nn.Module | None, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        input, *rest = given
        if self.padding:
            input = functional.pad(input, self.padding, self.mode)
        return (input[self.pick], *rest)


class Spread:
    """What runs before a transposed convolution: puts its input's pixels a stride apart, with zeros between."""

    def __init__(self, stride: tuple[int, ...], padding: tuple[int, ...], more: tuple[int, ...]) -> None:
        self.stride, self.padding, self.more = stride, padding, more
        self.pick = _every(stride)

    def __call__(self, module: nn.Module | None, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
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


def _rewrite_calls(module: nn.Module) -> None:
    forward = vars(module).get("forward") or MethodType(type(module).forward, module)
    if getattr(forward, "func", None) is not _rewritten:
        module.forward = functools.partial(_rewritten, forward)


def _rewritten(forward: Callable[..., Any], *args: Any, **options: Any) -> Any:
    with Rewritten():
        return forward(*args, **options)


_PLAIN = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_TRANSPOSED = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
_EITHER = ("input", "weight", "bias", "stride", "padding", "dilation", "transposed", "output_padding", "groups")
#: The functions by which a convolution can be called: whether it is a transposed one, and the names of what they take.
_FUNCTIONS: dict[Any, tuple[bool, tuple[str, ...]]] = {
    **dict.fromkeys((torch.conv1d, torch.conv2d, torch.conv3d), (False, _PLAIN)),
    **dict.fromkeys((torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d), (True, _TRANSPOSED)),
    torch.convolution: (False, _EITHER),
}


class Rewritten(TorchFunctionMode):
    """Meanwhile calls of the functions are rewritten as the modules are."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        options = kwargs or {}
        if function not in _FUNCTIONS:
            return function(*args, **options)
        transposed, names = _FUNCTIONS[function]
        given = dict(zip(names, args, strict=False)) | options
        weight, padding = given["weight"], given.get("padding", 0)
        count = weight.dim() - 2
        stride = _each(given.get("stride", 1), count)
        if not _touched(weight, stride) or padding == "same":
            return function(*args, **options)
        sides = (0,) * count if padding == "valid" else _each(padding, count)
        before: Picked | Spread
        if given.get("transposed", transposed):
            before = Spread(stride, sides, _each(given.get("output_padding", 0), count))
        else:
            before = Picked(stride, sides, "zeros")
        (given["input"],) = before(None, (given["input"],))
        nothing = dict.fromkeys({"padding", "output_padding"} & set(names), (0,) * count)
        return function(**given | {"stride": (1,) * count} | nothing)


def _each(value: int | tuple[int, ...], count: int) -> tuple[int, ...]:
    """Return a number of each direction; one number may stand for all."""
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * count if len(values) == 1 else values
