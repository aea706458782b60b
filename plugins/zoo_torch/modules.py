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
    """(N, C, ...) to (N, C), or to (N, C, 1, ...) with `keepdim`: the mean of each channel."""

    def __init__(self, keepdim: bool = False) -> None:
        super().__init__()
        self.keepdim = keepdim

    def forward(self, images: Tensor) -> Tensor:
        # torch's pooling hands back a gradient with channels apart, and all before it would meet it in that layout.
        axes = images.dim() - 2
        means = images.movedim(1, -1).mean(tuple(range(1, axes + 1)))
        return means[(..., *[None] * axes)] if self.keepdim else means

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
    """(N, C, ...) to (N, C) over pixels; (N, C, ...) to (N, 1, ...) over channels."""

    def __init__(self, over: str) -> None:
        super().__init__()
        self.over = over

    def forward(self, values: Tensor) -> Tensor:
        return values.sum(tuple(range(2, values.dim()))) if self.over == "pixels" else values.sum(1, keepdim=True)

    def extra_repr(self) -> str:
        return f"over={self.over}"


class TokenEmbedding(nn.Embedding):
    """Whole numbers (N, L) to (N, features, L)."""

    def __init__(self, num_embeddings: int, embedding_dim: int) -> None:
        super().__init__(num_embeddings, embedding_dim)

    def forward(self, tokens: Tensor) -> Tensor:
        return super().forward(tokens).transpose(1, 2).contiguous()


def features_first(steps: Tensor, hidden: int, last: bool) -> Tensor:
    """Return the states of a recurrent module (N, L, features) as (N, features, L), or the last of each direction."""
    if not last:
        return steps.transpose(1, 2).contiguous()
    return torch.cat([steps[:, -1, :hidden], steps[:, 0, hidden:]], 1)


class RNN(nn.RNN):
    """(N, C, L) to (N, features, L), or to (N, features) with `last`; features are those of both directions."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        last: bool = False,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, nonlinearity, bias, True, dropout, bidirectional)
        self.last = last

    def forward(self, input: Tensor) -> Tensor:  # type: ignore[override]
        return features_first(super().forward(input.transpose(1, 2))[0], self.hidden_size, self.last)


class LSTM(nn.LSTM):
    """(N, C, L) to (N, features, L), or to (N, features) with `last`; features are those of both directions."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        last: bool = False,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, True, dropout, bidirectional)
        self.last = last

    def forward(self, input: Tensor) -> Tensor:  # type: ignore[override]
        return features_first(super().forward(input.transpose(1, 2))[0], self.hidden_size, self.last)


