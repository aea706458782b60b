"""What a data set is: items and targets in memory or memory-mapped, and what is known of them without loading them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, get_args

from zoo.errors import DataError, listing

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

    Nothing else is taken: `require_sound` refuses it, in the name of the data set.
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

    return (labels.sum(0) if labels.ndim > 1 else np.bincount(labels, minlength=classes)).tolist()  # type: ignore[no-any-return]


def load_sound(source: DataSource, component: str) -> Dataset:
    """Return the data of a component. Raises DataError when they are missing, or not what a network is told.

    All data of plugins come in here, so that what does not fit is told in the name of the data set, before it trains.
    """
    dataset, name = source.load(), f"the data set {component!r}"
    if not isinstance(dataset, Dataset):
        raise DataError(f"{name}: its load() returned {type(dataset).__name__}; wanted a Dataset")
    require_sound(dataset, name)
    said = source.info()
    for what in ("image", "classes", "values", "tokens", "target", "target_shape"):
        found, wanted = getattr(dataset.info, what), getattr(said, what)
        if found != wanted:
            raise DataError(f"{name}: its data have {what} {found}, where its info() says {wanted}; make the two agree")
    return dataset


def require_sound(dataset: Dataset, name: str) -> None:
    """Raise DataError, in the name of the set, unless its arrays are of the stated types and fit what is known."""
    info = dataset.info
    values: Values = "tokens" if info.tokens else info.values
    require_arrays(dataset.train, dataset.test, dataset.class_names, name, values, info.target, info.tokens)
    names = len(dataset.class_names) if info.target in ("class", "classes") else 0
    found = (dataset.train.images.shape[1:], names, len(dataset.train.labels), len(dataset.test.labels))
    said = (tuple(info.image), info.classes, info.train_images, info.test_images)
    for what, one, other in zip(("image", "classes", "train_images", "test_images"), found, said, strict=True):
        if one != other:
            raise DataError(f"{name}: its data have {what} {one}, where its info says {other}; make the two agree")
    if dataset.train.labels.shape[1:] != info.label_shape:
        raise DataError(
            f"{name}: its data have target_shape {dataset.train.labels.shape[1:]}, where its info says "
            f"{info.target_shape}; make the two agree"
        )
    channels = 0 if info.tokens else info.image[0]
    numbers = info.target_shape[0] if info.target == "numbers" else 0
    _require_statistics(info.mean, info.std, channels, name, "{}", "channels" if info.noun == "images" else "features")
    _require_statistics(info.target_mean, info.target_std, numbers, name, "target_{}", "numbers")
    if info.features and len(info.features) != info.image[0]:
        raise DataError(f"{name}: found {len(info.features)} features; wanted a name for each of {info.image[0]}")
    groups, group_of = len(dataset.superclasses), info.superclass_of
    if len(group_of) not in (0, info.classes) or any(not 0 <= one < groups for one in group_of):
        raise DataError(f"{name}: its superclass_of does not name one of {groups} superclasses for each class")


def require_arrays(
    train: ImageSet,
    test: ImageSet,
    class_names: Sequence[str],
    name: str,
    values: Values = "pixels",
    target: Target = "class",
    tokens: int = 0,
) -> None:
    """Raise DataError, in the name of the set, unless items, targets and names are what these words say."""
    noun = "images" if values == "pixels" else "items"
    _require_names(class_names, train.labels, target, name)
    for split, part in (("training", train), ("test", test)):
        _require_items(part.images, values, tokens, f"{name}: its {split} {noun}")
        _require_labels(part.labels, len(part.images), target, len(class_names), noun, f"{name}: its {split} ")
    if not len(train.labels):
        raise DataError(f"{name}: it has no training {noun}; wanted one at least")
    for what, one, other in ((noun, train.images, test.images), ("targets", train.labels, test.labels)):
        if one.shape[1:] != other.shape[1:]:
            raise DataError(
                f"{name}: its training {what} have shape {one.shape[1:]} and its test {what} {other.shape[1:]}; "
                "wanted one shape"
            )


#: Of the values of items and of targets: what else is wanted of their arrays, in words.
_MEANING = {"pixels": "from 0 for black to 255 for white", "numbers": "taken as they are"}
_MEANING |= {"tokens": "the number of each token"}
_KNOWN = {"class": "the index of each image's class", "classes": "whether each class is there"}
_KNOWN |= {"numbers": "the numbers of each item", "none": "an empty row for each item"}


def _require_names(names: Sequence[str], labels: Any, target: Target, name: str) -> None:
    if target in ("class", "classes"):
        if not names or not all(isinstance(one, str) and one for one in names):
            raise DataError(f"{name}: found the class names {tuple(names)!r}; wanted a name for each class")
    else:
        numbers = labels.shape[1] if target == "numbers" and getattr(labels, "ndim", 0) == 2 else 0
        if len(names) not in (0, numbers) or not all(isinstance(one, str) and one for one in names):
            wanted = f"none, or one for each of {numbers} numbers" if numbers else "none"
            raise DataError(f"{name}: found the names {tuple(names)!r} of its targets; wanted {wanted}")
    doubled = [one for one, count in Counter(names).items() if count > 1]
    if doubled:
        what = "classes" if target in ("class", "classes") else "numbers"
        raise DataError(f"{name}: several {what} have one name: {listing(doubled, 3)}; wanted each name once")


def _require_items(items: Any, values: Values, tokens: int, what: str) -> None:
    found, wanted = _kind(items), f"an array of {VALUE_TYPES[values]}"
    if found != wanted:
        raise DataError(f"{what} are {found}; wanted {wanted}, {_MEANING[values]}{_way(found, values)}")
    if items.ndim < 2 or 0 in items.shape[1:]:
        shape = "(images, channels, height, width)" if values == "pixels" else "(items, ...), such as (items, features)"
        raise DataError(f"{what} have shape {items.shape}; wanted {shape}")
    if values == "numbers" and (place := _not_finite(items)) is not None:
        raise DataError(f"{what} hold {items[place]} at {place}; wanted finite numbers")
    if values == "tokens" and len(items) and not 0 <= items.min() <= items.max() < tokens:
        raise DataError(f"{what} hold {items.min()} to {items.max()}; wanted 0 to {tokens - 1}, which are its tokens")


def _require_labels(labels: Any, count: int, target: Target, classes: int, noun: str, whose: str) -> None:
    what = f"{whose}{'labels' if target == 'class' else 'targets'}"
    found, wanted = _kind(labels), f"an array of {TARGET_TYPES[target]}"
    if found != wanted:
        raise DataError(f"{what} are {found}; wanted {wanted}, {_KNOWN[target]}")
    shapes = {"class": f"({count},)", "classes": f"({count}, {classes})", "none": f"({count}, 0)"}
    shapes["numbers"] = f"({count}, ...), such as ({count}, 1)"
    numbers = (count, *(labels.shape[1:] or (1,)))
    right = {"class": (count,), "classes": (count, classes), "none": (count, 0), "numbers": numbers}[target]
    if labels.shape != right or (target == "numbers" and 0 in labels.shape[1:]):
        raise DataError(f"{what} have shape {labels.shape}; wanted {shapes[target]}, one for each {noun[:-1]}")
    if target == "class" and len(outside := labels[(labels < 0) | (labels >= classes)]):
        raise DataError(
            f"{what} hold {outside[0]}; wanted 0 to {classes - 1}, the indices of its {classes} class names"
        )
    if target == "numbers" and (place := _not_finite(labels)) is not None:
        raise DataError(f"{what} hold {labels[place]} at {place}; wanted finite numbers")


def _require_statistics(
    mean: Sequence[float], std: Sequence[float], count: int, name: str, called: str, along: str
) -> None:
    for what, values in (("mean", mean), ("std", std)):
        least = min(values, default=1) if what == "std" else 1
        if len(values) != count or not all(map(math.isfinite, values)) or least <= 0:
            wanted = "a number above 0" if what == "std" else "a number"
            told = f"{wanted} for each of {count} {along}" if count else "none"
            raise DataError(f"{name}: found the {called.format(what)} {tuple(values)}; wanted {told}")


def _not_finite(values: np.ndarray) -> tuple[int, ...] | None:
    """Return where the first number is that is not finite. What lies in a file was looked at when it was written."""
    import numpy as np

    if isinstance(values, np.memmap):
        return None
    for start in range(0, len(values), 1024):
        wrong = np.argwhere(~np.isfinite(values[start : start + 1024]))
        if len(wrong):
            return (start + int(wrong[0][0]), *map(int, wrong[0][1:]))
    return None


def _kind(array: Any) -> str:
    import numpy as np

    return f"an array of {array.dtype}" if isinstance(array, np.ndarray) else f"of type {type(array).__name__}"


def _way(found: str, values: Values) -> str:
    if values == "pixels" and "float" in found:
        return "; images in 0..1 become such by numpy.rint(images * 255).astype(numpy.uint8)"
    return "; numbers become such by .astype(numpy.float32)" if values == "numbers" and "array" in found else ""
