"""Whether a data set is what it says: arrays of the stated types and ranges, names and statistics that fit them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zoo.data.dataset import TARGET_TYPES, VALUE_TYPES, Dataset, DataSource, ImageSet, Target, Values
from zoo.errors import DataError, listing

if TYPE_CHECKING:
    import numpy as np


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
