"""The contracts of each kind of component: plain functions, given with the words that say what they hold it to."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import zoo.api
from zoo.budget import Verdict
from zoo.builder import Builder
from zoo.data.augment import Mixing, Staged
from zoo.data.dataset import DataInfo, Target
from zoo.data.soundness import load_sound
from zoo.errors import DataError, PluginError, ShapeError, SpecError
from zoo.evaluation.metric import PredictionMetric
from zoo.network.layer import Condition, Layer, Shape
from zoo.options import Options
from zoo.registry import Component, Registry
from zoo.spec.schema import ComponentSpec
from zoo.testing import Unchecked
from zoo.testing import trainings as small
from zoo.testing.sampling import sample
from zoo.training.task import Task

Contract = tuple[str, Callable[[], None]]
SHAPES: tuple[Shape, ...] = ((8, 8, 8), (3, 16, 16), (12,), (8, 12), (8, 4, 4, 4), ())
INFO = DataInfo(image=(3, 32, 32), classes=10, train_images=100, test_images=20, mean=(0.5,) * 3, std=(0.25,) * 3)
TRIED = 3  # inputs of one layer


def contracts(component: Component, registry: Registry, given: Mapping[str, Any] | None) -> Iterator[Contract]:
    """Yield what a component is held to. `given`: its options, where it cannot do without."""
    subject = Subject(component, registry, given)
    yield "its options have ranges or help texts", subject.options_are_told
    match component.kind:
        case "layer" | "activation" | "norm":
            yield "shape, cost and gradients are those of its module", subject.layer
        case "architecture":
            yield "shape, cost and gradients are those of its module", subject.architecture
        case "initializer":
            yield "it fills weights in place, with the same values each time", subject.initializer
        case "loss":
            yield "it is finite, with a gradient", subject.loss
        case "metric":
            yield "it gives the figures that it names", subject.metric
        case "adversarial_loss":
            yield "it is finite, with a gradient", subject.adversarial_loss
        case "optimizer":
            yield "it goes on bit for bit", subject.training
            yield "it can be captured where it says so", subject.capture
        case "schedule":
            yield "it is a pure function of the step", subject.schedule
        case "dataset":
            yield "its data are what it says", subject.dataset
        case "augmentation":
            yield "shape, range and randomness are kept", subject.augmentation
        case "task":
            yield "it trains a step and goes on bit for bit", subject.task
        case "limit":
            yield "it gives a verdict", subject.limit
        case "callback":
            yield "it goes on bit for bit and changes no weight", subject.callback
        case "tracker":
            yield "it takes a training", subject.tracker


class Subject:
    """A component that is tried."""

    def __init__(self, component: Component, registry: Registry, given: Mapping[str, Any] | None) -> None:
        self.component, self.given = component, given
        self.registry = small.with_anything(registry)
        self.builder = Builder(self.registry)

    @property
    def spec(self) -> ComponentSpec:
        return sample(self.component, self.builder.resolver, self.given)

    @property
    def written(self) -> dict[str, Any]:
        return self.spec.data()

    def bound(self) -> Any:
        return self.builder.bind(self.spec)

    def options_are_told(self) -> None:
        assert self.component.summary, "wanted a summary in its record"
        for option in Options(self.component.load(), self.component.name):
            if (
                option.form == "value"
                and not option.description
                and option.wanted in ("a whole number", "a number", "text")
            ):
                raise AssertionError(f"the option {option.name!r} has neither a range nor a help text; wanted a Field")

    def layer(self) -> None:
        spec, tried = self.spec, 0
        refused: list[str] = []
        for shape in SHAPES:
            try:
                layer: Layer = Builder(self.registry).bind(spec)
                layer = Builder(self.registry).layer([layer])  # as the only one of a network
                _as_stated(layer, shape, layer.graph(shape).output, ())  # type: ignore[attr-defined]
            except (ShapeError, SpecError) as error:
                refused.append(f"{shape}: {error}")
                continue
            tried += 1
            if tried == TRIED:
                return
        if not tried:
            raise Unchecked(f"it takes none of the inputs tried ({refused[0]})")

    def architecture(self) -> None:
        spec, tried = self.spec, 0
        refused = "no task has a place for it"
        for terminals in _places(self.registry, self.builder):
            try:
                network = Builder(self.registry).network(spec, *terminals)
                _as_stated(network, terminals[0], terminals[1], terminals[2])
            except (ShapeError, SpecError) as error:
                refused = str(error)
                continue
            tried += 1
            if tried == 2:
                return
        if not tried:
            raise Unchecked(f"it fits between none of the shapes tried ({refused})")

    def initializer(self) -> None:
        fill, found = self.bound(), []
        for _ in range(2):
            torch.manual_seed(0)
            network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 4))
            identities = [id(one) for one in network.parameters()]
            fill(network)
            assert [id(one) for one in network.parameters()] == identities, "it puts other parameters in their place"
            assert all(bool(one.isfinite().all()) for one in network.parameters()), (
                "it leaves values that are not finite"
            )
            found.append(copy.deepcopy(network.state_dict()))
        assert all(torch.equal(one, found[1][name]) for name, one in found[0].items()), "two times it gives two results"

    def loss(self) -> None:
        loss, about = self.bound(), getattr(self.component.load(), "about", ("class",))
        random = torch.Generator().manual_seed(0)
        logits = torch.randn(6, 4, generator=random).requires_grad_()
        for labels in [one for what in about for one in _true(what, random)]:
            kept, before = labels.clone(), logits.detach().clone()
            value = loss(logits, labels)
            _scalar(value)
            (slope,) = torch.autograd.grad(value, logits)
            assert bool(slope.isfinite().all()) and bool(slope.any()), "its gradient is not finite, or nothing"
            assert torch.equal(labels, kept) and torch.equal(logits.detach(), before), "it changes what it is given"
            assert torch.equal(loss(logits, labels), value), "it gives two values for the same"

    def metric(self) -> None:
        made = self.bound()
        if not isinstance(made, PredictionMetric):
            raise Unchecked("it is of generated images")
        random = torch.Generator().manual_seed(0)
        for what in made.about:
            said, true = torch.randn(6, 4, generator=random), _true(what, random)[0]
            true = true.bool() if what == "classes" else true
            said = said.softmax(1) if what == "class" else said.sigmoid() if what == "classes" else said
            kept = said.clone(), true.clone()
            found = made(said, true)
            assert torch.equal(said, kept[0]) and torch.equal(true, kept[1]), "it changes what it is given"
            wrong = [name for name in made.figures() if not _finite(found.get(name))]
            assert not wrong, f"it names the figure {wrong[0]}, which it does not give as a finite number"

    def adversarial_loss(self) -> None:
        loss = self.bound()
        real, fake = (torch.linspace(-2, 2, 8).add(shift).requires_grad_() for shift in (0.3, -0.4))
        for value, wanted in (
            (loss.discriminator(real, fake), (real, fake)),
            (loss.generator(real.detach(), fake), (fake,)),
        ):
            _scalar(value)
            for slope in torch.autograd.grad(value, wanted):
                assert bool(slope.isfinite().all()) and bool(slope.any()), "its gradient is not finite, or nothing"
        assert math.isfinite(float(loss.boundary(real, fake))), "its boundary is not finite"

    def training(self) -> None:
        small.resumes(self._with_optimizer(), self.registry)

    def capture(self) -> None:
        small.captures(self._with_optimizer(), self.registry)

    def _with_optimizer(self) -> dict[str, Any]:
        """Return a spec that the optimizer fits: some take matrices alone."""
        whole = small.spec_data(network={"optimizer": self.written})
        try:
            zoo.api.check(whole, registry=self.registry)
        except SpecError:
            matrix = {"layers": ["flatten", {"linear": {"features": 4, "bias": False}}]}
            return small.spec_data(network={"optimizer": self.written, "architecture": matrix})
        return whole

    def schedule(self) -> None:
        for steps in (1, 7, 100):
            factor = self.bound()(steps)
            forth = [factor(step) for step in range(steps)]
            back = [factor(step) for step in reversed(range(steps))][::-1]
            assert forth == back, f"of {steps} steps, its factors depend on the order in which they are asked for"
            wrong = [one for one in forth if not isinstance(one, (int, float)) or not math.isfinite(one) or one < 0]
            assert not wrong, f"of {steps} steps, it gives {wrong[:1]}; wanted numbers from 0 on"

    def dataset(self) -> None:
        source = self.bound()
        try:
            info = source.info()
            if info.train_images + info.test_images > 20_000:
                raise Unchecked("it is large")
            first = load_sound(source, self.component.name)
        except DataError as error:
            raise Unchecked(f"it is not on this machine ({error})") from error
        assert first.info == info, f"its data say {first.info}, its info() {info}"
        assert load_sound(self.bound(), self.component.name).fingerprint == first.fingerprint, (
            "loaded twice, it differs"
        )

    def augmentation(self) -> None:
        made, images = self.bound(), torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
        alike = images[:1].expand(16, -1, -1, -1).clone()
        kept, state = images.clone(), torch.get_rng_state()
        found = [_augmented(made, images, seed) for seed in (1, 1, 2, 3, 4)]
        assert torch.equal(images, kept), "it changes the images that it is given"
        assert torch.equal(torch.get_rng_state(), state), (
            "it draws from torch's own generator; wanted the one it is given"
        )
        assert torch.equal(found[0], found[1]), (
            "with one seed it gives two results; wanted all randomness from the generator"
        )
        for one in found:
            assert one.dtype == images.dtype and one.shape[:2] == images.shape[:2], (
                f"of {images.shape} it makes {one.shape}"
            )
            assert isinstance(made, Staged) or one.shape == images.shape, (
                f"of {tuple(images.shape)} it makes {tuple(one.shape)}"
            )
            inside = bool(one.isfinite().all()) and float(one.min()) >= -1e-4 and float(one.max()) <= 1 + 1e-4
            assert inside, f"it leaves the range 0..1: {float(one.min()):g} to {float(one.max()):g}"
        if isinstance(made, (Mixing, Staged)):
            return
        drawn = [_augmented(made, alike, seed) for seed in range(4)]
        if not all(torch.equal(one, drawn[0]) for one in drawn):
            each = any(not torch.equal(one, one[:1].expand_as(one)) for one in drawn)
            assert each, "it draws once for a whole batch; wanted a draw for each image"

    def task(self) -> None:
        task = self.bound()
        options = self.written
        data = small.spec_data(task=options, data=_data_for(task, self.registry))
        data["networks"] = {role: {"architecture": "anything", "optimizer": "adam"} for role in task.roles}
        try:
            small.resumes(data, self.registry)
        except SpecError as error:
            raise Unchecked(f"it takes no plain network ({error})") from error

    def limit(self) -> None:
        report = zoo.api.check(small.spec_data(), registry=self.registry)
        for figures in (report.total, report.networks["classifier"].figures):
            verdict = self.builder.verdict(self.spec, figures)
            assert isinstance(verdict, Verdict)
            assert isinstance(verdict.kept, bool) and verdict.exit_code, "its verdict lacks `kept` or an exit code"

    def callback(self) -> None:
        data = small.spec_data(callbacks=[self.written])
        small.resumes(data, self.registry)
        with small.away() as folder:
            runs = [
                zoo.api.train(spec, run=folder / name, registry=self.registry)
                for name, spec in (("with", data), ("without", small.spec_data()))
            ]
            watched, plain = (small.state(run)[0] for run in runs)
        changed = [name for name, one in plain.items() if not torch.equal(watched[name], one)]
        assert not changed, f"it changes {', '.join(changed[:3])}; networks are there to be looked at"

    def tracker(self) -> None:
        made = self.bound()
        for name in ("open", "log", "picture", "close"):
            assert callable(getattr(made, name, None)), f"it has no method {name!r}"
        report = zoo.api.check(small.spec_data(trackers=[self.written]), registry=self.registry)
        if report.warnings:
            raise Unchecked(str(report.warnings[0]))
        watcher = small.Watcher()
        with small.away() as folder:
            spec = small.spec_data(trackers=[self.written])
            zoo.api.train(spec, run=folder / "run", registry=self.registry, reporter=watcher)
        failed = [one for one in watcher.messages if "the tracker" in one]
        assert not failed, failed


def spec_works(path: Path) -> None:
    """Require that a spec can work and keeps its limits."""
    try:
        report = zoo.api.check(path)
    except DataError as error:
        raise Unchecked(str(error)) from error
    assert report.kept, report.broken()


def _as_stated(layer: Layer, input: Shape, output: Shape, conditions: tuple[Condition, ...]) -> None:
    """Require that a layer's module has the shape and the parameters that were counted, and behaves."""
    built = []
    for _ in range(2):
        torch.manual_seed(0)
        built.append(layer.module(input))
    module, again = built
    weights = list(module.parameters())
    counted, held = layer.cost(input).parameters, sum(one.numel() for one in weights if one.requires_grad)
    assert counted == held, f"for {input}, {counted:,} parameters were counted, and its module has {held:,}"
    given = [torch.zeros(2, dtype=torch.int64) if one.classes else torch.full((2,), 0.5) for one in conditions]
    values = _values(module, input, given)
    kept = values.clone()
    found = module(values, *given)
    several = found if isinstance(found, tuple) else (found,)
    shape = tuple(several[0].shape[1:])
    assert not output or shape == tuple(output), f"for {input} it gives {shape}; stated is {output}"
    assert torch.equal(values, kept), "it changes its input in place"
    assert all(bool(one.isfinite().all()) for one in several), "its output is not finite"
    trained = [one for one in weights if one.requires_grad]
    if trained and any(one.requires_grad for one in several):
        slopes = torch.autograd.grad(sum(one.float().sum() for one in several), trained, allow_unused=True)
        assert all(one is None or bool(one.isfinite().all()) for one in slopes), "a gradient is not finite"
    again.load_state_dict(module.state_dict())
    with torch.no_grad():
        two = [_first(one.eval()(values, *given)) for one in (module, again)]
    assert torch.equal(*two), "in evaluation it is not deterministic"


