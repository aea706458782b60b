"""What networks are called with beside an image, and what takes it up."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TokenEmbedding(nn.Embedding):
    """Whole numbers (N, L) to (N, features, L)."""

    def __init__(self, num_embeddings: int, embedding_dim: int) -> None:
        super().__init__(num_embeddings, embedding_dim)

    def forward(self, tokens: Tensor) -> Tensor:
        return super().forward(tokens).transpose(1, 2).contiguous()


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
