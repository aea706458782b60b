"""The U-Net as data: a function from options to layers."""

from __future__ import annotations

from typing import Annotated, Any

from zoo.api import Condition, Field, Shape

Layers = list[Any]
FREQUENCIES, HIGHEST = 16, 1000.0  # of the time's sines and cosines; radians over the whole of time
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
) -> Layers:
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
    layers: Layers = [
        {"from": "time"},
        {"sinusoids": {"frequencies": FREQUENCIES, "highest": HIGHEST}},
        _weights("time", {"sequence": {"layers": [_linear(embedding), "silu", _linear(embedding)]}}),
    ]
    if len(conditions) > 1:
        label = {"embedding": {"features": embedding, "classes": conditions[1].classes}}
        layers += [{"name": "timed"}, {"from": "label"}, _weights("label", label), {"add": "timed"}]
    layers += ["silu", {"name": "embedded"}, {"from": "input"}, _weights("first", _conv(widths[0], 3))]

    def stack(name: str, width: int) -> Layers:
        block = _block(width, expansion, kernel, groups)
        return [_weights(f"{name}.{index}", block) for index in range(blocks)]

    for level, width in enumerate(widths):
        if level:
            layers += [{"average_pool": {"kernel": 2}}, _weights(f"narrower.{level - 1}", _conv(width))]
        layers += stack(f"down.{level}", width)
        if level < halvings:
            layers.append({"name": f"level_{level}"})
    if attention_heads:
        layers.append(_weights("attention", _attention(widths[-1], attention_heads, groups)))
    for level, width in reversed([*enumerate(widths[:-1])]):
        layers += [
            _weights(f"wider.{level}", _conv(width)),
            {"upsample": {"factor": 2}},
            {"concat": {"values": f"level_{level}"}},
            _weights(f"joined.{level}", _conv(width)),
            *stack(f"up.{level}", width),
        ]
    last = {"zero_init": {"layer": _conv(output[0], 3)}}
    return [*layers, _weights("norm", {"group_norm": {"groups": groups}}), "silu", _weights("last", last)]


def _block(width: int, expansion: int, kernel: int, groups: int) -> dict[str, Any]:
    """Return norm, depthwise convolution, scale and shift by `embedded`, and a widened mixing of channels; residual."""
    layers: Layers = [
        {"name": "before"},
        {"from": "embedded"},
        _weights("modulation", _linear(2 * width)),
        {"name": "modulation"},
        {"from": "before"},
        _weights("norm", {"group_norm": {"groups": groups}}),
        _weights("depthwise", {"conv": {"channels": width, "kernel": kernel, "groups": "depthwise"}}),
        {"modulate": {"by": "modulation"}},
        _weights("widen", _conv(expansion * width)),
        "silu",
        _weights("narrow", {"zero_init": {"layer": _conv(width)}}),  # a block begins as nothing
        {"add": {"values": "before"}},
    ]
    return {"sequence": {"layers": layers}}


def _attention(width: int, heads: int, groups: int) -> dict[str, Any]:
    """Return layers by which every pixel looks at every other; residual."""
    layers: Layers = [
        {"name": "before"},
        _weights("norm", {"group_norm": {"groups": groups}}),
        _weights("mixed", _conv(3 * width)),
        {"qkv_attention": {"heads": heads}},
        _weights("out", {"zero_init": {"layer": _conv(width)}}),
        {"add": {"values": "before"}},
    ]
    return {"sequence": {"layers": layers}}


def _conv(channels: int, kernel: int = 1) -> dict[str, Any]:
    return {"conv": {"channels": channels, "kernel": kernel}}


def _linear(features: int) -> dict[str, Any]:
    return {"linear": {"features": features}}


def _weights(name: str, layer: Any) -> dict[str, Any]:
    return {"weights": {"name": name, "layer": layer}}
