"""Muon for matrices and for kernels of convolutions, all weights of one shape at a time."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
TINY = 1e-7  # what a matrix is divided by at least


class Muon(torch.optim.Optimizer):
    """Momentum whose matrix is made orthogonal, times lr max(1, out / in)^0.5, and decoupled weight decay.

    A kernel (out, in, height, width) is the matrix (out, in height width). Of two dimensions it does what
    torch.optim.Muon does. Nothing is counted and nothing read from the device, so that a step can be captured with
    the rate in a tensor.

    Source: Jordan et al. 2024, kellerjordan.github.io/posts/muon.
    """

    def __init__(
        self, params: Any, lr: float, *, weight_decay: float, momentum: float, nesterov: bool, ns_steps: int
    ) -> None:
        options = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov}
        super().__init__(params, options | {"ns_steps": ns_steps, "capturable": True})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update all weights that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            shapes: dict[tuple[int, ...], list[Tensor]] = defaultdict(list)
            for one in group["params"]:
                if one.grad is not None:
                    shapes[tuple(one.shape)].append(one)
            for alike in shapes.values():
                self._update(alike, group)
        return loss

    def _update(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        gradients = [one.grad for one in weights if one.grad is not None]
        held = [self.state[one] for one in weights]
        for state, gradient in zip(held, gradients, strict=True):
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(gradient)
        averages = [state["momentum_buffer"] for state in held]
        torch._foreach_lerp_(averages, gradients, 1 - group["momentum"])
        moves = torch._foreach_lerp(gradients, averages, group["momentum"]) if group["nesterov"] else averages
        matrices = torch.stack([one.flatten(1) for one in moves])
        rows, columns = matrices.shape[1:]
        made = orthogonal(matrices, group["ns_steps"]) * (group["lr"] * math.sqrt(max(1, rows / columns)))
        if group["weight_decay"]:
            kept = 1 - group["lr"] * group["weight_decay"]
            torch._foreach_mul_(weights, kept)
        torch._foreach_sub_(weights, [one.view(weights[0].shape) for one in made])


def orthogonal(matrices: Tensor, steps: int) -> Tensor:
    """Return matrices (N, rows, columns) with all singular values near 1, by Newton and Schulz's iteration in bf16."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    made = matrices.mT if tall else matrices
    made = (made / made.norm(dim=(1, 2), keepdim=True).clamp(min=TINY)).to(torch.bfloat16)
    for _ in range(steps):
        gram = made @ made.mT
        made = torch.baddbmm(made, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), made, beta=a)
    return (made.mT if tall else made).to(matrices.dtype)
