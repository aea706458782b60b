"""Layers that write layers. A spec's reader fills in their names, and writes them out where their values are known."""

from __future__ import annotations

from typing import Annotated, Any

from zoo.api import Field, LayerOption, Shape

Layers = Annotated[list[LayerOption], Field(min_length=1)]


def each(
    input: Shape,
    /,
    *,
    each: Annotated[str | list[str], Field(description="A name for the item, or one for each of its parts.")],
    of: Annotated[list[Any], Field(description="A list: of numbers, or a table's rows.")],
    layers: Layers,
) -> list[LayerOption]:
    """Return the layers once for each item of a list, one after another."""
    return layers * len(of)


def let(
    input: Shape,
    /,
    *,
    values: Annotated[dict[str, Any], Field(description="Names and their values, which may mention the shape here.")],
    layers: Layers,
) -> list[LayerOption]:
    """Return the layers, in which names stand for values of this place."""
    return layers


def when(
    input: Shape,
    /,
    *,
    condition: bool,
    layers: Annotated[
        list[LayerOption], Field(description="Where the condition holds; only these are looked at then.")
    ],
    otherwise: Annotated[list[LayerOption], Field(description="Where it does not hold; nothing, unless given.")] = (),  # type: ignore[assignment]
) -> list[LayerOption]:
    """Return the layers where the condition holds, else the others."""
    return layers if condition else list(otherwise)
