"""A fixed subset on which anyone sees in seconds that published weights are those of their figures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import torch

from zoo.data.dataset import ImageSet
from zoo.data.device import DeviceSet
from zoo.evaluation.measure import evaluate_networks
from zoo.evaluation.trained import Trained
from zoo.publishing.certificate import SpotCheck
from zoo.training.task import GenerativeTask

IMAGES = 500  # of the test items of what says something of them
DRAWN = 64  # of a generator's own
SEED = 0
#: What other machines' arithmetic may change, a thousandth beside: two images that are told, half a grey of brightness,
#: and nothing of what is smooth in the weights.
IMAGES_THAT_MAY_DIFFER, RELATIVE, GREYS = 2, 1e-3, 0.5
SMOOTH = (
    "loss",
    "loss_as_trained",
    "mean_absolute_error",
    "root_mean_square_error",
    "r2",
    "psnr",
    "divergence",
)


def subset(images: np.ndarray, labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the indices of the `count` images whose SHA-256 of seed and pixels is smallest, in that order.

    So the subset is the same however a data set is ordered. images: items (N, ...).
    """
    digests = [hashlib.sha256(f"{seed}/".encode() + np.ascontiguousarray(image).tobytes()).digest() for image in images]
    order = sorted(range(len(digests)), key=lambda index: (digests[index], labels[index].tolist()))
    return np.array(order[:count], dtype=np.int64)


def of_classifier(trained: Trained, test: ImageSet, images: int = IMAGES, seed: int = SEED) -> SpotCheck:
    """Return the task's figures on the subset of the test images."""
    chosen = subset(test.images, test.labels, images, seed)
    found = evaluate_networks(trained.task, trained.networks, DeviceSet(test, trained.device, chosen), trained.info)
    figures: dict[str, float | list[float]] = {name: one for name, one in found.items() if isinstance(one, float)}
    return SpotCheck(split="test", images=len(chosen), seed=seed, figures=figures)


def of_generator(trained: Trained, images: int = DRAWN, seed: int = SEED) -> SpotCheck:
    """Return the brightness of the first images of a drawing seed, in 0..255: of each, and of all by channel."""
    drawn = trained.draw_first(images, seed).double()
    figures: dict[str, float | list[float]] = {
        "image_means": drawn.mean((1, 2, 3)).tolist(),
        "channel_means": drawn.mean((0, 2, 3)).tolist(),
        "channel_deviations": drawn.std((0, 2, 3)).tolist(),
    }
    return SpotCheck(split="", images=images, seed=seed, figures=figures)


def spot_check(trained: Trained, test: ImageSet | None = None, like: SpotCheck | None = None) -> SpotCheck:
    """Return the spot check of trained networks; of the same images as `like` where it is given.

    test: the test images, which a generator does without; those of the spec's data unless given.
    """
    if isinstance(trained.task, GenerativeTask):
        return of_generator(trained, like.images, like.seed) if like else of_generator(trained)
    test = test or trained.dataset().test
    return of_classifier(trained, test, like.images, like.seed) if like else of_classifier(trained, test)


def differences(stated: SpotCheck, found: SpotCheck) -> Iterator[str]:
    """Yield, a sentence each, the figures that differ by more than arithmetic explains."""
    jump = GREYS if not stated.split else IMAGES_THAT_MAY_DIFFER / max(1, stated.images)
    for name, value in stated.figures.items():
        allowed = 0.0 if name in SMOOTH else jump
        other = found.figures.get(name)
        if name == "loss" and "loss_as_trained" not in stated.figures:
            # Earlier versions stated the loss as it was trained.
            other = found.figures.get("loss_as_trained", other)
        if other is None:
            yield f"{name} was not found again"
            continue
        one, two = torch.tensor(value).flatten(), torch.tensor(other).flatten()
        if one.shape != two.shape:
            yield f"{name} has {len(two)} values; the certificate has {len(one)}"
        elif bool(((one - two).abs() > allowed + RELATIVE * one.abs()).any()):
            worst = int((one - two).abs().argmax())
            yield f"{name} is {float(two[worst]):.4f}; the certificate says {float(one[worst]):.4f}"
