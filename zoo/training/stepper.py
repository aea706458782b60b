"""What one step is: its images, the task's step, and the updates of weights; recorded and replayed where captured."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from zoo.data.augment import Mixing, Staged
from zoo.data.dataset import DataInfo
from zoo.data.device import DeviceSet, as_input
from zoo.data.sampler import Sampler
from zoo.errors import TrainingError
from zoo.promises import Roles, broken, kept_figures
from zoo.random import derive_seed
from zoo.spec.schema import Spec
from zoo.training.devices import laid_out, seed_default
from zoo.training.engine import Engine
from zoo.training.graph import Figures, Graphs
from zoo.training.task import Batch, Task, Turn, Update
from zoo.training.trainee import Trainee

_NOTHING = nullcontext()


class Stepper:
    """Takes the steps of a training; each is a pure function of its number, the seed and the networks' state.

    Nothing is read from the device. `graphs` records and replays the steps unless it is None; `phase` is what a
    profile puts its clock into.
    """

    def __init__(
        self,
        spec: Spec,
        task: Task,
        engine: Engine,
        trainees: Mapping[str, Trainee],
        images: DeviceSet,
        info: DataInfo,
        augment: list[Any],
        frozen: Mapping[str, nn.Module] | None = None,
    ) -> None:
        self.spec, self.task, self.engine, self.trainees = spec, task, engine, trainees
        self._roles = Roles(spec.task.component, trainees)
        self.images, self.info, self.augment = images, info, augment
        self.sampler = Sampler(images.length, spec.train.batch_size * task.batches(), spec.train.seed)
        self.graphs: Graphs | None = None
        self.phase: Callable[[str], AbstractContextManager[None]] = _unwatched
        self._step = 0
        self._norms: list[Tensor] = []  # that the step's updates gave
        self._stages: dict[Staged, Hashable] = {}  # what the staged augmentations do in this step
        self._frozen = dict(frozen or {})
        self._networks = self._named({role: one.compiled for role, one in trainees.items()})
        self._indices = torch.zeros(self.sampler.batch_size, dtype=torch.int64, device=engine.device)
        purposes = ("augment", "noise") if augment else ("noise",)
        self._random = {purpose: torch.Generator(engine.device) for purpose in purposes}
        sizes = [len(one) for one in self._indices.tensor_split(spec.train.accumulate)]
        self._shares = [size / sum(sizes) for size in sizes]
        self._updaters = [
            self._updater(share, final=index + 1 == len(sizes)) for index, share in enumerate(self._shares)
        ]

    @property
    def generators(self) -> list[torch.Generator]:
        """The generators that a step draws from; each step seeds them anew."""
        return list(self._random.values())

    def take(self, step: int) -> Figures:
        """Do step `step`; return its figures, on the device.

        What differs from step to step is put in place first; the rest is the device's, and may be a recording.
        """
        fetch = self._prepare(step)
        if self.graphs is None:
            return self._work(fetch)
        variant = self.task.variant(step)
        return self.graphs((variant, *self._stages.values()) if self._stages else variant, lambda: self._work(fetch))

    def show(self, networks: Mapping[str, nn.Module], steps: Iterable[int]) -> None:
        """Do the forward passes of `steps` with `networks`: no weight moves, but norms see the images."""
        updaters, self._updaters = self._updaters, [lambda role, loss: loss.detach()] * len(self._updaters)
        try:
            with self.uncaptured(networks):
                for step in steps:
                    self._work(self._prepare(step))
        finally:
            self._updaters = updaters

    def _prepare(self, step: int) -> Callable[[], tuple[Tensor, Tensor]]:
        """Put in place what step `step` draws from; return what fetches its images."""
        self._step, seed = step, self.spec.train.seed
        for purpose, random in self._random.items():
            random.manual_seed(derive_seed(seed, purpose, step))
        seed_default(self.engine.device, derive_seed(seed, "dropout", step))
        progress = step / self.spec.train.steps
        staged = [one for one in self.augment if isinstance(one, Staged)]
        self._stages = {one: one.stage(progress, *self.info.image[1:]) for one in staged}
        for trainee in self.trainees.values():
            trainee.set_rate(step)
        with self.phase("data"):
            return self.images.fetch(self.sampler.indices(step), self._indices)

    @contextmanager
    def uncaptured(self, networks: Mapping[str, nn.Module] | None = None) -> Iterator[None]:
        """Take steps one operation after another meanwhile, with `networks` in place of the compiled ones."""
        before = self.graphs, self._networks
        self.graphs = None
        if networks is not None:
            self._networks = self._named(networks)
        try:
            yield
        finally:
            self.graphs, self._networks = before

    def _named(self, networks: Mapping[str, nn.Module]) -> Roles:
        return Roles(self.spec.task.component, {**self._frozen, **networks})

    def _work(self, fetch: Callable[[], tuple[Tensor, Tensor]]) -> Figures:
        images, labels = self._batch(fetch)
        self._norms = []
        parts = len(self._updaters)
        if parts == 1:
            return self._part(Batch(images, labels), self._updaters[0])
        cut = zip(images.tensor_split(parts), labels.tensor_split(parts), strict=True)
        figures = [self._part(Batch(*part), update) for part, update in zip(cut, self._updaters, strict=True)]
        return {name: self._whole(name, figures) for name in figures[0]}

    def _part(self, batch: Batch, update: Update) -> Figures:
        steps = self.spec.train.steps
        step = min(self._step, steps - 1)  # what is shown after the last step is as that was
        turn = Turn(self._networks, batch, self.info, update, self._random["noise"], step, steps)
        with self.engine.autocast(), self.phase("forward"):
            return kept_figures(self.spec.task.component, self.task.step(turn))

    def _whole(self, name: str, parts: list[Figures]) -> Tensor:
        """Return a figure of the whole batch: the mean over its images, or what the update itself gave."""
        last = parts[-1][name]
        if any(last is norm for norm in self._norms):
            return last
        weighted = [one[name].float() * share for one, share in zip(parts, self._shares, strict=True)]
        return torch.stack(weighted).sum(0)

    def _batch(self, fetch: Callable[[], tuple[Tensor, Tensor]]) -> Batch:
        """Return the images of a step, augmented, and their labels."""
        with self.phase("data"):
            pixels, labels = fetch()
            images = as_input(pixels)
        with self.phase("augment"):
            for augmentation in self.augment:
                random = self._random["augment"]
                if isinstance(augmentation, Mixing):
                    images, labels = augmentation.mix(images, labels, self.info.classes, random)
                elif isinstance(augmentation, Staged):
                    images = augmentation.apply(images, random, self._stages[augmentation])
                else:
                    images = augmentation(images, random)
            return Batch(laid_out(images), labels)

    def _updated(self, roles: str | Collection[str], loss: Any) -> list[Trainee]:
        """Return what one update is to train, in the order of the task's roles, if it may."""
        wanted = {roles} if isinstance(roles, str) else set(roles)
        if not isinstance(loss, Tensor):
            told = " and ".join(sorted(wanted))
            raise broken(self.spec.task.component, f"gave {loss!r} as the loss of {told}", "a tensor of one number")
        if not wanted:
            raise broken(self.spec.task.component, "updated no role", f"one of {', '.join(self.trainees)}, or several")
        found = {role: self._roles[role] for role in sorted(wanted)}
        for role, trainee in found.items():
            if trainee.updates >= (self._step + 1) * self.task.updates(role):
                raise TrainingError(
                    f"step {self._step + 1}: the task {self.spec.task.name} updates {role} more often than the "
                    f"{self.task.updates(role)} times a step that it states, and that the budget was checked for"
                )
        # A set has another order in each process; gradients, norms and what is captured must not.
        return [found[role] for role in self.trainees if role in found]

    def _updater(self, share: float, final: bool) -> Update:
        """Return the door to a weight update: a part of a batch adds its share, and the last one takes the step."""
        kind = self.engine.device.type

        def update(roles: str | Collection[str], loss: Tensor) -> Tensor:
            trainees = self._updated(roles, loss)
            # Only forward passes are meant for autocast, and a loss moves the weights of its own networks alone.
            with torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else _NOTHING:
                with self.phase("backward"):
                    parameters = [one for trainee in trainees for one in trainee.parameters]
                    (loss * share if share != 1 else loss).backward(inputs=parameters)
                with self.phase("optimizer"):
                    norms = [trainee.update() for trainee in trainees] if final else [loss.new_zeros(())]
                    norm = norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms))
            # Autocast keeps low-precision copies of the weights, which the update has just made stale.
            torch.clear_autocast_cache()
            self._norms.append(norm)
            return norm

        return update


def _unwatched(phase: str) -> AbstractContextManager[None]:
    return _NOTHING
