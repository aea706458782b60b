"""From layers to a graph: each layer adds its steps to a flow, which knows the value that passes, and all names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from zoo.errors import Position, ShapeError, closest, listing
from zoo.network.graph import Graph, Operation, Step, Value, operations, size
from zoo.network.layer import MOST_VALUES, Condition, Cost, Layer, Shape, elements
from zoo.network.operations import CALLS, Join, Operator

if TYPE_CHECKING:
    from torch import nn

MOST_STEPS = 50_000  # of one network, those of parts that are alike counted once


Figured = dict[tuple[Shape, ...], tuple[Shape, Cost, int, int]]  # by the shapes of what an operation reads


class Composite(Layer):
    """Base of the layers that hold layers: it only says how they are wired; all else follows from the graph."""

    #: Whether names that are given inside mean nothing outside, as those of a block.
    scope: ClassVar[bool] = False
    #: What it is called with beside its input, where it is a whole network.
    conditions: tuple[Condition, ...] = ()

    def wire(self, flow: Flow, /) -> None:
        """Add what is inside to a graph."""
        raise NotImplementedError

    def inside(self) -> Iterable[Layer]:
        """Return the layers inside."""
        return ()

    def lower_into(self, flow: Flow, name: str) -> None:
        if names_of(self):
            flow.inline(self, name)
        else:
            flow.part(self, name)

    def shape(self, input: Shape, /) -> Shape:
        return self.graph(input).output

    def cost(self, input: Shape, /) -> Cost:
        return self.graph(input).cost

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        found: dict[str, Shape] = {}
        for one in operations(self.graph(input))[0]:
            if one.cost.parameters and not one.again:
                found |= _tensors(one)
        return found

    def module(self, input: Shape, /) -> nn.Module:
        from zoo.network.modules import build

        return build(self.graph(input))

    def graph(self, input: Shape, /) -> Graph:
        """Return the graph of the layer by itself, found once for an input.

        Raises ShapeError where a layer inside cannot take what reaches it, a name has no value, or a condition is not
        used.
        """
        known: dict[Shape, Graph] = self.__dict__.setdefault("_known_graphs", {})
        input = tuple(input)
        if input not in known:
            flow = Flow([Value("input", input), *(Value(one.name, ()) for one in self.conditions)], layer=self)
            if self.asks:
                flow.ask(self)
            self.wire(flow)
            unread = [one.name for one in self.conditions if one.name in flow.unread]
            if unread:
                told, own = " and ".join(unread), self.label == "layers"
                wanted = f"`from: {unread[0]}` among them" if own else "an architecture that takes conditions"
                raise ShapeError(
                    f"this task calls the network with {told} beside its input, which {self.label} does not take; "
                    f"wanted {wanted}"
                )
            known[input] = flow.finish()
        return known[input]


class Flow:
    """A graph as it grows, and the value that the next layer takes.

    With `again`, all weights but those of norms are those of an earlier round.
    """

    def __init__(self, inputs: list[Value], *, layer: Layer, parent: Flow | None = None, again: bool = False) -> None:
        self.graph = Graph(inputs)
        self._value, self._shape = ~0, inputs[0].shape  # of the value that the next layer takes
        self.parent = parent
        self.again = again
        self._layer = layer
        self._prefix = ""
        self._values = {one.name: ~index for index, one in enumerate(inputs) if one.name}
        self.unread: dict[str, Position | None] = dict.fromkeys(self._values)  # names that no layer has used
        self._given: set[str] = set()  # names that layers of this flow gave
        self._weights: dict[str, Layer] = {}
        self._asked: list[tuple[Layer, Shape]] = []
        self._linked = True  # so far each step took what the one before it gave
        self._room: list[int] = [MOST_STEPS] if parent is None else parent._room

    @property
    def value(self) -> int:
        """The value that the next layer takes."""
        return self._value

    @value.setter
    def value(self, value: int) -> None:
        self._value, self._shape = value, self.graph.shape_of(value)

    @property
    def shape(self) -> Shape:
        """Its shape."""
        return self._shape

    def run(self, name: str, layer: Layer) -> None:
        """Add a layer to the value that runs through; what is wrong in it is told from there."""
        try:
            if layer.asks:
                self.ask(layer)
            layer.lower_into(self, name)
        except ShapeError as error:
            raise error.inside(name, layer.at, layer.label if layer.block else "") from None

    def lower(self, layer: Layer, name: str) -> None:
        """Add a layer to the value that runs through, whatever it becomes."""
        if layer.asks:
            self.ask(layer)
        layer.lower_into(self, name)

    def ask(self, layer: Layer) -> None:
        """Note a layer that has something to say of its training: it may become other operations."""
        self._asked.append((layer, self._shape))

    def operation(self, layer: Layer, name: str, inputs: Sequence[int] | None = None) -> None:
        """Add a layer that is one operation, on the value that runs through unless others are named."""
        read: tuple[int, ...] = (self._value,)
        shapes: tuple[Shape, ...] = (self._shape,)
        if inputs is not None:
            read, shapes = tuple(inputs), tuple(map(self.graph.shape_of, inputs))
        output, cost, given, taken = figures(layer, shapes)
        again = ""
        if self.again and not layer.normalizes and cost.tensors:
            cost, again = _weightless(cost), "*"
        name = "" if isinstance(layer, Operator) else self._prefix + name
        self._add(Step(layer, read, output, cost, name, None, again, given, taken))

    def part(self, layer: Composite, name: str, again: str = "") -> None:
        """Add a layer that holds layers as a graph of its own. `again`: the step whose weights it uses."""
        shape = self._shape
        known: dict[Any, list[Graph]] = layer.__dict__.setdefault("_known_parts", {})
        found = known.setdefault((shape, self.again), [])
        for part in found:
            inputs = self._around(part)
            if inputs is not None:
                break
        else:
            flow = Flow([Value("", shape)], layer=layer, parent=self, again=self.again)
            layer.wire(flow)
            part = flow.finish()
            found.append(part)
            inputs = self._around(part)
            assert inputs is not None
        cost = _weightless(part.counts) if again else part.counts
        output = part.output
        step = Step(layer, inputs, output, cost, self._prefix + name, part, again, size(output), size(shape))
        self._add(step)

    def inline(self, layer: Composite, name: str) -> None:
        """Add what a layer holds to this very graph, so that the names which it gives hold here."""
        before, self._prefix = self._prefix, f"{self._prefix}{name}."
        layer.wire(self)
        self._prefix = before

    def join(self, join: Join, values: Sequence[int], told: Sequence[str]) -> None:
        """Join values, two at a time unless it is a concatenation; `told` says what each is, for errors."""
        shapes = [self.graph.shape_of(value) for value in values]
        join.require(shapes, told)
        first, *rest = values
        if join.kind == "concat" and rest:
            self.operation(join, "", values)
            return
        self.value = first
        for value in rest:
            self.operation(join, "", (self.value, value))

    def each(self, paths: Iterable[tuple[str, Layer]]) -> list[int]:
        """Add several layers to one value and return what they give; what is wrong in any is told at once."""
        start, values, errors = self.value, [], []
        for name, layer in paths:
            self.value = start
            try:
                self.run(name, layer)
            except ShapeError as error:
                errors.append(error)
            values.append(self.value)
        if errors:
            raise errors[0].beside(errors[1:])
        return values

    def name(self, name: str, at: Position | None) -> None:
        """Give the value that runs through a name."""
        own = () if self.parent else [one.name for one in self.graph.inputs]
        self._require_new(name, (*self._given, *own), "value")
        self._given.add(name)
        self._values[name] = self.value
        self.unread[name] = at
        self.graph.names = {self.value: name, **self.graph.names}  # the first name counts

    def read(self, name: str) -> int:
        """Return the value of a name, of this graph or from around it. Raises ShapeError when there is none."""
        found = self._find(name)
        if found is None:
            raise ShapeError(self._unknown(name, "value", [one for flow in self._outward() for one in flow._values]))
        return found

    def output(self, name: str) -> None:
        """Let the network give the value that runs through under a name as well."""
        if self.parent is not None:
            raise ShapeError("output stands inside a block or a repeat; wanted it among the network's own layers")
        if name in self.graph.output_names:
            raise ShapeError(f"the output {name!r} is given twice; wanted another name")
        self.graph.outputs += (self.value,)
        self.graph.output_names += (name,)

    def weights(self, name: str, layer: Layer | None) -> None:
        """Add a layer whose weights bear a name, or, without one, that which bore the name with the same weights."""
        if layer is not None:
            self._require_new(name, (*self._weights, *CALLS), "layer or operation")
            self._named(layer, name)
            if self._first(name) is None:
                raise ShapeError(
                    f"{layer.label} is no layer whose weights could be called {name!r}; wanted one with a module"
                )
            self._weights[name] = layer
            return
        owner = self._owner(name)
        if owner is None:
            raise ShapeError(self._unknown(name, "layer", [one for flow in self._outward() for one in flow._weights]))
        layer = owner._weights[name]
        if owner is not self:
            self.graph.weights = {**self.graph.weights, name: owner._made(name)}
        self._named(layer, name)
        self._reuse(name, owner)

    def finish(self) -> Graph:
        """Return the graph, complete. Raises ShapeError when a name was never used."""
        graph = self.graph
        graph.outputs = (self.value, *graph.outputs[1:])
        graph.asked = self._asked
        graph.linked = self._linked
        errors = [
            ShapeError(f"the value {name!r} is named, but nothing uses it; wanted it used, or no name", at=at)
            for name, at in self.unread.items()
            if name in self._given
        ]
        if errors:
            raise errors[0].beside(errors[1:])
        return graph

    def _add(self, step: Step) -> None:
        self._room[0] -= 1
        if self._room[0] < 0:
            raise ShapeError(f"the network has more than {MOST_STEPS:,} operations; wanted fewer rounds")
        count = len(self.graph.steps)
        self._linked = self._linked and step.inputs == (count - 1,)
        self._value, self._shape = count, step.output
        self.graph.steps.append(step)

    def _around(self, part: Graph) -> tuple[int, ...] | None:
        """Return the values that a part takes where it stands now; None when the names here mean something else."""
        if len(part.inputs) == 1 and not part.weights:
            return (self.value,)
        if any(self._shape_of(one.name) != one.shape for one in part.inputs[1:]):
            return None
        for name, made in part.weights.items():
            owner = self._owner(name)
            if owner is None or owner._made(name) != made:
                return None
            if owner is not self:
                self.graph.weights = {**self.graph.weights, name: made}
        return (self.value, *[self.read(one.name) for one in part.inputs[1:]])

    def _outward(self) -> Iterator[Flow]:
        """Yield this flow, then those around it."""
        flow: Flow | None = self
        while flow is not None:
            yield flow
            flow = flow.parent

    def _shape_of(self, name: str) -> Shape | None:
        """Return the shape of a named value, without taking it into this graph."""
        return next((flow.graph.shape_of(flow._values[name]) for flow in self._outward() if name in flow._values), None)

    def _find(self, name: str) -> int | None:
        if name not in self._values:
            if self.parent is None:
                return None
            outer = self.parent._find(name)
            if outer is None:
                return None
            self._values[name] = ~len(self.graph.inputs)
            self.graph.inputs.append(Value(name, self.parent.graph.shape_of(outer)))
        self.unread.pop(name, None)
        return self._values[name]

    def _owner(self, name: str) -> Flow | None:
        """Return the flow in which weights got a name, this one or one around it."""
        return next((flow for flow in self._outward() if name in flow._weights), None)

    def _named(self, layer: Layer, name: str) -> None:
        """Add a layer whose module goes by a name of its own; the names inside it stay there."""
        before, self._prefix = self._prefix, ""
        try:
            if layer.asks:
                self.ask(layer)
            if isinstance(layer, Composite):
                self.part(layer, name)
            else:
                layer.lower_into(self, name)
        except ShapeError as error:
            raise error.inside(name, layer.at, layer.label if layer.block else "") from None
        self._prefix = before

    def _first(self, name: str) -> Step | None:
        """Return the step whose weights got that name here."""
        return next((step for step in self.graph.steps if step.name == name and step.again != name), None)

    def _made(self, name: str) -> tuple[Layer, Shape]:
        """Return the layer whose weights got that name here, and the shape that they were made for."""
        first = self._first(name)
        assert first is not None
        return self._weights[name], self.graph.shape_of(first.inputs[0])

    def _reuse(self, name: str, owner: Flow) -> None:
        """Let the last step use the weights of that name."""
        step, first = self.graph.steps[-1], owner._first(name)
        assert first is not None
        made, wanted = _told(owner.graph, first), _told(self.graph, step)
        if made != wanted:
            shape, before = self.graph.shape_of(step.inputs[0]), owner._made(name)[1]
            odd = next(key for key in {**made, **wanted} if made.get(key) != wanted.get(key))
            told = f"{odd} is {made.get(odd, 'none')} there and would be {wanted.get(odd, 'none')} here"
            raise ShapeError(f"the weights {name!r} were made for {before}, and do not fit {shape}: {told}")
        self.graph.steps[-1] = step._replace(cost=_weightless(step.cost), again=name)

    def _require_new(self, name: str, known: Iterable[str], what: str) -> None:
        if name in known:
            raise ShapeError(f"a {what} is already called {name!r}; wanted another name")

    def _unknown(self, name: str, what: str, known: list[str]) -> str:
        given = f"weights {name}" if what == "layer" else name
        if any(given in names_of(flow._layer, outermost=True) for flow in self._outward()):
            return f"the {what} {name!r} gets its name only later; wanted one that is named before"
        told = f"wanted one of {listing(known)}" if known else f"no {what} has a name here"
        near = closest(name, known)
        return f"no {what} is called {name!r}; {told}" + (f"; {near}" if near else "")


def figures(layer: Layer, shapes: tuple[Shape, ...]) -> tuple[Shape, Cost, int, int]:
    """Return an operation's output shape, its cost, and the sizes of what it gives and of all that it reads; found once
    for a layer and shapes.
    """
    known: Figured | None = layer.__dict__.get("_figured")
    if known is None:
        known = layer.__dict__["_figured"] = {}
    found = known.get(shapes)
    if found is None:
        output = tuple(layer.shape(*shapes))
        if elements(output) > MOST_VALUES:
            raise ShapeError(f"{layer.label} gives more than 2**63 values for one input")
        found = known[shapes] = output, layer.cost(*shapes), size(output), sum(map(size, shapes))
    return found


def share_figures(layer: Layer, known: Figured) -> None:
    """Let a layer know what was found for others that cost the same."""
    layer.__dict__["_figured"] = known


def _told(graph: Graph, step: Step) -> dict[str, Any]:
    """Return what the use of a step's weights elsewhere needs to be equal: their shapes, by name, and how they go."""
    inputs = [Value("", graph.shape_of(value)) for value in step.inputs]
    alone = step._replace(inputs=tuple(~index for index in range(len(inputs))), name="", again="")
    told: dict[str, Any] = {}
    for one in operations(Graph(inputs, [alone], (0,)))[0]:
        cost = figures(one.layer, one.shapes)[1]  # here or there an earlier round may have paid for the weights
        if cost.parameters:
            told |= _tensors(one)
        if cost.tensors:
            label = f"{one.path}.{one.layer.label}" if one.path else one.layer.label
            told[f"the number of values that {label} keeps"] = cost.buffers
            told[f"the number of groups of {label}"] = one.layer.groups_of(*one.shapes)
    return told


def _tensors(one: Operation) -> dict[str, Shape]:
    """Return the shapes of an operation's trainable tensors by their names in the network."""
    layer, prefix = one.layer, f"{one.path}." if one.path else ""
    if len(one.shapes) == 1 or type(layer).weights is not Layer.weights:
        found = layer.weights(*one.shapes)
    else:
        from zoo.network.measure import weights

        found = weights(lambda: layer.module(*one.shapes))
    return {f"{prefix}{name}": tuple(shape) for name, shape in found.items()}


def names_of(layer: Layer, *, outermost: bool = False) -> frozenset[str]:
    """Return the names that a layer gives to what is around it, or, of the outermost, to what is inside."""
    if not isinstance(layer, Composite) or (layer.scope and not outermost):
        return layer.gives
    known: frozenset[str] | None = layer.__dict__.get("_known_names")
    if known is None:
        known = layer.__dict__["_known_names"] = frozenset().union(*map(names_of, layer.inside()))
    return known


def _weightless(cost: Cost) -> Cost:
    return cost._replace(parameters=0, buffers=0, tensors=0)
