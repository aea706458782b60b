"""Waste in a network: what could go without a change in what it computes, and what would make it a smaller one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple

from zoo.checking import NetworkReport, Report
from zoo.errors import Position
from zoo.network.composites import Branches, Repeat, Residual
from zoo.network.from_module import FromModule
from zoo.network.graph import Graph, Operation, Step, alike, operations
from zoo.network.layer import Layer, Shape, elements
from zoo.network.lowering import figures
from zoo.network.operations import Join
from zoo.spec.schema import ComponentSpec, Spec

Place = Any  # what stands for where a layer was written
#: Rules whose fix leaves what the network computes; the others make it a smaller one.
SAME = {"bias_before_norm", "idle_layer", "unused_block", "unused_weights"}
LARGE = 0.25  # share of a network's parameters from which its head is large


@dataclass(frozen=True)
class Advice:
    """One thing that could be saved.

    `frees` is the exact number of parameters, over all `times` that the layer stands in the network, if `fix` is
    done; `layer` is the way to it from the network's top, the first of them where there are several. `same`: the
    network computes just what it did, given the weights that stay; else it is another one.
    """

    rule: str
    at: Position | None
    network: str
    layer: str
    found: str
    fix: str
    frees: int
    times: int = 1
    same: bool = True

    def __str__(self) -> str:
        place = f"{self.at}: " if self.at else ""
        where = ".".join(part for part in ("networks", self.network) if part) if self.network else "blocks"
        layer = f" layer {self.layer}:" if self.layer else ""
        times = f" ({self.times} times)" if self.times > 1 else ""
        frees = f"{self.frees:,} parameters" if self.frees else "no parameters"
        other = "" if self.same else ", and makes it another network"
        return f"{place}{where}:{layer} {self.found}{times}; {self.fix} frees {frees}{other}"


class _Found(NamedTuple):
    """What one rule says of an operation, or of a part; `times` where it is not of all that it stands for."""

    rule: str
    step: _Stands
    found: str
    fix: str
    frees: int
    times: int = 0


class _Stands(NamedTuple):
    """A layer as it stands in a network, for `times` alike; `again`: with weights that were counted before."""

    layer: Layer
    path: str
    place: Place
    times: int
    again: bool


class _Network:
    """The operations of a network, who reads what they give, and the parts that they stand in."""

    def __init__(self, report: NetworkReport, written: set[Position]) -> None:
        self.report = report
        self.written = written  # the places of layers that the spec lists
        self.graph = report.network.graph(report.input)
        self.operations, self.given = operations(self.graph, every=False)
        self.readers: dict[int, list[Operation]] = defaultdict(list)
        for operation in self.operations:
            for value in operation.inputs:
                self.readers[value].append(operation)
        # Layers whose weights bear a name by which they run in other places too.
        self.reused = {id(one.layer) for one in self.operations if one.again and not _later_round(one.trail)}

    @cached_property
    def parts(self) -> list[tuple[_Stands, Step]]:
        """The layers that hold layers."""
        return list(_parts(self.graph, "", (), 1, False))

    def stand(self) -> Iterator[_Stands]:
        """Yield all layers."""
        for operation in self.operations:
            yield _stands(operation)
        for stands, _ in self.parts:
            yield stands

    def only_reader(self, operation: Operation) -> Operation | None:
        """Return the one operation that takes what `operation` gives; None where there are others, or the task."""
        readers = self.readers[operation.value]
        return readers[0] if len(readers) == 1 and operation.value not in self.given else None

    def can_go(self, operation: Operation) -> bool:
        """Return whether an operation stands in a list, and is not all that there is of a branch."""
        if operation.layer.at not in self.written or len(operation.inputs) != 1:
            return False
        if operation.trail and isinstance(operation.trail[-1].layer, Branches):
            return False
        reader = self.only_reader(operation)
        alone = len(self.readers[operation.inputs[0]]) == 1
        return alone or reader is None or not isinstance(reader.layer, Join)


def lint(report: Report) -> list[Advice]:
    """Return what could be saved in the networks of a spec, what frees most first."""
    found: list[Advice] = list(_unused_blocks(report.spec))
    stand = Counter[Place]()  # how often what is written in one place stands in the networks
    holds = Counter[Any]()
    told: dict[Any, list[Advice]] = defaultdict(list)
    for role, one in report.networks.items():
        architecture = report.spec.networks[role].architecture
        network = _Network(one, set(_written(architecture)))
        for stands in network.stand():
            stand[stands.place] += stands.times
        for each in _told(network):
            times = each.times or each.step.times
            key = (each.rule, each.step.place, each.fix)
            holds[key] += times
            told[key].append(_advice(role, each, times, architecture.at))
    # What stands in a repeat or a block is told once, and only where the fix is right for all that it does.
    for key, advice in told.items():
        if holds[key] == stand[key[1]]:
            found += _together(advice)
    return sorted(found, key=lambda advice: -advice.frees)


def _advice(role: str, told: _Found, times: int, at: Position | None) -> Advice:
    rule, step, text, fix, frees, _ = told
    frees = 0 if step.again else times * frees  # weights that are used again were counted before
    return Advice(rule, step.layer.at or at, role, step.path, text, fix, frees, times, rule in SAME)


def _told(network: _Network) -> Iterator[_Found]:
    for operation in network.operations:
        yield from _idle(network, operation)
        yield from _unread(operation)
        yield from _bias(network, operation)
        for following in network.readers[operation.value]:
            yield from _again(network, operation, following)
    yield from _needless_shortcuts(network)
    yield from _flattened(network.operations)
    yield from _head(network)


def _stands(operation: Operation) -> _Stands:
    name = operation.path.rpartition(".")[2]
    place = _place(operation.layer, (*_ways(operation.trail), name))
    return _Stands(operation.layer, operation.path, place, operation.times, operation.again)


def _place(layer: Layer, way: tuple[str, ...]) -> Place:
    """Return what stands for the place that a layer was written in; plain data have no lines."""
    return layer.at if layer.at is not None and layer.at.line else way


def _ways(trail: tuple[Step, ...]) -> tuple[str, ...]:
    """Return the names of parts inside each other; rounds of a repeat are one place."""
    around = (None, *(step.layer for step in trail))
    return tuple(
        "round" if isinstance(outer, Repeat) else step.name for outer, step in zip(around, trail, strict=False)
    )


def _later_round(trail: tuple[Step, ...]) -> bool:
    """Return whether something stands in a round of shared weights after the first."""
    return any(name != "0" for name in _shared_rounds(trail))


def _shared_rounds(trail: tuple[Step, ...]) -> tuple[str, ...]:
    around = (None, *(step.layer for step in trail))
    pairs = zip(around, trail, strict=False)
    return tuple(step.name for outer, step in pairs if isinstance(outer, Repeat) and outer.shared)


def _round(operation: Operation) -> tuple[str, ...]:
    """Return the way to the innermost round of shared weights that an operation stands in."""
    ends = [
        index + 1
        for index, (outer, _) in enumerate(zip(operation.trail, operation.trail[1:], strict=False), 1)
        if isinstance(outer.layer, Repeat) and outer.layer.shared
    ]
    return tuple(step.name for step in operation.trail[: ends[-1]]) if ends else ()


def _parts(graph: Graph, path: str, trail: tuple[Step, ...], times: int, again: bool) -> Iterator[tuple[_Stands, Step]]:
    for _, steps in alike(graph):
        # As of operations, the second stands for all but the first.
        for step, count in zip(steps, (1, len(steps) - 1), strict=False):
            if step.part is not None:
                name, often, reused = f"{path}{step.name}", times * count, again or bool(step.again)
                inside = (*trail, step)
                yield _Stands(step.layer, name, _place(step.layer, _ways(inside)), often, reused), step
                yield from _parts(step.part, f"{name}." if step.name else path, inside, often, reused)


def _parameters(layer: Layer, *shapes: Shape) -> int:
    return figures(layer, shapes)[1].parameters


def _bias(network: _Network, step: Operation) -> Iterator[_Found]:
    following, layer = network.only_reader(step), step.layer
    if following is None or not following.layer.centers(step.output):
        return
    # A norm that rounds share keeps one mean for all of them, which takes away only what is the same in each.
    if _round(step) != _round(following) or id(following.layer) in network.reused:
        return
    if getattr(layer, "bias", False) is True and is_dataclass(layer):
        frees = _parameters(layer, *step.shapes) - _parameters(replace(layer, bias=False), *step.shapes)
        found = f"{layer.label} has a bias, which the {following.layer.label} after it takes away"
        yield _Found("bias_before_norm", _stands(step), found, "bias: false", frees, following.times)


def _again(network: _Network, step: Operation, following: Operation) -> Iterator[_Found]:
    if following.layer.idempotent and step.layer == following.layer and network.can_go(following):
        found = f"{following.layer.label} follows {step.layer.label}, which changes nothing"
        yield _Found("idle_layer", _stands(following), found, "leaving it out", following.cost.parameters)


def _idle(network: _Network, step: Operation) -> Iterator[_Found]:
    # Where a network asks for a norm or an activation, `none` and `identity` are how to say that there is none.
    if network.can_go(step) and step.layer.idle(step.shapes[0]):
        found = f"{step.layer.label} changes nothing here"
        yield _Found("idle_layer", _stands(step), found, "leaving it out", step.cost.parameters)


def _needless_shortcuts(network: _Network) -> Iterator[_Found]:
    for stands, step in network.parts:
        if isinstance(step.layer, Residual) and step.part and step.output == step.part.inputs[0].shape:
            frees = sum(one.cost.parameters for one in step.part.steps if one.name == "shortcut")
            if frees:
                found = "the shortcut has weights, but the shape stays as it is"
                yield _Found("needless_shortcut", stands, found, "leaving the shortcut out", frees)


def _flattened(found: list[Operation]) -> Iterator[_Found]:
    images: dict[int, Shape] = {}  # by value: what a flatten made it of, as long as nothing has changed it since
    for step in found:
        image = images.get(step.inputs[0], ())
        if len(step.shapes[0]) == 3 and step.output == (elements(step.shapes[0]),):
            image = step.shapes[0]
        elif image and hasattr(step.layer, "features") and elements(image) > image[0]:
            frees = _parameters(step.layer, *step.shapes) - _parameters(step.layer, (image[0],))
            text = f"{step.layer.label} takes every pixel of {image[1]}x{image[2]} apart"
            yield _Found("flattened_image", _stands(step), text, "global_average_pool in place of flatten", frees)
        if image and step.output == (elements(image),) and not step.cost.parameters and len(step.inputs) == 1:
            images[step.value] = image


def _head(network: _Network) -> Iterator[_Found]:
    report = network.report
    weighted = [operation for operation in network.operations if operation.cost.parameters]
    if len(weighted) < 2 or len(report.output) != 1:
        return
    head = weighted[-1]
    share = head.cost.parameters / report.cost.parameters
    features = head.shapes[0]
    if share < LARGE or len(features) != 1 or features[0] < 2:
        return
    frees = head.cost.parameters - _parameters(head.layer, (features[0] // 2,))
    found = f"the head, {head.layer.label}, takes {share:.0%} of the network's parameters"
    yield _Found("large_head", _stands(head), found, f"half of the {features[0]} features before it", frees)


def _unread(step: Operation) -> Iterator[_Found]:
    if not isinstance(step.layer, FromModule):
        return
    for name, parameters in step.layer.unread(step.shapes[0]).items():
        found = f"{name} is never used in a forward pass"
        yield _Found("unused_weights", _stands(step), found, "leaving it out", parameters)


def _unused_blocks(spec: Spec) -> Iterator[Advice]:
    blocks = spec.document.value.get("blocks")
    if blocks is None or not blocks.is_mapping:
        return
    parts = [
        part for one in spec.networks.values() for part in (one.architecture, one.init, one.optimizer, one.schedule)
    ]
    used = {name for part in parts for name in _labels(part)}
    for name, node in blocks.value.items():
        if name not in used:
            at = node.key_at or node.at
            yield Advice("unused_block", at, "", "", f"the block {name} is never used", "leaving it out", 0)


def _together(told: list[Advice]) -> Iterator[Advice]:
    """Yield the same advice once for each network, with how often it holds there."""
    for _, same in groupby(told, lambda advice: advice.network):
        each = list(same)
        yield replace(each[0], frees=sum(one.frees for one in each), times=sum(one.times for one in each))


def _components(value: Any) -> Iterator[tuple[ComponentSpec, bool]]:
    """Yield the components in an option's value, and whether each stands in a list with others."""
    if isinstance(value, ComponentSpec):
        yield value, False
        for option in value.options.values():
            yield from _components(option)
    elif isinstance(value, (list, tuple)):
        for item in value:
            for index, (found, listed) in enumerate(_components(item)):
                yield found, listed or (index == 0 and len(value) > 1)


def _written(architecture: ComponentSpec) -> Iterator[Position]:
    """Yield the places of layers that a spec lists, and not those that it names as an option."""
    for component, listed in _components(architecture):
        if listed and component.at is not None:
            yield component.at


def _labels(architecture: ComponentSpec) -> Iterator[str]:
    for component, _ in _components(architecture):
        yield component.label
