"""Bringing images in: a folder or zip of `train/<class>/*` and `test/<class>/*` becomes one set of equal images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.dataset import DataInfo, Dataset, ImageSet, Target, Values
from zoo.data.decoding import Progress, decode_all
from zoo.data.files import open_files
from zoo.data.identity import fingerprint
from zoo.data.layout import Layout, LeftOut, sort_out, summary
from zoo.data.pixels import Reading
from zoo.data.soundness import require_arrays
from zoo.errors import DataError, listing

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Imported:
    """A data set, and every file that is no part of it with the reason.

    `passed_over` are those that are no image of a class by their places and names, `corrupt` those that were tried.
    """

    dataset: Dataset
    passed_over: tuple[LeftOut, ...]
    corrupt: tuple[LeftOut, ...]


def import_images(
    source: Path,
    *,
    size: int | None = None,
    test_fraction: float | None = None,
    skip_corrupt: bool = False,
    ground: str = "white",
    levels: Sequence[float] | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Read all images under `source`, a folder or a zip file, as RGB.

    size: side in pixels that images are brought to (the largest square in their middle is cut out and scaled); without
    it all must be of one size. test_fraction: share of each class, in 0..1, that becomes the test set where there is
    none; then the folders of the classes may also lie there without train/. ground: colour behind transparent pixels.
    levels: black and white of greys of more than 8 bits. progress: called with images done and in all. Raises DataError
    when the images do not make a data set.
    """
    import numpy as np

    how = Reading.checked(size=size, ground=ground, levels=levels)
    with open_files(source) as files:
        layout = sort_out(files, source, flat=test_fraction is not None)
        _require_test_images(layout.has("test"), test_fraction, source)
        entries = layout.entries
        decoded = decode_all([entry.read for entry in entries], how, progress, source)
    corrupt = tuple(LeftOut(entries[row].name, reason) for row, reason in sorted(decoded.problems.items()))
    if corrupt and not skip_corrupt:
        shown = ", ".join(f"{one.name} ({one.reason})" for one in corrupt[:3])
        raise DataError(
            f"{source}: {len(corrupt)} of {len(entries)} images cannot be taken: {shown}"
            f"{f' and {len(corrupt) - 3} more' if len(corrupt) > 3 else ''}; "
            "mend or delete them, or leave them out with --skip-corrupt"
        )
    index = {name: number for number, name in enumerate(layout.class_names)}
    labels = np.array([index[entry.label] for entry in entries], dtype=np.int64)
    readable = np.array([row not in decoded.problems for row in range(len(entries))])
    in_test = np.array([entry.split == "test" for entry in entries])
    if test_fraction is not None:
        in_test = _cut_test(labels, readable, test_fraction, source)
    train, test = (ImageSet(decoded.images[rows], labels[rows]) for rows in (readable & ~in_test, readable & in_test))
    _require_training_images(np.bincount(train.labels, minlength=len(index)), layout, corrupt, source)
    if not len(test.labels):
        raise DataError(f"{source}: none of its test images can be read")
    made = make_dataset(train, test, layout.class_names, source=source.name)
    facts = {**asdict(how), "test_fraction": test_fraction, "transparent": decoded.transparent}
    return Imported(replace(made, imported=facts), layout.left_out, corrupt)


def make_dataset(
    train: ImageSet,
    test: ImageSet,
    class_names: tuple[str, ...],
    *,
    source: str = "",
    target: Target = "class",
    tokens: int = 0,
    features: tuple[str, ...] = (),
) -> Dataset:
    """Return a data set with the statistics of its training items and its fingerprint.

    class_names: of classes, or of numbers that are the target, if those have names. tokens: how many there are, where
    items are such; features: names along the items' first axis. Floating-point items are numbers, others pixels.
    Raises DataError when items, targets or names are not what a data set has to hold.
    """
    values: Values = "tokens" if tokens else "numbers" if _floating(train.images) else "pixels"
    require_arrays(train, test, class_names, source or "the data set", values, target, tokens)
    numbers = target == "numbers"
    mean, std = ((), ()) if tokens else _mean_and_std(train.images)
    target_mean, target_std = _mean_and_std(train.labels) if numbers else ((), ())
    info = DataInfo(
        image=train.images.shape[1:],
        classes=len(class_names) if target in ("class", "classes") else 0,
        train_images=len(train.labels),
        test_images=len(test.labels),
        mean=mean,
        std=std,
        tokens=tokens,
        values="numbers" if values == "numbers" else "pixels",
        features=features,
        target=target,
        target_shape=train.labels.shape[1:] if numbers else (),
        target_mean=target_mean,
        target_std=target_std,
    )
    mark = fingerprint(train, test, class_names)
    return Dataset(info=info, train=train, test=test, class_names=class_names, fingerprint=mark, source=source)


