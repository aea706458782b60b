"""Generator and discriminator that are called with a label: torch modules, since layers have one input."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from zoo.api import Condition, Field, FromModule, Shape
from zoo_dcgan import forward
from zoo_dcgan.plain import SpectralNorm, Widths, side_of, vector_of

if TYPE_CHECKING:
    from torch import nn

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
) -> FromModule:
    """Return a generator: a linear layer to 4x4 pixels, transposed convolutions, a 3x3 convolution to the image.

    input: (latent,); output: (channels, height, width), the side of it 2^(len(widths) - 1) times that of the first
    layer. Its values lie in -1..1. Raises ValueError when the widths do not lead to that size, or without labels.

    Source: conditional batch norm: Dumoulin et al. 2016, arXiv:1610.07629; one embedding for all norms: Brock et al.
    2018, arXiv:1809.11096, appendix B.
    """
    classes = _classes(conditions, "conditional_generator", "dcgan_generator")
    side = side_of(output, len(widths) - 1, "conditional_generator")
    vector_of(input, "conditional_generator", "takes")
    options: dict[str, Any] = {
        "channels": output[0],
        "side": side,
        "classes": classes,
        "widths": widths,
        "embedding": embedding,
        "in_latent": label != "norm",
        "in_norm": label != "latent",
        "spectral_norm": spectral_norm,
    }

    def make() -> nn.Module:
        from zoo_dcgan.modules import ConditionalGenerator

        return ConditionalGenerator(latent=input[0], **options)

    return FromModule(make, partial(forward.conditional_generator, **options), conditions=conditions)


def projection_discriminator(
    input: Shape,
    output: Shape,
    conditions: tuple[Condition, ...],
    /,
    *,
    widths: Annotated[Widths, Field(description="Channels after each halving of the image.")],
    stem: Annotated[int, Field(ge=1, le=1_000_000, description="Channels of the 3x3 layer before them.")] = 32,
    spectral_norm: SpectralNorm = True,
) -> FromModule:
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
    options: dict[str, Any] = {"classes": classes, "stem": stem, "widths": widths, "spectral_norm": spectral_norm}

    def make() -> nn.Module:
        from zoo_dcgan.modules import ProjectionDiscriminator

        return ProjectionDiscriminator(channels=input[0], **options)

    return FromModule(make, partial(forward.projection_discriminator, **options), conditions=conditions)


def _classes(conditions: tuple[Condition, ...], own: str, other: str) -> int:
    """Return the number of classes of the only condition. Raises ValueError when it is no label."""
    if len(conditions) != 1 or not conditions[0].classes:
        given = " and ".join(one.name for one in conditions) or "nothing"
        raise ValueError(
            f"{own} is called with a label beside its input, but this task gives it {given}; "
            f"set the task's conditioning, or use {other}"
        )
    return conditions[0].classes
