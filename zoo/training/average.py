"""The average of a network's weights over its updates, which is what is evaluated."""

from __future__ import annotations

import copy

import torch
from torch import nn

SPECTRAL_VECTORS = (".0._u", ".0._v")  # of torch.nn.utils.parametrizations.spectral_norm


class Average:
    """The exponential moving average of a module's parameters and buffers.

    Nothing here reads the device, so that an update can be captured. Integers, such as the count of batches, and the
    unit vectors of spectral norm are taken as they are: the mean of two unit vectors is shorter than they.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(module).requires_grad_(False)
        self._share = 1 - decay
        own = dict(self.module.named_parameters()) | dict(self.module.named_buffers())
        pairs = [(name, own[name], one) for name, one in _tensors(module)]
        averaged = [one for one in pairs if one[1].is_floating_point() and not one[0].endswith(SPECTRAL_VECTORS)]
        taken = [one for one in pairs if not any(one is other for other in averaged)]
        self._averages, self._values = [one[1] for one in averaged], [one[2] for one in averaged]
        self._copies, self._originals = [one[1] for one in taken], [one[2] for one in taken]

    @torch.no_grad()
    def update(self, *, first: bool) -> None:
        """Take in the module as it is now; the `first` time it is the average."""
        if first:
            torch._foreach_copy_(self._averages, self._values)
        else:
            torch._foreach_lerp_(self._averages, self._values, self._share)
        for copied, original in zip(self._copies, self._originals, strict=True):
            copied.copy_(original)


def _tensors(module: nn.Module) -> list[tuple[str, torch.Tensor]]:
    return [*((name, one.detach()) for name, one in module.named_parameters()), *module.named_buffers()]
