"""Pixels of image files: what is transparent, more than 8 bits, or too large."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, features
from support import ROOT

from zoo.data.files import Unreadable
from zoo.data.pixels import Reading, decode, extensions
from zoo.errors import DataError

RED = [255, 0, 0]


def saved(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def pixels(content: bytes, **options: Any) -> list[list[int]]:
    """Return the RGB values of the first row."""
    values: list[list[int]] = decode(lambda: content, Reading.checked(**options)).values[:, 0].T.tolist()
    return values


def refused(content: bytes, **options: Any) -> str:
    with pytest.raises(Unreadable) as caught:
        pixels(content, **options)
    return str(caught.value)


def drawing(mode: str) -> Image.Image:
    """Black on nothing: a transparent pixel, then an opaque one."""
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 255))
    return image.convert(mode)


def palette() -> Image.Image:
    image = Image.new("P", (2, 1), 0)
    image.putpalette([9, 9, 9, 0, 0, 0])
    image.putpixel((1, 0), 1)
    return image


DRAWINGS = {
    "RGBA png": saved(drawing("RGBA")),
    "LA png": saved(drawing("LA")),
    "RGBA tiff": saved(drawing("RGBA"), "TIFF"),
    "RGBA webp": saved(drawing("RGBA"), "WEBP", lossless=True),
    "P png": saved(palette(), transparency=0),
    "P png shares": saved(palette(), transparency=bytes([0, 255])),
    "P gif": saved(palette(), "GIF", transparency=0),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_what_is_transparent_shows_the_ground(name: str) -> None:
    assert pixels(DRAWINGS[name]) == [[255, 255, 255], [0, 0, 0]]
    assert pixels(DRAWINGS[name], ground="red") == [RED, [0, 0, 0]]
    assert decode(lambda: DRAWINGS[name], Reading()).transparent


def test_a_share_of_the_ground_shows_through() -> None:
    assert pixels(saved(Image.new("RGBA", (1, 1), (0, 0, 0, 128)))) == [[127, 127, 127]]


def test_transparent_pixels_lend_their_neighbours_no_colour() -> None:
    """Scaled before the ground is laid, the hidden black would darken the edge."""
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image.paste((255, 255, 255, 255), (0, 0, 4, 8))
    assert decode(lambda: saved(image), Reading(size=4)).values.min() == 255


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_an_opaque_image_is_as_it_would_be_without_alpha(mode: str) -> None:
    random = np.random.default_rng(0).integers(0, 256, (5, 5, 3), np.uint8)
    plain = Image.fromarray(random).convert(mode.removesuffix("A"))
    with_alpha = plain.convert(mode)
    assert pixels(saved(with_alpha), ground="red") == pixels(saved(plain))
    assert not decode(lambda: saved(with_alpha), Reading()).transparent


def png(depth: int, colour: int, row: bytes, transparent: tuple[int, ...], width: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, 1, depth, colour, 0, 0, 0)),
            chunk(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent)),
            chunk(b"IDAT", zlib.compress(b"\0" + row)),
            chunk(b"IEND", b""),
        )
    )


@pytest.mark.parametrize(
    ("depth", "colour", "row", "transparent", "wanted"),
    [
        (1, 0, b"\x40", (0,), [RED, [255] * 3]),
        (1, 0, b"\x40", (1,), [[0] * 3, RED]),
        (2, 0, b"\x18", (1,), [[0] * 3, RED]),
        (4, 0, b"\x0a", (10,), [[0] * 3, RED]),
        (8, 0, b"\x07\x08", (7,), [RED, [8] * 3]),
        (16, 0, b"\x01\x2c\xff\xff", (300,), [RED, [255] * 3]),
        (8, 2, b"\1\2\3\4\5\6", (1, 2, 3), [RED, [4, 5, 6]]),
        (16, 2, struct.pack(">6H", 300, 400, 500, 30000, 30000, 30000), (300, 400, 500), [RED, [117] * 3]),
    ],
)
def test_the_one_transparent_colour_of_a_png_is_that_of_its_depth(
    depth: int, colour: int, row: bytes, transparent: tuple[int, ...], wanted: list[list[int]]
) -> None:
    assert pixels(png(depth, colour, row, transparent, 2), ground="#ff0000") == wanted


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_greys_of_16_bits_reach_from_0_to_65535(form: str) -> None:
    image = Image.fromarray(np.array([[0, 32768, 65535]], np.uint16))
    assert [one[0] for one in pixels(saved(image, form))] == [0, 128, 255]
    assert [one[0] for one in pixels(b"P5 3 1 65535\n" + bytes([0, 0, 128, 0, 255, 255]))] == [0, 128, 255]


@pytest.mark.parametrize(
    ("values", "what"), [(np.float32([[0, 0.5, 1]]), "floating-point"), (np.int32([[0, 70_000, 140_000]]), "32-bit")]
)
def test_what_has_no_range_is_taken_with_a_stated_one_alone(values: Any, what: str) -> None:
    content, white = saved(Image.fromarray(values), "TIFF"), float(values.max())
    assert refused(content) == (f"{what} values, whose black and white no file says; say them with --range BLACK WHITE")
    assert [one[0] for one in pixels(content, levels=(0, white))] == [0, 128, 255]
    assert refused(content, levels=(0, white / 2)) == f"values beyond the range 0 to {white / 2:g}"


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(odd: float) -> None:
    content = saved(Image.fromarray(np.array([[0, odd, 1]], np.float32)), "TIFF")
    assert refused(content, levels=(0, 1)) == "values that are no finite numbers"


@pytest.mark.parametrize("ground", ["whit", "", "#ff000080"])
def test_a_ground_must_be_an_opaque_colour(ground: str) -> None:
    with pytest.raises(DataError, match="wanted an opaque colour, such as white"):
        Reading.checked(ground=ground)


@pytest.mark.parametrize("levels", [(1, 0), (0, 0), (0, float("nan"))])
def test_a_range_must_be_one(levels: tuple[float, float]) -> None:
    with pytest.raises(DataError, match="wanted the value of black and the larger of white"):
        Reading.checked(levels=levels)


@pytest.mark.parametrize(("side", "told"), [(12_000, "more than 134,217,728 pixels (12000x12000)"), (14_000, None)])
@pytest.mark.filterwarnings("ignore:Image size")
def test_a_very_large_picture_is_told_as_such(side: int, told: str | None) -> None:
    """The second is beyond what Pillow itself opens."""
    found = refused(saved(Image.new("1", (side, side))))
    assert found == (told or "more than 134,217,728 pixels")


def test_a_post_script_file_starts_no_other_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow would hand it to Ghostscript, whatever its name ends with."""
    monkeypatch.setattr("subprocess.check_call", pytest.fail)
    content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n"
    assert refused(content) == "no image that can be read"


def test_the_page_lists_the_endings_that_are_read() -> None:
    text = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    listed = set(text.split("<!-- endings -->")[1].replace("`", "").replace(",", " ").split())
    absent = set() if features.check("avif") else {".avif", ".avifs"}
    assert listed - absent == extensions()
