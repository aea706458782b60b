"""What an augmentation is."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from zoo.data.dataset import Items


class Augmentation:
    """Base of those of the kind `augmentation` that change each image by itself.

    A subclass is a keyword-only frozen dataclass: its fields are its options. `items` are the kinds of items that it
    changes; with others a spec is refused.
    """

    items: ClassVar[tuple[Items, ...]] = ("images",)

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return `images` ((N, C, H, W) float32 in 0..1, or other items as a Batch has them, on any device) changed at
        random, each on its own.

        All randomness comes from `generator`, which lives on the images' device; nothing is read back from there.
        """
        raise NotImplementedError


class Staged:
    """Base of those of the kind `augmentation` that do something else as the training goes on.

    A subclass is a keyword-only frozen dataclass: its fields are its options.
    """

    def stage(self, progress: float, height: int, width: int) -> Hashable:
        """Return what is done at `progress` (0 at the first step, below 1 at the last) to images of this size.

        Steps of one stage run the same operations on the same shapes, so that one recording serves them all.
        """
        raise NotImplementedError

    def apply(self, images: Tensor, generator: torch.Generator, stage: Hashable) -> Tensor:
        """Return `images` ((N, C, H, W) float32 in 0..1) changed as `stage` says; their size may change too."""
        raise NotImplementedError


class Mixing:
    """Base of those of the kind `augmentation` that mix images of a batch, and their labels with them.

    A subclass is a keyword-only frozen dataclass: its fields are its options. Only a task with `soft_labels` can be
    trained with it.
    """

    def mix(self, images: Tensor, labels: Tensor, classes: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return images and labels mixed at random: images as above, labels as shares of `classes`.

        `labels` are (N,) int64 or, where another augmentation has mixed them, (N, classes) float32, which sum to 1
        in each row. A batch of one image may be returned as it is.
        """
        raise NotImplementedError
