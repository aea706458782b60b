"""The loops that Zoo is measured against. They are frozen: a change to one makes older figures incomparable.

Each is called with a Setting, trains for ever, and calls `setting.pause()` when it is about to begin and after every
step; that is the only line that a user's own loop would not have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

#: The versions that they were written for.
WRITTEN_FOR = {"torch": "2.15.0", "torchvision": "0.29.2", "pillow": "13.0.0", "lightning": "2.6.6"}

BATCH_SIZE = 64
LEARNING_RATE = 0.002


@dataclass(frozen=True)
class Pictures:
    """images: (N, H, W, 3) uint8; labels: (N,) int64; mean and std of the channels in 0..1."""

    images: np.ndarray
    labels: np.ndarray
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Setting:
    """What a loop is given. `folder` is thrown away afterwards; `workers` are the data loader's processes."""

    pictures: Pictures
    device: str
    folder: Path
    pause: Callable[[], None]
    workers: int = 0
