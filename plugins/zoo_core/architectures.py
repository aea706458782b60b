"""The architecture that a spec writes out itself."""

from __future__ import annotations

from typing import Annotated

from zoo.api import Field, LayerOption


def layers(*, layers: Annotated[list[LayerOption], Field(min_length=1)]) -> list[LayerOption]:
    """Return the layers as they are written."""
    return layers
