"""The U-Net's options; the torch module is imported when one is built."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from zoo.api import Condition, Field, FromModule, Shape
from zoo_diffusion import forward

if TYPE_CHECKING:
    from torch import nn

Widths = Annotated[list[Annotated[int, Field(ge=1, le=1_000_000)]], Field(min_length=1)]


def unet(
    input: Shape,
    output: Shape,
    conditions: tuple[Condition, ...],
    /,
    *,
    widths: Annotated[Widths, Field(description="Channels at the image's size, at half of it, ...")] = [64, 96, 144],  # noqa: B006
    blocks: Annotated[int, Field(ge=1, le=100, description="Blocks at each size, on the way down and up.")] = 2,
    expansion: Annotated[int, Field(ge=1, le=16, description="Widening inside a block.")] = 2,
    kernel: Annotated[int, Field(ge=1, le=31, description="Side of the depthwise convolutions; odd.")] = 5,
    groups: Annotated[int, Field(ge=1, le=1024, description="Groups of the norms.")] = 8,
    embedding: Annotated[int, Field(ge=2, le=4096, description="Values that time and label become.")] = 64,
    attention_heads: Annotated[int, Field(ge=0, le=64, description="At the smallest size; 0: no attention.")] = 4,
) -> FromModule:
    """Return a U-Net of depthwise blocks that time and label scale and shift.

    input and output: (channels, height, width). Raises ValueError without a time, when the image cannot be halved once
    for each width but the first, or when the groups or heads do not divide a width.

    Source: Ronneberger et al. 2015, arXiv:1505.04597; scale and shift: Dhariwal and Nichol 2021, arXiv:2105.05233.
    """
    names = [one.name for one in conditions]
    if names not in (["time"], ["time", "label"]):
        given = " and ".join(names) or "nothing"
        raise ValueError(f"unet is called with a time, and a label or not, but this task gives it {given}")
    halvings = len(widths) - 1
    if any(side % 2**halvings for side in input[1:]):
        raise ValueError(f"unet: {input[2]}x{input[1]} pixels cannot be halved {halvings} times; wanted fewer widths")
    if kernel % 2 == 0:
        raise ValueError(f"unet: found kernel {kernel}; wanted an odd one, which keeps the size")
    for width in widths:
        if width % groups:
            raise ValueError(f"unet: {groups} groups do not divide the width {width}")
    if attention_heads and widths[-1] % attention_heads:
        raise ValueError(f"unet: {attention_heads} attention heads do not divide the width {widths[-1]}")
    options: dict[str, Any] = {
        "given": output[0],
        "classes": conditions[1].classes if len(conditions) > 1 else 0,
        "widths": widths,
        "blocks": blocks,
        "expansion": expansion,
        "kernel": kernel,
        "groups": groups,
        "embedding": embedding,
        "heads": attention_heads,
    }

    def make() -> nn.Module:
        from zoo_diffusion.modules import UNet

        return UNet(channels=input[0], **options)

    return FromModule(make, partial(forward.unet, **options), conditions=conditions)
