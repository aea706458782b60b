"""The few modules that torch lacks."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

#: What the operators of formulas do, by the names of Python's syntax tree.
OPERATORS: dict[str, Callable[..., Any]] = {
    "Add": operator.add, "Sub": operator.sub, "Mult": operator.mul, "Div": operator.truediv,
    "FloorDiv": operator.floordiv, "Mod": operator.mod, "Pow": operator.pow, "USub": operator.neg, "UAdd": operator.pos,
    "Lt": operator.lt, "LtE": operator.le, "Gt": operator.gt, "GtE": operator.ge,
    "Eq": operator.eq, "NotEq": operator.ne, "BitAnd": operator.and_, "BitOr": operator.or_, "Invert": operator.invert,
}  # fmt: skip


def torch_function(path: str) -> Callable[..., Any]:
    """Return the function that stands at `path`, from torch or its `nn` on."""
    found: Any = {"torch": torch, "nn": nn}[path.partition(".")[0]]
    for part in path.split(".")[1:]:
        found = getattr(found, part)
    called: Callable[..., Any] = found
    return called


class Reshape(nn.Module):
    """(N, ...) to (N, *shape)."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, input: Tensor) -> Tensor:
        return input.reshape(input.shape[0], *self.shape)

    def extra_repr(self) -> str:
        return f"shape={self.shape}"


class Channels(nn.Module):
    """(N, C, ...) to (N, count, ...)."""

    def __init__(self, start: int, count: int) -> None:
        super().__init__()
        self.start, self.count = start, count

    def forward(self, input: Tensor) -> Tensor:
        # A view would hold all the other channels in memory for as long as these are needed.
        return input.narrow(1, self.start, self.count).clone()

    def extra_repr(self) -> str:
        return f"start={self.start}, count={self.count}"


class ChannelMean(nn.Module):
    """(N, C, H, W) to (N, C), or to (N, C, 1, 1) with `keepdim`: the mean of each channel."""

    def __init__(self, keepdim: bool = False) -> None:
        super().__init__()
        self.keepdim = keepdim

    def forward(self, images: Tensor) -> Tensor:
        # torch's pooling hands back a gradient with channels apart, and all before it would meet it in that layout.
        means = images.permute(0, 2, 3, 1).mean((1, 2))
        return means[:, :, None, None] if self.keepdim else means

    def extra_repr(self) -> str:
        return f"keepdim={self.keepdim}"


class ShortcutPad(nn.Module):
    """(N, C, H, W) to (N, C + extra, ceil(H / stride), ceil(W / stride)), without weights."""

    def __init__(self, extra: int, stride: int) -> None:
        super().__init__()
        self.extra, self.stride = extra, stride

    def forward(self, images: Tensor) -> Tensor:
        before = self.extra // 2
        return nn.functional.pad(
            images[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.extra - before)
        )

    def extra_repr(self) -> str:
        return f"extra={self.extra}, stride={self.stride}"


class ChannelLayerNorm(nn.LayerNorm):
    """(N, C, ...) to (N, C, ...): torch.nn.LayerNorm over C at each position."""

    def __init__(self, channels: int, eps: float, affine: bool) -> None:
        super().__init__(channels, eps, affine)
        self.channels, self.affine = channels, affine

    def forward(self, input: Tensor) -> Tensor:
        output = super().forward(input.movedim(1, -1)).movedim(-1, 1)
        # Now the channels lie together; so they stay only if they came so.
        return output.clone(memory_format=torch.contiguous_format) if input.is_contiguous() else output


class RMSNorm(nn.Module):
    """(N, C, ...) to (N, C, ...): torch.nn.RMSNorm over C at each position."""

    def __init__(self, channels: int, eps: float, affine: bool) -> None:
        super().__init__()
        self.channels, self.eps, self.affine = channels, eps, affine
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None

    def forward(self, input: Tensor) -> Tensor:
        output = input * (input.square().mean(1, keepdim=True) + self.eps).rsqrt()
        if self.weight is None:
            return output
        return output * self.weight.view(-1, *(1 for _ in input.shape[2:]))

    def extra_repr(self) -> str:
        return f"{self.channels}, eps={self.eps}, affine={self.affine}"


