"""The images that everything is trained on: CIFAR-100 where it was imported, random ones of its shape elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.baselines import Pictures
from zoo import api

RANDOM = "data={noise: {image: [3, 32, 32], classes: 100, train_images: 50000, test_images: 100}}"


def overrides() -> list[str]:
    """Return what a shipped spec is changed by so that its data are on this machine."""
    return [] if "cifar100" in api.store.stored() else [RANDOM]


def describe() -> str:
    """Say which images they are."""
    return "random images of CIFAR-100's shape" if overrides() else "CIFAR-100"


def load_pictures(spec: str, overrides: Sequence[str]) -> Pictures:
    """Return the training images of a spec's data set, as the baselines take them."""
    from zoo.builder import Builder
    from zoo.plugins import installed

    builder = Builder(installed().registry)
    dataset = builder.bind(api.load_spec(spec, overrides=overrides).data).load()
    images = np.ascontiguousarray(np.array(dataset.train.images).transpose(0, 2, 3, 1))
    return Pictures(images, np.array(dataset.train.labels), dataset.info.mean, dataset.info.std)
