"""The limits that a budget can hold; each broken one has an exit code of its own."""

from __future__ import annotations

from zoo.api import Bound, Figures, Verdict, judge


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
