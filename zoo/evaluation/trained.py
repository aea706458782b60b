"""A trained network: what a run's newest checkpoint or a published entry holds, ready to be used."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from zoo.builder import Builder
from zoo.checking import check
from zoo.data.dataset import DataInfo, Dataset, DataSource
from zoo.data.device import as_input
from zoo.data.identity import PURPOSE, Identity
from zoo.data.soundness import load_sound
from zoo.errors import DataError, RunError
from zoo.generation.draw import generate, latents
from zoo.registry import Registry
from zoo.spec.schema import Spec
from zoo.training import checkpoint
from zoo.training.devices import precision
from zoo.training.engine import choose
from zoo.training.task import GenerativeTask, Task
from zoo.training.trainee import make_networks, require_frozen


class Source(Protocol):
    """Where trained networks come from: a run, or a published entry."""

    @property
    def label(self) -> str:
        """What it is called: a run's folder, an entry's name."""

    @property
    def samples(self) -> Path:
        """Where pictures that are drawn from it are put."""

    @property
    def data(self) -> Identity | None:
        """The data that it was trained on, as far as they are known."""

    @property
    def frozen(self) -> Mapping[str, Mapping[str, str]]:
        """The networks that it uses and did not train: the hash of each one's weights."""

    @property
    def began_from(self) -> Mapping[str, Mapping[str, Any]]:
        """Whose weights its networks began with, by role, where they were trained before."""

    def spec(self, registry: Registry, overrides: Sequence[str] = ()) -> Spec:
        """Return the resolved spec, changed by `overrides`."""

    def weights(self) -> Path:
        """Return a checkpoint's file. Raises RunError or ShelfError when there is none."""


