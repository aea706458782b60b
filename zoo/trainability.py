"""Whether what a spec puts together can be trained, and what of it is surely not meant: every component is asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import starmap
from typing import Any

from zoo.builder import Builder
from zoo.data.augment import Mixing, Staged
from zoo.data.dataset import DataInfo
from zoo.errors import Position, Problem, ZooError, closest, listing
from zoo.network.from_module import FromModule
from zoo.network.graph import Graph, operations
from zoo.network.layer import Layer, Shape
from zoo.network.lowering import Composite
from zoo.registry import LAYER_FAMILY
from zoo.requirements import Finding, Setting, Weight
from zoo.spec.schema import Averaging, ComponentSpec, Spec, copied

Network = tuple[Composite, Shape]
VANISHED = 1e-6  # a rate of which this share is left changes no weight


def unfit(
    spec: Spec, builder: Builder, networks: Mapping[str, Network], info: DataInfo
) -> tuple[list[Problem], list[Problem]]:
    """Return what stands in the way of training `spec`, and what is allowed but surely not meant.

    networks: those that could be put together, each with the shape of its input.
    """
    task = builder.bind(spec.task)
    setting = Setting(
        spec=spec,
        task=task,
        info=info,
        batch=spec.train.batch_size * task.batches(),
        part=max(1, spec.train.batch_size // spec.train.accumulate),
        networks=networks,
    )
    asked = _Asked(spec, builder)
    asked.told("data", None, _data(setting))
    asked.told("train", None, _training(setting, networks))
    asked.component(spec.task, "task", setting)
    asked.component(spec.data, "data", setting)
    for index, one in enumerate(spec.augment):
        takes = getattr(builder.resolver.options(one.component).target, "items", ("images",))
        if info.items in takes:
            asked.component(one, f"augment.{index}", setting)
        else:
            asked.told(f"augment.{index}", one.at, _not_changed(one.name, takes, setting))
    for key in ("metrics", "callbacks", "trackers"):
        for index, one in enumerate(getattr(spec, key)):
            asked.component(one, f"{key}.{index}", setting)
    for role, (network, input) in networks.items():
        asked.network(role, network, input, setting)
    return asked.problems, asked.warnings


class _Asked:
    """Asks components, and gathers what they answer with its place."""

    def __init__(self, spec: Spec, builder: Builder) -> None:
        self.spec, self.builder = spec, builder
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def component(self, one: ComponentSpec, path: str, setting: Setting) -> None:
        """Ask a component, then those in its options; layers are asked where they stand in a network."""
        if one.component.kind in LAYER_FAMILY:
            return
        target, path = self.builder.resolver.options(one.component).target, f"{path}.{one.name}"
        check = getattr(target, "check", None)
        if check is not None:
            own = self.builder.bind(one).check if isinstance(target, type) else partial(check, **copied(one.options))
            self.told(path, one.at, _answer(own, setting))
        about = getattr(target, "about", None) if one.component.kind in ("loss", "metric") else None
        if about is not None and setting.task.predicts not in about:
            self.told(path.rpartition(".")[0], one.at, _not_about(one, about, setting))
        if isinstance(target, type) and issubclass(target, Mixing) and not setting.task.soft_labels:
            self.told(path.rpartition(".")[0], one.at, _mixed(one.name, setting.spec.task.name))
        if isinstance(target, type) and issubclass(target, Staged) and not path.startswith("augment."):
            found = Finding(f"found {one.name}, which goes by the progress of the training", "it in the spec's augment")
            self.told(path.rpartition(".")[0], one.at, iter([found]))
        for name, value in one.options.items():
            inside = getattr(target, "inside", None)
            for key, inner in _components(value, f"{path}.{name}"):
                self.component(inner, key, inside(name, setting, **copied(one.options)) if inside else setting)

    def network(self, role: str, network: Composite, input: Shape, setting: Setting) -> None:
        """Ask a network's layers, and what trains it."""
        section, path = self.spec.networks[role], f"networks.{role}"
        steps, updates = self.spec.train.steps, self.spec.train.steps * setting.task.updates(role)
        setting = replace(
            setting,
            role=role,
            steps=steps,
            updates=updates,
            twice=setting.task.twice(role),
            weights=lambda: tuple(starmap(Weight, network.weights(input).items())),
        )
        reached: dict[Shape, Setting] = {}
        for layer, shape, at in _asked(network, input):
            there = reached.get(shape) or reached.setdefault(shape, setting.at(shape))
            self.told(f"{path}.architecture", at, _answer(layer.check, there))
        if setting.info.tokens:
            for at, finding in _tokens(network, input, setting):
                self.told(f"{path}.architecture", at, iter([finding]))
        if role in setting.task.frozen:
            self.component(section.init, f"{path}.init", setting)
            self.told(f"{path}.init", section.init.at, _frozen(section.init, role, setting))
            return
        self.told(path, None, _section(section.ema, updates))
        for key in ("init", "optimizer", "schedule"):
            self.component(getattr(section, key), f"{path}.{key}", setting)
        at = section.schedule.at
        self.told(f"{path}.schedule", at, _answer(_factors, self.builder.bind(section.schedule), steps))

    def told(self, path: str, at: Position | None, findings: Iterator[Finding]) -> None:
        """Gather what was found at `path`; `at` is where it was written."""
        for found, wanted, option, warning in findings:
            whole = f"{path}.{option}" if option else path
            place = (option and self.spec.places.get(whole)) or _written(at) or _nearest(self.spec, whole)
            (self.warnings if warning else self.problems).append(Problem(place, whole, found, wanted))


