"""What a data set is: images and labels in memory or memory-mapped, and what is known of them without loading them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from zoo.errors import DataError, listing

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True)
class DataInfo:
    """What a network must know of its data, and a check can know without them.

    `image` is the shape of an item: (channels, height, width), or another that a network may be checked with. Where
    `tokens` is not 0, items are whole numbers below it. `mean` and `std` are those of the training images' channels in
    0..1; tokens have none. `superclass_of` is the group of each class, and empty where classes form none.
    """

    image: tuple[int, ...]
    classes: int
    train_images: int
    test_images: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    superclass_of: tuple[int, ...] = ()
    tokens: int = 0


@dataclass(frozen=True)
class ImageSet:
    """images: (N, C, H, W) uint8 from 0 to 255, maybe memory-mapped; labels: (N,) int64, indices into the class names.

    Nothing else is taken: `require_sound` refuses it, in the name of the data set.
    """

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A training and a test set with the names of their classes.

    `superclasses` are the names of the groups that `info.superclass_of` counts. `fingerprint` is the SHA-256 of images,
    labels and names; `source` says where they came from; `parts` are hashes of single parts of the content where they
    are known already (`zoo.data.identity`). `imported` says how the pixels of image files became
    these, where they come from such.
    """

    info: DataInfo
    train: ImageSet
    test: ImageSet
    class_names: tuple[str, ...]
    fingerprint: str
    superclasses: tuple[str, ...] = ()
    source: str = ""
    imported: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)


class DataSource:
    """Base of the kind `dataset`. A subclass is a keyword-only frozen dataclass: its fields are its options.

    `public`: the set has a fixed content, can be downloaded, and is kept in the store under the component's name.
    `terms`: what may be done with the images, for a model card; "" where that is not known.
    """

    public: ClassVar[bool] = False
    terms: ClassVar[str] = ""

    def info(self) -> DataInfo:
        """Return what is known without loading images. Raises DataError when that is nothing."""
        raise NotImplementedError

    def fingerprint(self) -> str | None:
        """Return that of a set which was brought to this machine, without loading it; None where it is not here, or
        where name and options fix the content.
        """
        return None

    def load(self) -> Dataset:
        """Return the data. Raises DataError, with the command that brings them, when they are not on this machine."""
        raise NotImplementedError

    def download(self) -> Dataset:
        """Download a public set. Raises DataError when that fails."""
        raise NotImplementedError

    def finish(self, dataset: Dataset) -> Dataset:
        """Return an imported set as this public one. Raises DataError when it is another."""
        raise NotImplementedError


def load_sound(source: DataSource, component: str) -> Dataset:
    """Return the data of a component. Raises DataError when they are missing, or not what a network is told.

    All data of plugins come in here, so that what does not fit is told in the name of the data set, before it trains.
    """
    dataset, name = source.load(), f"the data set {component!r}"
    if not isinstance(dataset, Dataset):
        raise DataError(f"{name}: its load() returned {type(dataset).__name__}; wanted a Dataset")
    require_sound(dataset, name)
    said = source.info()
    for what in ("image", "classes"):
        found, wanted = getattr(dataset.info, what), getattr(said, what)
        if found != wanted:
            raise DataError(f"{name}: its data have {what} {found}, where its info() says {wanted}; make the two agree")
    return dataset


def require_sound(dataset: Dataset, name: str) -> None:
    """Raise DataError, in the name of the set, unless its arrays are of the stated types and fit what is known."""
    require_arrays(dataset.train, dataset.test, dataset.class_names, name)
    info = dataset.info
    found = (
        dataset.train.images.shape[1:],
        len(dataset.class_names),
        len(dataset.train.labels),
        len(dataset.test.labels),
    )
    said = (tuple(info.image), info.classes, info.train_images, info.test_images)
    for what, one, other in zip(("image", "classes", "train_images", "test_images"), found, said, strict=True):
        if one != other:
            raise DataError(f"{name}: its data have {what} {one}, where its info says {other}; make the two agree")
    for what, values in (("mean", info.mean), ("std", info.std)):
        if len(values) != info.image[0] or not all(map(math.isfinite, values)) or (what == "std" and min(values) <= 0):
            wanted = "a number above 0" if what == "std" else "a number"
            raise DataError(f"{name}: found the {what} {values}; wanted {wanted} for each of {info.image[0]} channels")
    groups, group_of = len(dataset.superclasses), info.superclass_of
    if len(group_of) not in (0, info.classes) or any(not 0 <= one < groups for one in group_of):
        raise DataError(f"{name}: its superclass_of does not name one of {groups} superclasses for each class")


def require_arrays(train: ImageSet, test: ImageSet, class_names: Sequence[str], name: str) -> None:
    """Raise DataError, in the name of the set, unless images, labels and names are what these classes say."""
    if not class_names or not all(isinstance(one, str) and one for one in class_names):
        raise DataError(f"{name}: found the class names {tuple(class_names)!r}; wanted a name for each class")
    doubled = [one for one, count in Counter(class_names).items() if count > 1]
    if doubled:
        raise DataError(f"{name}: several classes have one name: {listing(doubled, 3)}; wanted each name once")
    for split, part in (("training", train), ("test", test)):
        _require_images(part.images, f"{name}: its {split} images")
        _require_labels(part.labels, len(part.images), len(class_names), f"{name}: its {split} labels")
    if not len(train.labels):
        raise DataError(f"{name}: it has no training images; wanted one at least")
    if train.images.shape[1:] != test.images.shape[1:]:
        raise DataError(
            f"{name}: its training images have shape {train.images.shape[1:]} and its test images "
            f"{test.images.shape[1:]}; wanted one shape"
        )


def _require_images(images: Any, what: str) -> None:
    found = _kind(images)
    if found != "an array of uint8":
        raise DataError(f"{what} are {found}; wanted an array of uint8, from 0 for black to 255 for white{_way(found)}")
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise DataError(f"{what} have shape {images.shape}; wanted (images, channels, height, width)")


def _require_labels(labels: Any, count: int, classes: int, what: str) -> None:
    found = _kind(labels)
    if found != "an array of int64":
        raise DataError(f"{what} are {found}; wanted an array of int64, the index of each image's class")
    if labels.shape != (count,):
        raise DataError(f"{what} have shape {labels.shape}; wanted ({count},), one for each image")
    outside = labels[(labels < 0) | (labels >= classes)]
    if len(outside):
        raise DataError(
            f"{what} hold {outside[0]}; wanted 0 to {classes - 1}, the indices of its {classes} class names"
        )


def _kind(array: Any) -> str:
    import numpy as np

    return f"an array of {array.dtype}" if isinstance(array, np.ndarray) else f"of type {type(array).__name__}"


def _way(found: str) -> str:
    return "; images in 0..1 become such by numpy.rint(images * 255).astype(numpy.uint8)" if "float" in found else ""
