"""What a data set is: images and labels in memory or memory-mapped, and what is known of them without loading them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True)
class DataInfo:
    """What a network must know of its data, and a check can know without them.

    `image` is (channels, height, width); `mean` and `std` are those of the training images' channels in 0..1.
    """

    image: tuple[int, int, int]
    classes: int
    train_images: int
    test_images: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class ImageSet:
    """images: (N, C, H, W) uint8, maybe memory-mapped; labels: (N,) int64, indices into the class names."""

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A training and a test set with the names of their classes.

    `superclasses` are the names of groups of classes, and `superclass_of` the group of each class; both are empty
    where there are none. `fingerprint` is the SHA-256 of images, labels and names; `source` says where they came from;
    `parts` are hashes of single parts of the content where they are known already (`zoo.data.identity`).
    """

    info: DataInfo
    train: ImageSet
    test: ImageSet
    class_names: tuple[str, ...]
    fingerprint: str
    superclasses: tuple[str, ...] = ()
    superclass_of: tuple[int, ...] = ()
    source: str = ""
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
