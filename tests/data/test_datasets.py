"""The named data sets: what is known without them, what they must be, and the drawn ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zoo.data import store
from zoo.data.dataset import Dataset, ImageSet
from zoo.data.importer import make_dataset
from zoo.errors import DataError
from zoo_images.datasets import CIFAR10, CIFAR100, Images
from zoo_images.superclasses import CIFAR100_SUPERCLASSES


def stand_in(names: tuple[str, ...]) -> Dataset:
    """A set with the shape, counts and class names of CIFAR-100, and nothing to see."""
    labels = np.arange(60_000, dtype=np.int64) % 100
    images = np.zeros((60_000, 3, 32, 32), np.uint8)
    return make_dataset(ImageSet(images[:50_000], labels[:50_000]), ImageSet(images[50_000:], labels[50_000:]), names)


def test_cifar_is_known_without_its_images() -> None:
    assert CIFAR100().info().image == (3, 32, 32)
    assert (CIFAR100().info().classes, CIFAR10().info().classes) == (100, 10)


def test_a_missing_archive_says_how_to_get_it() -> None:
    with pytest.raises(DataError) as caught:
        CIFAR100().load()
    assert str(caught.value) == (
        "cifar100 is not on this machine; run `zoo data add cifar100`, which downloads the official archive, or "
        "`zoo data add cifar100 --from PATH` with a folder or zip of train/<class>/* and test/<class>/*"
    )


def test_the_twenty_superclasses_hold_five_classes_each() -> None:
    assert len(CIFAR100_SUPERCLASSES) == 20
    assert all(len(group) == 5 for group in CIFAR100_SUPERCLASSES.values())
    assert len({name for group in CIFAR100_SUPERCLASSES.values() for name in group}) == 100


def test_an_imported_archive_gets_its_superclasses() -> None:
    names = tuple(sorted(name for group in CIFAR100_SUPERCLASSES.values() for name in group))
    dataset = CIFAR100().finish(stand_in(names))
    apple = dataset.info.superclass_of[dataset.class_names.index("apple")]
    assert dataset.superclasses[apple] == "fruit_and_vegetables"


def test_another_set_under_the_name_is_refused() -> None:
    names = CIFAR100.class_names
    with pytest.raises(DataError, match="^this is not cifar100: it has the class 'apples' in the place of 'apple'$"):
        CIFAR100().finish(stand_in(("apples", *names[1:])))
    with pytest.raises(DataError, match="^this is not cifar10: it has classes 100; wanted 10$"):
        CIFAR10().finish(stand_in(names))


def test_a_download_becomes_the_set(monkeypatch: pytest.MonkeyPatch) -> None:
    class Archive:
        url = "https://archive"

        def __init__(self, folder: str, *, train: bool, download: bool) -> None:
            count = 50_000 if train else 10_000
            self.data = np.zeros((count, 32, 32, 3), np.uint8)
            self.data[0, 1, 2] = (10, 20, 30)
            self.targets = [index % 100 for index in range(count)]
            self.classes = list(CIFAR100.class_names)

    monkeypatch.setattr("torchvision.datasets.CIFAR100", Archive)
    dataset = CIFAR100().download()
    assert dataset.train.images[0, :, 1, 2].tolist() == [10, 20, 30]
    assert dataset.test.labels[:3].tolist() == [0, 1, 2]
    assert (len(dataset.superclasses), dataset.source) == (20, "https://archive")


def test_a_failed_download_says_what_else_works(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: Any, **kwargs: Any) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("torchvision.datasets.CIFAR100", offline)
    with pytest.raises(DataError) as caught:
        CIFAR100().download()
    assert str(caught.value) == (
        "cifar100 cannot be downloaded (Name or service not known); bring it in from a folder or zip with "
        "`zoo data add cifar100 --from PATH`"
    )


def test_own_images_are_found_by_name() -> None:
    labels = np.arange(4, dtype=np.int64) % 2
    images = np.zeros((4, 3, 8, 8), np.uint8)
    store.save("pets", make_dataset(ImageSet(images, labels), ImageSet(images, labels), ("cat", "dog")))
    assert Images(name="pets").info().classes == 2
    assert Images(name="pets").load().class_names == ("cat", "dog")
