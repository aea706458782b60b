"""Layers that name what passes, or take up what was named: values, weights, and what the network gives beside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from zoo.annotations import Field, Wanted
from zoo.errors import ShapeError
from zoo.network.layer import Layer
from zoo.network.lowering import Flow
from zoo.network.operations import Join, JoinKind, OnePlus, Part, ScaleShift
from zoo.spec.schema import LayerOption

PATTERN = r"^[a-z][a-z0-9_]*$"
Name = Annotated[str, Field(pattern=PATTERN, max_length=100), Wanted("a name of lower-case letters, digits and '_'")]
Names = Annotated[Name | list[Name], Wanted("the name of a value, or a list of names")]
Axis = Annotated[int, Field(ge=-3, le=2, description="Counted without the batch: 0 are the channels.")]


@dataclass(frozen=True, kw_only=True)
class NameValue(Layer):
    """Gives the value that passes a name, by which later layers take it up: `from`, `add`, `concat` and so on.

    The name holds in the block, the round, the `for`, `let`, `when` or `scope`, or the network that it stands in, and
    in what is used there. It is to be new there, and to be used.
    """

    name: Name

    @property
    def gives(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.name})

    def lower_into(self, flow: Flow, name: str) -> None:
        flow.name(self.name, self.at)


@dataclass(frozen=True, kw_only=True)
class From(Layer):
    """Goes on from a named value; `input` is what comes into the network."""

    value: Name

    def lower_into(self, flow: Flow, name: str) -> None:
        flow.value = flow.read(self.value)


@dataclass(frozen=True, kw_only=True)
class Joined(Layer):
    """Base: the value that passes, joined with named ones."""

    kind: ClassVar[JoinKind]
    values: Names

    def lower_into(self, flow: Flow, name: str) -> None:
        names = [self.values] if isinstance(self.values, str) else list(self.values)
        join = self.standing_for(Join(kind=self.kind, axis=getattr(self, "axis", 0)))
        values = [flow.value, *map(flow.read, names)]
        flow.join(join, values, ["the layer before", *(f"the value {name!r}" for name in names)])


@dataclass(frozen=True, kw_only=True)
class Add(Joined):
    """Adds named values to the one that passes; a side of 1 is added to all."""

    kind: ClassVar[JoinKind] = "add"


@dataclass(frozen=True, kw_only=True)
class Multiply(Joined):
    """Multiplies the value that passes by named ones; a side of 1 goes with all."""

    kind: ClassVar[JoinKind] = "multiply"


@dataclass(frozen=True, kw_only=True)
class Subtract(Joined):
    """Takes named values from the one that passes; a side of 1 goes with all."""

    kind: ClassVar[JoinKind] = "subtract"


@dataclass(frozen=True, kw_only=True)
class Concat(Joined):
    """Puts named values behind the one that passes, along an axis."""

    kind: ClassVar[JoinKind] = "concat"
    axis: Axis = 0


@dataclass(frozen=True, kw_only=True)
class Modulate(Layer):
    """Each channel times 1 + scale, plus shift: x (1 + scale) + shift, with both from named vectors.

    One name: a vector of twice the channels, the scales before the shifts. Two: the scales, the shifts.

    Source: Perez et al. 2017, arXiv:1709.07871; conditional norms: Dumoulin et al. 2016, arXiv:1610.07629.
    """

    by: Names

    def lower_into(self, flow: Flow, name: str) -> None:
        passing, channels = flow.value, flow.shape[0]
        names = [self.by] if isinstance(self.by, str) else list(self.by)
        values = [flow.read(one) for one in names]
        wanted = (2 * channels,) if len(names) == 1 else (channels,)
        for one, value in zip(names, values, strict=True):
            shape = flow.graph.shape_of(value)
            if len(names) > 2 or shape != wanted:
                raise ShapeError(
                    f"modulate: {one!r} is {shape}; wanted {(2 * channels,)}, or two values of {(channels,)}, "
                    f"for the {channels} channels here"
                )
        if len(names) == 1:
            for start in (0, channels):
                flow.operation(Part(start=start, count=channels), "", values[:1])
                values.append(flow.value)
            del values[0]
        scale, shift = values
        flow.operation(OnePlus(), "", (scale,))
        flow.operation(self.standing_for(ScaleShift()), "", (passing, flow.value, shift))


@dataclass(frozen=True, kw_only=True)
class Weights(Layer):
    """A layer whose weights bear a name, or, without a layer, that one again with the same weights.

    They lie under that name in the network's weights, or in those of the block that it stands in, and count once.
    """

    name: Annotated[
        str,
        Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$", max_length=100),
        Wanted("a name of lower-case letters, digits and '_'"),
    ]
    layer: LayerOption | None = None

    @property
    def gives(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({f"weights {self.name}"} if self.layer is not None else ())

    def lower_into(self, flow: Flow, name: str) -> None:
        flow.weights(self.name, self.layer)


@dataclass(frozen=True, kw_only=True)
class Output(Layer):
    """Gives the value that passes as an output of the network that its task asks for by this name, and hands it on."""

    name: Name

    @property
    def gives(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({"output"})

    def lower_into(self, flow: Flow, name: str) -> None:
        flow.output(self.name)
