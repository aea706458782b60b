"""A network as plain data: steps, the values that each reads, and the layer and the place in the spec behind it.

A part of a network (a residual, a block, a named architecture) is a graph of its own, stored once however often it
stands there. Every question about a network is a pass over its graph.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from zoo.network.layer import Cost, Layer, Shape


class Value(NamedTuple):
    """What comes into a graph: its shape without batch, and its name where the spec gives it one."""

    name: str
    shape: Shape


class Step(NamedTuple):
    """One operation: a layer on values, or a part. Step i of a graph gives its value i; ~j is what comes in as j.

    `name` is that of its module within the graph's, "" where it has none of its own. `cost` is that of this use alone,
    without the weights of an earlier step if it uses those: `again` is that step's name; what a part holds while it
    runs is not in it, since that depends on what outlives it.
    """

    layer: Layer
    inputs: tuple[int, ...]
    output: Shape
    cost: Cost
    name: str = ""
    part: Graph | None = None
    again: str = ""
    size: int = 0  # of what it gives
    read: int = 0  # values in all that it reads

    @property
    def alias(self) -> int | None:
        """Which of its inputs shares its storage with what it gives, as of a reshape."""
        return self.part.alias if self.part is not None else 0 if self.cost.alias else None


_NONE: Mapping[Any, Any] = MappingProxyType({})


class Graph:
    """Steps in the order in which they run. The first of `inputs` is the value that runs through the layers, the
    others are named values from around it; the first of `outputs` is what it gives, the others stand under
    `output_names`.

    `weights`: the named weights of graphs around it that it uses, with the layers and the inputs that they were made
    for. `own`: of rounds that share their weights but norms, the names of these norms in a round.
    """

    output_names: tuple[str, ...] = ()
    names: Mapping[int, str] = _NONE  # of the values that the spec names
    weights: Mapping[str, tuple[Layer, Shape]] = _NONE
    own: tuple[str, ...] | None = None
    asked: Sequence[tuple[Layer, Shape]] = ()  # layers with a check of their own, and their inputs
    linked: bool = False  # whether each step takes what the one before it gives alone, the first what comes in

    def __init__(self, inputs: list[Value], steps: Sequence[Step] = (), outputs: tuple[int, ...] = (~0,)) -> None:
        self.inputs = inputs
        self.steps = list(steps)
        self.outputs = outputs
        self._peaks: dict[tuple[tuple[int, ...], tuple[bool, ...]], int] = {}

    def shape_of(self, value: int) -> Shape:
        """Return the shape of a value."""
        return self.inputs[~value].shape if value < 0 else self.steps[value].output

    @property
    def output(self) -> Shape:
        return self.shape_of(self.outputs[0])

    @cached_property
    def alias(self) -> int | None:
        """Which input's storage the output is; None where it has one of its own."""
        value = self.outputs[0]
        while value >= 0:
            place = self.steps[value].alias
            if place is None:
                return None
            value = self.steps[value].inputs[place]
        return ~value

    @property
    def is_chain(self) -> bool:
        """Whether it is one step after another, the last of which it gives."""
        return self.linked and self.outputs == (len(self.steps) - 1,)

    @cached_property
    def counts(self) -> Cost:
        """What the steps cost together, without the values that they hold."""
        parameters = buffers = tensors = macs = 0
        for step in self.steps:
            cost = step.cost
            parameters += cost.parameters
            buffers += cost.buffers
            tensors += cost.tensors
            macs += cost.macs
        return Cost(parameters, buffers, tensors, macs)

    @cached_property
    def cost(self) -> Cost:
        """What the whole costs; `peak` where all that comes in may be freed, `held_peak` where nothing of it may."""
        held = self.peak(tuple(range(len(self.inputs))), (True,) * len(self.inputs))
        return self.counts._replace(peak=self.alone, held_peak=held, alias=self.alias == 0)

    @cached_property
    def alone(self) -> int:
        """The most values held at one time where nothing else needs what comes in."""
        return self.peak(tuple(range(len(self.inputs))), (False,) * len(self.inputs))

    def peak(self, storages: tuple[int, ...], held: tuple[bool, ...]) -> int:
        """Return the most values that are held at one time, each tensor freed after its last use.

        `storages`: which storage each input lies in, by numbers from 0 up; `held`: which inputs outlive the graph.
        """
        known = self._peaks.get((storages, held))
        if known is None:
            find = self._chain_peak if self.is_chain else self._peak
            known = self._peaks[storages, held] = find(storages, held)
        return known

    def _chain_peak(self, inputs: tuple[int, ...], held: tuple[bool, ...]) -> int:
        """Return the peak of a chain: of what it gives, one value is held at a time."""
        beside = 0  # the input, where it outlives the chain and is no longer what the step reads
        live = peak = size(self.inputs[0].shape)
        outlives = held[0]
        for step in self.steps:
            if step.part is not None:
                beyond = step.part.peak((0,), (outlives,)) - step.read
            else:
                beyond = (step.cost.held_peak if outlives else step.cost.peak) - step.read
            if beside + live + beyond > peak:
                peak = beside + live + beyond
            if step.alias is None:
                beside, outlives = beside + live if outlives else beside, False
                live = step.size
        return peak

    def _peak(self, inputs: tuple[int, ...], held: tuple[bool, ...]) -> int:
        own, end = max(inputs) + 1, len(self.steps)
        sizes = [0] * own
        for one, storage in zip(self.inputs, inputs, strict=True):
            sizes[storage] = max(sizes[storage], size(one.shape))
        live = peak = sum(sizes)
        last = [0] * own  # the step that uses each storage last
        given: list[int] = []  # the storage of what each step gives
        reads: list[list[int]] = []
        for index, step in enumerate(self.steps):
            used = [inputs[~value] if value < 0 else given[value] for value in step.inputs]
            reads.append(used)
            for storage in used:
                last[storage] = index
            place = step.alias
            if place is None:
                given.append(len(sizes))
                sizes.append(step.size)
                last.append(index)
            else:
                given.append(used[place])
        for value in self.outputs:
            last[inputs[~value] if value < 0 else given[value]] = end
        for storage, outlives in zip(inputs, held, strict=True):
            if outlives:
                last[storage] = end
        for index, step in enumerate(self.steps):
            used = reads[index]
            if step.part is not None:
                beyond = self._beyond(step, used, tuple([last[storage] > index for storage in used]))
            else:
                outlives = last[used[0]] > index or any(last[storage] > index for storage in used)
                beyond = (step.cost.held_peak if outlives else step.cost.peak) - step.read
            if live + beyond > peak:
                peak = live + beyond
            storage = given[index]
            if storage not in used and last[storage] > index:
                live += sizes[storage]
            for storage in {*used, *range(own)} if index == 0 else used if len(used) == 1 else set(used):
                if last[storage] == index:
                    live -= sizes[storage]
        return peak

    def _beyond(self, step: Step, used: list[int], outlives: tuple[bool, ...]) -> int:
        """Return how many values a part holds at its peak beyond those that it reads."""
        assert step.part is not None
        if len(used) == 1:
            return step.part.peak((0,), outlives) - step.read
        numbers = {storage: number for number, storage in enumerate(dict.fromkeys(used))}
        read = dict.fromkeys(numbers, 0)
        for storage, value in zip(used, step.inputs, strict=True):
            read[storage] = max(read[storage], size(self.shape_of(value)))
        return step.part.peak(tuple([numbers[storage] for storage in used]), outlives) - sum(read.values())


