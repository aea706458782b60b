"""Which data a training saw: what is kept of them in a run or an entry, and how it is held against a data set."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from zoo.data.dataset import DataInfo, Dataset, ImageSet
from zoo.errors import DataError

if TYPE_CHECKING:
    import numpy as np

SPLITS = {"train": "training images", "test": "test images"}
PURPOSE = "--other-data (in Python other_data=True)"
MOST_NAMES = 3  # of classes, in an error


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What is known of a data set without its images. `fingerprint` alone decides whether another is the same.

    `parts` are hashes of what it consists of, by which a difference is explained; `info` and `class_names` are what a
    trained network needs to be used. Earlier versions kept the fingerprint alone: then the others are empty.
    """

    fingerprint: str
    class_names: tuple[str, ...] = ()
    info: DataInfo | None = None
    parts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, dataset: Dataset) -> Identity:
        """Return that of a data set."""
        parts = dataset.parts or parts_of(dataset.train, dataset.test, dataset.class_names)
        return cls(
            fingerprint=dataset.fingerprint, class_names=dataset.class_names, info=dataset.info, parts=dict(parts)
        )

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Identity:
        """Return what `to_data` gave. Raises KeyError, TypeError or ValueError when it is something else."""
        info: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in data["info"].items()
        }
        return cls(
            fingerprint=data["fingerprint"],
            class_names=tuple(data["class_names"]),
            info=DataInfo(**info),
            parts=dict(data["parts"]),
        )

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    def differences(self, dataset: Dataset) -> list[str]:
        """Return in what `dataset` is another one, a part of a sentence each; nothing where it is the same."""
        if dataset.fingerprint == self.fingerprint:
            return []
        found = []
        if self.class_names and self.class_names != dataset.class_names:
            what = "names of the targets" if dataset.info.target == "numbers" else "classes"
            found.append(f"{what}: {_names(dataset.class_names, self.class_names)}")
        if self.info and self.info.image != dataset.info.image:
            what = "an image" if "images" == self.info.items == dataset.info.items else "an item"
            found.append(f"shape of {what}: {dataset.info.image}, was {self.info.image}")
        if self.info and self.info.target_words() != dataset.info.target_words():
            found.append(f"targets: {dataset.info.target_words()}, were {self.info.target_words()}")
        if self.parts:
            found += _images_differ(self, Identity.of(dataset))
        why = "" if self.parts else " (what differs cannot be told: an earlier version of Zoo kept no more)"
        return found or [f"fingerprint: {dataset.fingerprint[:8]}, was {self.fingerprint[:8]}{why}"]

    def require(self, dataset: Dataset, who: str, what: str, how: str = PURPOSE) -> None:
        """Raise DataError unless `dataset` is the same.

        who: what was trained; what: the data set as a spec names it; how: to go on all the same.
        """
        if found := self.differences(dataset):
            raise DataError(
                f"{who}: it was trained on other data than {what} is here now; {'; '.join(found)}; bring back what it "
                f"was trained on, or go on with other data on purpose: {how}"
            )


def fingerprint(train: ImageSet, test: ImageSet, class_names: tuple[str, ...]) -> str:
    """Return the SHA-256 of items, with their shape, targets and names, in that order."""
    import numpy as np

    digest = hashlib.sha256()
    for part in (train, test):
        digest.update(json.dumps(part.images.shape).encode())
        form = (str(part.images.dtype), str(part.labels.dtype), part.labels.shape)
        if form[:2] != ("uint8", "int64"):  # what all were before others came
            digest.update(json.dumps(form).encode())
        digest.update(np.ascontiguousarray(part.images).data)
        digest.update(np.ascontiguousarray(part.labels).data)
    digest.update(json.dumps(class_names).encode())
    return digest.hexdigest()


def parts_of(train: ImageSet, test: ImageSet, class_names: tuple[str, ...]) -> dict[str, str]:
    """Return hashes by which two sets can be told apart: of the images of each split, of the images with the names of
    their classes (or with their other targets), of both in their order, and of the images of both splits together.
    """
    found: dict[str, str] = {}
    every: list[bytes] = []
    for split, part in (("train", train), ("test", test)):
        pixels = list(_digests(part.images))
        known = (_known_of(label, class_names) for label in part.labels)
        named = [hashlib.sha256(one + what).digest() for one, what in zip(pixels, known, strict=True)]
        found |= {f"{split}_images": _joined(sorted(pixels)), f"{split}_labels": _joined(sorted(named))}
        found[f"{split}_order"] = _joined(named)
        every += pixels
    return {**found, "images": _joined(sorted(every))}


def _digests(images: np.ndarray) -> Iterator[bytes]:
    import numpy as np

    for image in images:
        yield hashlib.sha256(np.ascontiguousarray(image).data).digest()


def _joined(digests: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _known_of(label: np.ndarray | np.integer[Any], class_names: tuple[str, ...]) -> bytes:
    """Return what is known of an item as bytes: of one class its name."""
    if label.ndim or label.dtype != "int64":
        return label.tobytes()
    index = int(label)
    return (class_names[index] if 0 <= index < len(class_names) else f"no class, {index}").encode()


def _images_differ(before: Identity, now: Identity) -> Iterator[str]:
    def same(part: str) -> bool:
        return before.parts.get(part) == now.parts.get(part)

    if same("images") and not (same("train_images") and same("test_images")):
        yield f"split: the same images, shared out otherwise between training and test{_counts(before, now)}"
        return
    for split, title in SPLITS.items():
        if same(f"{split}_order"):
            continue
        if same(f"{split}_labels"):
            yield f"order of the {title}"
        elif same(f"{split}_images"):
            yield f"labels of the {title}: the same images in other classes"
        else:
            yield f"{title}: other pictures{_counts(before, now, split)}"


def _counts(before: Identity, now: Identity, split: str = "train") -> str:
    if before.info is None or now.info is None:
        return ""
    was, count = (getattr(one.info, f"{split}_images") for one in (before, now))
    return "" if was == count else f" ({count:,} of {split}, were {was:,})"


def _names(found: tuple[str, ...], before: tuple[str, ...]) -> str:
    if sorted(found) == sorted(before):
        return "the same in another order"
    more = [one for one in found if one not in before]
    less = [one for one in before if one not in found]
    told = [f"{verb} {_listed(names)}" for verb, names in (("now", more), ("no longer", less)) if names]
    return " and ".join(told)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:MOST_NAMES])
    return f"{shown} and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else shown
