"""Decoding image files of any kind into one array of 8-bit RGB."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo.data.files import Reader, Unreadable, read_file
from zoo.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

Progress = Callable[[int, int], None]
CHUNK = 32  # images that a thread decodes in a row
MOST_PIXELS = 2**27  # of one image
MANY_PIXELS = 2**23  # images of more are decoded one at a time, so that threads do not add up their memory
BAND = 256  # rows of which levels are computed at once
ORIENTATION = 0x0112  # the EXIF tag that says how a camera was held
# What Pillow names and cannot decode by itself: for EPS it runs Ghostscript, of MPEG it knows the size alone.
FOREIGN = {"EPS", "MPEG"}
# The formats whose greys of more than 8 bits Pillow gives in 0..65535, whatever the mode is called.
SIXTEEN_BITS = {"PNG", "PPM"}
# How Pillow brings the samples of a PNG to 8 bits, by their raw mode; the transparent one it leaves as the file has it.
SAMPLES = {"1": 255.0, "L;2": 85.0, "L;4": 17.0, "RGB;16B": 1 / 256}

_one_by_one = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the pixels of files become those of a set.

    size: side in pixels of the square that is cut out around the middle, as large as it can be, and scaled.
    ground: colour behind what is transparent. levels: black and white of greys of more than 8 bits; without them
    those of 16 bits are 0 and 65535, and others are refused.
    """

    size: int | None = None
    ground: tuple[int, int, int] = (255, 255, 255)
    levels: tuple[float, float] | None = None

    @classmethod
    def checked(
        cls, *, size: int | None = None, ground: str = "white", levels: Sequence[float] | None = None
    ) -> Reading:
        """Return how to read by what a user wrote. Raises DataError when that is no colour or no range."""
        import math

        from PIL import ImageColor

        try:
            red, green, blue = ImageColor.getrgb(ground)
        except ValueError as error:
            raise DataError(
                f"found the ground {ground!r}; wanted an opaque colour, such as white, black or '#ff8000'"
            ) from error
        if levels is None:
            return cls(size=size, ground=(red, green, blue))
        black, white = levels
        if not (math.isfinite(black) and math.isfinite(white) and black < white):
            raise DataError(
                f"found the range {black:g} to {white:g}; wanted the value of black and the larger of white"
            )
        return cls(size=size, ground=(red, green, blue), levels=(black, white))


class Pixels(NamedTuple):
    """An image as (3, H, W) uint8, and whether its ground shows."""

    values: np.ndarray
    transparent: bool


@dataclass(frozen=True)
class DecodedSet:
    """images: (N, 3, H, W) uint8; problems: of those that could not be read, why; transparent: how many were."""

    images: np.ndarray
    problems: dict[int, str]
    transparent: int


@functools.cache
def formats() -> tuple[str, ...]:
    """Return the names of the formats that Pillow decodes by itself."""
    from PIL import Image, ImageFile

    Image.init()
    stub = ImageFile.StubImageFile
    return tuple(
        name
        for name in Image.ID
        if name not in FOREIGN and not (isinstance(kind := Image.OPEN[name][0], type) and issubclass(kind, stub))
    )


@functools.cache
def extensions() -> frozenset[str]:
    """Return the endings, with their dots, of the names that files of these formats have."""
    from PIL import Image

    # MPO, several JPEG images in a file, is opened as what it begins with.
    readable = {*formats(), "MPO"}
    return frozenset(ending for ending, kind in Image.registered_extensions().items() if kind in readable)


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
    image = Image.fromarray(decoded.transpose(1, 2, 0))
    size = image.size
    if size != (width, height):
        image = ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(image) if channels == 3 else np.asarray(image.convert("L"))[:, :, None]
    return Decoded(pixels.transpose(2, 0, 1), *size)


