"""What an augmentation is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Augmentation:
    """Base of the kind `augmentation`. A subclass is a keyword-only frozen dataclass: its fields are its options."""

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return `images` ((N, C, H, W) float32 in 0..1, on any device) changed at random, each image on its own.

        All randomness comes from `generator`, which lives on the images' device; nothing is read back from there.
        """
        raise NotImplementedError
