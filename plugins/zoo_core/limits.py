"""The limits that a budget can hold; each broken one has an exit code of its own."""

from __future__ import annotations

from typing import Annotated, Literal

from zoo.api import Bound, Field, Figures, Verdict, judge

Precision = Annotated[Literal["fp32", "int8"], Field(description="The type of the values on the device.")]


def parameters(figures: Figures, /, *, bound: Bound) -> Verdict:
    """Trainable parameters; weights that are used twice count once."""
    return judge("parameters", figures.parameters, bound, exit_code=10)


def macs(figures: Figures, /, *, bound: Bound) -> Verdict:
    """Multiply-adds of convolutions and matrix products in one forward pass for one input."""
    return judge("macs", figures.macs, bound, exit_code=11)


def memory(figures: Figures, /, *, bound: Bound) -> Verdict:
    """Bytes of activations at the peak of one forward pass for one input in fp32."""
    return judge("memory", figures.memory, bound, exit_code=12, unit="B")


def steps(figures: Figures, /, *, bound: Bound) -> Verdict:
    """Optimizer updates of each network."""
    return judge("steps", figures.steps, bound, exit_code=13)


def file_size(figures: Figures, /, *, bound: Bound) -> Verdict:
    """Bytes of the saved weights in fp32."""
    return judge("file_size", figures.file_size, bound, exit_code=14, unit="B")


def weights(figures: Figures, /, *, bytes: Bound, precision: Precision = "int8") -> Verdict:
    """Bytes of the trainable weights on a device; in int8 with the scales, and with vectors in 4 bytes a value."""
    return judge("weights", figures.weight_bytes(precision), bytes, exit_code=18, unit="B")


def arena(figures: Figures, /, *, bytes: Bound, precision: Precision = "int8") -> Verdict:
    """Bytes of activations on a device at the peak of one forward pass for one input."""
    return judge("arena", figures.arena_bytes(precision), bytes, exit_code=19, unit="B")
