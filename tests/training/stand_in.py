"""A stand-in for CUDA graphs on the CPU, as plugins are held to it too."""

from __future__ import annotations

from zoo.testing.capture import recorder

__all__ = ["recorder"]
