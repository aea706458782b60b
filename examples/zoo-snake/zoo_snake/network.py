"""The architecture `serpent`: a function from options to layers."""

from __future__ import annotations

from typing import Annotated, Any

from zoo.api import Activation, Field, Shape


def serpent(
    input: Shape,
    output: Shape,
    /,
    *,
    width: Annotated[
        int, Field(ge=2, description="Channels of the first stage; each further stage has twice as many.")
    ] = 16,
    stages: Annotated[int, Field(ge=1, le=5)] = 3,
    activation: Activation = "snake",
) -> list[Any]:
    """Return stages of one residual block and one concatenation, each after the first at half the size."""
    layers: list[Any] = [{"conv": {"channels": width, "bias": False}}, "batch_norm", activation]
    for stage in range(stages):
        channels = width * 2**stage
        same = {"conv": {"channels": channels, "bias": False}}
        layers += [{"residual": [same, "batch_norm"]}, activation]
        if stage + 1 < stages:
            down = [{"conv": {"channels": channels, "stride": 2, "bias": False}}, "batch_norm"]
            layers += [{"branches": {"branches": [{"sequence": down}, {"max_pool": 2}], "join": "concat"}}]
    return [*layers, "global_average_pool", {"linear": output[0]}]