def _answer(ask: Callable[..., Any], *about: Any) -> Iterator[Finding]:
    """Yield what a component answers; an error that it raises is an answer too."""
    try:
        yield from ask(*about) or ()
    except (ZooError, ValueError, ArithmeticError) as error:
        yield Finding(str(error))


def _data(setting: Setting) -> Iterator[Finding]:
    info, task = setting.info, setting.task
    name, doing = setting.spec.data.name, setting.spec.task.name
    if info.items not in task.items:
        wanted = f"{' or '.join(task.items)}, which {doing} takes"
        yield Finding(f"found {name}, whose items are {info.item_words()}", wanted)
    if info.target not in task.targets:
        wanted = f"{' or '.join(_TARGETS[one] for one in task.targets)}, which {doing} takes"
        yield Finding(f"found {name}, whose targets are {info.target_words()}", wanted)
    count = 0 if info.tokens else info.image[0]
    if len(info.mean) != count or len(info.std) != count:
        yield Finding(f"found {name}, with {len(info.mean)} means and {len(info.std)} deviations", f"{count} each")
    if info.train_images < 1 or (info.classes < 1 and info.target in ("class", "classes")):
        found = f"found {name}, of {info.train_images} training {info.noun} in {info.classes} classes"
        yield Finding(found, "one or more of both")


