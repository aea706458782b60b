"""Bringing images in: a folder or zip of `train/<class>/*` and `test/<class>/*` becomes one set of equal images."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from zoo.data.dataset import DataInfo, Dataset, ImageSet
from zoo.data.decoding import Progress, Reader, decode_all
from zoo.data.identity import fingerprint
from zoo.errors import DataError, listing

if TYPE_CHECKING:
    import numpy as np

EXTENSIONS = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
LARGEST = 64 * 2**20  # bytes of one file, unpacked
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Imported:
    """A data set and what was left out of it: files that are no image of a class by their names, and corrupt ones."""

    dataset: Dataset
    ignored: int
    corrupt: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """One image file: its split, class and name, and how to read its bytes."""

    split: str
    label: str
    name: str
    read: Reader


def import_images(
    source: Path,
    *,
    size: int | None = None,
    test_fraction: float | None = None,
    skip_corrupt: bool = False,
    progress: Progress | None = None,
) -> Imported:
    """Read all images under `source`, a folder or a zip file, as RGB.

    size: side in pixels that images are resized to (their shorter side, then the middle is cut out); without it all
    must be of one size. test_fraction: share of each class, in 0..1, that becomes the test set where there is none.
    progress: called with images done and in all. Raises DataError when the images do not make a data set.
    """
    import numpy as np

    with _open(source) as files:
        class_names, entries, ignored = _sort_out(files, source)
        held_out = any(entry.split == "test" for entry in entries)
        _require_test_images(held_out, test_fraction, source)
        images, readable = decode_all([entry.read for entry in entries], size, progress, source)
    corrupt = [entry.name for entry, one in zip(entries, readable, strict=True) if not one]
    if corrupt and not skip_corrupt:
        raise DataError(
            f"{source}: {len(corrupt)} of {len(entries)} images cannot be read: {listing(corrupt, 3)}; "
            "mend or delete them, or leave them out with --skip-corrupt"
        )
    index = {name: number for number, name in enumerate(class_names)}
    labels = np.array([index[entry.label] for entry in entries], dtype=np.int64)
    in_test = np.array([entry.split == "test" for entry in entries])
    if test_fraction is not None:
        in_test = _cut_test(labels, readable, test_fraction, source)
    train, test = (ImageSet(images[rows], labels[rows]) for rows in (readable & ~in_test, readable & in_test))
    counts = np.bincount(train.labels, minlength=len(class_names))
    if not counts.all():
        empty = [name for name, count in zip(class_names, counts, strict=True) if not count]
        raise DataError(
            f"{source}: classes without a training image: {listing(empty, 3)}; fill or delete their folders"
        )
    if not len(test.labels):
        raise DataError(f"{source}: none of its test images can be read")
    return Imported(make_dataset(train, test, class_names, source=source.name), ignored, tuple(corrupt))


def make_dataset(train: ImageSet, test: ImageSet, class_names: tuple[str, ...], *, source: str = "") -> Dataset:
    """Return a data set with the statistics of its training images and its fingerprint."""
    mean, std = _mean_and_std(train.images)
    channels, height, width = train.images.shape[1:]
    info = DataInfo(
        image=(channels, height, width),
        classes=len(class_names),
        train_images=len(train.labels),
        test_images=len(test.labels),
        mean=mean,
        std=std,
    )
    mark = fingerprint(train, test, class_names)
    return Dataset(info=info, train=train, test=test, class_names=class_names, fingerprint=mark, source=source)


def _mean_and_std(images: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
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


@contextlib.contextmanager
def _open(source: Path) -> Iterator[dict[str, Reader | None]]:
    """Give the names of all files and folders under `source`, and for files how to read them."""
    if source.is_dir():
        yield {
            path.relative_to(source).as_posix(): path.read_bytes if path.is_file() else None
            for path in source.rglob("*")
        }
        return
    if not source.exists():
        raise DataError(f"{source}: there is no such file or folder; wanted a folder or zip with train/<class>/*")
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(
            f"{source}: this is neither a folder nor a sound zip file ({error}); wanted one with train/<class>/*"
        ) from error
    with archive:
        yield {info.filename.rstrip("/"): _zip_reader(archive, info, source) for info in archive.infolist()}


def _zip_reader(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: Path) -> Reader | None:
    if info.is_dir():
        return None
    if info.flag_bits & 1:
        raise DataError(f"{source}: {info.filename} is encrypted; wanted a zip without password")
    if info.file_size > LARGEST:
        raise DataError(
            f"{source}: {info.filename} unpacks to {info.file_size:,} bytes; wanted at most {LARGEST:,} a file"
        )
    return partial(archive.read, info)


def _sort_out(files: dict[str, Reader | None], source: Path) -> tuple[tuple[str, ...], list[Entry], int]:
    """Return the sorted names of the classes, the image files in the order of their names, and how many were ignored.

    A class is a folder under train/, even one without an image. Hidden files are not even counted.
    """
    paths = {
        path: files[name]
        for name, path in sorted((name, PurePosixPath(name)) for name in files)
        if not any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    }
    top = _top_folder(paths, source)
    labels: dict[str, set[str]] = {split: set() for split in SPLITS}
    entries, ignored = [], 0
    for path, read in paths.items():
        inner = path.parts[len(top) :] if path.parts[: len(top)] == top else ()
        known = len(inner) > 1 and inner[0] in SPLITS
        if known and (len(inner) > 2 or read is None):
            labels[inner[0]].add(inner[1])
        if read is None:
            continue
        if known and len(inner) == 3 and path.suffix.lower() in EXTENSIONS:
            entries.append(Entry(inner[0], inner[1], path.as_posix(), read))
        else:
            ignored += 1
    if not any(entry.split == "train" for entry in entries):
        raise DataError(f"{source}: it holds no images in train/<class>/; wanted a folder for each class under train/")
    strange = labels["test"] - labels["train"]
    if strange:
        raise DataError(f"{source}: the test images have classes that the training images lack: {listing(strange, 3)}")
    return tuple(sorted(labels["train"])), entries, ignored


def _top_folder(paths: Iterable[PurePosixPath], source: Path) -> tuple[str, ...]:
    """Return the one folder that train/ lies in, as packing a folder into a zip gives, or nothing."""
    tops = {path.parts[: path.parts.index("train")] for path in paths if "train" in path.parts[:2]}
    if len(tops) > 1 and () not in tops:
        raise DataError(
            f"{source}: it holds train/ in more than one folder: {listing((top[0] for top in tops), 3)}; wanted one"
        )
    return min(tops, default=())


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
