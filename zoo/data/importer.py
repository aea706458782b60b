"""Bringing images in: a folder or zip of `train/<class>/*` and `test/<class>/*` becomes one set of equal images."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from zoo.data.dataset import DataInfo, Dataset, ImageSet
from zoo.data.store import fingerprint
from zoo.errors import DataError

if TYPE_CHECKING:
    import numpy as np

Progress = Callable[[int, int], None]
EXTENSIONS = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
LARGEST = 64 * 2**20  # bytes of one file, unpacked
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Imported:
    """A data set and what was left out of it: files that are no images by their names, and corrupt ones."""

    dataset: Dataset
    ignored: int
    corrupt: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """One image file: its split, class and name, and how to read its bytes."""

    split: str
    label: str
    name: str
    read: Callable[[], bytes]


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
    must be of one size. test_fraction: share of each class that becomes the test set where there is none.
    progress: called with images done and in all. Raises DataError when the images do not make a data set.
    """
    entries, ignored = _entries(source)
    class_names = _class_names(entries, source)
    pixels, corrupt = _decode_all(entries, size, progress)
    if corrupt and not skip_corrupt:
        raise DataError(
            f"{source}: {len(corrupt)} of {len(entries)} images cannot be read: {_some(corrupt)}; "
            "mend or delete them, or leave them out with --skip-corrupt"
        )
    kept = [(entry, image) for entry, image in zip(entries, pixels, strict=True) if image is not None]
    _require_one_size([image for _, image in kept], source)
    parts = {split: [(entry, image) for entry, image in kept if entry.split == split] for split in SPLITS}
    if not parts["test"]:
        parts["train"], parts["test"] = _cut_test(parts["train"], test_fraction, source)
    sets = {split: _image_set(part, class_names) for split, part in parts.items()}
    return Imported(make_dataset(sets["train"], sets["test"], class_names), ignored, tuple(corrupt))


def make_dataset(train: ImageSet, test: ImageSet, class_names: tuple[str, ...]) -> Dataset:
    """Return a data set with the statistics of its training images and its fingerprint."""
    import numpy as np

    count = train.images[:, 0].size
    sums, squares = np.zeros(train.images.shape[1]), np.zeros(train.images.shape[1])
    for start in range(0, len(train.images), 4096):
        values = train.images[start : start + 4096].astype(np.float64) / 255
        sums += values.sum((0, 2, 3))
        squares += (values**2).sum((0, 2, 3))
    mean = sums / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 1e-12))
    channels, height, width = train.images.shape[1:]
    info = DataInfo(
        image=(channels, height, width),
        classes=len(class_names),
        train_images=len(train.labels),
        test_images=len(test.labels),
        mean=tuple(round(float(value), 6) for value in mean),
        std=tuple(round(float(value), 6) for value in std),
    )
    return Dataset(
        info=info, train=train, test=test, class_names=class_names, fingerprint=fingerprint(train, test, class_names)
    )


def _entries(source: Path) -> tuple[list[Entry], int]:
    """Return the image files under `source` in the order of their names, and how many files were passed over."""
    if not source.exists():
        raise DataError(f"{source}: there is no such file or folder; wanted a folder or zip with train/<class>/*")
    if source.is_dir():
        files: Iterable[tuple[str, Callable[[], bytes]]] = (
            (path.relative_to(source).as_posix(), path.read_bytes) for path in source.rglob("*") if path.is_file()
        )
    elif zipfile.is_zipfile(source):
        files = _zip_files(source)
    else:
        raise DataError(f"{source}: this is neither a folder nor a zip file; wanted one with train/<class>/*")
    entries, ignored = [], 0
    for name, read in sorted(files, key=lambda file: file[0]):
        parts = PurePosixPath(name).parts
        if any(part.startswith((".", "__MACOSX")) for part in parts):
            continue
        # One folder more at the top is what packing a folder into a zip gives.
        where = next((index for index in (0, 1) if index < len(parts) and parts[index] in SPLITS), None)
        if where is None or len(parts) != where + 3 or PurePosixPath(name).suffix.lower() not in EXTENSIONS:
            ignored += 1
            continue
        entries.append(Entry(parts[where], parts[where + 1], name, read))
    return entries, ignored