class GRU(nn.GRU):
    """(N, C, L) to (N, features, L), or to (N, features) with `last`; features are those of both directions."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        last: bool = False,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, True, dropout, bidirectional)
        self.last = last

    def forward(self, input: Tensor) -> Tensor:  # type: ignore[override]
        return features_first(super().forward(input.transpose(1, 2))[0], self.hidden_size, self.last)


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


class WindowAttention(nn.Module):
    """(N, C, H, W) to (N, C, H, W): each pixel attends to those of its window, in `heads` parts of its C channels.

    Windows that do not fill the image are filled with zeros at the right and below. Shifted ones begin `shift` pixels
    in; what is left over at the ends makes windows together, whose pixels attend only to those from the same side.
    `position_bias` adds a learned number for each offset between two pixels and each head.
    """

    index: Tensor
    mask: Tensor | None

    def __init__(
        self,
        image: tuple[int, int, int],
        heads: int,
        window: tuple[int, int],
        shift: tuple[int, int] = (0, 0),
        position_bias: bool = True,
        qkv_bias: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        channels, height, width = image
        self.image, self.heads, self.window, self.shift = image, heads, window, shift
        self.position_bias, self.qkv_bias, self.bias = position_bias, qkv_bias, bias
        self.grid = (-(-height // window[0]), -(-width // window[1]))
        if position_bias:
            self.table = nn.Parameter(torch.empty((2 * window[0] - 1) * (2 * window[1] - 1), heads))
            nn.init.trunc_normal_(self.table, std=0.02)
            self.register_buffer("index", self._offsets(), persistent=False)
        self.in_proj = nn.Linear(channels, 3 * channels, qkv_bias)
        self.out_proj = nn.Linear(channels, channels, bias)
        self.register_buffer("mask", self._mask() if any(shift) else None, persistent=False)

    def _offsets(self) -> Tensor:
        """Return for each two pixels of a window, one after the other, which row of the table is theirs."""
        rows, columns = (torch.arange(size) for size in self.window)
        places = torch.stack(torch.meshgrid(rows, columns, indexing="ij")).flatten(1)
        vertical, horizontal = places[:, :, None] - places[:, None, :]
        far = 2 * self.window[1] - 1
        return ((vertical + self.window[0] - 1) * far + horizontal + self.window[1] - 1).flatten()

    def _mask(self) -> Tensor:
        """Return (windows, 1, pixels, pixels): -100 where two pixels of a window come from different sides."""
        sides = []
        for count, size, shift in zip(self.grid, self.window, self.shift, strict=True):
            place = torch.arange(count * size)
            # The rows before the last window; those of it that stayed; those that came in from the other end.
            sides.append((place >= (count - 1) * size).int() + (place >= count * size - shift) if shift else 0 * place)
        regions = self._cut((3 * sides[0][:, None] + sides[1])[None, None]).flatten(0, 1).squeeze(-1)
        return -100.0 * (regions[:, None, :, None] != regions[:, None, None, :])

    def _cut(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to (N, windows, pixels, C)."""
        (rows, columns), (height, width) = self.grid, self.window
        cut = images.unflatten(3, (columns, width)).unflatten(2, (rows, height)).permute(0, 2, 4, 3, 5, 1)
        return cut.clone(memory_format=torch.contiguous_format).flatten(3, 4).flatten(1, 2)

    def forward(self, images: Tensor) -> Tensor:
        (_, height, width), (rows, columns), (tall, wide) = self.image, self.grid, self.window
        shift, padding = self.shift, (0, columns * wide - width, 0, rows * tall - height)
        values = nn.functional.pad(images, padding) if any(padding) else images
        if any(shift):
            values = values.roll((-shift[0], -shift[1]), (2, 3))
        parts = self.in_proj(self._cut(values)).unflatten(3, (3, self.heads, -1)).permute(3, 0, 1, 4, 2, 5)
        mixed = self._attended(parts).transpose(2, 3).flatten(3)  # (N, windows, pixels, C)
        tokens = self.out_proj(mixed).unflatten(2, self.window).unflatten(1, self.grid)
        values = tokens.permute(0, 5, 1, 3, 2, 4).flatten(4).flatten(2, 3)
        if any(shift):
            values = values.roll(shift, (2, 3))
        values = values[:, :, :height, :width]
        last = images.is_contiguous(memory_format=torch.channels_last) and not images.is_contiguous()
        return values.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)

    def _attended(self, parts: Tensor) -> Tensor:
        """(3, N, windows, heads, pixels, features) to (N, windows, heads, pixels, features)."""
        pixels, count = self.window[0] * self.window[1], parts.shape[1]
        bias = self.table.T[:, self.index].view(self.heads, pixels, pixels) if self.position_bias else None
        if self.mask is None:
            # Windows are as good as images; torch's fused kernels take four axes.
            parts = parts.flatten(1, 2)
        else:
            bias = self.mask if bias is None else self.mask + bias
        queries, keys, values = parts
        mixed = nn.functional.scaled_dot_product_attention(queries, keys, values, attn_mask=bias)
        return mixed.unflatten(0, (count, -1)) if self.mask is None else mixed

    def extra_repr(self) -> str:
        return f"image={self.image}, heads={self.heads}, window={self.window}, shift={self.shift}"
