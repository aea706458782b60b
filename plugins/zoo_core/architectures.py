"""The architecture that a spec writes out itself."""

from __future__ import annotations

from zoo.api import LayerOption


def layers(*, layers: list[LayerOption]) -> list[LayerOption]:
    """Return the layers as they are written."""
    return layers
