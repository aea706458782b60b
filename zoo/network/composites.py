"""Layers that hold layers. Each only says how they are wired; shapes, costs and modules follow from the graph."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, ClassVar, Literal

from zoo.annotations import Field, Wanted
from zoo.errors import ShapeError
from zoo.network.graph import Graph
from zoo.network.layer import Layer
from zoo.network.lowering import Composite, Flow
from zoo.network.operations import Join, JoinKind
from zoo.spec.schema import LayerOption


@dataclass(frozen=True, kw_only=True)
class Sequence(Composite):
    """Layers one after another; none at all hands the input on."""

    layers: list[LayerOption]

    def wire(self, flow: Flow, /) -> None:
        for index, layer in enumerate(self.layers):
            flow.run(str(index), layer)

    def inside(self) -> Iterable[Layer]:
        return self.layers


@dataclass(frozen=True, kw_only=True)
class Scope(Sequence):
    """Layers one after another; the names that they give mean nothing outside."""

    scope: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class Repeat(Composite):
    """The same layers several times, each time with weights of their own unless they are shared."""

    scope: ClassVar[bool] = True

    times: Annotated[int, Field(ge=0, le=10_000, description="How often the layers run; their number is `round`.")]
    layers: Annotated[list[LayerOption], Field(min_length=1)]
    shared: Annotated[
        bool | Literal["but_norms"],
        Wanted('true, false, or "but_norms": each round has norms of its own'),
        Field(description='Every round uses the same weights; "but_norms": all but those of its norms.'),
    ] = False

    @cached_property
    def _round(self) -> Sequence:
        return Sequence(layers=self.layers)

    def wire(self, flow: Flow, /) -> None:
        if not self.times:
            return
        before, start = flow.again, flow.shape
        flow.part(self._round, "0")
        if self.shared and flow.shape != start:
            raise ShapeError(f"shared weights need layers that keep the shape; these turn {start} into {flow.shape}")
        flow.again = before or self.shared == "but_norms"
        for round in range(1, self.times):
            flow.part(self._round, str(round), again="0" if self.shared is True else "")
        if self.shared == "but_norms":
            flow.graph.own = tuple(_norms(flow.graph.steps[0].part))
        flow.again = before

    def inside(self) -> Iterable[Layer]:
        return self.layers


@dataclass(frozen=True, kw_only=True)
class Branches(Composite):
    """Parallel paths over one input, each a layer or a list of them, joined into one value.

    Of paths that are added, multiplied or subtracted, a side of 1 is taken as often as the other path has values.
    """

    branches: Annotated[list[LayerOption], Field(min_length=1)]
    join: JoinKind = "add"
    axis: Annotated[int, Field(ge=-3, le=2, description="Of a concatenation: 0 are the channels.")] = 0

    def wire(self, flow: Flow, /) -> None:
        names = [str(index) for index in range(len(self.branches))]
        values = flow.each(list(zip(names, self.branches, strict=True)))
        flow.join(Join(kind=self.join, axis=self.axis), values, [f"branch {name}" for name in names])

    def inside(self) -> Iterable[Layer]:
        return self.branches


@dataclass(frozen=True, kw_only=True)
class Residual(Composite):
    """Layers whose output is added to their input, or to what the shortcut makes of it."""

    layers: list[LayerOption]
    shortcut: list[LayerOption] = field(default_factory=list)

    @cached_property
    def _paths(self) -> list[tuple[str, Layer]]:
        paths: list[tuple[str, Layer]] = [("layers", Sequence(layers=self.layers))]
        return [*paths, ("shortcut", Sequence(layers=self.shortcut))] if self.shortcut else paths

    def wire(self, flow: Flow, /) -> None:
        start = flow.value
        values = flow.each(self._paths)
        values += [start] * (2 - len(values))
        layers, shortcut = map(flow.graph.shape_of, values)
        if layers != shortcut:
            raise ShapeError(
                f"residual: layers give {layers}, shortcut gives {shortcut}; "
                "add a projection to the shortcut or match the shapes"
            )
        flow.join(_ADD, values, ("layers", "shortcut"))

    def inside(self) -> Iterable[Layer]:
        return (*self.layers, *self.shortcut)


_ADD = Join(kind="add")


def _norms(graph: Graph | None, path: str = "") -> Iterable[str]:
    """Yield the names of the modules of norms in a graph."""
    for step in graph.steps if graph else ():
        if step.layer.normalizes:
            yield f"{path}{step.name}"
        else:
            yield from _norms(step.part, f"{path}{step.name}." if step.name else path)
