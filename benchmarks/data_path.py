"""Augmented batches of images: Zoo's pipeline against torchvision's PIL transforms in a DataLoader without workers.

    python benchmarks/data_path.py --rounds 5

Both cut a batch of 64 images of 32x32 pixels out after padding by reflection, flip half of them, and change brightness,
contrast, saturation and hue in a random order. In each round both make the same number of batches, one after the other,
so that what else the machine does weighs on both; the ratio is taken within each round.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from zoo.training.allocator import keep_memory

kept = keep_memory()  # as `zoo train` does, before torch is imported

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402
from PIL import Image  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402
from torchvision import transforms  # noqa: E402

from zoo.data.dataset import ImageSet  # noqa: E402
from zoo.data.device import DeviceSet  # noqa: E402
from zoo.data.sampler import Sampler  # noqa: E402
from zoo.random import derive_seed  # noqa: E402
from zoo_images.augmentations import ColorJitter, HorizontalFlip, RandomCrop  # noqa: E402

IMAGES, SIDE, BATCH = 4096, 32, 64
WARM_BATCHES = 3
JITTER = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}


def batched(pixels: np.ndarray, device: torch.device) -> Iterator[Tensor]:
    """Yield augmented batches as the training loop makes them."""
    images = DeviceSet(ImageSet(pixels, np.zeros(len(pixels), dtype=np.int64)), device)
    sampler = Sampler(len(pixels), BATCH, seed=0)
    augmentations = [RandomCrop(padding=4), HorizontalFlip(), ColorJitter(**JITTER)]
    generator = torch.Generator(device)
    step = 0
    while True:
        generator.manual_seed(derive_seed(0, "augment", step))
        found = images.batch(sampler.indices(step))[0].to(torch.float32).div_(255)
        for augmentation in augmentations:
            found = augmentation(found, generator)
        yield found.contiguous(memory_format=torch.channels_last)
        step += 1


class Pictures(Dataset[Tensor]):
    """Images that are augmented one by one, by PIL."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
        self.change = transforms.Compose(
            [
                transforms.RandomCrop(SIDE, padding=4, padding_mode="reflect"),
                transforms.RandomHorizontalFlip(),
                transforms.ColorJitter(**JITTER),
                transforms.ToTensor(),
            ]
        )

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Tensor:
        changed: Tensor = self.change(Image.fromarray(self.pixels[index]))
        return changed


def one_by_one(pixels: np.ndarray, device: torch.device) -> Iterator[Tensor]:
    """Yield augmented batches as torchvision's examples make them."""
    loader = DataLoader(Pictures(pixels), batch_size=BATCH, shuffle=True, num_workers=0, drop_last=True)
    while True:
        for found in loader:
            yield found.to(device)


def milliseconds(batches: Iterator[Tensor], count: int, wait: Callable[[], None]) -> tuple[float, float]:
    """Return the median time of a batch, and the time of the fastest."""
    times = []
    for _ in range(count):
        start = time.perf_counter()
        next(batches)
        wait()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times), min(times)


def measure(rounds: int, batches: int, device: torch.device) -> dict[str, Any]:
    """Return the times of both pipelines, round by round, and what they were measured on."""
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, 3, SIDE, SIDE), dtype=np.uint8)
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    paths = {"zoo": batched(pixels, device), "torchvision": one_by_one(pixels, device)}
    for path in paths.values():
        milliseconds(path, WARM_BATCHES, wait)
    table: list[dict[str, float]] = []
    loads: list[float | None] = []
    fastest = dict.fromkeys(paths, float("inf"))
    for number in range(rounds):
        # Each goes first in every other round.
        order = list(paths)[:: 1 if number % 2 == 0 else -1]
        both = {name: milliseconds(paths[name], batches, wait) for name in order}
        found = {name: median for name, (median, _) in both.items()}
        fastest = {name: min(best, both[name][1]) for name, best in fastest.items()}
        table.append({**{name: found[name] for name in paths}, "ratio": found["torchvision"] / found["zoo"]})
        loads.append(os.getloadavg()[0] if hasattr(os, "getloadavg") else None)
    return {
        "batch": BATCH,
        "side": SIDE,
        "batches_per_round": batches,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "memory_kept": kept,
        "rounds": table,
        "load_averages": loads,
        "fastest_batch": {**fastest, "ratio": fastest["torchvision"] / fastest["zoo"]},
        "median": {name: statistics.median(one[name] for one in table) for name in (*paths, "ratio")},
    }


def show(found: dict[str, Any]) -> None:
    """Print a table: milliseconds a batch in each round, then median, least and most."""
    rounds = found["rounds"]
    print(
        f"{found['batch']} images of {found['side']}x{found['side']} on {found['device']}, "
        f"{found['threads']} threads, torch {found['torch']}, torchvision {found['torchvision']}; "
        f"medians of {found['batches_per_round']} batches, in ms a batch"
    )
    print(f"{'round':>8}  {'zoo':>9}  {'torchvision':>11}  {'ratio':>7}  {'load':>5}")
    for number, (one, average) in enumerate(zip(rounds, found["load_averages"], strict=True), 1):
        load = "" if average is None else f"{average:.2f}"
        print(f"{number:>8}  {one['zoo']:>9.2f}  {one['torchvision']:>11.2f}  {one['ratio']:>7.1f}  {load:>5}")
    for name, pick in (("median", statistics.median), ("least", min), ("most", max)):
        values = [pick([one[key] for one in rounds]) for key in ("zoo", "torchvision", "ratio")]
        print(f"{name:>8}  {values[0]:>9.2f}  {values[1]:>11.2f}  {values[2]:>7.1f}")
    best = found["fastest_batch"]
    print(f"fastest batches of all rounds: {best['zoo']:.2f} and {best['torchvision']:.2f}, ratio {best['ratio']:.1f}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Time augmented batches of Zoo against torchvision's PIL transforms.")
    parser.add_argument("--rounds", type=int, default=5, help="at least 5 (default: 5)")
    parser.add_argument("--batches", type=int, default=30, help="batches of each pipeline in a round (default: 30)")
    parser.add_argument("--threads", type=int, help="threads of torch (default: torch's own choice)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:0 (default: cpu)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    if chosen.rounds < 5:
        parser.error("--rounds: a spread wants 5 rounds or more")
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    found = measure(chosen.rounds, chosen.batches, torch.device(chosen.device))
    if chosen.json:
        print(json.dumps(found, indent=2))
    else:
        show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
