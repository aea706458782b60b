"""Attention, and what networks that attend have beside it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


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


class ClassToken(nn.Module):
    """(N, C, L) to (N, C, count + L): learned tokens before the others, at first from N(0, std)."""

    def __init__(self, channels: int, count: int, std: float) -> None:
        super().__init__()
        self.channels, self.count, self.std = channels, count, std
        # No `weight`, since initializers would take it for that of a layer.
        self.token = nn.Parameter(torch.empty(channels, count))
        nn.init.normal_(self.token, std=std)

    def forward(self, tokens: Tensor) -> Tensor:
        return torch.cat([self.token.expand(len(tokens), -1, -1), tokens], 2)

    def extra_repr(self) -> str:
        return f"{self.channels}, count={self.count}, std={self.std}"


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
