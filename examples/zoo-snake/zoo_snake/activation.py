"""The snake activation as a layer that knows its cost, so that specs with it are checked without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from zoo.api import Cost, Field, Layer, Shape, elements

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Snake(Layer):
    """x + sin^2(a x) / a, with one a for each channel. Source: arXiv:2006.08195, equation 3."""

    frequency: Annotated[float, Field(gt=0, description="What a begins with.")] = 1.0

    def cost(self, input: Shape, /) -> Cost:
        # The input waits for the sum while a product, its sine and the square are worked out.
        peak = 3 * elements(input)
        return Cost(parameters=input[0], tensors=1, peak=peak, held_peak=peak)

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_snake.module import SnakeModule

        return SnakeModule(input[0], self.frequency)
