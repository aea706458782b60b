"""Which data a training saw, and in what another set differs from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from zoo.data import store
from zoo.data.dataset import Dataset, ImageSet
from zoo.data.identity import Identity, parts_of
from zoo.data.importer import make_dataset
from zoo.errors import DataError

NAMES = ("cherry", "lime")


def images(first: int, count: int) -> ImageSet:
    """Return `count` images, no two of them alike, of the classes in turn."""
    numbers = np.arange(first, first + count, dtype=np.uint8)
    pixels = np.broadcast_to(numbers[:, None, None, None], (count, 3, 2, 2)).copy()
    return ImageSet(pixels, np.arange(count, dtype=np.int64) % 2)


def fruit(names: tuple[str, ...] = NAMES, train: ImageSet | None = None, test: ImageSet | None = None) -> Dataset:
    return make_dataset(train or images(0, 6), test or images(100, 4), names)


def shuffled(part: ImageSet) -> ImageSet:
    return ImageSet(part.images[::-1].copy(), part.labels[::-1].copy())


def swapped(part: ImageSet) -> ImageSet:
    return ImageSet(part.images, 1 - part.labels)


def shared_out_otherwise() -> Dataset:
    train, test = images(0, 6), images(100, 4)
    pixels, labels = np.concatenate([train.images, test.images]), np.concatenate([train.labels, test.labels])
    return make_dataset(ImageSet(pixels[4:], labels[4:]), ImageSet(pixels[:4], labels[:4]), NAMES)


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (fruit, []),
        (lambda: fruit(("apple", "lime")), "classes: now apple and no longer cherry"),
        (lambda: fruit(train=images(50, 6)), "training images: other pictures"),
        (lambda: fruit(train=images(0, 8)), "training images: other pictures (8 of train, were 6)"),
        (lambda: fruit(test=images(90, 4)), "test images: other pictures"),
        (lambda: fruit(train=swapped(images(0, 6))), "labels of the training images: the same images in other classes"),
        (lambda: fruit(test=shuffled(images(100, 4))), "order of the test images"),
        (shared_out_otherwise, "split: the same images, shared out otherwise between training and test"),
    ],
)
def test_a_difference_is_named(other: Callable[[], Dataset], found: str | list[str]) -> None:
    differences = Identity.of(fruit()).differences(other())
    assert (differences[0] if found else differences) == found


def test_what_is_kept_outlives_a_file() -> None:
    identity = Identity.of(fruit())
    assert Identity.from_data(json.loads(json.dumps(identity.to_data()))) == identity


def test_a_fingerprint_alone_tells_that_something_differs_and_not_what() -> None:
    old = Identity(fingerprint=fruit().fingerprint)
    assert old.differences(fruit()) == []
    (found,) = old.differences(fruit(train=images(50, 6)))
    assert found.startswith("fingerprint: ")
    assert "what differs cannot be told" in found


def test_an_error_says_who_what_and_how_to_go_on() -> None:
    with pytest.raises(DataError) as error:
        Identity.of(fruit()).require(fruit(("apple", "lime")), "runs/f", "images: {name: fruit}")
    assert str(error.value).startswith(
        "runs/f: it was trained on other data than images: {name: fruit} is here now; classes: now apple and no longer "
    )
    assert str(error.value).endswith("go on with other data on purpose: --other-data (in Python other_data=True)")


def test_a_stored_set_knows_its_parts() -> None:
    store.save("fruit", fruit())
    found = store.load("fruit")
    assert found.parts == parts_of(found.train, found.test, found.class_names)
    assert Identity.of(found) == Identity.of(fruit())


def test_a_set_stored_by_an_earlier_version_has_its_parts_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(*given: Any) -> dict[str, str]:
        return {}

    with monkeypatch.context() as patched:
        patched.setattr(store, "parts_of", without)
        store.save("fruit", fruit())
    assert store.load("fruit").parts == {}
    assert Identity.of(store.load("fruit")) == Identity.of(fruit())


def test_parts_are_of_the_content_and_not_of_the_statistics() -> None:
    dataset = fruit()
    other = replace(dataset, info=replace(dataset.info, mean=(0.0, 0.0, 0.0)))
    assert Identity.of(other).parts == Identity.of(dataset).parts
