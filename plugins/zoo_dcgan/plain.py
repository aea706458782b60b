"""Generator and discriminator as data: functions from options to layers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from zoo.api import Activation, Field, Norm, Shape

Layers = list[Any]
Widths = Annotated[list[Annotated[int, Field(ge=1, le=1_000_000)]], Field(min_length=1)]
Extra = Annotated[
    list[Annotated[int, Field(ge=0, le=100)]],
    Field(description="3x3 layers that keep the size, after each width; none where the list has ended."),
]
SpectralNorm = Annotated[bool, Field(description="Divide every weight by its largest singular value.")]
LEAKY = {"leaky_relu": {"negative_slope": 0.2}}


def dcgan_generator(
    input: Shape,
    output: Shape,
    /,
    *,
    widths: Annotated[Widths, Field(description="Channels at 4x4, 8x8, ...; the image is twice as large as the last.")],
    extra: Extra = [],  # noqa: B006
    upsampling: Annotated[
        Literal["transposed", "nearest", "bilinear"],
        Field(description="4x4 transposed convolutions of stride 2, or enlarging followed by a 3x3 convolution."),
    ] = "transposed",
    norm: Norm = "batch_norm",
    activation: Activation = "relu",
    bias: Annotated[bool, Field(description="Biases before norms.")] = False,
    output_bias: bool = False,
    spectral_norm: SpectralNorm = False,
) -> Layers:
    """Return a generator: one layer from the latent values to a small image, then a doubling of its sides per width.

    input: (latent,); output: (channels, height, width), its sides 2^len(widths) times those of the small image. Its
    values lie in -1..1. Raises ValueError when the widths do not lead to that size, or `extra` is longer than they.

    Source: Radford et al. 2015, arXiv:1511.06434, figure 1; the 3x3 layers: "Efficient CIFAR-100 Modelling".
    """
    side = side_of(output, len(widths), "dcgan_generator")
    vector_of(input, "dcgan_generator", "takes")
    more = _extra(extra, widths, "dcgan_generator")
    inner = {"bias": bias}

    def block(layer: dict[str, Any]) -> Layers:
        return [normed(layer, spectral_norm), norm, activation]

    layers: Layers = [
        {"reshape": [input[0], 1, 1]},
        *block({"conv_transpose": {"channels": widths[0], "kernel": side, **inner}}),
    ]
    for stage, width in enumerate(widths):
        if stage:
            layers += [*_enlarged(width, upsampling, inner, spectral_norm), norm, activation]
        for _ in range(more[stage]):
            # A transposed 3x3 convolution of stride 1 is a convolution with the kernel turned; the paper has these.
            kind = "conv_transpose" if upsampling == "transposed" else "conv"
            layers += block({kind: {"channels": width, "kernel": 3, "padding": 1, **inner}})
    return [*layers, *_enlarged(output[0], upsampling, {"bias": output_bias}, spectral_norm), "tanh"]


def dcgan_discriminator(
    input: Shape,
    output: Shape,
    /,
    *,
    widths: Annotated[Widths, Field(description="Channels after each halving of the image.")],
    stem: Annotated[int, Field(ge=0, le=1_000_000, description="Channels of a 3x3 layer before them; 0: none.")] = 0,
    extra: Extra = [],  # noqa: B006
    norm: Norm = "batch_norm",
    activation: Activation = LEAKY,
    bias: Annotated[bool, Field(description="Biases before norms.")] = False,
    first_bias: Annotated[bool, Field(description="A bias in the first layer, which has no norm.")] = True,
    output_bias: bool = False,
    spectral_norm: SpectralNorm = False,
) -> Layers:
    """Return a discriminator: 4x4 convolutions of stride 2, then one over all that is left, to the logits.

    input: (channels, height, width); output: (logits,). There is no sigmoid: losses take logits. Raises ValueError
    when the image cannot be halved so often, or `extra` is longer than the widths.

    Source: Radford et al. 2015, arXiv:1511.06434, section 3.
    """
    side = side_of(input, len(widths), "dcgan_discriminator")
    vector_of(output, "dcgan_discriminator", "gives")
    more = _extra(extra, widths, "dcgan_discriminator")
    steps = [(stem, 3, 1)] * bool(stem)
    for stage, width in enumerate(widths):
        steps += [(width, 4, 2), *[(width, 3, 1)] * more[stage]]
    layers: Layers = []
    for index, (width, kernel, stride) in enumerate(steps):
        conv = {
            "channels": width,
            "kernel": kernel,
            "stride": stride,
            "padding": 1,
            "bias": bias if index else first_bias,
        }
        layers += [normed({"conv": conv}, spectral_norm), *([norm] if index else []), activation]
    head = {"conv": {"channels": output[0], "kernel": side, "padding": 0, "bias": output_bias}}
    return [*layers, normed(head, spectral_norm), "flatten"]


def _enlarged(width: int, upsampling: str, options: dict[str, Any], spectral_norm: bool) -> Layers:
    """Return what doubles the image's sides."""
    if upsampling == "transposed":
        conv = {"conv_transpose": {"channels": width, "kernel": 4, "stride": 2, "padding": 1, **options}}
        return [normed(conv, spectral_norm)]
    conv = {"conv": {"channels": width, "kernel": 3, **options}}
    return [{"upsample": {"factor": 2, "mode": upsampling}}, normed(conv, spectral_norm)]


def normed(layer: dict[str, Any], spectral_norm: bool) -> dict[str, Any]:
    """Return a layer with spectral norm, if it is wanted."""
    return {"spectral_norm": {"layer": layer}} if spectral_norm else layer


def _extra(extra: list[int], widths: list[int], architecture: str) -> list[int]:
    """Return how many layers keep the size after each width. Raises ValueError when there are more than widths."""
    if len(extra) > len(widths):
        raise ValueError(f"{architecture} has {len(extra)} entries in extra but {len(widths)} widths; wanted no more")
    return extra + [0] * (len(widths) - len(extra))


def vector_of(shape: Shape, architecture: str, does: str) -> None:
    """Raise ValueError unless `shape` is that of a vector."""
    if len(shape) != 1:
        raise ValueError(
            f"{architecture} {does} a vector, but the shape here is {tuple(shape)}; is it in the role of the other "
            "network?"
        )


def side_of(image: Shape, halvings: int, architecture: str) -> int:
    """Return the side in pixels that is left of a square image. Raises ValueError when nothing whole is left."""
    if len(image) != 3:
        raise ValueError(
            f"{architecture}: found the shape {tuple(image)} where an image (channels, height, width) is wanted; is it "
            "in the role of the other network?"
        )
    side, rest = divmod(image[1], 2**halvings)
    if image[1] != image[2] or rest or not side:
        raise ValueError(
            f"{architecture}: {image[2]}x{image[1]} pixels cannot be halved {halvings} times, once for each width; "
            "wanted a square image, and fewer widths"
        )
    return side
