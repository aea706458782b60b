"""Decoding image files, many at once into one array, or one for a network."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zoo.data.files import Reader, Unreadable, read_file
from zoo.data.pixels import Pixels, Reading, decode
from zoo.errors import DataError

if TYPE_CHECKING:
    import numpy as np

Progress = Callable[[int, int], None]
CHUNK = 32  # images that a thread decodes in a row


@dataclass(frozen=True)
class DecodedSet:
    """images: (N, 3, H, W) uint8; problems: of those that could not be read, why; transparent: how many were."""

    images: np.ndarray
    problems: dict[int, str]
    transparent: int


def decode_all(readers: Sequence[Reader], how: Reading, progress: Progress | None, source: Path) -> DecodedSet:
    """Return all images. Raises DataError, in the name of `source`, when they are not of one size or too many."""
    from concurrent.futures import ThreadPoolExecutor

    room = _Room(len(readers), source)

    def decode_some(start: int) -> int:
        for number in range(start, stop := min(start + CHUNK, len(readers))):
            try:
                room.put(number, decode(readers[number], how))
            except Unreadable as error:
                room.problems[number] = str(error)
        return stop - start

    # The decoders of large images release the interpreter's lock.
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        with _quiet():
            done = 0
            for count in pool.map(decode_some, range(0, len(readers), CHUNK)):
                done += count
                if progress is not None:
                    progress(done, len(readers))
    except MemoryError as error:
        raise DataError(f"{source}: an image needs more memory than there is; make it smaller, or delete it") from error
    finally:
        pool.shutdown(cancel_futures=True)
    return room.full()


class Decoded(NamedTuple):
    """An image file as pixels (C, H, W) uint8, with the width and height that it had."""

    pixels: np.ndarray
    width: int
    height: int


def decode_file(path: Path, channels: int, height: int, width: int, how: Reading | None = None) -> Decoded:
    """Return an image file of any size and mode, upright, cut around its middle and scaled to `height` and `width`.

    Raises DataError when it cannot be read as an image, or when there is no way to as many channels.
    """
    import numpy as np
    from PIL import Image, ImageOps

    if channels not in (1, 3):
        raise DataError(f"{path}: an image file has 1 or 3 channels; {channels} are wanted")
    try:
        with _quiet():
            decoded = decode(lambda: read_file(path), how or Reading()).values
    except Unreadable as error:
        raise DataError(f"{path}: {error}; wanted PNG, JPEG, WebP or another kind of image") from error
    except MemoryError as error:
        raise DataError(f"{path}: it needs more memory than there is; wanted a smaller image") from error
    image = Image.fromarray(decoded.transpose(1, 2, 0))
    size = image.size
    if size != (width, height):
        image = ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(image) if channels == 3 else np.asarray(image.convert("L"))[:, :, None]
    return Decoded(pixels.transpose(2, 0, 1), *size)


class _Room:
    """The array that threads put their images into; the first that is read says how large all have to be."""

    def __init__(self, count: int, source: Path) -> None:
        self.count, self.source = count, source
        self.problems: dict[int, str] = {}
        self._images: np.ndarray | None = None
        self._sizes: Counter[str] = Counter()
        self._transparent = 0
        self._lock = threading.Lock()

    def put(self, number: int, pixels: Pixels) -> None:
        values = pixels.values
        with self._lock:
            if self._images is None:
                self._images = self._make(values)
            self._sizes[f"{values.shape[2]}x{values.shape[1]}"] += 1
            self._transparent += pixels.transparent
        if values.shape == self._images.shape[1:]:
            self._images[number] = values

    def full(self) -> DecodedSet:
        import numpy as np

        if len(self._sizes) > 1:
            shown = ", ".join(f"{count} of {one}" for one, count in self._sizes.most_common(4))
            raise DataError(
                f"{self.source}: the images have {len(self._sizes)} sizes ({shown}); bring them to one with --size N"
            )
        images = np.empty((self.count, 3, 0, 0), dtype=np.uint8) if self._images is None else self._images
        return DecodedSet(images, self.problems, self._transparent)

    def _make(self, image: np.ndarray) -> np.ndarray:
        import numpy as np

        try:
            return np.empty((self.count, *image.shape), dtype=np.uint8)
        except MemoryError as error:
            raise DataError(
                f"{self.source}: {self.count:,} images of {image.shape[2]}x{image.shape[1]} pixels need "
                f"{self.count * image.nbytes:,} bytes of memory; make them smaller with --size N"
            ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what Pillow says of odd files: it names none, and those that matter are refused or told by reason."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield
