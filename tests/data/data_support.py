"""What the tests of augmentations share."""

from __future__ import annotations

import torch
from scipy import stats
from torch import Tensor


def evenly(numbers: Tensor, count: int) -> bool:
    """Say whether whole numbers, all drawn from 0 to `count` - 1, may well have been drawn evenly."""
    found = torch.bincount(numbers, minlength=count)
    assert len(found) == count
    return float(stats.chisquare(found.numpy()).pvalue) > 1e-3