def size(shape: Shape) -> int:
    """Return how many values of a shape are held; a single number, as a label, is not counted."""
    return math.prod(shape) if shape else 0


class Operation(NamedTuple):
    """A step that is no part, as it stands in the whole network: `path` leads to its module, `trail` through the parts
    around it from the outermost in. Its values are numbers that no other operation has; those that come into the
    network are negative. It stands for `times` that are alike.
    """

    path: str
    layer: Layer
    inputs: tuple[int, ...]
    value: int
    shapes: tuple[Shape, ...]
    output: Shape
    cost: Cost
    trail: tuple[Step, ...] = ()
    times: int = 1
    again: bool = False  # with the weights of an earlier one


def operations(graph: Graph, *, every: bool = True) -> tuple[list[Operation], tuple[int, ...]]:
    """Return a network's operations in the order in which they run, and the numbers of the values that it gives.

    Unless `every` one is wanted, of many alike steps in a row the first two stand for all.
    """
    found: list[Operation] = []

    def flatten(
        graph: Graph, inputs: Sequence[int], path: str, trail: tuple[Step, ...], times: int, again: bool
    ) -> tuple[int, ...]:
        values = {~index: value for index, value in enumerate(inputs)}
        for first, steps in alike(graph) if not every else ((index, [one]) for index, one in enumerate(graph.steps)):
            counts = [1] * len(steps) if len(steps) < 3 else [1, len(steps) - 1]
            for offset, (step, count) in enumerate(zip(steps, counts, strict=False)):
                read, alike_times = tuple([values[value] for value in step.inputs]), times * count
                name, reused = f"{path}{step.name}" if step.name else path.removesuffix("."), again or bool(step.again)
                if step.part is None:
                    shapes, value = tuple(map(graph.shape_of, step.inputs)), len(found)
                    about = (name, step.layer, read, value, shapes, step.output, step.cost, trail, alike_times, reused)
                    found.append(Operation(*about))
                else:
                    inner = f"{name}." if step.name else path
                    (value,) = flatten(step.part, read, inner, (*trail, step), alike_times, reused)
                values.update(dict.fromkeys(range(first + offset, first + len(steps)), value))
        return tuple(values[value] for value in graph.outputs)

    return found, flatten(graph, [~index for index in range(len(graph.inputs))], "", (), 1, False)


def alike(graph: Graph) -> Iterator[tuple[int, list[Step]]]:
    """Yield the steps that follow each other and are alike, with the number of the first of them."""
    steps, start = graph.steps, 0
    for index in range(1, len(steps) + 1):
        if index < len(steps):
            one, other = steps[index - 1], steps[index]
            same = one.layer is other.layer and one.part is other.part and other.inputs == (index - 1,)
            if same and graph.shape_of(one.inputs[0]) == one.output:
                continue
        if steps:
            yield start, steps[start:index]
        start = index
