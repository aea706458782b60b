"""The average of a network's weights over its updates, which is what is evaluated."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

SPECTRAL_VECTORS = (".0._u", ".0._v")  # of torch.nn.utils.parametrizations.spectral_norm


class Average:
    """The exponential moving average of a module's parameters and buffers.

    With `warmup` the decay of an update that n others came before is min(decay, (1 + n) / (10 + n)), so that a young
    average forgets its beginning. Nothing here reads the device, so that an update can be captured. Integers, such as
    the count of batches, and the unit vectors of spectral norm are taken as they are: the mean of two unit vectors is
    shorter than they.

    Source: the decay: tf.train.ExponentialMovingAverage with num_updates.
    """

    def __init__(self, module: nn.Module, decay: float, *, warmup: bool = True) -> None:
        self.module = copy.deepcopy(module).requires_grad_(False)
        self.decay, self.warmup = decay, warmup
        self.made: Tensor | None = None  # updates until now, on the device, where steps are captured
        own = dict(self.module.named_parameters()) | dict(self.module.named_buffers())
        pairs = [(name, own[name], one) for name, one in _tensors(module)]
        averaged = [one for one in pairs if one[1].is_floating_point() and not one[0].endswith(SPECTRAL_VECTORS)]
        taken = [one for one in pairs if not any(one is other for other in averaged)]
        self._averages, self._values = [one[1] for one in averaged], [one[2] for one in averaged]
        self._copies, self._originals = [one[1] for one in taken], [one[2] for one in taken]

    def prepare_capture(self) -> None:
        """Count updates on the device: in a captured step, a number of the host's would stay what it was."""
        self.made = torch.zeros((), device=self._values[0].device)

    def resume(self, made: int, *, warmup: bool) -> None:
        """Go on after `made` updates."""
        self.warmup = warmup
        if self.made is not None:
            self.made.fill_(made)

    @torch.no_grad()
    def update(self, made: int) -> None:
        """Take in the module as it is, after an update that `made` others came before; the first is the average."""
        if made == 0:
            torch._foreach_copy_(self._averages, self._values)
        elif self.made is None or not self.warmup:
            share = max(1 - self.decay, 9 / (10 + made)) if self.warmup else 1 - self.decay
            torch._foreach_lerp_(self._averages, self._values, share)
        else:
            moves = torch._foreach_sub(self._values, self._averages)
            torch._foreach_mul_(moves, (9 / (10 + self.made)).clamp_(min=1 - self.decay))
            torch._foreach_add_(self._averages, moves)
        if self.made is not None:
            self.made.add_(1)
        for copied, original in zip(self._copies, self._originals, strict=True):
            copied.copy_(original)


def _tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*((name, one.detach()) for name, one in module.named_parameters()), *module.named_buffers()]