def _floating(items: Any) -> bool:
    return getattr(getattr(items, "dtype", None), "kind", "") == "f"


def _mean_and_std(values: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation along the first axis of an item, each above 0: of pixels in 0..1."""
    return _of_pixels(values) if values.dtype == "uint8" else _of_numbers(values)


def _of_pixels(images: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return each channel's mean and standard deviation in 0..1, exact to six digits: from counts of the 256 values."""
    import numpy as np

    counts = np.zeros((images.shape[1], 256))
    for start in range(0, len(images), 1024):
        for channel in range(images.shape[1]):
            counts[channel] += np.bincount(images[start : start + 1024, channel].ravel(), minlength=256)
    value, share = np.arange(256) / 255, counts / counts.sum(1, keepdims=True)
    mean = share @ value
    # A channel of one value must not make normalisation divide by nothing.
    std = np.sqrt(np.maximum((share * (value - mean[:, None]) ** 2).sum(1), 1e-12))
    return tuple(round(float(one), 6) for one in mean), tuple(round(float(one), 6) for one in std)


def _of_numbers(values: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return those of numbers, in float64; what never changes has the deviation 1, so that it is only shifted."""
    import numpy as np

    axes = (0, *range(2, values.ndim))
    mean = values.mean(axes, dtype=np.float64)
    std = values.std(axes, dtype=np.float64)
    still = values.max(axes) == values.min(axes)
    return tuple(mean.tolist()), tuple(np.where(still, 1.0, std).tolist())


def _require_test_images(held_out: bool, test_fraction: float | None, source: Path) -> None:
    if test_fraction is None and not held_out:
        raise DataError(
            f"{source}: it holds no images in test/<class>/; add them, or cut them out of the training images "
            "with --test-fraction 0.2"
        )
    if test_fraction is not None and held_out:
        raise DataError(f"{source}: it holds images in test/<class>/ already; leave --test-fraction out")
    if test_fraction is not None and not 0 < test_fraction < 1:
        raise DataError(f"{source}: found a test fraction of {test_fraction}; wanted one between 0 and 1")


def _require_training_images(counts: np.ndarray, layout: Layout, corrupt: Sequence[LeftOut], source: Path) -> None:
    """Raise DataError for classes without a training image, with what their folders hold instead."""
    empty = [name for name, count in zip(layout.class_names, counts, strict=True) if not count]
    if empty:
        inside = [one for one in (*layout.left_out, *corrupt) if set(one.name.split("/")[:-1]) & set(empty)]
        told = f" (left out there: {summary(inside)})" if inside else ""
        raise DataError(
            f"{source}: classes without a training image: {listing(empty, 3)}{told}; fill or delete their folders"
        )


def _cut_test(labels: np.ndarray, readable: np.ndarray, fraction: float, source: Path) -> np.ndarray:
    """Return a mask of the images that become the test set: the same share of every class, the same ones each time."""
    import numpy as np

    from zoo.data.sampler import generator, stratified_split

    rows = np.flatnonzero(readable)
    count = round(len(rows) * fraction)
    if not count:
        raise DataError(f"{source}: a test fraction of {fraction} of {len(rows)} images is none; wanted a larger one")
    chosen = np.zeros(len(labels), dtype=bool)
    chosen[rows[stratified_split(labels[rows], count, generator(0, "test split"))[1]]] = True
    return chosen