@dataclass(frozen=True, repr=False)
class Trained:
    """The networks of a run or an entry by role, averaged where there is an average, on the spec's device."""

    source: Source
    spec: Spec
    task: Task
    info: DataInfo
    networks: dict[str, nn.Module]
    device: torch.device
    checkpoint: Path
    sha256: str  # of the checkpoint's file, which a running training replaces
    step: int
    builder: Builder
    data: Identity | None = None  # what it was trained on, as far as that is known
    other_data: bool = field(default=False, kw_only=True)

    def __repr__(self) -> str:
        return f"<Trained {', '.join(self.networks)} of {self.source.label}, step {self.step:,}>"

    @classmethod
    def load(
        cls, source: Source, builder: Builder, overrides: Sequence[str] = (), *, other_data: bool = False
    ) -> Trained:
        """Load a source's weights. `overrides` change its spec in what does not concern them.

        What a network must know of its data (`info`) is what the source was trained on, wherever that is kept.
        other_data: it may be measured on data that it was not trained on. Raises RunError when there are no weights,
        or when they do not fit the changed spec, and DataError when only other data than it was trained on could say
        what has to be known.
        """
        spec = source.spec(builder.registry, overrides)
        last = source.weights()
        digest = hashlib.sha256(last.read_bytes()).hexdigest()
        # What was trained in bf16 is measured in fp32 as all else is, also on a machine that has no bf16.
        engine = choose(replace(spec.train, engine="eager", precision="fp32"))
        data = source.data
        info = data.info if data else None
        if info is None and not other_data:
            # An earlier version made it, and did not write down what a network must know.
            require_same_here(source, spec, builder)
        info = info or builder.bind(spec.data).info()
        report = check(spec, builder, info)
        networks = make_networks(spec, report, builder, begin=False)
        trained = {role: one for role, one in networks.items() if not report.networks[role].frozen}
        require_frozen({"frozen": source.frozen}, spec, {role: networks[role] for role in source.frozen}, source.label)
        step = checkpoint.load_networks(last, trained)
        placed = {role: engine.place(network).eval() for role, network in networks.items()}
        task = builder.bind(spec.task)
        return cls(
            source, spec, task, info, placed, engine.device, last, digest, step, builder, data, other_data=other_data
        )

    def dataset(self) -> Dataset:
        """Return the data that it was trained on.

        Raises DataError when they are not on this machine, or others are and `other_data` was not asked for.
        """
        dataset = load_sound(self.builder.bind(self.spec.data), self.spec.data.name)
        if self.data is not None and not self.other_data:
            self.data.require(dataset, self.source.label, self.spec.data.written())
        for what in ("image", "classes", "target", "target_shape"):
            found, wanted = getattr(dataset.info, what), getattr(self.info, what)
            if found != wanted:
                name = self.spec.data.written()
                raise DataError(f"{self.source.label}: {name} has {what} {found} here; its networks take {wanted}")
        return dataset

    def require_same_here(self, how: str = PURPOSE) -> None:
        """Raise DataError when the data set of its name on this machine is known to be another one.

        how: to use it all the same.
        """
        require_same_here(self.source, self.spec, self.builder, how)

    def origin(self, role: str) -> dict[str, Any]:
        """Return what is to be known of a network wherever its weights are used again, as plain data."""
        facts = self.source.began_from.get(role)
        return {
            "source": self.spec.name,
            "role": role,
            "sha256": self.sha256,
            "spec_hash": self.spec.hash,
            "data": self.spec.data.written(),
            **({"fingerprint": self.data.fingerprint} if self.data else {}),
            **({"began_from": facts} if facts else {}),
        }

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes. Raises DataError when only the data know them, and are not on this machine."""
        return (self.data.class_names if self.data else ()) or self.dataset().class_names

    @property
    def generative(self) -> GenerativeTask:
        """The task as one that makes images. Raises RunError when it makes none."""
        if isinstance(self.task, GenerativeTask):
            return self.task
        raise RunError(
            f"{self.source.label}: its task, {self.spec.task.name}, makes no images; wanted a run with a generator, "
            "such as one of the task gan"
        )

    def probabilities(self, images: Tensor) -> Tensor:
        """Return the probability of each class for items (N, ...) as a data set holds them: (N, classes) float32 on
        the CPU.

        Raises RunError when the task does not classify.
        """
        if self.classifying.predicts not in ("class", "classes"):
            raise RunError(f"{self.source.label}: its task, {self.spec.task.name}, names no classes; use answers()")
        return self.answers(images)

    def answers(self, items: Tensor) -> Tensor:
        """Return what is said of items (N, ...), as a data set holds them: probabilities of classes (N, classes),
        numbers (N, ...) in their own units, or items again; float32 on the CPU.

        Raises RunError when the task makes images instead.
        """
        task, found = self.classifying, []
        with torch.inference_mode(), precision(self.device, "fp32"):
            for part in items.split(256):
                outputs = task.predict(self.networks, as_input(part.to(self.device)), self.info)
                found.append(task.answers(outputs.float()).cpu())
        return torch.cat(found)

    @property
    def classifying(self) -> Task:
        """The task as one that says something of items. Raises RunError when it makes images instead."""
        if not isinstance(self.task, GenerativeTask):
            return self.task
        raise RunError(
            f"{self.source.label}: its task, {self.spec.task.name}, makes images and names none; wanted a classifier, "
            "or `zoo sample` for this one"
        )

    def judge(self, images: Tensor, labels: Sequence[int] | None = None) -> Tensor:
        """Return how well the run's own networks like `images` (N, C, H, W) uint8: (N,) on the CPU.

        Raises RunError when they cannot say.
        """
        task = self.generative
        found = []
        classes = torch.tensor(self.labels(range(len(images)), labels), dtype=torch.int64)
        with torch.inference_mode(), precision(self.device, "fp32"):
            for part, given in zip(images.split(256), classes.split(256), strict=True):
                scaled, given = part.to(self.device).float() / 255, given.to(self.device)
                scores = task.judge(self.networks, scaled, given if task.conditional else None, self.info)
                if scores is None:
                    raise RunError(
                        f"{self.source.label}: {self.spec.task.name} has no network that judges images; choose by eye"
                    )
                found.append(scores.cpu())
        return torch.cat(found)

    def labels(self, numbers: Sequence[int], labels: Sequence[int] | None = None) -> list[int]:
        """Return the label of each image: the one given, or its number's in turn."""
        return list(labels) if labels is not None else [number % self.info.classes for number in numbers]

    def draw(self, numbers: Sequence[int], *, seed: int = 0, labels: Sequence[int] | None = None) -> Tensor:
        """Return the images of `seed` with these numbers, (N, C, H, W) uint8 on the CPU.

        An image depends on the seed, its number and its label alone. labels: of each image; without them a
        conditional task goes through the classes in turn. Raises RunError when the task makes no images or has no
        such class.
        """
        return self.generate(self.latents(numbers, seed=seed), self.labels(numbers) if labels is None else labels)

    def draw_first(self, count: int, seed: int) -> Tensor:
        """Return the first `count` images of `seed`, the classes in turn."""
        return self.draw(range(count), seed=seed)

    def latents(self, numbers: Sequence[int], *, seed: int = 0) -> Tensor:
        """Return the latent values of the images of `seed` with these numbers: (N, ...) float32 on the CPU."""
        return latents(self.generative, self.info, numbers, seed)

    def generate(self, latents: Tensor, labels: Sequence[int]) -> Tensor:
        """Return the images of `latents` (N, ...) and `labels`, (N, C, H, W) uint8 on the CPU.

        Raises RunError when the latents have another shape than the generator takes, or a label is no class.
        """
        wanted = self.generative.latent(self.info)
        if tuple(latents.shape[1:]) != wanted:
            raise RunError(
                f"{self.source.label}: found latents of shape {tuple(latents.shape[1:])}; its generator takes {wanted}"
            )
        wrong = [label for label in labels if not 0 <= label < self.info.classes]
        if wrong:
            raise RunError(f"found the label {wrong[0]}; wanted 0 to {self.info.classes - 1}")
        return generate(
            self.generative, self.networks, self.info, latents, torch.tensor(labels, dtype=torch.int64), self.device
        )


def require_same_here(source: Source, spec: Spec, builder: Builder, how: str = PURPOSE) -> None:
    """Raise DataError when the data set of `spec` on this machine is known to be another than `source` was trained on.

    Nothing is loaded unless it is; what is not here is no other.
    """
    kept: DataSource = builder.bind(spec.data)
    found = kept.fingerprint()
    if source.data is not None and found not in (None, source.data.fingerprint):
        source.data.require(kept.load(), source.label, spec.data.written(), how)
