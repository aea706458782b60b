"""From resolved components to Python objects: targets are imported, options bound, networks put together."""

from __future__ import annotations

import json
import marshal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar

from zoo.budget import Figures, Verdict
from zoo.errors import Problem, ShapeError, SpecError, ZooError
from zoo.network.composites import Scope, Sequence
from zoo.network.from_module import FromModule
from zoo.network.graph import Graph
from zoo.network.layer import Condition, Layer, Shape
from zoo.network.lowering import Composite, Figured, Flow, names_of, share_figures
from zoo.promises import keeping, kept
from zoo.registry import LAYER_FAMILY, Registry
from zoo.spec.forms import Scope as Names
from zoo.spec.forms import settled
from zoo.spec.resolve import Resolver
from zoo.spec.schema import SCALARS, ComponentSpec, copied

_encode = json.JSONEncoder(default=lambda other: {"": id(other)}).encode
MOST_LAYERS = 20_000  # that are kept


class Builder:
    """Builds what a spec names, from one registry.

    A layer is made once for what it is made of, and kept for the builder's life, with what is known of its costs.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.resolver = Resolver(registry)
        self._output: Shape = ()  # of the network that is being put together
        self._scope: Names = {}  # what names stand for around the layer that is being bound
        self._named: tuple[Any, ...] = ()  # the same, as a key
        # By contents or identity; what has an identity is kept beside the layer, so that no other takes its place.
        self._layers: dict[Any, tuple[Any, Layer]] = {}
        self._figures: dict[Any, Figured] = {}

    def bind(self, spec: ComponentSpec) -> Any:
        """Return the component with its options: a layer; a callable that waits for what the core supplies; or the
        instance or result, when the core supplies nothing.
        """
        if spec.component.kind in LAYER_FAMILY:
            return self._once(("component", id(spec)), spec, lambda: self._bind(spec))
        return self._bind(spec)

    def _bind(self, spec: ComponentSpec) -> Any:
        known = self.resolver.options(spec.component)
        target, supplied = known.target, len(known.supplied)
        if spec.pending:
            settle = partial(self._settled, spec, self._scope)
            waiting = Expanded(self, settle, 2, self._output)
            waiting.normalizes = getattr(target, "normalizes", False)  # type: ignore[misc]
            return _placed(waiting, spec)
        options = {
            name: value if type(value) in SCALARS else self._bound(value) for name, value in spec.options.items()
        }
        if spec.component.kind in LAYER_FAMILY:
            if isinstance(target, type) and issubclass(target, Layer):
                layer = _placed(self._made(target, options, spec), spec)
                values = options.values()
                if all(type(one) in SCALARS for one in values):
                    # Layers of the same plain options cost the same wherever they stand.
                    key = (id(spec.component), *[(type(one), one) for one in values])
                    share_figures(layer, self._figures.setdefault(key, {}))
                return layer
            return _placed(Expanded(self, _calling(target, options), supplied, self._output), spec)
        if supplied:
            return keeping(spec.component, _calling(target, options))
        return kept(spec.component, self._made(target, options, spec))

    def verdict(self, limit: ComponentSpec, figures: Figures) -> Verdict:
        """Return what a limit says of figures. Raises SpecError when its bound is none."""
        try:
            verdict: Verdict = self.bind(limit)(figures)
        except ValueError as error:
            raise SpecError([Problem(limit.at, limit.name, str(error))]) from error
        return verdict

    def layer(self, item: Any) -> Layer:
        """Return `item` as a layer: a Layer, a component (as a record or as a spec writes it), or a list of them."""
        if isinstance(item, Layer):
            return item
        if isinstance(item, ComponentSpec):
            bound: Layer = self.bind(item)
            return bound
        if isinstance(item, (list, tuple)):
            # What stands there several times is looked at once.
            made: dict[int, Layer] = {}
            for one in item:
                if id(one) not in made:
                    made[id(one)] = self.layer(one)
            layers = [made[id(one)] for one in item]
            return self._once(("sequence", *map(id, layers)), layers, lambda: Sequence(layers=layers))
        if isinstance(item, (str, dict, Mapping)):
            return self._once(
                ("written", _key(item)), item, lambda: self.bind(self.resolver.component_from(LAYER_FAMILY, item))
            )
        raise ShapeError(f"an architecture returned {item!r}; wanted layers, or a torch module")

    def network(
        self,
        architecture: ComponentSpec,
        input: Shape,
        output: Shape,
        conditions: tuple[Condition, ...] = (),
        heads: tuple[tuple[str, Shape], ...] = (),
    ) -> Composite:
        """Return an architecture's network between two shapes (without batch), ready to be counted or built.

        heads: named outputs that it may give in place of `output`. Raises ShapeError when it cannot take `input`, does
        not use `conditions`, or does not give what is wanted.
        """
        if len(self._layers) > MOST_LAYERS:
            self._layers.clear()
            self._figures.clear()
        with self.toward(output):
            layer: Expanded = self._bind(architecture)  # one for itself, since it is told its conditions
        layer.conditions = conditions
        try:
            _require_outputs(layer.graph(input), input, output, heads)
        except ShapeError as error:
            raise error.placed(architecture.at) from None
        return layer

    def _settled(self, spec: ComponentSpec, scope: Names, input: Shape, output: Shape) -> Layer:
        """Return the layer that `spec` is for a shape that reaches it; `scope` is what names around it stand for."""
        found: list[Layer] = []
        try:
            for one, inside in settled(self.resolver, spec, scope, input, output):
                alone = isinstance(one, ComponentSpec) or (len(one) == 1 and spec.name == "for")
                with self.toward(output, inside):
                    layer = self.layer(one if isinstance(one, ComponentSpec) else one[0] if alone else list(one))
                found.append(Scope(layers=[layer]) if spec.name == "for" and names_of(layer) else layer)
        except SpecError as error:
            first, *others = (
                ShapeError(f"{one.path}: {one.found}" + (f"; wanted {one.wanted}" if one.wanted else ""), at=one.at)
                for one in error.problems
            )
            raise first.beside(others) from None
        return self.layer(found) if spec.name == "for" else found[0]

    @contextmanager
    def toward(self, output: Shape, scope: Names | None = None) -> Iterator[None]:
        """Let what is bound meanwhile be part of a network with this output; `scope` is what names stand for there."""
        before = self._output, self._scope, self._named
        self._output, self._scope = output, scope or {}
        self._named = tuple((name, _key(one.data())) for name, one in self._scope.items())
        try:
            yield
        finally:
            self._output, self._scope, self._named = before

    def _once(self, key: Any, made_of: Any, make: Callable[[], Layer]) -> Layer:
        key = (self._output, self._named, key)
        known = self._layers.get(key)
        if known is None:
            known = self._layers[key] = (made_of, make())
        return known[1]

    def _bound(self, value: Any) -> Any:
        if type(value) in SCALARS:
            return value
        if isinstance(value, ComponentSpec):
            return self.bind(value)
        if isinstance(value, tuple):
            return tuple(self._bound(one) for one in value)
        if isinstance(value, dict):
            return {key: self._bound(one) for key, one in value.items()}
        return value

    def _made(self, target: Callable[..., Any], options: dict[str, Any], spec: ComponentSpec) -> Any:
        try:
            return _calling(target, options)()
        except ZooError:
            raise
        except (ValueError, TypeError) as error:
            raise SpecError([Problem(spec.at, spec.name, str(error))]) from error


class Expanded(Composite):
    """A layer written as a function, or as a torch module's class: called once for each shape that reaches it.

    It is called with the first `supplied` of: that shape, the output of the whole network that it stands in, and the
    conditions of the network that it is.
    """

    scope: ClassVar[bool] = True

    def __init__(self, builder: Builder, call: Callable[..., Any], supplied: int, output: Shape) -> None:
        self._builder = builder
        self._call = call
        self._supplied = supplied
        self._output = output
        self._inner: dict[Shape, Layer] = {}

    def wire(self, flow: Flow, /) -> None:
        inner = self.inner(flow.shape)
        if isinstance(inner, Composite):
            inner.wire(flow)
        else:
            flow.lower(inner, "")

    def inside(self) -> Iterable[Layer]:
        return self._inner.values()

    def inner(self, input: Shape, /) -> Layer:
        """Return the layers that stand behind this one for `input`."""
        if input not in self._inner:
            result = self._made_on_meta(input)
            torch = sys.modules.get("torch")
            if torch is not None and isinstance(result, torch.nn.Module):
                conditions = self.conditions if self._supplied > 2 else ()
                self._inner[input] = FromModule(partial(self._make, input), conditions=conditions, look=result)
            else:
                try:
                    with self._builder.toward(self._output):
                        self._inner[input] = self._builder.layer(result)
                except SpecError as error:
                    told = (f"{one.path}: {one.found}; wanted {one.wanted}" for one in error.problems)
                    raise ShapeError("it asks for a layer that cannot be: " + "; ".join(told)) from error
        return self._inner[input]

    def _make(self, input: Shape) -> Any:
        try:
            return self._call(*(input, self._output, self.conditions)[: self._supplied])
        except ValueError as error:
            raise ShapeError(str(error)) from error

    def _made_on_meta(self, input: Shape) -> Any:
        """Call for looking only: a module is made without memory for its weights."""
        torch = sys.modules.get("torch")
        if torch is None:
            return self._make(input)
        with torch.device("meta"):
            return self._make(input)


def _calling(target: Callable[..., Any], options: Mapping[str, Any]) -> Callable[..., Any]:
    """Return what calls `target` with its options, with lists of its own each time: whoever appends to one changes
    neither the spec nor the next call.
    """
    if all(type(one) in SCALARS for one in options.values()):
        return partial(target, **options)
    return lambda *given: target(*given, **{name: copied(one) for name, one in options.items()})


def _require_outputs(graph: Graph, input: Shape, output: Shape, heads: tuple[tuple[str, Shape], ...]) -> None:
    """Raise ShapeError unless a network gives what its task wants, in one value or under the names of heads."""
    if not graph.output_names:
        if graph.output != tuple(output):
            raise ShapeError(f"the network turns {tuple(input)} into {graph.output}; this task wants {tuple(output)}")
        return
    wanted = dict(heads)
    told = " and ".join(f"{name} {shape}" for name, shape in heads) or f"one output of {tuple(output)} without a name"
    given = dict(zip(graph.output_names, map(graph.shape_of, graph.outputs[1:]), strict=True))
    if given != wanted:
        shown = " and ".join(f"{name} {shape}" for name, shape in given.items())
        raise ShapeError(f"the network gives the outputs {shown}; this task wants {told}")
    graph.outputs = tuple(graph.outputs[1 + graph.output_names.index(name)] for name in wanted)
    graph.output_names = tuple(wanted)


def _key(written: Any) -> str | bytes:
    """Return a key of what an architecture wrote: equal for what is written alike, with the same objects in it."""
    try:
        return marshal.dumps(written, 2)  # in the version that knows no references, which would tell equal texts apart
    except ValueError:
        return _encode(written)  # there are objects in it


def _placed(layer: Layer, spec: ComponentSpec) -> Layer:
    object.__setattr__(layer, "label", spec.label or spec.name)
    object.__setattr__(layer, "block", bool(spec.label))
    object.__setattr__(layer, "at", spec.at if spec.at and spec.at.file != "<default>" else None)
    return layer