def decode(read: Reader, how: Reading) -> Pixels:
    """Return one image, upright, its middle cut out where a size is wanted. Raises Unreadable with the reason."""
    import numpy as np
    from PIL import Image, ImageOps, UnidentifiedImageError

    content = read()
    try:
        with Image.open(io.BytesIO(content), formats=formats()) as opened:
            pixels = opened.width * opened.height
            if pixels > MOST_PIXELS:
                raise Unreadable(f"more than {MOST_PIXELS:,} pixels ({opened.width}x{opened.height})")
            with _one_by_one if pixels > MANY_PIXELS else contextlib.nullcontext():
                rgb, transparent = _to_rgb(opened, how)
                if how.size is not None:
                    rgb = ImageOps.fit(rgb, (how.size, how.size), Image.Resampling.BICUBIC)
                return Pixels(np.asarray(rgb).transpose(2, 0, 1), transparent)
    except (Unreadable, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise Unreadable("no image that can be read") from error
    except Image.DecompressionBombError as error:
        raise Unreadable(f"more than {MOST_PIXELS:,} pixels") from error
    except Exception as error:  # broken bytes make Pillow's decoders raise errors of every kind
        raise Unreadable("a damaged image, or one of a kind that cannot be decoded") from error


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


def _to_rgb(opened: Image.Image, how: Reading) -> tuple[Image.Image, bool]:
    """Return any image upright as 8-bit RGB, with the ground under what is transparent, and whether that shows."""
    from PIL import Image, ImageOps

    kind = opened.format or ""
    key = _transparent_sample(opened)
    image = ImageOps.exif_transpose(opened) if opened.getexif().get(ORIENTATION, 1) != 1 else opened
    if key is not None:
        image.info["transparency"] = key
    if image.mode.startswith(("I", "F")):
        image = _to_grey(image, kind, how.levels)
    if not image.has_transparency_data:
        return image.convert("RGB"), False
    rgba = image.convert("RGBA")
    if rgba.getextrema()[3][0] == 255:
        return image.convert("RGB"), False
    ground = Image.new("RGBA", rgba.size, (*how.ground, 255))
    ground.alpha_composite(rgba)
    return ground.convert("RGB"), True


def _transparent_sample(opened: Image.Image) -> Any:
    """Return the one transparent value of a PNG as Pillow's pixels have it, or None where that is right already."""
    key, tile = opened.info.get("transparency"), opened.tile if hasattr(opened, "tile") else ()
    factor = SAMPLES.get(str(tile[0][3])) if tile and opened.format == "PNG" else None
    if factor is None or isinstance(key, bytes) or key is None:
        return None
    # Newer Pillows scale that of one bit themselves.
    levels = tuple(min(int(one * factor), 255) for one in (key if isinstance(key, tuple) else (key,)))
    return levels if isinstance(key, tuple) else levels[0]


def _to_grey(image: Image.Image, kind: str, levels: tuple[float, float] | None) -> Image.Image:
    """Return greys of more than 8 bits as 8-bit ones, whose levels are those of the file or the ones that were said."""
    import numpy as np
    from PIL import Image

    values = np.asarray(image)
    if not np.isfinite(low := float(values.min())) or not np.isfinite(high := float(values.max())):
        raise Unreadable("values that are no finite numbers")
    if levels is None and (image.mode.startswith("I;16") or kind in SIXTEEN_BITS):
        levels = (0, 65535)
    if levels is None:
        what = "floating-point values" if image.mode.startswith("F") else "32-bit values"
        raise Unreadable(f"{what}, whose black and white no file says; say them with --range BLACK WHITE")
    black, white = levels
    if low < black or high > white:
        raise Unreadable(f"values beyond the range {black:g} to {white:g}")
    grey = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), BAND):
        band = values[start : start + BAND].astype(np.float64)
        grey[start : start + BAND] = np.rint((band - black) * (255 / (white - black)))
    made = Image.fromarray(grey)
    key = image.info.get("transparency")
    if isinstance(key, int):
        made.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
    return made
