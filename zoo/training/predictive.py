"""What the tasks have in common that say something of each item, and are measured by how true it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from zoo.data.dataset import DataInfo
from zoo.requirements import Finding, Setting
from zoo.training.task import Batch, Task, Turn

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


class PredictiveTask(Task):
    """Base of the tasks that predict something of each item by one loss.

    A subclass is a keyword-only frozen dataclass with the options `loss` and `normalize`. It says what is predicted by
    `predicts`, and what is told of that by `observe` and `measure`; of several roles, or other losses, it says more.
    """

    loss: Any
    normalize: bool

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        if self.normalize and not all(one > 0 for one in setting.info.std):
            found = f"found {setting.spec.data.name}, a channel of which never changes"
            yield Finding(found, "normalize: false", "normalize")

    def prepared(self, images: Tensor, info: DataInfo) -> Tensor:
        """Return items as the network takes them: shifted and scaled by the statistics of the training items."""
        if not self.normalize or info.tokens:
            return images
        mean, std = statistics(info.mean, info.std, images)
        return (images - mean) / std

    def outputs(self, networks: Mapping[str, nn.Module], images: Tensor, info: DataInfo) -> tuple[Tensor, ...]:
        """Return all that the network gives of items; the first is what the loss is about."""
        given = networks[self.roles[0]](self.prepared(images, info))
        return given if isinstance(given, tuple) else (given,)

    def wanted(self, batch: Batch, info: DataInfo) -> Tensor:
        """Return what the loss holds the outputs against."""
        return batch.labels

    def said(self, outputs: Tensor, info: DataInfo) -> Tensor:
        """Return outputs as `predict` gives them."""
        return outputs

    def step(self, turn: Turn) -> dict[str, Tensor]:
        outputs = self.outputs(turn.networks, turn.batch.images, turn.info)
        loss = self.loss(outputs[0], self.wanted(turn.batch, turn.info))
        return {"loss": loss.detach(), "gradient_norm": turn.update(self.roles, loss)}

    def predict(self, networks: Mapping[str, nn.Module], images: Tensor, info: DataInfo) -> Tensor:
        return self.said(self.outputs(networks, images, info)[0], info)

    def losses(self) -> dict[str, Any]:
        """Return the losses that evaluation states: the one that the spec's is `measured` by and, where it was trained
        by another, `loss_as_trained`.
        """
        measured = getattr(self.loss, "measured", self.loss)
        return {"loss": measured} | ({} if measured is self.loss else {"loss_as_trained": self.loss})

    def evaluate(self, networks: Mapping[str, nn.Module], batches: Iterable[Batch], info: DataInfo) -> dict[str, Any]:
        """Return the losses over all items, then what `measure` finds in what was observed of them."""
        import torch

        losses, sums, observed = self.losses(), [], []
        for batch in batches:
            outputs = self.outputs(networks, batch.images, info)[0].float()
            wanted = self.wanted(batch, info)
            found = torch.stack([one(outputs, wanted) for one in losses.values()])
            sums.append(found.cpu().double() * len(outputs))  # not every device has float64
            observed.append([one.cpu() for one in self.observe(self.said(outputs, info), batch, networks, info)])
        columns = [torch.cat(column) for column in zip(*observed, strict=True)]
        count = len(columns[0])
        means = (torch.stack(sums).sum(0) / count).tolist()
        return {"images": count, **dict(zip(losses, means, strict=True)), **self.measure(info, *columns)}

    def observe(
        self, said: Tensor, batch: Batch, networks: Mapping[str, nn.Module], info: DataInfo
    ) -> tuple[Tensor, ...]:
        """Return what figures of a batch are made of, each (N, ...): what was said, and what is true."""
        return said, batch.labels

    def measure(self, info: DataInfo, *observed: Tensor) -> dict[str, Any]:
        """Return named figures of what was observed of all items, on the CPU."""
        raise NotImplementedError


def statistics(mean: tuple[float, ...], std: tuple[float, ...], like: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and deviation as (1, C, 1, ...), of the axes, device and type of `like`, brought there once."""
    return _statistics(mean, std, like.dim(), like.device, like.dtype)


@lru_cache(maxsize=16)
def _statistics(
    mean: tuple[float, ...], std: tuple[float, ...], axes: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    import torch

    with torch.inference_mode(False):  # what is kept serves training too
        made = torch.tensor([mean, std], device=device, dtype=dtype).view(2, 1, -1, *[1] * (axes - 2))
        return made[0], made[1]
