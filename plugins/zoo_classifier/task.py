"""The task `classify`: one network, from images to the logits of classes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from zoo.api import Batch, DataInfo, Direction, Field, Finding, Later, Loss, PredictiveTask, Setting, Terminals, Turn

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

GROUP = 64  # images in a batch of the paper, whose spread of accuracy it states


@dataclass(frozen=True, kw_only=True)
class Classify(PredictiveTask):
    """Classify images: cross entropy by default, measured by top-1, top-5 and loss.

    Where labels are mixed, the accuracy in training counts the class of the largest share. With `auxiliary`, the
    network gives two outputs, `logits` and `auxiliary`, and the loss of the second is added while training.

    Source: Szegedy et al. 2014, arXiv:1409.4842, section 5, of auxiliary heads.
    """

    loss: Loss = "cross_entropy"
    normalize: Annotated[bool, Field(description="Shift and scale by the training images' mean and deviation.")] = True
    superclass_weight: Annotated[
        float,
        Later(),
        Field(ge=0, description="Weight of the cross entropy of the superclass, added to the loss in training."),
    ] = 0.0
    test_flip: Annotated[
        bool,
        Field(description="Report top1_flip and top5_flip too: of each image's logits and its mirror image's, added."),
    ] = False
    auxiliary: Annotated[
        float,
        Later(),
        Field(ge=0, le=1e3, description="Weight of the loss of a second output, `auxiliary`; 0: there is none."),
    ] = 0.0

    roles: ClassVar[tuple[str, ...]] = ("classifier",)
    soft_labels: ClassVar[bool] = True
    reported: ClassVar[tuple[str, ...]] = ("test_flip",)

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        yield from super().check(setting)
        name = setting.spec.data.name
        if self.test_flip and setting.info.items != "images":
            found = f"found {name}, whose items are {setting.info.item_words()}"
            yield Finding(found, "false: only images have a mirror image", "test_flip")
        if setting.info.classes == 1:
            yield Finding(f"found {name}, which has one class", "2 or more to tell apart", warning=True)
        built = setting.networks.get("classifier")
        if self.auxiliary and built and not built[0].graph(built[1]).output_names:
            yield Finding("found no output of the name `auxiliary`", "outputs `logits` and `auxiliary`", "auxiliary")
        if self.superclass_weight and not setting.info.superclass_of:
            wanted = "0, or data whose classes form groups, such as cifar100"
            yield Finding(f"found {name}, which has no superclasses", wanted, "superclass_weight")

    def terminals(self, role: str, info: DataInfo) -> Terminals:
        heads = ("logits", "auxiliary") if self.auxiliary else ()
        return Terminals(info.image, (info.classes,), heads=tuple((name, (info.classes,)) for name in heads))

    def step(self, turn: Turn) -> dict[str, Tensor]:
        images, labels = turn.batch
        logits, *others = self.outputs(turn.networks, images, turn.info)
        loss = self.loss(logits, labels)
        for one in others:
            loss = loss + self.auxiliary * self.loss(one, labels)
        if self.superclass_weight:
            member = _membership(turn.info.superclass_of, logits.device)
            loss = loss + self.superclass_weight * superclass_loss(logits, labels, member)
        norm = turn.update("classifier", loss)
        largest = labels.argmax(1) if labels.dim() == 2 else labels
        accuracy = (logits.detach().argmax(1) == largest).float().mean()
        return {"loss": loss.detach(), "accuracy": accuracy, "gradient_norm": norm}

    def observe(
        self, said: Tensor, batch: Batch, networks: Mapping[str, nn.Module], info: DataInfo
    ) -> tuple[Tensor, ...]:
        """Return the label of each item, and which of its five best classes is right; with its mirror image too."""
        best, label = min(5, info.classes), batch.labels[:, None]
        found = [said.topk(best, dim=1).indices == label]
        if self.test_flip:
            both = said + self.predict(networks, batch.images.flip(3), info).float()
            found.append(both.topk(best, dim=1).indices == label)
        return batch.labels, *found

    def measure(self, info: DataInfo, *observed: Tensor) -> dict[str, Any]:
        """Return top-1 and top-5 over all images, top-1 of each class, and the spread over batches of 64.

        `accuracy_mean` and `accuracy_std` are those of the accuracies of consecutive groups of 64 images, the form in
        which the paper states its results; a last group of fewer images counts as a group. With `test_flip`,
        `top1_flip` and `top5_flip` stand beside the plain figures, never in their place.
        """
        import torch

        label, hit, *flipped = observed
        right = hit[:, 0].double()
        groups = torch.stack([group.mean() for group in right.split(GROUP)])
        per_class = torch.zeros(info.classes, dtype=torch.double).index_add_(0, label, right)
        counts = torch.bincount(label, minlength=info.classes)
        found: dict[str, Any] = {"top1": float(right.mean()), "top5": float(hit.any(1).double().mean())}
        for one in flipped:
            found |= {"top1_flip": float(one[:, 0].double().mean()), "top5_flip": float(one.double().sum(1).mean())}
        return {
            **found,
            "accuracy_mean": float(groups.mean()),
            "accuracy_std": float(groups.std(unbiased=False)) if len(groups) > 1 else None,
            "per_class": [
                float(total / count) if count else None for total, count in zip(per_class, counts, strict=True)
            ],
        }

    def figures(self) -> Mapping[str, Direction]:
        shares = ("top1", "top5", *(("top1_flip", "top5_flip") if self.test_flip else ()), "accuracy_mean")
        return {**dict.fromkeys(shares, "maximize"), **dict.fromkeys(self.losses(), "minimize")}

    def headline(self, split: str, figures: Mapping[str, Any]) -> str:
        """Return the figures in the paper's form: train loss: 1.812, train acc: 0.521±0.065."""
        loss = figures["loss"]
        loss = f"{loss:.3f}" if loss is not None and math.isfinite(loss) else "not finite"
        mean, std = figures["accuracy_mean"], figures["accuracy_std"]
        # A single batch has no deviation.
        spread = " (n = 1)" if std is None or math.isnan(std) else f"±{std:.3f}"
        return f"{split} loss: {loss}, {split} acc: {mean:.3f}{spread}"


def superclass_loss(logits: Tensor, labels: Tensor, member: Tensor) -> Tensor:
    """Return the mean cross entropy of groups of classes, where a group's probability is the sum over its classes.

    logits: (N, classes); labels: (N,) int64, or (N, classes) the share of each class; member: (classes, groups) 0 or 1.
    It has no weights of its own: the logarithm of the sum of a group's exponentials is the logit of the group.
    """
    import torch
    from torch.nn import functional

    grouped = torch.logsumexp(logits.float()[:, :, None] + member.log(), 1)
    shares = member[labels] if labels.dim() == 1 else labels @ member
    return functional.cross_entropy(grouped, shares)


@lru_cache(maxsize=8)
def _membership(group_of: tuple[int, ...], device: torch.device) -> Tensor:
    """Return the group of each class as (classes, groups) 0 or 1, brought to the device once."""
    import torch

    return torch.nn.functional.one_hot(torch.tensor(group_of)).float().to(device)
