"""Augmented batches of images: Zoo's data path against torchvision's PIL transforms in a DataLoader without processes.

Both cut a batch of 64 images of 32x32 pixels out after padding by reflection, flip half of them, and change brightness,
contrast, saturation and hue in a random order. In each round both make the same number of batches, one after the other.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import ratios
from benchmarks.environment import Watch, notes
from benchmarks.ratios import Spread
from benchmarks.runner import Tell
from benchmarks.table import Table, between, middle
from zoo.training.allocator import keep_memory

if TYPE_CHECKING:
    from torch import Tensor

ZOO, TORCHVISION = "zoo", "torchvision, PIL, DataLoader"
IMAGES, SIDE, BATCH = 4096, 32, 64
WARM_BATCHES, BATCHES = 3, 40
ROUNDS, SHORT_ROUNDS = 9, 5
PADDING = 4
JITTER = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}


def measure(rounds: int, tell: Tell) -> dict[str, Any]:
    """Return the median milliseconds of a batch in each round, as plain data."""
    keep_memory()  # as `zoo train` does, before torch is imported
    import torch

    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, 3, SIDE, SIDE), dtype=np.uint8)
    paths = {ZOO: batched(pixels), TORCHVISION: one_by_one(pixels)}
    for path in paths.values():
        _milliseconds(path, WARM_BATCHES)
    watch = Watch()
    watch.skip()
    found: dict[str, list[float]] = {name: [] for name in paths}
    for round in range(rounds):
        # Each goes first in every other round.
        for name in list(paths)[:: 1 if round % 2 == 0 else -1]:
            found[name].append(_milliseconds(paths[name], BATCHES))
        tell(f"round {round + 1} of {rounds}")
        watch.look()
    return {"milliseconds": found, "threads": torch.get_num_threads(), **watch.to_data()}


def speed(result: dict[str, Any]) -> Spread:
    """Return how many times as fast as torchvision's Zoo's data path is."""
    return ratios.spread(ratios.ratios(result["milliseconds"], ZOO, TORCHVISION))


def table(result: dict[str, Any]) -> Table:
    """Return the figures of both."""
    rows = []
    for name, times in result["milliseconds"].items():
        ratio = ratios.spread(ratios.ratios(result["milliseconds"], name, TORCHVISION))
        time = ratios.spread(times)
        rows.append([name, middle(time, 2), between(time, 2), middle(ratio), between(ratio)])
    rounds = len(result["milliseconds"][ZOO])
    how = (
        f"batches of {BATCH}; {rounds} rounds of {BATCHES} batches, medians of a round; {result['threads']} threads; "
        "crop, flip, and all four of colour jitter"
    )
    columns = ["", "ms a batch", "range", "× torchvision", "range"]
    return Table("Data path", columns, rows, [how, *notes(result)])


def batched(pixels: np.ndarray) -> Iterator[Tensor]:
    """Yield augmented batches as the training loop makes them: (64, 3, 32, 32) float32 in 0..1."""
    import torch

    from zoo.data.dataset import ImageSet
    from zoo.data.device import DeviceSet
    from zoo.data.sampler import Sampler
    from zoo.random import derive_seed
    from zoo_images.augmentations import ColorJitter, HorizontalFlip, RandomCrop

    images = DeviceSet(ImageSet(pixels, np.zeros(len(pixels), dtype=np.int64)), torch.device("cpu"))
    sampler = Sampler(len(pixels), BATCH, seed=0)
    augmentations = [RandomCrop(padding=PADDING), HorizontalFlip(), ColorJitter(**JITTER)]
    generator = torch.Generator()
    step = 0
    while True:
        generator.manual_seed(derive_seed(0, "augment", step))
        found = images.batch(sampler.indices(step))[0].to(torch.float32).div_(255)
        for augmentation in augmentations:
            found = augmentation(found, generator)
        yield found.contiguous(memory_format=torch.channels_last)
        step += 1


def one_by_one(pixels: np.ndarray) -> Iterator[Tensor]:
    """Yield augmented batches as torchvision's examples make them: (64, 3, 32, 32) float32 in 0..1."""
    from PIL import Image
    from torch import Tensor
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms

    change = transforms.Compose(
        [
            transforms.RandomCrop(SIDE, padding=PADDING, padding_mode="reflect"),
            transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(**JITTER),
            transforms.ToTensor(),
        ]
    )

    class Pictures(Dataset[Tensor]):
        def __len__(self) -> int:
            return len(pixels)

        def __getitem__(self, index: int) -> Tensor:
            changed: Tensor = change(Image.fromarray(rows[index]))
            return changed

    rows = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
    loader = DataLoader(Pictures(), batch_size=BATCH, shuffle=True, drop_last=True)
    while True:
        yield from loader


def _milliseconds(batches: Iterator[Tensor], count: int) -> float:
    times = []
    for _ in range(count):
        began = time.perf_counter()
        next(batches)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)
