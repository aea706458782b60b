"""Waste in a network: what could go without a change in what it computes, and what would make it a smaller one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, is_dataclass, replace
from itertools import chain, groupby, pairwise
from typing import Any, NamedTuple

from zoo.builder import Expanded
from zoo.checking import NetworkReport, Report
from zoo.errors import Position
from zoo.network.composites import Branches, Repeat, Residual, Sequence
from zoo.network.from_module import FromModule
from zoo.network.layer import Child, Layer, Shape, elements
from zoo.spec.schema import ComponentSpec, Spec

Way = tuple[str, ...]
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


@dataclass(frozen=True)
class _Step:
    """A layer in the straight run of a network, with the way to it; it stands for `times` that are alike."""

    trail: tuple[str, ...]
    layer: Layer
    input: Shape
    times: int = 1
    place: tuple[str, ...] = ()  # where it was written, for layers that stand in no file
    again: bool = False  # runs once more with weights that were counted before
    round: tuple[str, ...] = ()  # the way to the round of shared weights that it stands in
    branch: bool = False  # is a branch by itself, and stands in no list of layers

    def inside(self, child: Child) -> _Step:
        """Return a layer inside this one."""
        trail, place = (*self.trail, child.name), (*self.place, child.name)
        return replace(self, layer=child.layer, input=child.input, trail=trail, place=place, branch=False)

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
    runs = {role: list(_runs(_Step((), one.network, one.input))) for role, one in report.networks.items()}
    stands = Counter[Any]()  # how often what is written in one place stands in the networks
    for run in chain.from_iterable(chain.from_iterable(runs.values())):
        stands[_place(run)] += run.times
    told: dict[Any, list[Advice]] = defaultdict(list)
    holds = Counter[Any]()
    for role, one in report.networks.items():
        architecture = report.spec.networks[role].architecture
        for each in _network(one, runs[role], set(_written(architecture))):
            times = each.times or each.step.times
            key = (each.rule, _place(each.step), each.fix)
            holds[key] += times
            told[key].append(_advice(role, each, times, architecture.at))
    # What stands in a repeat or a block is told once, and only where the fix is right for all that it does.
    for key, advice in told.items():
        if holds[key] == stands[key[1]]:
            found += _together(advice)
    return sorted(found, key=lambda advice: -advice.frees)


def _advice(role: str, told: _Found, times: int, at: Position | None) -> Advice:
    rule, step, text, fix, frees, _ = told
    way = ".".join(step.trail)
    frees = 0 if step.again else times * frees  # weights that are used again were counted before
    return Advice(rule, step.layer.at or at, role, way, text, fix, frees, times, rule in SAME)


def _place(step: _Step) -> Any:
    """Return what stands for the place that a layer was written in; plain data have no lines."""
    at = step.layer.at
    return at if at is not None and at.line else step.place


def _network(one: NetworkReport, runs: list[list[_Step]], written: set[Position]) -> Iterator[_Found]:
    for run in runs:
        for step in run:
            yield from _idle(step, written)
            yield from _needless_shortcut(step)
            yield from _unread(step)
        for step, following in pairwise(run):
            yield from _bias(step, following)
            yield from _again(step, following, written)
        yield from _flattened(run)
    yield from _head(one, runs[0])


def _runs(here: _Step) -> Iterator[list[_Step]]:
    """Yield the straight runs of layers: that of the network, then those of each of its branches."""
    run = list(_straight(here))
    if here.trail and run and run[0].trail == here.trail:
        run = [replace(run[0], branch=True)]
    yield run
    for step in run:
        if isinstance(step.layer, (Branches, Residual)):
            for child in step.layer.children(step.input):
                yield from _runs(step.inside(child))


def _straight(here: _Step) -> Iterator[_Step]:
    """Yield the layers that run one after another, composites of branches whole.

    Of many alike the second stands for all but the first: it follows one of its own kind, as they do. So does the
    second round of a repeat that shares its weights, which frees nothing more.
    """
    layer, rounds = here.layer, list[tuple[Child, int]]()
    repeated = isinstance(layer, Repeat)
    shared = isinstance(layer, Repeat) and layer.shared
    if isinstance(layer, Repeat) and shared:
        first = next(iter(layer.children(here.input)))
        rounds = [(first, 1), (first._replace(name="1"), layer.times - 1)]
    elif isinstance(layer, (Sequence, Repeat, Expanded)):
        rounds = list(_alike(layer.children(here.input)))
    if not rounds and not isinstance(layer, Sequence):
        yield replace(here, layer=layer.inner(here.input)) if isinstance(layer, Expanded) else here
    for child, count in rounds:
        if count:
            step = here.inside(child)
            place = (*here.place, "round") if repeated else step.place
            again = here.again or (bool(shared) and child.name == "1")
            round = step.trail if shared else here.round
            yield from _straight(replace(step, times=here.times * count, place=place, again=again, round=round))


def _alike(children: Iterable[Child]) -> Iterator[tuple[Child, int]]:
    for _, group in groupby(children, lambda child: (id(child.layer), child.input)):
        alike = list(group)
        yield from zip(alike[:2], (1, len(alike) - 1), strict=False)


def _bias(step: _Step, following: _Step) -> Iterator[_Found]:
    # A norm that rounds share keeps one mean for all of them, which takes away only what is the same in each.
    if step.round != following.round or not following.layer.centers(step.output):
        return
    if getattr(step.layer, "bias", False) is True and is_dataclass(step.layer):
        without = Child("", replace(step.layer, bias=False), step.input).cost().parameters
        found = f"{step.layer.label} has a bias, which the {following.layer.label} after it takes away"
        yield _Found("bias_before_norm", step, found, "bias: false", step.parameters - without, following.times)


def _again(step: _Step, following: _Step, written: set[Position]) -> Iterator[_Found]:
    if following.layer.idempotent and step.layer == following.layer and following.layer.at in written:
        found = f"{following.layer.label} follows {step.layer.label}, which changes nothing"
        yield _Found("idle_layer", following, found, "leaving it out", following.parameters)


def _idle(step: _Step, written: set[Position]) -> Iterator[_Found]:
    # Where a network asks for a norm or an activation, `none` and `identity` are how to say that there is none.
    # A branch that hands its input on is one of the things that are joined.
    if step.layer.at in written and not step.branch and step.layer.idle(step.input):
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
