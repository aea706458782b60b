"""An architecture: a function from options to layers, written as a spec would write them."""

from typing import Annotated

from zoo.api import Activation, Field


def net(
    input,  # the shape of an image, (channels, height, width): supplied by Zoo, as all before the "/"
    output,  # the shape of what comes out, (classes,)
    /,
    *,  # after this stand the options of a spec
    width: Annotated[int, Field(ge=1, description="Channels after the first stage.")] = 16,
    stages: Annotated[int, Field(ge=1, le=5, description="Stages; each halves the image.")] = 3,
    activation: Activation = "${name}_bend",
):
    """Return stages of convolution, norm, activation and pooling, then one linear layer."""
    layers = []
    for stage in range(stages):
        layers += [
            {"conv": {"channels": width * 2**stage, "kernel": 3, "bias": False}},
            "batch_norm",
            activation,
            {"max_pool": 2},
        ]
    return [*layers, "global_average_pool", {"linear": output[0]}]