def _training(setting: Setting, networks: Mapping[str, Network]) -> Iterator[Finding]:
    """Yield what is wrong or odd in how long, how much at once and how often."""
    train, info, name = setting.spec.train, setting.info, setting.spec.data.name
    if train.validation >= info.train_images:
        wanted = f"fewer than the {info.train_images} training images of {name}"
        yield Finding(f"found {train.validation}", wanted, "validation")
    elif setting.batch > info.train_images - train.validation:
        left = info.train_images - train.validation
        found = f"found {setting.batch} images a step, so that some come twice"
        yield Finding(found, f"at most the {left} images that there are to train on", "batch_size", True)
    often = max((setting.task.updates(role) for role in setting.task.roles), default=1)
    several = len(setting.spec.networks.keys() - set(setting.task.frozen)) > 1
    if train.accumulate > 1 and (several or often > 1):
        what = "networks that are updated in turn" if several else "updates that follow each other"
        wanted = f"1: {what} cannot each wait for the last part of a batch"
        yield Finding(f"found {train.accumulate}", wanted, "accumulate")
    if train.accumulate > train.batch_size:
        yield Finding(f"found {train.accumulate}", f"at most the batch size, {train.batch_size}", "accumulate")
    if train.evaluate_every and not train.validation:
        found = f"found {train.evaluate_every}, but no image is held out"
        yield Finding(found, "train.validation: the number of images to hold out", "evaluate_every", True)
    yield from _chosen(setting)
    for key in ("evaluate_every", "sample_every"):
        every = getattr(train, key)
        if every > train.steps:
            yield Finding(f"found {every}, which comes after the last step", f"at most {train.steps}", key, True)
    if train.norm_batches and not any(
        one.layer.normalizes and one.layer.cost(one.shapes[0]).buffers
        for network, input in networks.values()
        for one in operations(network.graph(input), every=False)[0]
    ):
        found = f"found {train.norm_batches}, but no norm keeps running statistics"
        yield Finding(found, "0, or a network with batch_norm", "norm_batches", True)
    if train.engine in ("graph", "compiled_graph") and train.device in ("cpu", "mps"):
        yield Finding(f"found {train.engine} on {train.device}", "device: cuda, or engine: auto", "engine")
    if train.precision == "tf32" and train.device in ("cpu", "mps"):
        yield Finding(f"found tf32 on {train.device}", "device: cuda, or precision: auto", "precision")
    if train.seed + train.seeds > 2**32:
        found = f"found {train.seeds} seeds from {train.seed} on"
        yield Finding(found, f"at most {2**32 - train.seed}, since a seed is below {2**32}", "seeds")


def _chosen(setting: Setting) -> Iterator[Finding]:
    """Yield what stands in the way of going by validations."""
    train = setting.spec.train
    key = "stop" if train.stop else "keep"
    if train.keep == "last" and train.stop is None:
        return
    if not (train.validation and train.evaluate_every):
        yield Finding(f"found {key} without validations", "train.validation and train.evaluate_every", key)
    if train.norm_batches:
        wanted = "0: what was judged is what is kept"
        yield Finding(f"found {train.norm_batches} beside {key}", wanted, "norm_batches")
    known = [name for name, better in setting.task.figures().items() if better]
    figure = train.stop.figure if train.stop else ""
    if not known:
        yield Finding(f"found {key}, but {setting.spec.task.name} makes no figure to go by", "none", key)
    elif figure and figure not in known:
        hint = closest(figure, known)
        yield Finding(f"found the unknown figure {figure!r}", listing(known) + (f"; {hint}" if hint else ""), "stop")


def _section(ema: float | Averaging | None, updates: int) -> Iterator[Finding]:
    averaging = Averaging.of(ema)
    # With a warm-up a young average remembers no more than there was.
    memory = 0 if averaging is None or averaging.warmup else round(1 / (1 - averaging.decay))
    if averaging is not None and memory > updates:
        yield Finding(
            f"found {averaging.decay} without a warm-up, which averages over some {memory:,} updates",
            f"fewer than the {updates:,} of this training",
            "ema",
            True,
        )


def _frozen(init: ComponentSpec, role: str, setting: Setting) -> Iterator[Finding]:
    if init.name == "default":
        found = f"found weights that are drawn, and {setting.spec.task.name} does not train {role}"
        yield Finding(found, "init: {trained: {source: ...}}, an entry of the shelf or a run", warning=True)


def _factors(schedule: Callable[[int], Callable[[int], float]], steps: int) -> Iterator[Finding]:
    """Yield what is wrong with the factors that a schedule gives, looked at in some of its steps."""
    factor = schedule(steps)
    if not callable(factor):
        yield Finding(f"found a schedule that returns {factor!r}", "a function of the step")
        return
    even = [round(index * (steps - 1) / 32) for index in range(33)]
    factors = {step: factor(step) for step in sorted({*range(min(20, steps)), *even})}
    for step, value in factors.items():
        number = type(value) in (int, float) or (isinstance(value, (int, float)) and not isinstance(value, bool))
        if not number or not 0 <= value < math.inf:
            shown = f"{value:g}" if number else repr(value)
            yield Finding(f"found the factor {shown} at step {step}", "a number of 0 or more")
            return
    vanished = sum(factors[step] < VANISHED for step in even)
    if vanished * 2 > len(even):
        yield Finding(
            f"found a schedule that is below a millionth in {vanished * steps // len(even):,} of {steps:,} steps",
            "a rate that moves the weights",
            warning=True,
        )


