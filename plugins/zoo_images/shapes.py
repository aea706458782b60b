"""Drawing the data set `shapes`: 10 shapes in 10 colourings on cluttered grounds, by distance fields in numpy.

Only operations that IEEE 754 fixes to the bit are used (no sine, no power, no sum over many), so that every machine
draws the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from zoo.api import derive_seed

SIDE = 32
CHUNK = 200  # images drawn at once, so that the fields stay in the cache
Array = np.ndarray
Field = Callable[[Array, Array], Array]


def _radius(u: Array, v: Array) -> Array:
    return np.sqrt(u * u + v * v)


def _box(u: Array, v: Array, width: float, height: float) -> Array:
    return np.maximum(abs(u) - width, abs(v) - height)


def _star(u: Array, v: Array) -> Array:
    radius = _radius(u, v)
    c = u / radius  # the cosine of the angle a; then cos 5a by Chebyshev's polynomial
    return radius - 0.62 - 0.33 * (((16 * c * c - 20) * c * c + 5) * c)


def _trefoil(u: Array, v: Array) -> Array:
    radius = _radius(u, v)
    c = u / radius
    return radius - 0.62 - 0.33 * ((4 * c * c - 3) * c)


#: Distance to the edge of a shape of about radius 1, negative inside; u points right, v points down.
SHAPES: dict[str, Field] = {
    "circle": lambda u, v: _radius(u, v) - 0.9,
    "square": lambda u, v: _box(u, v, 0.78, 0.78),
    "triangle": lambda u, v: np.maximum(0.866 * abs(u) + 0.5 * v, -v) - 0.52,
    "star": _star,
    "cross": lambda u, v: np.minimum(_box(u, v, 0.95, 0.28), _box(u, v, 0.28, 0.95)),
    "ring": lambda u, v: abs(_radius(u, v) - 0.72) - 0.22,
    "crescent": lambda u, v: np.maximum(_radius(u, v) - 0.92, 0.78 - _radius(u - 0.48, v)),
    "hexagon": lambda u, v: np.maximum(0.866 * abs(u) + 0.5 * abs(v), abs(v)) - 0.8,
    "bar": lambda u, v: _box(u, v, 1.05, 0.3),
    "trefoil": _trefoil,
}


def _plain(u: Array, v: Array) -> Array:
    return np.zeros_like(u)


def _half(turns: Array) -> Array:
    """Return 1 in the first half of each turn and 0 in the second."""
    return (turns - np.floor(turns) < 0.5).astype(np.float32)


def _checked(u: Array, v: Array) -> Array:
    return abs(_half(u) - _half(v))


def _dotted(u: Array, v: Array) -> Array:
    across, down = u - np.floor(u) - 0.5, v - np.floor(v) - 0.5
    return (across * across + down * down < 0.09).astype(np.float32)


#: How much of a second colour a colouring puts where; u and v count the pattern's repeats.
COLOURINGS: dict[str, Field] = {
    "red": _plain,
    "green": _plain,
    "blue": _plain,
    "yellow": _plain,
    "pale": _plain,
    "striped": lambda u, v: _half(v),
    "checked": _checked,
    "dotted": _dotted,
    "shaded": lambda u, v: np.clip(v * 0.55 + 0.5, 0, 1),
    "outlined": _plain,
}
HUES = {"red": 0.0, "green": 0.36, "blue": 0.62, "yellow": 0.14}  # in turns of the colour wheel
KINDS = list(COLOURINGS)


def draw(count: int, seed: int, split: str) -> tuple[Array, Array]:
    """Return images (count, 3, 32, 32) uint8 and labels (count,) int64; the classes come in turn.

    The same arguments give the same images; another split gives others.
    """
    labels = np.arange(count, dtype=np.int64) % (len(SHAPES) * len(COLOURINGS))
    images = np.empty((count, 3, SIDE, SIDE), np.uint8)
    for start in range(0, count, CHUNK):
        random = np.random.Generator(np.random.PCG64(derive_seed(seed, f"shapes {split}", start)))
        images[start : start + CHUNK] = _draw(labels[start : start + CHUNK], random)
    return images, labels


def _draw(labels: Array, random: np.random.Generator) -> Array:
    count = len(labels)
    shape, kind = labels // len(COLOURINGS), labels % len(COLOURINGS)
    pixel = ((np.arange(SIDE) + 0.5) / SIDE * 2 - 1).astype(np.float32)
    x, y = np.broadcast_arrays(pixel[None, None, :], pixel[None, :, None])
    size = _numbers(random, count, 0.52, 0.8)
    place = _numbers(random, count, -1, 1, 2) * (0.92 - size[:, None])
    cos, sin, size = (_field(one) for one in (*_direction(_numbers(random, count, -0.3, 0.3)), size))
    shifted_x, shifted_y = x - _field(place[:, 0]), y - _field(place[:, 1])
    u, v = (shifted_x * cos + shifted_y * sin) / size, (shifted_y * cos - shifted_x * sin) / size
    distance = _by_group(shape, list(SHAPES.values()), u, v)
    distance = np.where(_field(kind == KINDS.index("outlined")), abs(distance + 0.1) - 0.1, distance)
    cover = np.clip(0.5 - distance * size * (SIDE / 2), 0, 1)[:, None]
    image = _ground(count, x, y, random)
    image += cover * (_paint(kind, u, v, random) - image)
    image *= _numbers(random, count, 0.8, 1.1)[:, None, None, None]
    noise = random.random(image.shape, dtype=np.float32) - np.float32(0.5)
    image += noise * _numbers(random, count, 0.02, 0.12)[:, None, None, None]
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def _paint(kind: Array, u: Array, v: Array, random: np.random.Generator) -> Array:
    """Return the colour of the shapes everywhere, (N, 3, H, W): a plain one, or two in a pattern."""
    count = len(kind)
    hue = _numbers(random, count, 0, 1)
    for name, middle in HUES.items():
        hue = np.where(kind == KINDS.index(name), middle + (hue - 0.5) * 0.1, hue).astype(np.float32)
    one = _colour(hue, _numbers(random, count, 0.6, 1), _numbers(random, count, 0.6, 1))
    pale = _colour(hue, _numbers(random, count, 0, 0.12), _numbers(random, count, 0.85, 1))
    one = np.where((kind == KINDS.index("pale"))[:, None], pale, one)
    other = _colour(
        hue + _numbers(random, count, 0.3, 0.7), _numbers(random, count, 0.5, 1), _numbers(random, count, 0.2, 1)
    )
    repeats = np.where(kind == KINDS.index("shaded"), 1, _numbers(random, count, 0.9, 1.3)).astype(np.float32)
    share = _by_group(kind, list(COLOURINGS.values()), u * _field(repeats), v * _field(repeats))[:, None]
    return one[:, :, None, None] + share * (other - one)[:, :, None, None]


def _ground(count: int, x: Array, y: Array, random: np.random.Generator) -> Array:
    """Return grounds (N, 3, H, W): two dull colours that run into each other, and three blots."""
    first, second, *blots = (
        _colour(_numbers(random, count, 0, 1), _numbers(random, count, 0, 0.6), _numbers(random, count, 0.05, 0.75))
        for _ in range(5)
    )
    cos, sin = (_field(one) for one in _direction(_numbers(random, count, -1, 1)))
    run = np.clip((x * cos + y * sin) * 0.5 + 0.5, 0, 1)[:, None]
    ground = second[:, :, None, None] + run * (first - second)[:, :, None, None]
    for colour in blots:
        place, radius = _numbers(random, count, -1, 1, 2), _numbers(random, count, 0.08, 0.35)
        far = _radius(x - _field(place[:, 0]), y - _field(place[:, 1]))
        blot = np.clip((_field(radius) - far) * 8 + 0.5, 0, 1)[:, None] * np.float32(0.65)
        ground += blot * (colour[:, :, None, None] - ground)
    return ground


def _by_group(groups: Array, fields: Sequence[Field], u: Array, v: Array) -> Array:
    """Return for each image the field of its group over u and v (N, H, W)."""
    values = np.empty_like(u)
    for index, field in enumerate(fields):
        own = groups == index
        values[own] = field(u[own], v[own])
    return values


def _colour(hue: Array, saturation: Array, value: Array) -> Array:
    """Return colours (N, 3) in 0..1 for hues in turns."""
    k = np.array([5, 3, 1], np.float32) + hue[:, None] * 6
    k = k - 6 * np.floor(k / 6)
    return value[:, None] * (1 - saturation[:, None] * np.clip(np.minimum(k, 4 - k), 0, 1))


def _direction(tangents: Array) -> tuple[Array, Array]:
    """Return cosine and sine of angles, given by the tangents of their halves."""
    squares = tangents * tangents
    return (1 - squares) / (1 + squares), 2 * tangents / (1 + squares)


def _field(values: Array) -> Array:
    return values[:, None, None]


def _numbers(random: np.random.Generator, count: int, low: float, high: float, *more: int) -> Array:
    return np.float32(low) + np.float32(high - low) * random.random((count, *more), dtype=np.float32)
