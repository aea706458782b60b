"""Which files of a folder are images of which class, and why the others are not."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from zoo.data.files import File, Reader, hidden, shown
from zoo.data.pixels import extensions
from zoo.errors import DataError, listing

SPLITS = ("train", "test")


class LeftOut(NamedTuple):
    """A file that became no image of the set, and why, in words that follow its name."""

    name: str
    reason: str


@dataclass(frozen=True)
class Entry:
    """One image file: its split, class and name, and how to read its bytes."""

    split: str
    label: str
    name: str
    read: Reader


@dataclass(frozen=True)
class Layout:
    """The sorted names of the classes, the image files in the order of their names, and the files left out."""

    class_names: tuple[str, ...]
    entries: tuple[Entry, ...]
    left_out: tuple[LeftOut, ...]

    def has(self, split: str) -> bool:
        """Whether there are images of a split."""
        return any(entry.split == split for entry in self.entries)


def sort_out(files: Sequence[File], source: Path, *, flat: bool) -> Layout:
    """Return the images under train/<class>/ and test/<class>/, however deep, at the top or in one folder there.

    A class is a folder under train/, even one without an image. flat: where nothing lies in train/<class>/ and
    test/<class>/, the folders at the top are the classes, and all images are for training. Raises DataError when the
    files make no classes.
    """
    seen = [file for file in files if not hidden(file.path)]
    layout, strange = _arrange(files, _top_of_splits([file.path for file in seen], source))
    if flat and not layout.entries:
        layout, strange = _arrange(files, _top_of_classes(seen), ("train",))
    if not layout.has("train"):
        told = summary(layout.left_out)
        raise DataError(
            f"{source}: it holds no images in train/<class>/; wanted a folder for each class under train/, or without "
            "train/ where --test-fraction is given" + (f"; left out: {told}" if told else "")
        )
    if strange:
        raise DataError(f"{source}: the test images have classes that the training images lack: {listing(strange, 3)}")
    for name in layout.class_names:
        if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
            raise DataError(f"{source}: the name of the class {name!r} is no text; give its folder another")
    return layout


def summary(left_out: Iterable[LeftOut], limit: int = 4) -> str:
    """Return how many files were left out for which reason, as in "2 files: no image by the name (.txt)"."""
    counts = Counter(one.reason for one in left_out)
    first = counts.most_common(limit)
    told = [f"{count:,} {'file' if count == 1 else 'files'}: {reason}" for reason, count in first]
    others = counts.total() - sum(count for _, count in first)
    return "; ".join(told) + (f"; {others:,} for other reasons" if others else "")


def _arrange(files: Sequence[File], top: tuple[str, ...], under: tuple[str, ...] = ()) -> tuple[Layout, set[str]]:
    """Return the layout of what lies in `top`, taken as lying under `under`, and the classes that train/ lacks."""
    labels: dict[str, set[str]] = {split: set() for split in SPLITS}
    entries, left_out = [], []
    for path, read, replaced in files:
        inside = path.parts[: len(top)] == top
        inner = (*under, *path.parts[len(top) :]) if inside else ()
        placed = len(inner) > 1 and inner[0] in SPLITS and not hidden(path)
        if placed and (len(inner) > 2 or read is None):
            labels[inner[0]].add(inner[1])
        if read is None:
            continue
        reason = _reason(path, outside=not placed or len(inner) < 3, replaced=replaced)
        if reason:
            left_out.append(LeftOut(shown(path), reason))
        else:
            entries.append(Entry(inner[0], inner[1], shown(path), read))
    layout = Layout(tuple(sorted(labels["train"])), tuple(entries), tuple(left_out))
    return layout, labels["test"] - labels["train"]


def _reason(path: PurePosixPath, *, outside: bool, replaced: bool) -> str:
    """Return why a file is no image of a class by its name, or ""."""
    if hidden(path):
        return "hidden"
    if outside:
        return "not in the folder of a class"
    if path.suffix.lower() not in extensions():
        return f"no image by the name ({path.suffix.lower() or 'no extension'})"
    return "replaced by a later file of the same name" if replaced else ""


def _top_of_splits(paths: Iterable[PurePosixPath], source: Path) -> tuple[str, ...]:
    """Return the one folder that train/ lies in, as packing a folder into a zip gives, or nothing."""
    tops = {path.parts[: path.parts.index("train")] for path in paths if "train" in path.parts[:2]}
    if len(tops) > 1 and () not in tops:
        raise DataError(
            f"{source}: it holds train/ in more than one folder: {listing((top[0] for top in tops), 3)}; wanted one"
        )
    return min(tops, default=())


def _top_of_classes(files: Iterable[File]) -> tuple[str, ...]:
    """Return the one folder that holds all images, none of them directly, or nothing."""
    images = [file.path.parts for file in files if file.read and file.path.suffix.lower() in extensions()]
    tops = {parts[:1] for parts in images}
    return tops.pop() if len(tops) == 1 and all(len(parts) > 2 for parts in images) else ()