#: Targets, as what is wanted.
_TARGETS = {"class": "one class", "classes": "any number of classes", "numbers": "numbers", "none": "none"}


def _not_changed(name: str, takes: Iterable[str], setting: Setting) -> Iterator[Finding]:
    data, info = setting.spec.data.name, setting.info
    yield Finding(
        f"found {name}, which changes {' or '.join(takes)}",
        f"augmentations of {info.items}, or none: the items of {data} are {info.item_words()}",
    )


def _not_about(one: ComponentSpec, about: Iterable[str], setting: Setting) -> Iterator[Finding]:
    predicts = setting.task.predicts
    yield Finding(
        f"found {one.name}, which is about {' or '.join(_PREDICTED[each] for each in about)}",
        f"a {one.component.kind} about {_PREDICTED[predicts]}, which {setting.spec.task.name} predicts"
        if predicts
        else f"none: {setting.spec.task.name} predicts nothing",
    )


#: What a task can predict, in words.
_PREDICTED = {**_TARGETS, "items": "the items again"}


def _mixed(name: str, task: str) -> Iterator[Finding]:
    yield Finding(
        f"found {name}, which mixes the labels of images",
        f"augmentations that leave labels alone, since {task} takes one class for each image",
    )


def _components(value: Any, path: str) -> Iterator[tuple[str, ComponentSpec]]:
    """Yield the components in an option's value, outermost only, each with its dotted path."""
    if isinstance(value, ComponentSpec):
        yield path, value
    elif isinstance(value, (dict, list, tuple)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _components(inner, f"{path}.{key}")


def _asked(network: Composite, input: Shape) -> Iterator[tuple[Layer, Shape, Position | None]]:
    """Yield the layers that ask something, each once for each shape that reaches it, with where the spec wrote it."""
    seen: set[Any] = set()
    left: list[tuple[Graph, Position | None]] = [(network.graph(input), _written(network.at))]
    while left:
        graph, around = left.pop()
        for layer, shape in graph.asked:
            if (id(layer), shape) not in seen:
                yield layer, shape, _written(layer.at) or around
            seen.add((id(layer), shape))
        for step in graph.steps:
            if step.part is not None and id(step.part) not in seen:
                seen.add(id(step.part))
                left.append((step.part, _written(step.layer.at) or around))


def _tokens(network: Composite, input: Shape, setting: Setting) -> Iterator[tuple[Position | None, Finding]]:
    """Yield where a network whose input are tokens takes them for numbers, or numbers for tokens."""
    name, known = setting.spec.data.name, set[tuple[Layer, bool]]()
    for one in operations(network.graph(input), every=False)[0]:
        reads = ~0 in one.inputs
        if isinstance(one.layer, FromModule) or (one.layer.takes_tokens and not one.shapes[0]):
            continue
        if reads == one.layer.takes_tokens or (one.layer, reads) in known:
            continue
        known.add((one.layer, reads))
        around = (step.layer for step in reversed(one.trail))
        at = next(filter(None, (_written(layer.at) for layer in (one.layer, *around))), None)
        label = one.layer.label
        if reads:
            yield at, Finding(f"found {label}, which takes numbers, but {name} has tokens", "embedding before it")
        else:
            yield at, Finding(f"found {label} of numbers that are no tokens", "it as the first that takes the input")


def _written(at: Position | None) -> Position | None:
    return at if at is not None and at.line else None


def _nearest(spec: Spec, path: str) -> Position | None:
    """Return where `path` was written, or the nearest part above it that was."""
    while path not in spec.places and path:
        path = path.rpartition(".")[0]
    return spec.places.get(path)
