"""The composites: layers that hold layers. Their costs follow from those of their parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal

from zoo.annotations import Field, Wanted
from zoo.errors import ShapeError
from zoo.network.layer import Child, Cost, Layer, Shape, elements, known_of
from zoo.spec.schema import LayerOption

if TYPE_CHECKING:
    from torch import nn


MOST_ROUNDS = 100_000  # of repeats inside each other that change the shape, since each is looked at on its own


@dataclass(frozen=True, kw_only=True)
class Sequence(Layer):
    """Layers one after another; none at all hands the input on."""

    layers: list[LayerOption]

    def shape(self, input: Shape, /) -> Shape:
        children = self.children(input)
        return children[-1].output() if children else input

    def cost(self, input: Shape, /) -> Cost:
        parameters = buffers = tensors = macs = 0
        peak = held_peak = size = elements(input)
        alias = True
        for child in self.children(input):
            part = child.cost()
            parameters += part.parameters
            buffers += part.buffers
            tensors += part.tensors
            macs += part.macs
            peak = max(peak, part.peak)
            held_peak = max(held_peak, part.held_peak if alias else size + part.peak)
            alias = alias and part.alias
        return Cost(parameters, buffers, tensors, macs, peak, held_peak, alias)

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        return nn.Sequential(*(child.module() for child in self.children(input)))

    def children(self, input: Shape, /) -> list[Child]:
        # Shape and cost both ask, and so does each composite above.
        known = known_of(self, "_children")
        found: list[Child] | None = known.get(input)
        if found is None:
            found, reached = [], input
            for index, layer in enumerate(self.layers):
                if found:
                    reached = found[-1].output()
                found.append(Child(str(index), layer, reached))
            known[input] = found
        return found


class Again(Layer):
    """Layers that run once more with the weights of an earlier round, but with norms of their own.

    Only a `repeat` can build it, which has the earlier round.
    """

    def __init__(self, body: Layer) -> None:
        self._body = body

    def shape(self, input: Shape, /) -> Shape:
        return self._body.shape(input)

    def cost(self, input: Shape, /) -> Cost:
        costs = [child.cost() for child in self.children(input)]
        return self._body.cost(input)._replace(
            parameters=sum(one.parameters for one in costs),
            buffers=sum(one.buffers for one in costs),
            tensors=sum(one.tensors for one in costs),
        )

    def children(self, input: Shape, /) -> Iterator[Child]:
        yield from _norms(self._body, input)


@dataclass(frozen=True, kw_only=True)
class Repeat(Layer):
    """The same layers several times, each time with weights of their own unless they are shared."""

    times: Annotated[int, Field(ge=0, le=10_000, description="How often the layers run; their number is `round`.")]
    layers: Annotated[list[LayerOption], Field(min_length=1)]
    shared: Annotated[
        bool | Literal["but_norms"],
        Wanted('true, false, or "but_norms": each round has norms of its own'),
        Field(description='Every round uses the same weights; "but_norms": all but those of its norms.'),
    ] = False

    @cached_property
    def _body(self) -> Sequence:
        return Sequence(layers=self.layers)

    @cached_property
    def _again(self) -> Layer:
        """What runs from the second round on."""
        return Again(self._body) if self.shared == "but_norms" else self._body

    def _rounds(self, input: Shape) -> Sequence:
        if not self.times:
            return Sequence(layers=[])
        output = self._body.shape(input)
        if self.shared and output != tuple(input):
            raise ShapeError(f"shared weights need layers that keep the shape; these turn {tuple(input)} into {output}")
        # Rounds alike are looked at once; where the shape goes on changing, each is.
        if output != tuple(input) and _rounds(self) > MOST_ROUNDS and self._body.shape(output) != output:
            raise ShapeError(f"more than {MOST_ROUNDS:,} rounds inside each other, each of another shape")
        return Sequence(layers=[self._body, *[self._again] * (self.times - 1)])

    def _keeps(self, input: Shape) -> bool:
        return self.times > 0 and self._body.shape(input) == tuple(input)

    def shape(self, input: Shape, /) -> Shape:
        return tuple(input) if self._keeps(input) else self._rounds(input).shape(input)

    def cost(self, input: Shape, /) -> Cost:
        if not self._keeps(input):
            return self._rounds(input).cost(input)
        # Rounds that keep the shape are all alike, and from the second on nothing new is held.
        once, again = self._body.cost(input), self._again.cost(input)
        cost = Sequence(layers=[self._body] * min(self.times, 2)).cost(input)
        more = 0 if self.shared is True else self.times - 1
        return cost._replace(
            parameters=once.parameters + again.parameters * more,
            buffers=once.buffers + again.buffers * more,
            tensors=once.tensors + again.tensors * more,
            macs=once.macs * self.times,
        )

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        from zoo.network.modules import Rounds

        rounds = self._rounds(input)
        if self.shared == "but_norms":
            return Rounds(self.own(input), *(self._body.module(input) for _ in range(self.times)))
        if self.shared:
            return nn.Sequential(*[self._body.module(input)] * self.times)
        return rounds.module(input)

    def own(self, input: Shape, /) -> list[str]:
        """Return the names of the norms inside a round, which each round has for itself."""
        return [child.name for child in _norms(self._body, input)]

    def children(self, input: Shape, /) -> Iterator[Child]:
        if self.shared is True:
            self._rounds(input)
            if self.times:
                yield Child("0", self._body, input, uses=self.times)
        else:
            yield from self._rounds(input).children(input)


@dataclass(frozen=True, kw_only=True)
class Branches(Layer):
    """Parallel paths over one input; their outputs are added, multiplied, or concatenated along the channels."""

    branches: Annotated[list[LayerOption], Field(min_length=1)]
    join: Literal["add", "multiply", "concat"] = "add"

    def shape(self, input: Shape, /) -> Shape:
        return _joined(_outputs(self.children(input)), self.join)

    def cost(self, input: Shape, /) -> Cost:
        children = list(self.children(input))
        named = _outputs(children)
        _joined(named, self.join)
        shapes = [shape for _, shape in named]
        parts = [child.cost() for child in children]
        peak = held_peak = 0
        outputs, kept = 0, False  # values of finished branches; whether one of them is the input itself
        for index, (part, shape) in enumerate(zip(parts, shapes, strict=True)):
            needed = kept or index + 1 < len(parts)
            peak = max(peak, outputs + (part.held_peak if needed else part.peak))
            held_peak = max(held_peak, outputs + part.held_peak)
            outputs += 0 if part.alias else elements(shape)
            kept = kept or part.alias
        operands = [0 if part.alias else elements(shape) for part, shape in zip(parts, shapes, strict=True)]
        free, held = self._join_peaks(elements(input), shapes, operands)
        return Cost(
            parameters=sum(part.parameters for part in parts),
            buffers=sum(part.buffers for part in parts),
            tensors=sum(part.tensors for part in parts),
            macs=sum(part.macs for part in parts),
            peak=max(peak, free),
            held_peak=max(held_peak, held),
            alias=len(parts) == 1 and parts[0].alias,
        )

    def _join_peaks(self, input: int, shapes: list[Shape], operands: list[int]) -> tuple[int, int]:
        """Return the most values held while the outputs are joined, when the input may be freed and when it must stay.

        `operands` are the sizes of the outputs, 0 for one that is the input itself. Two are joined at a time, but
        for `concat`, which takes all at once.
        """
        if len(shapes) == 1:
            return operands[0] or input, operands[0] + input
        if self.join == "concat":
            result = sum(map(elements, shapes))
            return sum(operands) + result + (input if 0 in operands else 0), sum(operands) + result + input
        free, held, running, shape = 0, 0, operands[0], shapes[0]
        uses_input = operands[0] == 0
        for index in range(1, len(shapes)):
            shape = tuple(map(max, shape, shapes[index]))
            live = running + sum(operands[index:]) + elements(shape)
            free = max(free, live + (input if uses_input or 0 in operands[index:] else 0))
            held = max(held, live + input)
            running, uses_input = elements(shape), False
        return free, held

    def module(self, input: Shape, /) -> nn.Module:
        from zoo.network.modules import Joined

        self.shape(input)
        return Joined({child.name: child.module() for child in self.children(input)}, self.join)

    def children(self, input: Shape, /) -> Iterator[Child]:
        for index, layer in enumerate(self.branches):
            yield Child(str(index), layer, input)


@dataclass(frozen=True, kw_only=True)
class Residual(Layer):
    """Layers whose output is added to their input, or to what the shortcut makes of it."""

    layers: list[LayerOption]
    shortcut: list[LayerOption] = field(default_factory=list)

    @cached_property
    def _branches(self) -> Branches:
        return Branches(branches=[Sequence(layers=self.layers), Sequence(layers=self.shortcut)])

    def shape(self, input: Shape, /) -> Shape:
        (_, layers), (_, shortcut) = _outputs(self.children(input))
        if layers != shortcut:
            raise ShapeError(
                f"residual: layers give {layers}, shortcut gives {shortcut}; "
                "add a projection to the shortcut or match the shapes"
            )
        return layers

    def cost(self, input: Shape, /) -> Cost:
        self.shape(input)
        return self._branches.cost(input)

    def module(self, input: Shape, /) -> nn.Module:
        from zoo.network.modules import Joined

        self.shape(input)
        return Joined({child.name: child.module() for child in self.children(input)}, "add")

    def children(self, input: Shape, /) -> Iterator[Child]:
        for name, branch in zip(("layers", "shortcut"), self._branches.branches, strict=True):
            yield Child(name, branch, input)


def _norms(layer: Layer, input: Shape, path: str = "") -> Iterator[Child]:
    """Yield the norms inside a layer; their names are those of their modules in that of the layer."""
    for child in layer.children(input):
        name = f"{path}{child.name}"
        if child.layer.normalizes:
            yield child._replace(name=name)
        else:
            yield from _norms(child.layer, child.input, f"{name}.")


def _rounds(layer: Layer) -> int:
    """Return how often the innermost of repeats inside each other runs."""
    times = layer.times if isinstance(layer, Repeat) else 1
    inside = (one for value in vars(layer).values() if isinstance(value, (list, tuple)) for one in value)
    return times * max((_rounds(one) for one in inside if isinstance(one, Layer)), default=1)


def _outputs(branches: Iterable[Child]) -> list[tuple[str, Shape]]:
    """Return the names and outputs of branches. What several of them cannot take is one error that holds all."""
    outputs: list[tuple[str, Shape]] = []
    errors: list[ShapeError] = []
    for child in branches:
        try:
            outputs.append((child.name, child.output()))
        except ShapeError as error:
            errors.append(error)
    if errors:
        raise errors[0].beside(errors[1:])
    return outputs


def _joined(shapes: list[tuple[str, Shape]], join: str) -> Shape:
    """Return the shape of the joined outputs of named branches."""
    if not shapes:
        raise ShapeError("there is no branch to join")
    name, result = shapes[0]
    for other_name, other in shapes[1:]:
        if join == "concat" and len(result) == len(other) and result[1:] == other[1:]:
            result = (result[0] + other[0], *result[1:])
        elif join == "multiply" and len(result) == len(other) and _broadcast(result, other):
            result = tuple(map(max, result, other))
        elif join == "concat" or result != other:
            raise ShapeError(
                f"branch {name} gives {result}, branch {other_name} gives {other}; {join} cannot join them"
            )
    return result


def _broadcast(one: Shape, other: Shape) -> bool:
    return all(a == b or 1 in (a, b) for a, b in zip(one, other, strict=True))