class SelfAttention(nn.Module):
    """(N, C, H, W) to (N, C, H, W): each of the H W pixels attends to all, in `heads` parts of its C channels."""

    def __init__(self, channels: int, heads: int, qkv_bias: bool, bias: bool) -> None:
        super().__init__()
        self.channels, self.heads, self.qkv_bias, self.bias = channels, heads, qkv_bias, bias
        self.in_proj = nn.Linear(channels, 3 * channels, qkv_bias)
        self.out_proj = nn.Linear(channels, channels, bias)
        # As torch.nn.MultiheadAttention begins.
        nn.init.xavier_uniform_(self.in_proj.weight)
        for projection in (self.in_proj, self.out_proj):
            if projection.bias is not None:
                nn.init.zeros_(projection.bias)

    def forward(self, images: Tensor) -> Tensor:
        tokens = images.flatten(2).transpose(1, 2).contiguous()  # (N, H W, C)
        parts = self.in_proj(tokens).unflatten(2, (3, self.heads, -1))
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)  # (N, heads, H W, C / heads) each
        mixed = nn.functional.scaled_dot_product_attention(queries, keys, values)
        tokens = self.out_proj(mixed.transpose(1, 2).flatten(2))
        output = tokens.transpose(1, 2).unflatten(2, images.shape[2:])
        # Now the channels lie together; so they stay only if they came so.
        return output.clone(memory_format=torch.contiguous_format) if images.is_contiguous() else output

    def extra_repr(self) -> str:
        return f"heads={self.heads}"


class Position(nn.Module):
    """(N, *shape) to (N, *shape): adds a learned value for each place, at first from N(0, std)."""

    def __init__(self, shape: tuple[int, ...], std: float) -> None:
        super().__init__()
        self.shape, self.std = shape, std
        # No `weight`, since initializers would take it for that of a layer.
        self.embedding = nn.Parameter(torch.empty(shape))
        nn.init.normal_(self.embedding, std=std)

    def forward(self, input: Tensor) -> Tensor:
        return input + self.embedding

    def extra_repr(self) -> str:
        return f"shape={self.shape}, std={self.std}"


class Scale(nn.Module):
    """(N, C, ...) to (N, C, ...): times learned factors of a shape that broadcasts, (C, 1, 1) or (1, 1, 1)."""

    def __init__(self, shape: tuple[int, ...], initial: float) -> None:
        super().__init__()
        self.shape, self.initial = shape, initial
        self.factor = nn.Parameter(torch.full(shape, initial))

    def forward(self, input: Tensor) -> Tensor:
        return input * self.factor

    def extra_repr(self) -> str:
        return f"shape={self.shape}, initial={self.initial}"


class Sinusoids(nn.Module):
    """Times (N,) to (N, 2 frequencies): sines and cosines, from 1 radian in a unit of time to exp(`log_highest`)."""

    rates: Tensor

    def __init__(self, frequencies: int, log_highest: float) -> None:
        super().__init__()
        self.frequencies, self.log_highest = frequencies, log_highest
        steps = torch.arange(frequencies) / max(1, frequencies - 1)
        self.register_buffer("rates", torch.exp(steps * log_highest), persistent=False)

    def forward(self, times: Tensor) -> Tensor:
        angles = times[:, None] * self.rates
        return torch.cat([angles.sin(), angles.cos()], 1)

    def extra_repr(self) -> str:
        return f"{self.frequencies}, log_highest={self.log_highest}"


class Sum(nn.Module):
    """(N, C, H, W) to (N, C) over pixels; (N, C, ...) to (N, 1, ...) over channels."""

    def __init__(self, over: str) -> None:
        super().__init__()
        self.over = over

    def forward(self, values: Tensor) -> Tensor:
        return values.sum((2, 3)) if self.over == "pixels" else values.sum(1, keepdim=True)

    def extra_repr(self) -> str:
        return f"over={self.over}"


class QKVAttention(nn.Module):
    """(N, 3 C, H, W) to (N, C, H, W): each pixel attends to all, by queries, keys and values in thirds."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, images: Tensor) -> Tensor:
        count, channels, height, width = images.shape
        parts = images.reshape(count, 3, self.heads, channels // (3 * self.heads), height * width)
        query, key, value = parts.transpose(3, 4).unbind(1)
        seen = nn.functional.scaled_dot_product_attention(query, key, value)
        return seen.transpose(2, 3).reshape(count, channels // 3, height, width)

    def extra_repr(self) -> str:
        return f"heads={self.heads}"


def zeroed(module: nn.Module) -> nn.Module:
    """Return the module with its weight at zero."""
    nn.init.zeros_(module.weight)  # type: ignore[arg-type]
    module.made_through = zeroed  # type: ignore[assignment]
    return module


class Formula(nn.Module):
    """(N, C, ...) to (N, C, ...): a function of each value and of trainable ones, some of them one for each channel."""

    def __init__(
        self,
        function: Callable[..., Tensor],
        trainable: dict[str, float],
        per_channel: dict[str, float],
        shape: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.function, self.trainable, self.per_channel, self.shape = function, trainable, per_channel, shape
        self.values = nn.ParameterDict(
            {name: nn.Parameter(torch.tensor(value)) for name, value in trainable.items()}
            | {name: nn.Parameter(torch.full(shape, value)) for name, value in per_channel.items()}
        )
        self._names = (*trainable, *per_channel)

    def forward(self, input: Tensor) -> Tensor:
        return self.function(input, *[self.values[name] for name in self._names])

    def extra_repr(self) -> str:
        return repr(self.function)
