"""What a task is: the roles of its networks, one step of training, and how the result is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from zoo.network.layer import Shape

if TYPE_CHECKING:
    from torch import Tensor, nn

    from zoo.data.dataset import DataInfo


class Terminals(NamedTuple):
    """The shapes (without batch) between which a task puts a network."""

    input: Shape
    output: Shape


class Batch(NamedTuple):
    """images: (N, C, H, W) float32 in 0..1, on the device; labels: (N,) int64."""

    images: Tensor
    labels: Tensor


#: Called with a role and a loss: backward, clip, optimizer step, average. The only door to a weight update.
Update = Callable[[str, "Tensor"], None]


class Task:
    """Base of all tasks. A subclass is a keyword-only frozen dataclass: its fields are the options in a spec.

    Modules that define tasks import torch inside functions only, so that a spec is checked without it.
    """

    roles: ClassVar[tuple[str, ...]] = ()

    def terminals(self, role: str, info: DataInfo) -> Terminals:
        """Return the shapes that the network in `role` connects, for data of this kind."""
        raise NotImplementedError

    def updates(self, role: str) -> int:
        """Return how often one step updates the network in `role`."""
        return 1

    def step(
        self, networks: Mapping[str, nn.Module], batch: Batch, update: Update, info: DataInfo
    ) -> dict[str, Tensor]:
        """Train on one batch: call `update(role, loss)` for each update; return scalars to log, detached."""
        raise NotImplementedError

    def evaluate(self, networks: Mapping[str, nn.Module], batches: Any, info: DataInfo) -> dict[str, Any]:
        """Return named figures over all of `batches`, an iterable of Batch in a fixed order."""
        raise NotImplementedError

    def headline(self, split: str, figures: Mapping[str, Any]) -> str:
        """Return the figures of a split in a line, in the form in which the field states them."""
        shown = (f"{split} {name}: {value:.4g}" for name, value in figures.items() if isinstance(value, float))
        return ", ".join(shown)
