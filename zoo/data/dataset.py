"""What a data set is: items and targets in memory or memory-mapped, and what is known of them without loading them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    import numpy as np


Values: TypeAlias = Literal["pixels", "numbers", "tokens"]
Items: TypeAlias = Literal["images", "vectors", "series", "arrays", "tokens"]
Target: TypeAlias = Literal["class", "classes", "numbers", "none"]

ITEMS: tuple[Items, ...] = get_args(Items)
TARGETS: tuple[Target, ...] = get_args(Target)
#: What holds each, as numpy calls it.
VALUE_TYPES: dict[Values, str] = {"pixels": "uint8", "numbers": "float32", "tokens": "int64"}
TARGET_TYPES: dict[Target, str] = {"class": "int64", "classes": "bool", "numbers": "float32", "none": "float32"}


@dataclass(frozen=True, kw_only=True)
class DataInfo:
    """What a network must know of its data, and a check can know without them.

    `image` is the shape of an item: (channels, height, width) of an image, (features,) of a vector, (channels, length)
    of a series. Its `values` are pixels, which a network is given in 0..1, or numbers, which it is given as they are;
    where `tokens` is not 0, they are whole numbers below it. `mean` and `std` are those of the training items along
    their first axis (pixels in 0..1); tokens have none. `features` are names along that axis, where there are such.

    `target` says what is known of an item: one of `classes`, any number of them, numbers of the shape `target_shape`,
    or nothing. `target_mean` and `target_std` are those of the training items' numbers along their first axis.
    `superclass_of` is the group of each class, and empty where classes form none.
    """

    image: tuple[int, ...]
    classes: int
    train_images: int
    test_images: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    superclass_of: tuple[int, ...] = ()
    tokens: int = 0
    values: Values = "pixels"
    features: tuple[str, ...] = ()
    target: Target = "class"
    target_shape: tuple[int, ...] = ()
    target_mean: tuple[float, ...] = ()
    target_std: tuple[float, ...] = ()

    @property
    def items(self) -> Items:
        """The kind of the items. Images are of pixels; what else has three axes or more is an array."""
        if self.tokens:
            return "tokens"
        if len(self.image) == 3 and self.values == "pixels":
            return "images"
        return {1: "vectors", 2: "series"}.get(len(self.image), "arrays")  # type: ignore[return-value]

    @property
    def noun(self) -> str:
        """What the items are called."""
        return "images" if self.items == "images" else "items"

    @property
    def label_shape(self) -> tuple[int, ...]:
        """The shape of what is known of one item."""
        shapes = {"class": (), "classes": (self.classes,), "numbers": self.target_shape, "none": (0,)}
        return shapes[self.target]

    def item_words(self) -> str:
        """Say what the items are."""
        if self.items == "tokens" and len(self.image) == 1:
            return f"tokens, {self.image[0]} each"
        return f"{self.items} of the shape {tuple(self.image)}"

    def target_words(self) -> str:
        """Say what the targets are."""
        return {
            "class": f"one of {self.classes} classes",
            "classes": f"any of {self.classes} classes",
            "numbers": f"numbers of the shape {tuple(self.target_shape)}",
            "none": "none",
        }[self.target]


@dataclass(frozen=True)
class ImageSet:
    """images: (N, ...), maybe memory-mapped: uint8 from 0 to 255 of pixels, float32 of numbers, int64 of tokens;
    labels: (N,) int64, indices into the class names; (N, classes) bool, whether each class is there; (N, ...) float32
    of numbers; (N, 0) float32 of nothing.

    Nothing else is taken: `zoo.data.soundness` refuses it, in the name of the data set.
    """

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A training and a test set with the names of their classes, or of the numbers that are their targets.

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


def of_classes(labels: np.ndarray, classes: int) -> list[int]:
    """Return how many items each class has: of labels (N,), or (N, classes) where an item has any number of them."""
    import numpy as np

    return (labels.sum(0) if labels.ndim > 1 else np.bincount(labels, minlength=classes)).tolist()
