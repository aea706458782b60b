"""Work that must be the device's alone, held to it on any device."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from zoo.training.devices import bf16_units

#: A CPU that only imitates bf16 is refused, by an error that has a test of its own.
needs_bf16 = pytest.mark.skipif(not bf16_units(torch.device("cpu")), reason="this CPU computes no bf16")


class HostForbidden(TorchDispatchMode):
    """Raises where work would wait for a device, or bring from the host what a replay would not bring again."""

    REFUSED = ("_local_scalar_dense", "is_nonzero", "nonzero", "masked_select", "_unique2", "equal", "lift_fresh")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in self.REFUSED:
            raise RuntimeError(f"aten::{name} needs the host, which a captured step may not")
        return func(*args, **(kwargs or {}))