def _values(module: nn.Module, input: Shape, given: list[Tensor]) -> Tensor:
    """Return what a module takes: numbers above 0, or whole ones where it looks them up."""
    values = torch.rand(2, *input, generator=torch.Generator().manual_seed(0)) + 0.1
    try:
        copy.deepcopy(module)(values.clone(), *given)
    except (IndexError, RuntimeError) as error:
        if "Long" not in str(error) and not isinstance(error, IndexError):
            raise
        return torch.ones(2, *input, dtype=torch.int64)
    return values


def _first(found: Any) -> Tensor:
    first: Tensor = found[0] if isinstance(found, tuple) else found
    return first


def _scalar(value: Any) -> None:
    assert isinstance(value, Tensor) and value.numel() == 1, f"it gives {value!r}; wanted a tensor of one number"
    assert bool(value.isfinite()), f"it gives {value!r}, which is not finite"


def _augmented(made: Any, images: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    if isinstance(made, Mixing):
        labels = torch.arange(len(images)) % 4
        mixed, shares = made.mix(images, labels, 4, generator)
        assert shares.shape == (len(images), 4) and torch.allclose(shares.sum(1), torch.ones(len(images)), atol=1e-4), (
            "its labels are no shares that sum to 1"
        )
        return mixed
    if isinstance(made, Staged):
        return made.apply(images, generator, made.stage(0.5, *images.shape[2:]))
    found: Tensor = made(images, generator)
    return found


def _true(what: str, random: torch.Generator) -> list[Tensor]:
    """Return what may be true of six items, of four classes or numbers each, as a loss is told it."""
    if what == "class":
        labels = torch.tensor([0, 1, 2, 3, 0, 1])
        return [labels, torch.eye(4)[labels]]
    return [torch.eye(4)[[0, 1, 2, 3, 0, 1]]] if what == "classes" else [torch.rand(6, 4, generator=random)]


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _data_for(task: Task, registry: Registry) -> Any:
    """Return small data that a task takes."""
    shapes = {"shapes": {"train_images": 100, "test_images": 100}}
    known: dict[Target, tuple[str, Any]] = {
        "class": ("noise", small.NOISE),
        "numbers": ("friedman", {"friedman": {"train_items": 40, "test_items": 8}}),
        "classes": ("with_superclasses", {"with_superclasses": {"of": shapes}}),
    }
    for target, (name, data) in known.items():
        if target in task.targets and registry.find(("dataset",), name) is not None:
            return data
    raise Unchecked(f"no data here have the targets that it takes, {' or '.join(task.targets)}")


def _places(registry: Registry, builder: Builder) -> Iterator[tuple[Shape, Shape, tuple[Condition, ...]]]:
    """Yield the shapes between which tasks put networks."""
    for name in registry.names("task"):
        with contextlib.suppress(SpecError, PluginError, NotImplementedError, Unchecked):
            task = builder.bind(sample(registry.get("task", name), builder.resolver, None))
            for role in task.roles if INFO.target in task.targets else ():
                yield tuple(task.terminals(role, INFO))[:3]
