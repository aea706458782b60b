"""Decoding image files of any kind into one array of 8-bit RGB."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zoo.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

Progress = Callable[[int, int], None]
Reader = Callable[[], bytes]
CHUNK = 32  # images that a thread decodes at once
ORIENTATION = 0x0112  # the EXIF tag that says how a camera was held


def decode_all(
    readers: list[Reader], size: int | None, progress: Progress | None, source: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Return images (N, 3, H, W) uint8, and a mask (N,) that is false for those that cannot be read.

    size: side in pixels that they are resized to. Raises DataError, in the name of `source`, when the images are not of
    one size or too many for the memory.
    """
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    images, readable = np.empty((len(readers), 3, 0, 0), dtype=np.uint8), np.zeros(len(readers), dtype=bool)
    sizes: Counter[str] = Counter()
    chunks = [readers[start : start + CHUNK] for start in range(0, len(readers), CHUNK)]
    # The decoders of large images release the interpreter's lock.
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        done = 0
        for decoded in pool.map(lambda chunk: [_decode(read, size) for read in chunk], chunks):
            for number, image in enumerate(decoded, done):
                if image is None:
                    continue
                if not sizes:
                    images = _make_room(len(readers), image, source)
                sizes[f"{image.shape[2]}x{image.shape[1]}"] += 1
                readable[number] = True
                if image.shape == images.shape[1:]:
                    images[number] = image
            done += len(decoded)
            if progress is not None:
                progress(done, len(readers))
    finally:
        pool.shutdown(cancel_futures=True)
    if len(sizes) > 1:
        shown = ", ".join(f"{count} of {one}" for one, count in sizes.most_common(4))
        raise DataError(f"{source}: the images have {len(sizes)} sizes ({shown}); bring them to one with --size N")
    return images, readable


class Decoded(NamedTuple):
    """An image file as pixels (C, H, W) uint8, with the width and height that it had."""

    pixels: np.ndarray
    width: int
    height: int


def decode_file(path: Path, channels: int, height: int, width: int) -> Decoded:
    """Return an image file of any size and mode, upright, cut around its middle and scaled to `height` and `width`.

    Raises DataError when it cannot be read as an image, or when there is no way to as many channels.
    """
    import numpy as np
    from PIL import Image, ImageOps

    if channels not in (1, 3):
        raise DataError(f"{path}: an image file has 1 or 3 channels; {channels} are wanted")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: it cannot be read ({error.strerror or error}); wanted an image file") from error
    decoded = _decode(lambda: content, None)
    if decoded is None:
        raise DataError(f"{path}: this is no image that can be read; wanted PNG, JPEG, WebP or another kind of image")
    image = Image.fromarray(decoded.transpose(1, 2, 0))
    size = image.size
    if size != (width, height):
        image = ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(image) if channels == 3 else np.asarray(image.convert("L"))[:, :, None]
    return Decoded(pixels.transpose(2, 0, 1), *size)


def _make_room(count: int, image: np.ndarray, source: Path) -> np.ndarray:
    import numpy as np

    try:
        return np.empty((count, *image.shape), dtype=np.uint8)
    except MemoryError as error:
        raise DataError(
            f"{source}: {count:,} images of {image.shape[2]}x{image.shape[1]} pixels need {count * image.nbytes:,} "
            "bytes of memory; make them smaller with --size N"
        ) from error


def _decode(read: Reader, size: int | None) -> np.ndarray | None:
    """Return an image as (3, H, W) uint8, or None when it cannot be read."""
    import numpy as np
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(read())) as opened:
            upright = ImageOps.exif_transpose(opened) if opened.getexif().get(ORIENTATION, 1) != 1 else opened
            rgb = _to_rgb(upright)
        if size is not None:
            rgb = ImageOps.fit(rgb, (size, size), Image.Resampling.BICUBIC)
        return np.asarray(rgb).transpose(2, 0, 1)
    except MemoryError:
        raise
    except Exception:  # broken bytes make PIL's and zipfile's decoders raise errors of every kind
        return None


def _to_rgb(image: Image.Image) -> Image.Image:
    """Return any image as 8-bit RGB; 16-bit and floating-point greys are scaled, where PIL would clip them."""
    import numpy as np
    from PIL import Image

    if not image.mode.startswith(("I", "F")):
        return image.convert("RGB")
    values = np.asarray(image, dtype=np.float64)
    # Floating-point images are in 0..1 or in 0..255; nothing in the file says which.
    white = 65535 if image.mode.startswith("I") else 1 if np.max(values) <= 1 else 255
    return Image.fromarray(np.rint(values * (255 / white)).clip(0, 255).astype(np.uint8)).convert("RGB")
