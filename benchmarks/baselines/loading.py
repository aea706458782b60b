"""The data side of all baselines: PIL images one by one, as torchvision's CIFAR100 gives them, and a DataLoader.

Frozen; written for torch 2.15, torchvision 0.29 and Pillow 13.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.baselines import BATCH_SIZE, Pictures, Setting


class PilImages(Dataset[tuple[Any, int]]):
    """Each image is made into a PIL image and transformed when it is asked for."""

    def __init__(self, pictures: Pictures, transform: Callable[[Any], Any]) -> None:
        self.data = pictures.images
        self.targets = pictures.labels.tolist()
        self.transform = transform

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.transform(Image.fromarray(self.data[index])), self.targets[index]

    def __len__(self) -> int:
        return len(self.data)


def classifier_loader(setting: Setting) -> DataLoader[Any]:
    """Return shuffled batches for the classifier: flip, colour jitter, ToTensor, Normalize."""
    transform = transforms.Compose(
        [
            transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(0.1, 0.1, 0.1),
            transforms.ToTensor(),
            transforms.Normalize(setting.pictures.mean, setting.pictures.std),
        ]
    )
    return _loader(setting, transform)


def gan_loader(setting: Setting) -> DataLoader[Any]:
    """Return shuffled batches for the DCGAN, in -1..1."""
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)])
    return _loader(setting, transform)


def _loader(setting: Setting, transform: Callable[[Any], Any]) -> DataLoader[Any]:
    return DataLoader(
        PilImages(setting.pictures, transform),
        batch_size=BATCH_SIZE,
        shuffle=True,
        num_workers=setting.workers,
        drop_last=True,
        pin_memory=setting.device != "cpu",
        persistent_workers=setting.workers > 0,
    )
