"""A trained network: what a run's newest checkpoint holds, ready to be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from zoo.builder import Builder
from zoo.checking import check
from zoo.data.dataset import DataInfo, Dataset
from zoo.errors import RunError
from zoo.generation.draw import draw
from zoo.spec.schema import Spec
from zoo.training import checkpoint
from zoo.training.engine import choose
from zoo.training.loop import make_networks
from zoo.training.run import Run
from zoo.training.task import GenerativeTask, Task


@dataclass(frozen=True)
class Trained:
    """The networks of a run by role, averaged weights where there are any, on the spec's device, for inference."""

    run: Run
    spec: Spec
    task: Task
    info: DataInfo
    networks: dict[str, nn.Module]
    device: Any  # torch.device
    checkpoint: Path
    step: int
    builder: Builder

    @classmethod
    def load(cls, run: Run, builder: Builder, overrides: Sequence[str] = ()) -> Trained:
        """Load a run's newest checkpoint. `overrides` change its spec in what does not concern the weights.

        Raises RunError when there is no checkpoint, or when it does not fit the changed spec.
        """
        spec = run.spec(builder.registry, overrides)
        last = checkpoint.newest(run.checkpoints)
        if last is None:
            raise RunError(f"{run.folder}: it holds no checkpoint yet; train it first with `zoo train`")
        engine = choose(spec.train)
        networks = make_networks(spec, check(spec, builder), builder)
        step = checkpoint.load_networks(last, networks)
        placed = {role: engine.place(network).eval() for role, network in networks.items()}
        task, info = builder.bind(spec.task), builder.bind(spec.data).info()
        return cls(run, spec, task, info, placed, engine.device, last, step, builder)

    def dataset(self) -> Dataset:
        """Return the data that the run was trained on. Raises DataError when they are not on this machine."""
        dataset: Dataset = self.builder.bind(self.spec.data).load()
        return dataset

    @property
    def generative(self) -> GenerativeTask:
        """The task as one that makes images. Raises RunError when it makes none."""
        if isinstance(self.task, GenerativeTask):
            return self.task
        raise RunError(
            f"{self.run.folder}: its task, {self.spec.task.name}, makes no images; wanted a run with a generator, such "
            "as one of the task gan"
        )

    def draw(self, numbers: Sequence[int], *, seed: int = 0, labels: Sequence[int] | None = None) -> Tensor:
        """Return the images of `seed` with these numbers, (N, C, H, W) uint8 on the CPU.

        An image depends on the seed, its number and its label alone. labels: of each image; without them a
        conditional task goes through the classes in turn. Raises RunError when the task makes no images, takes no
        labels, or has no such class.
        """
        task = self.generative
        if labels is not None:
            if not task.conditional:
                raise RunError(f"{self.run.folder}: its generator takes no labels; draw without them")
            wrong = [label for label in labels if not 0 <= label < self.info.classes]
            if wrong:
                raise RunError(f"found the label {wrong[0]}; wanted 0 to {self.info.classes - 1}")
        return draw(task, self.networks, self.info, numbers, seed, self.device, labels)
