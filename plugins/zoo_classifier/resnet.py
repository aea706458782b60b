"""Residual networks as data: a function from options to layers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from zoo.api import Activation, Field, Norm, Shape

Widths = Annotated[list[Annotated[int, Field(ge=1, le=1_000_000)]], Field(min_length=1)]
Depths = Annotated[list[Annotated[int, Field(ge=1, le=10_000)]], Field(min_length=1)]
Layers = list[Any]


def resnet(
    input: Shape,
    output: Shape,
    /,
    *,
    stem: Annotated[int, Field(ge=1, description="Channels after the first convolution.")] = 16,
    stem_kernel: Annotated[int, Field(ge=1, le=31)] = 3,
    stem_stride: Annotated[int, Field(ge=1, le=8)] = 1,
    stem_pool: Annotated[bool, Field(description="A 3x3 max pooling of stride 2 after the stem.")] = False,
    widths: Annotated[Widths, Field(description="Channels that each stage gives.")] = [16, 32, 64],  # noqa: B006
    depths: Annotated[Depths, Field(description="Blocks in each stage.")] = [3, 3, 3],  # noqa: B006
    block: Literal["basic", "bottleneck"] = "basic",
    reduction: Annotated[int, Field(ge=1, description="Width of a bottleneck's output over that of its 3x3.")] = 4,
    activation: Activation = "relu",
    norm: Norm = "batch_norm",
    shortcut: Annotated[
        Literal["projection", "pad"],
        Field(description="Where the shape changes: a 1x1 convolution with norm, or every other pixel and zeros."),
    ] = "projection",
    dropout: Annotated[float, Field(ge=0, lt=1, description="Share dropped before the last layer.")] = 0.0,
) -> Layers:
    """Return a residual network: stem, stages of blocks, global average pooling, one linear layer.

    Each stage after the first halves the image, in the 3x3 convolution of its first block. Convolutions have no bias.
    input: (channels, height, width); output: (classes,). Raises ValueError when widths and depths differ in length.

    Source: He et al. 2015, arXiv:1512.03385, sections 3.3 and 4.2.
    """
    if len(widths) != len(depths):
        raise ValueError(f"resnet has {len(widths)} widths but {len(depths)} depths; each stage needs one of both")
    layers: Layers = [_conv(stem, stem_kernel, stem_stride), norm, activation]
    if stem_pool:
        layers.append({"max_pool": {"kernel": 3, "stride": 2, "padding": 1}})
    channels = stem
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        stride = 2 if stage > 0 else 1
        changed = stride != 1 or channels != width
        first = _block(block, width, stride, reduction, norm, activation, shortcut if changed else None)
        rest = _block(block, width, 1, reduction, norm, activation, None)
        # The same block again is the same object, which is counted once.
        layers.append([*first, *rest * (depth - 1)])
        channels = width
    head: Layers = ["global_average_pool", {"linear": {"features": output[0]}}]
    if dropout:
        head.insert(1, {"dropout": {"probability": dropout}})
    return layers + head


def _block(
    kind: str, width: int, stride: int, reduction: int, norm: Any, activation: Any, shortcut: str | None
) -> Layers:
    if kind == "basic":
        path = [_conv(width, 3, stride), norm, activation, _conv(width, 3), norm]
    else:
        inner = max(1, width // reduction)
        path = [_conv(inner, 1), norm, activation, _conv(inner, 3, stride), norm, activation, _conv(width, 1), norm]
    return [
        {"residual": {"layers": path, "shortcut": _shortcut(shortcut, width, stride, norm) if shortcut else []}},
        activation,
    ]


def _shortcut(kind: str, width: int, stride: int, norm: Any) -> Layers:
    if kind == "pad":
        return [{"shortcut_pad": {"channels": width, "stride": stride}}]
    return [_conv(width, 1, stride), norm]


def _conv(channels: int, kernel: int, stride: int = 1) -> dict[str, Any]:
    return {"conv": {"channels": channels, "kernel": kernel, "stride": stride, "bias": False}}
