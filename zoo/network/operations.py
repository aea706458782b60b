"""Operations without weights that take several values: joins, and scale and shift by a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from zoo.errors import ShapeError
from zoo.network.layer import Cost, Layer, Shape, elements

JoinKind = Literal["add", "multiply", "concat", "subtract"]
#: What operators call, so that no layer's weights may be called so.
CALLS = ("add", "concat", "multiply", "one_plus", "part", "scale_shift", "subtract")


class Operator(Layer):
    """Base of what is a function of values, and no module: `call` names it, with what it is told beside them."""

    def call(self, *inputs: Shape) -> tuple[str, str]:
        """Return the function's name, one of zoo.network.modules, and its arguments beside the values."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Join(Operator):
    """Values into one: `axis` counts without the batch, and is that of a concatenation."""

    kind: JoinKind
    axis: int = 0

    def require(self, shapes: Sequence[Shape], told: Sequence[str]) -> None:
        """Raise ShapeError, which names the values as `told`, when they cannot be joined."""
        if not shapes:
            raise ShapeError("there is no branch to join")
        result = shapes[0]
        for other, name in zip(shapes[1:], told[1:], strict=True):
            joined = self._joined(result, other)
            if joined is None:
                raise ShapeError(f"{told[0]} gives {result}, {name} gives {other}; {self.kind} cannot join them")
            result = joined

    def _joined(self, one: Shape, other: Shape) -> Shape | None:
        if len(one) != len(other) or not one:
            return None
        if self.kind != "concat":
            fits = all(a == b or 1 in (a, b) for a, b in zip(one, other, strict=True))
            return tuple(map(max, one, other)) if fits else None
        if not -len(one) <= self.axis < len(one):
            return None
        axis = self.axis % len(one)
        if (one[:axis], one[axis + 1 :]) != (other[:axis], other[axis + 1 :]):
            return None
        return (*one[:axis], one[axis] + other[axis], *one[axis + 1 :])

    def shape(self, *inputs: Shape) -> Shape:
        self.require(inputs, [f"branch {index}" for index in range(len(inputs))])
        result = inputs[0]
        for other in inputs[1:]:
            result = self._joined(result, other) or ()
        return result

    def cost(self, *inputs: Shape) -> Cost:
        peak = sum(map(elements, inputs)) + elements(self.shape(*inputs))
        return Cost(peak=peak, held_peak=peak)

    def call(self, *inputs: Shape) -> tuple[str, str]:
        return self.kind, f"dim={self.axis % len(inputs[0]) + 1}" if self.kind == "concat" else ""


@dataclass(frozen=True, kw_only=True)
class Part(Operator):
    """Some of the features of a vector, as a view: `count` from `start` on."""

    start: int
    count: int

    def shape(self, input: Shape, /) -> Shape:
        return (self.count,)

    def cost(self, input: Shape, /) -> Cost:
        return Cost.view(input)

    def call(self, *inputs: Shape) -> tuple[str, str]:
        return "part", f"start={self.start}, count={self.count}"


@dataclass(frozen=True, kw_only=True)
class OnePlus(Operator):
    """A factor near 1 from a value near 0."""

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, input)

    def call(self, *inputs: Shape) -> tuple[str, str]:
        return "one_plus", ""


@dataclass(frozen=True, kw_only=True)
class ScaleShift(Operator):
    """Each channel times a factor, plus a shift; both are vectors."""

    def shape(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def cost(self, *inputs: Shape) -> Cost:
        peak = sum(map(elements, inputs)) + elements(inputs[0])
        return Cost(peak=peak, held_peak=peak)

    def call(self, *inputs: Shape) -> tuple[str, str]:
        return "scale_shift", ""
