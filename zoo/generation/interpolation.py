"""Ways from one latent point to another."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Way = Literal["linear", "spherical"]
WAYS: tuple[Way, ...] = ("linear", "spherical")


def between(start: Tensor, end: Tensor, count: int, way: Way = "spherical") -> Tensor:
    """Return `count` latents from `start` to `end`, both included: (count, ...) for ends of shape (...).

    linear: a straight line, whose middle lies nearer to the origin than normal latents do. spherical: along the arc,
    with the length in proportion. Source: White 2016, arXiv:1609.04468, section 2.
    """
    shares = torch.linspace(0, 1, count).view(-1, *[1] * start.dim())
    if way == "linear":
        return torch.lerp(start[None], end[None], shares)
    cosine = torch.nn.functional.cosine_similarity(start.flatten(), end.flatten(), dim=0).clamp(-1, 1)
    angle = torch.arccos(cosine)
    if float(torch.sin(angle)) < 1e-3:  # the arc between parallel or opposite points is not defined
        return torch.lerp(start[None], end[None], shares)
    return (torch.sin((1 - shares) * angle) * start + torch.sin(shares * angle) * end) / torch.sin(angle)
