"""One image file of any kind as 8-bit RGB."""

from __future__ import annotations

import contextlib
import functools
import io
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo.data.files import Reader, Unreadable
from zoo.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

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
        from PIL import ImageColor

        wanted = f"found the ground {ground!r}; wanted an opaque colour, such as white, black or '#ff8000'"
        try:
            red, green, blue, *alpha = ImageColor.getrgb(ground)
        except ValueError as error:
            raise DataError(wanted) from error
        if alpha:
            raise DataError(wanted)
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
    if rgba.getchannel("A").getextrema()[0] == 255:
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