def _zip_files(source: Path) -> Iterable[tuple[str, Callable[[], bytes]]]:
    archive = zipfile.ZipFile(source)
    for info in archive.infolist():
        if info.is_dir():
            continue
        if info.flag_bits & 1:
            raise DataError(f"{source}: {info.filename} is encrypted; wanted a zip without password")
        if info.file_size > LARGEST:
            raise DataError(
                f"{source}: {info.filename} unpacks to {info.file_size:,} bytes; wanted at most {LARGEST:,} a file"
            )
        yield info.filename, lambda name=info.filename: archive.read(name)  # type: ignore[misc]


def _class_names(entries: list[Entry], source: Path) -> tuple[str, ...]:
    names = sorted({entry.label for entry in entries if entry.split == "train"})
    if not names:
        raise DataError(f"{source}: it holds no images in train/<class>/; wanted a folder for each class under train/")
    if len(names) == 1:
        raise DataError(f"{source}: it holds one class, {names[0]!r}; wanted two or more folders under train/")
    strange = sorted({entry.label for entry in entries if entry.split == "test"} - set(names))
    if strange:
        raise DataError(f"{source}: the test images have classes that the training images lack: {_some(strange)}")
    return tuple(names)


def _decode_all(
    entries: list[Entry], size: int | None, progress: Progress | None
) -> tuple[list[np.ndarray | None], list[str]]:
    """Decode in threads, for the decoders release the interpreter's lock; None stands for a corrupt image."""
    pixels: list[np.ndarray | None] = []
    corrupt = []
    with ThreadPoolExecutor() as pool:
        for index, image in enumerate(pool.map(lambda entry: _decode(entry, size), entries), 1):
            pixels.append(image)
            if image is None:
                corrupt.append(entries[index - 1].name)
            if progress is not None and (index % 256 == 0 or index == len(entries)):
                progress(index, len(entries))
    return pixels, corrupt


def _decode(entry: Entry, size: int | None) -> np.ndarray | None:
    """Return an image as (3, H, W) uint8, or None when it cannot be read."""
    import numpy as np
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(entry.read())) as opened:
            if opened.mode.startswith("I") or opened.mode == "F":
                # PIL clips deeper images instead of scaling them.
                values = np.asarray(opened, dtype=np.float64)
                top = 65535 if opened.mode.startswith("I") else max(values.max(), 1e-9)
                rgb = Image.fromarray((values * (255 / top)).clip(0, 255).astype(np.uint8)).convert("RGB")
            else:
                rgb = opened.convert("RGB")
        if size is not None:
            rgb = ImageOps.fit(rgb, (size, size), Image.Resampling.BICUBIC)
        return np.ascontiguousarray(np.asarray(rgb).transpose(2, 0, 1))
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        OSError,
        ValueError,
        SyntaxError,
        zipfile.BadZipFile,
    ):
        return None


def _require_one_size(images: list[np.ndarray], source: Path) -> None:
    sizes = Counter(f"{image.shape[2]}x{image.shape[1]}" for image in images)
    if len(sizes) > 1:
        shown = ", ".join(f"{count} of {size}" for size, count in sizes.most_common(4))
        raise DataError(f"{source}: the images have {len(sizes)} sizes ({shown}); bring them to one with --size N")


def _cut_test(
    train: list[tuple[Entry, np.ndarray]], fraction: float | None, source: Path
) -> tuple[list[tuple[Entry, np.ndarray]], list[tuple[Entry, np.ndarray]]]:
    """Cut the same share of every class out of the training images, the same ones each time."""
    from zoo.data.sampler import generator

    if fraction is None:
        raise DataError(
            f"{source}: it holds no images in test/<class>/; add them, or cut them out of the training images "
            "with --test-fraction 0.2"
        )
    kept, cut = [], []
    for label in sorted({entry.label for entry, _ in train}):
        own = [pair for pair in train if pair[0].label == label]
        chosen = set(generator(0, f"test split {label}").permutation(len(own))[: round(len(own) * fraction)].tolist())
        for index, pair in enumerate(own):
            (cut if index in chosen else kept).append(pair)
    return kept, cut


def _image_set(part: list[tuple[Entry, np.ndarray]], class_names: tuple[str, ...]) -> ImageSet:
    import numpy as np

    index = {name: number for number, name in enumerate(class_names)}
    labels = np.array([index[entry.label] for entry, _ in part], dtype=np.int64)
    return ImageSet(np.stack([image for _, image in part]), labels)


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")
