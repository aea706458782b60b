"""What keeps a step that is not finite from the weights: the state before it, put back on the device."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from zoo.training.trainee import Trainee

SKIPPED = "skipped"  # the figure that is 1 for a step that was taken back


class Guard:
    """Copies all state before a step and puts it back after one that left anything not finite.

    Whether it did is decided on the device; nothing waits for it but the first step, after which optimizers have new
    state. A count that an optimizer keeps elsewhere than its weights goes on.
    """

    def __init__(self, trainees: Mapping[str, Trainee]) -> None:
        self._trainees = trainees
        self._copies: dict[tuple[str, str], Tensor] = {}

    def before(self) -> None:
        """Copy the state."""
        self._copies = {name: one.clone() for name, one in self._tensors().items()}

    @torch.no_grad()
    def after(self, figures: dict[str, Tensor]) -> dict[str, Tensor]:
        """Put the copies back where they are wanted; return the figures, zeros where the step was taken back."""
        tensors = self._tensors()
        watched = [
            one
            for (role, name), one in tensors.items()
            if one.is_floating_point() and name not in self._trainees[role].constant
        ]
        device = next(iter(figures.values())).device
        fine = torch.stack([torch.isfinite(one).all().to(device) for one in (*watched, *figures.values())]).all()
        if tensors.keys() != self._copies.keys() and not bool(fine):
            for trainee in self._trainees.values():
                trainee.forget({name for role, name in self._copies if self._trainees[role] is trainee})
            tensors = {name: one for name, one in tensors.items() if name in self._copies}
        for name, copied in self._copies.items():
            if copied.device == fine.device:
                tensors[name].copy_(torch.where(fine, tensors[name], copied))
        kept = {name: torch.where(fine, one.float(), 0.0) for name, one in figures.items()}
        return kept | {SKIPPED: (~fine).float()}

    def _tensors(self) -> dict[tuple[str, str], Tensor]:
        return {
            (role, name): one for role, trainee in self._trainees.items() for name, one in trainee.tensors().items()
        }
