"""Waste in a network: what could go without a change in what the network can compute, and what takes a large share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass, replace
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from zoo.builder import Expanded
from zoo.checking import NetworkReport, Report
from zoo.errors import Position
from zoo.network.composites import Branches, Repeat, Residual, Sequence
from zoo.network.from_module import FromModule
from zoo.network.layer import Child, Layer, Shape, elements
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


@dataclass(frozen=True)
class _Step:
    """A layer in the straight run of a network, with the way to it; it stands for `times` that are alike."""

    trail: tuple[str, ...]
    layer: Layer
    input: Shape
    times: int = 1

    @property
    def parameters(self) -> int:
        return Child("", self.layer, self.input).cost().parameters

    @property
    def output(self) -> Shape:
        return Child("", self.layer, self.input).output()


class _Found(NamedTuple):
    """What one rule says of one step."""

    rule: str
    step: _Step
    found: str
    fix: str
    frees: int
    times: int = 0  # as often as the step, unless it is said


def lint(report: Report) -> list[Advice]:
    """Return what could be saved in the networks of a spec, what frees most first."""
    found: list[Advice] = list(_unused_blocks(report.spec))
    for role, one in report.networks.items():
        architecture = report.spec.networks[role].architecture
        told = _network(one, set(_written(architecture)))
        found += [replace(advice, at=advice.at or architecture.at) for advice in _together(role, told)]
    return sorted(found, key=lambda advice: -advice.frees)


def _network(one: NetworkReport, written: set[Position]) -> Iterator[_Found]:
    runs = list(_runs(one.network, one.input, ()))
    for run in runs:
        for step in run:
            yield from _idle(step, written)
            yield from _needless_shortcut(step)
            yield from _unread(step)
        for step, following in pairwise(run):
            yield from _bias(step, following)
            yield from _again(step, following)
        yield from _flattened(run)
    yield from _head(one, runs[0])


def _runs(layer: Layer, input: Shape, trail: tuple[str, ...], times: int = 1) -> Iterator[list[_Step]]:
    """Yield the straight runs of layers: that of the network, then those of each of its branches."""
    run = list(_straight(layer, input, trail, times))
    yield run
    for step in run:
        if isinstance(step.layer, (Branches, Residual)):
            for child in step.layer.children(step.input):
                yield from _runs(child.layer, child.input, (*step.trail, child.name), step.times)


def _straight(layer: Layer, input: Shape, trail: tuple[str, ...], times: int) -> Iterator[_Step]:
    children = layer.children(input) if isinstance(layer, (Sequence, Repeat, Expanded)) else iter(())
    empty = True
    for (_, shape), group in groupby(children, lambda child: (id(child.layer), child.input)):
        empty = False
        alike = list(group)
        # Of many alike the second stands for all but the first: it follows one of its own kind, as they do.
        for child, count in zip(alike[:2], (1, len(alike) - 1), strict=False):
            yield from _straight(child.layer, shape, (*trail, child.name), times * count)
    if empty and not isinstance(layer, Sequence):
        yield _Step(trail, layer.inner(input) if isinstance(layer, Expanded) else layer, input, times)


def _bias(step: _Step, following: _Step) -> Iterator[_Found]:
    if getattr(step.layer, "bias", False) is True and is_dataclass(step.layer) and following.layer.centers(step.output):
        without = Child("", replace(step.layer, bias=False), step.input).cost().parameters
        found = f"{step.layer.label} has a bias, which the {following.layer.label} after it takes away"
        yield _Found("bias_before_norm", step, found, "bias: false", step.parameters - without, following.times)


def _again(step: _Step, following: _Step) -> Iterator[_Found]:
    if following.layer.idempotent and step.layer == following.layer:
        found = f"{following.layer.label} follows {step.layer.label}, which changes nothing"
        yield _Found("idle_layer", following, found, "leaving it out", following.parameters)


def _idle(step: _Step, written: set[Position]) -> Iterator[_Found]:
    # Where a network asks for a norm or an activation, `none` and `identity` are how to say that there is none.
    if step.layer.at in written and step.layer.idle(step.input):
        found = f"{step.layer.label} changes nothing here"
        yield _Found("idle_layer", step, found, "leaving it out", step.parameters)


def _needless_shortcut(step: _Step) -> Iterator[_Found]:
    if not isinstance(step.layer, Residual) or step.output != tuple(step.input):
        return
    shortcut = Child("shortcut", Sequence(layers=step.layer.shortcut), step.input).cost().parameters
    if shortcut:
        found = "the shortcut has weights, but the shape stays as it is"
        yield _Found("needless_shortcut", step, found, "leaving the shortcut out", shortcut)


def _flattened(run: list[_Step]) -> Iterator[_Found]:
    image: Shape = ()  # what a flatten made a vector of, as long as nothing has changed that since
    for step in run:
        if len(step.input) == 3 and step.output == (elements(step.input),):
            image = step.input
        elif image and hasattr(step.layer, "features") and elements(image) > image[0]:
            pooled = Child("", step.layer, (image[0],)).cost().parameters
            found = f"{step.layer.label} takes every pixel of {image[1]}x{image[2]} apart"
            fix = "global_average_pool in place of flatten"
            yield _Found("flattened_image", step, found, fix, step.parameters - pooled)
        if step.output != (elements(image),) or step.parameters:
            image = ()


def _head(one: NetworkReport, run: list[_Step]) -> Iterator[_Found]:
    weighted = [step for step in run if step.parameters]
    if len(weighted) < 2 or len(one.output) != 1:
        return
    head = weighted[-1]
    share = head.parameters / one.cost.parameters
    if share < LARGE or len(head.input) != 1 or head.input[0] < 2:
        return
    half = Child("", head.layer, (head.input[0] // 2,)).cost().parameters
    found = f"the head, {head.layer.label}, takes {share:.0%} of the network's parameters"
    fix = f"half of the {head.input[0]} features before it"
    yield _Found("large_head", head, found, fix, head.parameters - half)


def _unread(step: _Step) -> Iterator[_Found]:
    if not isinstance(step.layer, FromModule):
        return
    for name, parameters in step.layer.unread(step.input).items():
        found = f"{name} is never used in a forward pass"
        yield _Found("unused_weights", step, found, "leaving it out", parameters)


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


def _together(role: str, told: Iterator[_Found]) -> list[Advice]:
    """Return one for each place and text: what stands in a repeat or a block is told once, with how often."""
    found: dict[Any, Advice] = {}
    for rule, step, text, fix, frees, said in told:
        times = said or step.times
        at = step.layer.at
        place = at if at is not None and at.line else id(step.layer)  # plain data have no lines
        before = found.get((rule, place, text, fix))
        if before is None:
            advice = Advice(rule, at, role, ".".join(step.trail), text, fix, times * frees, times)
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
