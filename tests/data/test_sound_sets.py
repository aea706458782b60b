"""Data have a stated type and range; what has another is refused where it comes in, in the name of the data set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.builder import Builder
from zoo.data.dataset import DataInfo, Dataset, DataSource, ImageSet
from zoo.data.importer import make_dataset
from zoo.data.soundness import load_sound
from zoo.errors import DataError
from zoo.spec.load import load_spec
from zoo.training.loop import train
from zoo_images.datasets import Shapes

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 3, 8, 8), np.uint8)
LABELS = np.arange(20, dtype=np.int64) % 2
INFO = DataInfo(image=(3, 8, 8), classes=2, train_images=20, test_images=20, mean=(0.5,) * 3, std=(0.25,) * 3)
UINT8 = "wanted an array of uint8, from 0 for black to 255 for white"


def a_set(images: Any = IMAGES, labels: Any = LABELS, names: Any = ("cat", "dog"), **info: Any) -> Dataset:
    return Dataset(
        info=replace(INFO, **info),
        train=ImageSet(images, labels),
        test=ImageSet(IMAGES, LABELS),
        class_names=names,
        fingerprint="0",
    )


@dataclass(frozen=True, kw_only=True)
class Source(DataSource):
    """A data set of a plugin."""

    dataset: Any

    def info(self) -> DataInfo:
        return INFO

    def load(self) -> Dataset:
        return self.dataset  # type: ignore[no-any-return]


BROKEN = {
    "float labels": (
        lambda: a_set(labels=LABELS * 0.5),
        "its training labels are an array of float64; wanted an array of int64, the index of each image's class",
    ),
    "labels of few bits": (
        lambda: a_set(labels=LABELS.astype(np.uint8)),
        "its training labels are an array of uint8; wanted an array of int64, the index of each image's class",
    ),
    "labels in a list": (
        lambda: a_set(labels=LABELS.tolist()),
        "its training labels are of type list; wanted an array of int64, the index of each image's class",
    ),
    "label above": (
        lambda: a_set(labels=LABELS + 1),
        "its training labels hold 2; wanted 0 to 1, the indices of its 2 class names",
    ),
    "label below": (
        lambda: a_set(labels=LABELS - 1),
        "its training labels hold -1; wanted 0 to 1, the indices of its 2 class names",
    ),
    "too few labels": (
        lambda: a_set(labels=LABELS[:-1]),
        "its training labels have shape (19,); wanted (20,), one for each image",
    ),
    "labels as shares": (
        lambda: a_set(labels=np.stack([LABELS, 1 - LABELS], 1)),
        "its training labels have shape (20, 2); wanted (20,), one for each image",
    ),
    "float images": (
        lambda: a_set(images=(IMAGES / 255).astype(np.float32)),
        f"its training images are an array of float32; {UINT8}; images in 0..1 become such by "
        "numpy.rint(images * 255).astype(numpy.uint8)",
    ),
    "images of 16 bits": (
        lambda: a_set(images=IMAGES.astype(np.int16)),
        f"its training images are an array of int16; {UINT8}",
    ),
    "flat images": (
        lambda: a_set(images=IMAGES.reshape(20, -1)),
        "its training images have shape (192,) and its test images (3, 8, 8); wanted one shape",
    ),
    "channels last": (
        lambda: a_set(images=IMAGES.transpose(0, 2, 3, 1)),
        "its training images have shape (8, 8, 3) and its test images (3, 8, 8); wanted one shape",
    ),
    "no images": (
        lambda: a_set(images=IMAGES[:0], labels=LABELS[:0]),
        "it has no training images; wanted one at least",
    ),
    "no names": (lambda: a_set(names=()), "found the class names (); wanted a name for each class"),
    "doubled names": (
        lambda: a_set(names=("cat", "cat")),
        "several classes have one name: cat; wanted each name once",
    ),
    "more names": (
        lambda: a_set(names=("cat", "dog", "eel")),
        "its data have classes 3, where its info says 2; make the two agree",
    ),
    "another count": (
        lambda: a_set(train_images=21),
        "its data have train_images 20, where its info says 21; make the two agree",
    ),
    "no number": (
        lambda: a_set(mean=(0.5, float("nan"), 0.5)),
        "found the mean (0.5, nan, 0.5); wanted a number for each of 3 channels",
    ),
    "no deviation": (
        lambda: a_set(std=(0.5, 0.0, 0.5)),
        "found the std (0.5, 0.0, 0.5); wanted a number above 0 for each of 3 channels",
    ),
    "no set": (lambda: (IMAGES, LABELS), "its load() returned tuple; wanted a Dataset"),
    "another shape": (
        lambda: make_dataset(
            ImageSet(IMAGES[:, :, :4, :4], LABELS), ImageSet(IMAGES[:, :, :4, :4], LABELS), ("cat", "dog")
        ),
        "its data have image (3, 4, 4), where its info() says (3, 8, 8); make the two agree",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_set_that_is_not_as_stated_is_refused_by_name(name: str) -> None:
    made, told = BROKEN[name]
    with pytest.raises(DataError) as caught:
        load_sound(Source(dataset=made()), "odd")
    assert str(caught.value) == f"the data set 'odd': {told}"


def test_a_set_as_stated_is_taken() -> None:
    dataset = a_set()
    assert load_sound(Source(dataset=dataset), "odd") is dataset


@pytest.mark.parametrize(
    ("images", "labels"), [(IMAGES / 255, LABELS), (IMAGES, LABELS * 0.5)], ids=["images", "labels"]
)
def test_no_set_is_made_of_what_is_none(images: Any, labels: Any) -> None:
    with pytest.raises(DataError, match="^fruit: its training (items|labels) are an array of float64; wanted"):
        make_dataset(ImageSet(images, labels), ImageSet(IMAGES, LABELS), ("cat", "dog"), source="fruit")


TINY = {
    "zoo": 1,
    "name": "tiny",
    "task": "classify",
    "data": {"shapes": {"train_images": 200, "test_images": 100}},
    "networks": {"classifier": {"architecture": {"layers": ["flatten", {"linear": 100}]}}},
    "train": {"steps": 1, "device": "cpu", "precision": "fp32"},
}


@pytest.mark.parametrize("split", ["train", "test"])
def test_training_refuses_it_before_it_begins(
    split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, builder: Builder
) -> None:
    whole = Shapes(train_images=200, test_images=100).load()
    part: ImageSet = getattr(whole, split)
    broken = replace(whole, **{split: ImageSet((part.images / 255).astype(np.float32), part.labels)})
    monkeypatch.setattr(Shapes, "load", lambda self: broken)
    with pytest.raises(DataError, match="^the data set 'shapes': its (training|test) images are an array of float32"):
        train(load_spec(TINY, registry=builder.registry), builder, tmp_path / "run")
