"""Waste in a network: what could go without a change in what the network can compute, and what takes a large share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass, replace
from typing import Any, NamedTuple

from zoo.checking import NetworkReport, Report
from zoo.errors import Position
from zoo.network.composites import Residual
from zoo.network.from_module import FromModule
from zoo.network.graph import Graph, Operation, alike, operations
from zoo.network.layer import Layer, Shape, elements
from zoo.network.lowering import figures
from zoo.spec.schema import ComponentSpec, Spec

LARGE = 0.25  # share of a network's parameters from which its head is large


@dataclass(frozen=True)
class Advice:
    """One thing that could be saved.

    `frees` is the exact number of parameters, over all `times` that the layer stands in the network, if `fix` is
    done; `layer` is the way to it from the network's top, the first of them where there are several.
    """

    rule: str
    at: Position | None
    network: str
    layer: str
    found: str
    fix: str
    frees: int
    times: int = 1

    def __str__(self) -> str:
        place = f"{self.at}: " if self.at else ""
        where = ".".join(part for part in ("networks", self.network) if part) if self.network else "blocks"
        layer = f" layer {self.layer}:" if self.layer else ""
        times = f" ({self.times} times)" if self.times > 1 else ""
        frees = f"{self.frees:,} parameters" if self.frees else "no parameters"
        return f"{place}{where}:{layer} {self.found}{times}; {self.fix} frees {frees}"


class _Found(NamedTuple):
    """What one rule says of an operation, or of a composite; `layer` leads to it."""

    rule: str
    layer: Layer
    path: str
    found: str
    fix: str
    frees: int
    times: int


def lint(report: Report) -> list[Advice]:
    """Return what could be saved in the networks of a spec, what frees most first."""
    found: list[Advice] = list(_unused_blocks(report.spec))
    for role, one in report.networks.items():
        architecture = report.spec.networks[role].architecture
        told = _network(one, set(_written(architecture)))
        found += [replace(advice, at=advice.at or architecture.at) for advice in _together(role, told)]
    return sorted(found, key=lambda advice: -advice.frees)


def _network(one: NetworkReport, written: set[Position]) -> Iterator[_Found]:
    graph = one.network.graph(one.input)
    found, given = operations(graph, every=False)
    readers: dict[int, list[Operation]] = {value: [] for value in given}
    for operation in found:
        for value in operation.inputs:
            readers.setdefault(value, []).append(operation)
    for operation in found:
        following = readers.get(operation.value, [])
        yield from _idle(operation, written)
        yield from _unread(operation)
        if len(following) == 1 and operation.value not in given and not operation.again:
            yield from _bias(operation, following[0])
            yield from _again(operation, following[0])
    yield from _needless_shortcuts(graph, "", 1)
    yield from _flattened(found)
    yield from _head(one, [operation for operation in found if operation.cost.parameters])


def _told(rule: str, operation: Operation, found: str, fix: str, frees: int, times: int = 0) -> _Found:
    return _Found(rule, operation.layer, operation.path, found, fix, frees, times or operation.times)


def _parameters(layer: Layer, *shapes: Shape) -> int:
    return figures(layer, shapes)[1].parameters


def _bias(step: Operation, following: Operation) -> Iterator[_Found]:
    layer = step.layer
    if getattr(layer, "bias", False) is True and is_dataclass(layer) and following.layer.centers(step.output):
        frees = step.cost.parameters - _parameters(replace(layer, bias=False), *step.shapes)
        found = f"{layer.label} has a bias, which the {following.layer.label} after it takes away"
        yield _told("bias_before_norm", step, found, "bias: false", frees, following.times)


def _again(step: Operation, following: Operation) -> Iterator[_Found]:
    if following.layer.idempotent and step.layer == following.layer:
        found = f"{following.layer.label} follows {step.layer.label}, which changes nothing"
        yield _told("idle_layer", following, found, "leaving it out", following.cost.parameters)


def _idle(step: Operation, written: set[Position]) -> Iterator[_Found]:
    # Where a network asks for a norm or an activation, `none` and `identity` are how to say that there is none.
    if step.layer.at in written and len(step.shapes) == 1 and step.layer.idle(step.shapes[0]):
        found = f"{step.layer.label} changes nothing here"
        yield _told("idle_layer", step, found, "leaving it out", step.cost.parameters)


def _needless_shortcuts(graph: Graph, path: str, times: int) -> Iterator[_Found]:
    for _, steps in alike(graph):
        step = steps[0]
        if step.part is None:
            continue
        name, often = f"{path}{step.name}", times * (1 if steps[-1].again else len(steps))
        if isinstance(step.layer, Residual) and step.output == step.part.inputs[0].shape:
            frees = sum(one.cost.parameters for one in step.part.steps if one.name == "shortcut")
            if frees:
                found = "the shortcut has weights, but the shape stays as it is"
                fix = "leaving the shortcut out"
                yield _Found("needless_shortcut", step.layer, name, found, fix, frees, often)
        yield from _needless_shortcuts(step.part, f"{name}." if step.name else path, often)


def _flattened(found: list[Operation]) -> Iterator[_Found]:
    images: dict[int, Shape] = {}  # by value: what a flatten made it of, as long as nothing has changed it since
    for step in found:
        image = images.get(step.inputs[0], ())
        if len(step.shapes[0]) == 3 and step.output == (elements(step.shapes[0]),):
            image = step.shapes[0]
        elif image and hasattr(step.layer, "features") and elements(image) > image[0]:
            frees = step.cost.parameters - _parameters(step.layer, (image[0],))
            found_here = f"{step.layer.label} takes every pixel of {image[1]}x{image[2]} apart"
            yield _told("flattened_image", step, found_here, "global_average_pool in place of flatten", frees)
        if image and step.output == (elements(image),) and not step.cost.parameters and len(step.inputs) == 1:
            images[step.value] = image


def _head(one: NetworkReport, weighted: list[Operation]) -> Iterator[_Found]:
    if len(weighted) < 2 or len(one.output) != 1:
        return
    head = weighted[-1]
    share = head.cost.parameters / one.cost.parameters
    features = head.shapes[0]
    if share < LARGE or len(features) != 1 or features[0] < 2:
        return
    frees = head.cost.parameters - _parameters(head.layer, (features[0] // 2,))
    found = f"the head, {head.layer.label}, takes {share:.0%} of the network's parameters"
    yield _told("large_head", head, found, f"half of the {features[0]} features before it", frees)


def _unread(step: Operation) -> Iterator[_Found]:
    if not isinstance(step.layer, FromModule):
        return
    for name, parameters in step.layer.unread(step.shapes[0]).items():
        found = f"{name} is never used in a forward pass"
        yield _told("unused_weights", step, found, "leaving it out", parameters)


def _unused_blocks(spec: Spec) -> Iterator[Advice]:
    blocks = spec.document.value.get("blocks")
    if blocks is None or not blocks.is_mapping:
        return
    used = {name for section in spec.networks.values() for name in _labels(section.architecture)}
    for name, node in blocks.value.items():
        if name not in used:
            at = node.key_at or node.at
            yield Advice("unused_block", at, "", "", f"the block {name} is never used", "leaving it out", 0)


def _together(role: str, told: Iterator[_Found]) -> list[Advice]:
    """Return one for each place and text: what stands in a repeat or a block is told once, with how often."""
    found: dict[Any, Advice] = {}
    for rule, layer, path, text, fix, frees, times in told:
        at = layer.at
        place = at if at is not None and at.line else id(layer)  # plain data have no lines
        before = found.get((rule, place, text, fix))
        if before is None:
            advice = Advice(rule, at, role, path, text, fix, times * frees, times)
        else:
            advice = replace(before, frees=before.frees + times * frees, times=before.times + times)
        found[rule, place, text, fix] = advice
    return list(found.values())


def _components(value: Any) -> Iterator[tuple[ComponentSpec, bool]]:
    """Yield the components in an option's value, and whether each stands in a list."""
    if isinstance(value, ComponentSpec):
        yield value, False
        for option in value.options.values():
            yield from _components(option)
    elif isinstance(value, (list, tuple)):
        for item in value:
            for index, (found, listed) in enumerate(_components(item)):
                yield found, listed or index == 0


def _written(architecture: ComponentSpec) -> Iterator[Position]:
    """Yield the places of layers that a spec lists, and not those that it names as an option."""
    for component, listed in _components(architecture):
        if listed and component.at is not None:
            yield component.at


def _labels(architecture: ComponentSpec) -> Iterator[str]:
    for component, _ in _components(architecture):
        yield component.label
