"""What the tests of augmentations share."""

from __future__ import annotations

from typing import Any

import torch
from scipy import stats
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class HostForbidden(TorchDispatchMode):
    """Raises where work would wait for the device, or bring values to it from the host."""

    REFUSED = ("_local_scalar_dense", "is_nonzero", "nonzero", "masked_select", "_unique2", "equal", "lift_fresh")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        assert name not in self.REFUSED, f"aten::{name} needs the host"
        return func(*args, **(kwargs or {}))


def evenly(numbers: Tensor, count: int) -> bool:
    """Say whether whole numbers, all drawn from 0 to `count` - 1, may well have been drawn evenly."""
    found = torch.bincount(numbers, minlength=count)
    assert len(found) == count
    return float(stats.chisquare(found.numpy()).pvalue) > 1e-3
