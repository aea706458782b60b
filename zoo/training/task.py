"""What a task is: the roles of its networks, one step of training, and how the result is measured."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, TypeAlias

from zoo.data.dataset import ITEMS, Items, Target
from zoo.network.layer import Condition, Shape

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from zoo.data.dataset import DataInfo


Direction: TypeAlias = Literal["maximize", "minimize", ""]
Predicted: TypeAlias = Literal["class", "classes", "numbers", "items", ""]


class Terminals(NamedTuple):
    """The shapes (without batch) between which a task puts a network, and what it is called with beside its input.

    `heads`: named outputs that the network may give, in this order, in place of one value of shape `output`.
    """

    input: Shape
    output: Shape
    conditions: tuple[Condition, ...] = ()
    heads: tuple[tuple[str, Shape], ...] = ()


class Batch(NamedTuple):
    """images: (N, ...), on the device: pixels float32 in 0..1, numbers float32 as they are, tokens int64; labels:
    (N,) int64 where the target is a class, (N, classes) bool of any number of them, (N, ...) float32 of numbers.

    Where an augmentation has mixed them, labels are (N, classes) float32: the share of each class.
    """

    images: Tensor
    labels: Tensor


#: Called with a role, or several, and a loss: backward into those networks alone, once; then of each clip, optimizer
#: step, average. Returns the norm of the gradient before clipping, over all of them together, 0 for all but the last
#: part of a batch that is cut. The only door to a weight update.
Update = Callable[["str | Collection[str]", "Tensor"], "Tensor"]


class Turn(NamedTuple):
    """One step of training as the loop hands it to a task. `step` counts from 0 to `steps` - 1.

    All randomness of a step comes from `random`, a generator on the device, or from torch's own, seeded alike.
    """

    networks: Mapping[str, nn.Module]
    batch: Batch
    info: DataInfo
    update: Update
    random: torch.Generator
    step: int
    steps: int


class Task:
    """Base of all tasks. A subclass is a keyword-only frozen dataclass: its fields are the options in a spec.

    `items` and `targets` say which data it takes; others are refused when a spec is checked. `predicts` says what its
    `predict` is about, by which losses and metrics are chosen: a target, the items themselves, or "" of nothing.

    Modules that define tasks import torch inside functions only, so that a spec is checked without it.
    """

    roles: ClassVar[tuple[str, ...]] = ()
    frozen: ClassVar[tuple[str, ...]] = ()  # those among them whose networks are used, and never trained
    items: ClassVar[tuple[Items, ...]] = ITEMS
    targets: ClassVar[tuple[Target, ...]] = ("class",)
    predicts: ClassVar[Predicted] = "class"
    soft_labels: ClassVar[bool] = False  # whether `step` takes labels that an augmentation has mixed
    reported: ClassVar[tuple[str, ...]] = ()  # options that add figures, and change nothing else

    def terminals(self, role: str, info: DataInfo) -> Terminals:
        """Return the shapes that the network in `role` connects, for data of this kind."""
        raise NotImplementedError

    def updates(self, role: str) -> int:
        """Return how often one step updates the network in `role`; the loop allows no more."""
        return 1

    def twice(self, role: str) -> bool:
        """Return whether a step differentiates the slopes of the network in `role` again, as gradient penalties do."""
        return False

    def batches(self) -> int:
        """Return how many batches of images one step takes; they come as one."""
        return 1

    def step(self, turn: Turn) -> dict[str, Tensor]:
        """Train on one batch: call `turn.update(role, loss)` for each update; return scalars to log, detached.

        Every role is updated in each step. Of a batch that is cut into parts (train.accumulate), each part is a turn:
        `loss` and the scalars are means over its images, and what an update returned is logged as it is.

        Nothing is read from the device or brought to it, so that the step can be captured and replayed; then
        `turn.step` is that of the capture.
        """
        raise NotImplementedError

    def variant(self, step: int) -> Hashable:
        """Return the same value for steps of the same operations; unless a task says more, all steps are alike."""
        return None

    def predict(self, networks: Mapping[str, nn.Module], images: Tensor, info: DataInfo) -> Tensor:
        """Return what the networks say of items (N, ...), as a Batch has them: (N, ...), such as logits."""
        raise NotImplementedError

    def answers(self, outputs: Tensor) -> Tensor:
        """Return what `predict` gave in words of the data: probabilities of classes, and all else as it is."""
        if self.predicts == "class":
            return outputs.softmax(1)
        return outputs.sigmoid() if self.predicts == "classes" else outputs

    def remarks(self, figures: Mapping[str, float]) -> dict[str, str]:
        """Return what a person should be told about the means since the last line of metrics, a sentence by topic.

        It is said when a topic comes up, not again while it lasts.
        """
        return {}

    def evaluate(self, networks: Mapping[str, nn.Module], batches: Any, info: DataInfo) -> dict[str, Any]:
        """Return named figures over all of `batches`, an iterable of Batch in a fixed order."""
        raise NotImplementedError

    def figures(self) -> Mapping[str, Direction]:
        """Return the single numbers of `evaluate` that trainings may be judged by, each with its better direction;
        "" where neither is better by itself. A task that names none cannot be swept.
        """
        return {}

    def headline(self, split: str, figures: Mapping[str, Any]) -> str:
        """Return the figures of a split in a line, in the form in which the field states them."""
        shown = (f"{split} {name}: {value:.4g}" for name, value in figures.items() if isinstance(value, float))
        return ", ".join(shown)


class GenerativeTask(Task):
    """Base of the tasks whose networks make images out of latent values, and of a label where `conditional`."""

    items: ClassVar[tuple[Items, ...]] = ("images",)
    predicts: ClassVar[Predicted] = ""

    @property
    def conditional(self) -> bool:
        """Whether a label is asked for with each image."""
        raise NotImplementedError

    def latent(self, info: DataInfo) -> Shape:
        """Return the shape of one image's latent values, which are normally distributed."""
        raise NotImplementedError

    def generate(
        self, networks: Mapping[str, nn.Module], latents: Tensor, labels: Tensor | None, info: DataInfo
    ) -> Tensor:
        """Return images (N, C, H, W) float in 0..1, a function of `latents` (N, ...) and `labels` (N,) int64 alone."""
        raise NotImplementedError

    def headline(self, split: str, figures: Mapping[str, Any]) -> str:
        """Return the distances from the split's images; "" where none was measured."""
        distances = ("fid", "fd_", "frechet_distance")
        stated = [name for name in figures if name.startswith(distances) and not name.endswith("_std")]
        return ", ".join(f"{split} {name}: {figures[name]:.4g}" for name in stated)

    def judge(
        self, networks: Mapping[str, nn.Module], images: Tensor, labels: Tensor | None, info: DataInfo
    ) -> Tensor | None:
        """Return how well the networks like images (N, C, H, W) in 0..1, as (N,); None where they cannot say."""
        return None
