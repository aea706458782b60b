"""Generator and discriminator that are called with a label, as data: functions from options to layers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from zoo.api import Condition, Field, Shape
from zoo_dcgan.plain import Layers, SpectralNorm, Widths, normed, side_of, vector_of

Embedding = Annotated[int, Field(ge=1, le=4096, description="Values that a label becomes, shared by all norms.")]


def conditional_generator(
    input: Shape,
    output: Shape,
    conditions: tuple[Condition, ...],
    /,
    *,
    widths: Annotated[Widths, Field(description="Channels at 4x4, 8x8, ..., the last at the image's own size.")],
    embedding: Embedding = 32,
    label: Annotated[
        Literal["latent", "norm", "both"],
        Field(description="Where the label enters: beside the latent values, in every norm, or both."),
    ] = "both",
    spectral_norm: SpectralNorm = False,
) -> Layers:
    """Return a generator: a linear layer to 4x4 pixels, transposed convolutions, a 3x3 convolution to the image.

    input: (latent,); output: (channels, height, width), the side of it 2^(len(widths) - 1) times that of the first
    layer. Its values lie in -1..1. Raises ValueError when the widths do not lead to that size, or without labels.

    Source: conditional batch norm: Dumoulin et al. 2016, arXiv:1610.07629; one embedding for all norms: Brock et al.
    2018, arXiv:1809.11096, appendix B.
    """
    classes = _classes(conditions, "conditional_generator", "dcgan_generator")
    side = side_of(output, len(widths) - 1, "conditional_generator")
    vector_of(input, "conditional_generator", "takes")
    in_latent, in_norm = label != "norm", label != "latent"
    layers: Layers = [
        {"from": "label"},
        _weights("embedding", {"embedding": {"features": embedding, "classes": classes}}),
        {"name": "embedded"},
        {"from": "input"},
        *([{"concat": "embedded"}] if in_latent else []),
        _weights("first", normed({"linear": {"features": widths[0] * side * side}}, spectral_norm)),
        {"reshape": {"to": [widths[0], side, side]}},
    ]
    for index, width in enumerate(widths):
        if index:
            conv = {"channels": width, "kernel": 4, "stride": 2, "padding": 1, "bias": False}
            layers.append(_weights(f"steps.{index - 1}", normed({"conv_transpose": conv}, spectral_norm)))
        norm = _conditional_norm(width, spectral_norm) if in_norm else "batch_norm"
        layers += [_weights(f"norms.{index}", norm), "relu"]
    last = {"conv": {"channels": output[0], "kernel": 3, "padding": 1}}
    return [*layers, _weights("last", normed(last, spectral_norm)), "tanh"]


def projection_discriminator(
    input: Shape,
    output: Shape,
    conditions: tuple[Condition, ...],
    /,
    *,
    widths: Annotated[Widths, Field(description="Channels after each halving of the image.")],
    stem: Annotated[int, Field(ge=1, le=1_000_000, description="Channels of the 3x3 layer before them.")] = 32,
    spectral_norm: SpectralNorm = True,
) -> Layers:
    """Return a discriminator: strided convolutions, features summed over the image, a linear logit plus the inner
    product of the features with the label's embedding.

    input: (channels, height, width); output: (1,). Raises ValueError when the image cannot be halved so often, for
    another output, or without labels.

    Source: Miyato and Koyama 2018, arXiv:1802.05637, equation 3.
    """
    classes = _classes(conditions, "projection_discriminator", "dcgan_discriminator")
    side_of(input, len(widths), "projection_discriminator")
    if output != (1,):
        raise ValueError(
            f"projection_discriminator gives one logit, but {output[0]} are wanted; use dcgan_discriminator"
        )
    features: Layers = []
    for width, kernel, stride in [(stem, 3, 1), *((width, 4, 2) for width in widths)]:
        conv = {"channels": width, "kernel": kernel, "stride": stride, "padding": 1}
        features += [normed({"conv": conv}, spectral_norm), {"leaky_relu": {"negative_slope": 0.1}}]
    embedding = {"embedding": {"features": widths[-1], "classes": classes}}
    return [
        _weights("features", {"sequence": {"layers": features}}),
        {"sum": {"over": "pixels"}},
        {"name": "features"},
        _weights("logit", normed({"linear": {"features": 1}}, spectral_norm)),
        {"name": "logit"},
        {"from": "label"},
        _weights("embedding", normed(embedding, spectral_norm)),
        {"multiply": "features"},
        {"sum": {"over": "channels"}},
        {"add": "logit"},
    ]


def _conditional_norm(channels: int, spectral_norm: bool) -> dict[str, Any]:
    """Return a batch norm whose scale and shift come from the value `embedded`."""
    linear = normed({"linear": {"features": channels}}, spectral_norm)
    layers: Layers = [
        {"name": "images"},
        {"from": "embedded"},
        _weights("scale", linear),
        {"name": "scale"},
        {"from": "embedded"},
        _weights("shift", linear),
        {"name": "shift"},
        {"from": "images"},
        _weights("norm", {"batch_norm": {"affine": False}}),
        {"modulate": {"by": ["scale", "shift"]}},
    ]
    return {"sequence": {"layers": layers}}


def _weights(name: str, layer: Any) -> dict[str, Any]:
    return {"weights": {"name": name, "layer": layer}}


def _classes(conditions: tuple[Condition, ...], own: str, other: str) -> int:
    """Return the number of classes of the only condition. Raises ValueError when it is no label."""
    if len(conditions) != 1 or not conditions[0].classes:
        given = " and ".join(one.name for one in conditions) or "nothing"
        raise ValueError(
            f"{own} is called with a label beside its input, but this task gives it {given}; "
            f"set the task's conditioning, or use {other}"
        )
    return conditions[0].classes
