"""What one step is: its images, the task's step, and the updates of weights; recorded and replayed where captured."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor

from zoo.data.augment import Mixing, Staged
from zoo.data.dataset import DataInfo
from zoo.data.device import DeviceSet
from zoo.data.sampler import Sampler
from zoo.errors import TrainingError
from zoo.random import derive_seed
from zoo.spec.schema import Spec
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
    ) -> None:
        self.spec, self.task, self.engine, self.trainees = spec, task, engine, trainees
        self.images, self.info, self.augment = images, info, augment
        self.sampler = Sampler(images.length, spec.train.batch_size * task.batches(), spec.train.seed)
        self.graphs: Graphs | None = None
        self.phase: Callable[[str], AbstractContextManager[None]] = _unwatched
        self._step = 0
        self._stages: dict[Staged, Hashable] = {}  # what the staged augmentations do in this step
        self._networks = {role: one.compiled for role, one in trainees.items()}
        self._indices = torch.zeros(self.sampler.batch_size, dtype=torch.int64, device=engine.device)
        purposes = ("augment", "noise") if augment else ("noise",)
        self._random = {purpose: torch.Generator(engine.device) for purpose in purposes}
        sizes = [len(one) for one in self._indices.chunk(spec.train.accumulate)]
        self._updaters = [
            self._updater(size / sum(sizes), final=index + 1 == len(sizes)) for index, size in enumerate(sizes)
        ]

    @property
    def generators(self) -> list[torch.Generator]:
        """The generators that a step draws from; each step seeds them anew."""
        return list(self._random.values())

    def take(self, step: int) -> Figures:
        """Do step `step`; return the figures of each part of its batch, on the device.

        What differs from step to step is put in place first; the rest is the device's, and may be a recording.
        """
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
            fetch = self.images.fetch(self.sampler.indices(step), self._indices)
        if self.graphs is None:
            return self._work(fetch)
        variant = (self.task.variant(step), *self._stages.values())
        return self.graphs(variant, lambda: self._work(fetch))

    @contextmanager
    def uncaptured(self, *, compiled: bool = True) -> Iterator[None]:
        """Take steps one operation after another meanwhile, for who wants to watch them."""
        graphs, networks = self.graphs, self._networks
        self.graphs = None
        if not compiled:
            self._networks = {role: one.module for role, one in self.trainees.items()}
        try:
            yield
        finally:
            self.graphs, self._networks = graphs, networks

    def _work(self, fetch: Callable[[], tuple[Tensor, Tensor]]) -> Figures:
        images, labels = self._batch(fetch)
        parts = len(self._updaters)
        cut = [(images, labels)] if parts == 1 else zip(images.chunk(parts), labels.chunk(parts), strict=True)
        figures = []
        for part, update in zip(cut, self._updaters, strict=True):
            batch, random = Batch(*part), self._random["noise"]
            turn = Turn(self._networks, batch, self.info, update, random, self._step, self.spec.train.steps)
            with self.engine.autocast(), self.phase("forward"):
                figures.append(self.task.step(turn))
        return figures

    def _batch(self, fetch: Callable[[], tuple[Tensor, Tensor]]) -> Batch:
        """Return the images of a step, augmented, and their labels."""
        with self.phase("data"):
            pixels, labels = fetch()
            images = pixels.to(torch.float32).div_(255)
        with self.phase("augment"):
            for augmentation in self.augment:
                random = self._random["augment"]
                if isinstance(augmentation, Mixing):
                    images, labels = augmentation.mix(images, labels, self.info.classes, random)
                elif isinstance(augmentation, Staged):
                    images = augmentation.apply(images, random, self._stages[augmentation])
                else:
                    images = augmentation(images, random)
            return Batch(images.contiguous(memory_format=torch.channels_last), labels)

    def _updater(self, share: float, final: bool) -> Update:
        """Return the door to a weight update: a part of a batch adds its share, and the last one takes the step."""
        kind = self.engine.device.type

        def update(role: str, loss: Tensor) -> Tensor:
            trainee = self.trainees[role]
            if trainee.updates >= (self._step + 1) * self.task.updates(role):
                raise TrainingError(
                    f"step {self._step}: the task {self.spec.task.name} updates {role} more often than the "
                    f"{self.task.updates(role)} times a step that it states, and that the budget was checked for"
                )
            # Only forward passes are meant for autocast, and a loss moves the weights of its own network alone.
            with torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else _NOTHING:
                with self.phase("backward"):
                    (loss * share if share != 1 else loss).backward(inputs=trainee.parameters)
                with self.phase("optimizer"):
                    norm = trainee.update() if final else loss.new_zeros(())
            # Autocast keeps low-precision copies of the weights, which the update has just made stale.
            torch.clear_autocast_cache()
            return norm

        return update


def seed_default(device: torch.device, seed: int) -> None:
    """Seed the generator that torch's own layers draw from on `device`; torch.manual_seed takes 0.3 ms for all."""
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    elif device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


def _unwatched(phase: str) -> AbstractContextManager[None]:
    return _NOTHING
