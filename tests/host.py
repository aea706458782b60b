"""Work that must be the device's alone, held to it on any device."""

from __future__ import annotations

import pytest
import torch

from zoo.testing.capture import HostForbidden
from zoo.training.devices import bf16_units

#: A CPU that only imitates bf16 is refused, by an error that has a test of its own.
needs_bf16 = pytest.mark.skipif(not bf16_units(torch.device("cpu")), reason="this CPU computes no bf16")

__all__ = ["HostForbidden", "needs_bf16"]
