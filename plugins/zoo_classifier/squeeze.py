"""Squeeze and excitation as data: a function from options to layers."""

from __future__ import annotations

from typing import Annotated, Any

from zoo.api import Activation, Field, Shape


def squeeze_excitation(
    input: Shape,
    /,
    *,
    hidden: Annotated[int, Field(ge=1, le=2**31, description="Channels that the means are squeezed into.")],
    activation: Activation = "relu",
    gate: Activation = "sigmoid",
) -> list[Any]:
    """Return layers that multiply each channel by a factor found from the means of all channels.

    Source: Hu et al. 2017, arXiv:1709.01507, figure 3.
    """
    factor = [
        {"adaptive_average_pool": 1},
        {"conv": {"channels": hidden, "kernel": 1}},
        activation,
        {"conv": {"channels": input[0], "kernel": 1}},
        gate,
    ]
    return [{"branches": {"join": "multiply", "branches": ["identity", {"sequence": factor}]}}]
