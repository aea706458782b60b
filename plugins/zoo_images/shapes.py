"""Drawing the data set `shapes`: 10 shapes in 10 colourings on cluttered grounds, by distance fields in numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zoo.api import derive_seed

SIDE = 32
CHUNK = 1000  # images drawn at once
Array = np.ndarray

#: Distance to the edge of a shape of about radius 1, negative inside; u points right, v points down.
SHAPES: dict[str, Callable[[Array, Array], Array]] = {
    "circle": lambda u, v: np.hypot(u, v) - 0.9,
    "square": lambda u, v: np.maximum(abs(u), abs(v)) - 0.78,
    "triangle": lambda u, v: np.maximum(0.866 * abs(u) + 0.5 * v, -v) - 0.52,
    "star": lambda u, v: np.hypot(u, v) - 0.62 - 0.33 * np.cos(5 * np.arctan2(v, u)),
    "cross": lambda u, v: np.minimum(_box(u, v, 0.95, 0.28), _box(u, v, 0.28, 0.95)),
    "ring": lambda u, v: abs(np.hypot(u, v) - 0.72) - 0.22,
    "crescent": lambda u, v: np.maximum(np.hypot(u, v) - 0.92, 0.78 - np.hypot(u - 0.48, v)),
    "hexagon": lambda u, v: np.maximum(0.866 * abs(u) + 0.5 * abs(v), abs(v)) - 0.8,
    "bar": lambda u, v: _box(u, v, 1.05, 0.3),
    "trefoil": lambda u, v: np.hypot(u, v) - 0.62 - 0.33 * np.cos(3 * np.arctan2(v, u)),
}
COLOURINGS = ("red", "green", "blue", "yellow", "pale", "striped", "checked", "dotted", "shaded", "outlined")
CLASS_NAMES = tuple(f"{shape}_{colouring}" for shape in SHAPES for colouring in COLOURINGS)
HUES = {"red": 0.0, "green": 0.36, "blue": 0.62, "yellow": 0.14}


def draw(count: int, seed: int, split: str) -> tuple[Array, Array]:
    """Return images (count, 3, 32, 32) uint8 and labels (count,) int64; the classes come in turn.

    The same arguments give the same images; another split gives others.
    """
    labels = np.arange(count, dtype=np.int64) % len(CLASS_NAMES)
    images = np.empty((count, 3, SIDE, SIDE), np.uint8)
    for start in range(0, count, CHUNK):
        random = np.random.Generator(np.random.PCG64(derive_seed(seed, f"shapes {split}", start)))
        images[start : start + CHUNK] = _draw(labels[start : start + CHUNK], random)
    return images, labels


def _draw(labels: Array, random: np.random.Generator) -> Array:
    count = len(labels)
    pixel = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE * 2 - 1
    x, y = np.broadcast_arrays(pixel[None, None, :], pixel[None, :, None])
    scale = _numbers(random, count, 0.38, 0.7)
    angle = _numbers(random, count, -0.6, 0.6)
    place = _numbers(random, count, -1, 1, 2) * (0.92 - scale[:, None])
    shifted_x, shifted_y = x - place[:, 0, None, None], y - place[:, 1, None, None]
    cos, sin, size = (value[:, None, None] for value in (np.cos(angle), np.sin(angle), scale))
    u, v = (shifted_x * cos + shifted_y * sin) / size, (shifted_y * cos - shifted_x * sin) / size
    distance = np.empty((count, SIDE, SIDE), np.float32)
    for index, shape in enumerate(SHAPES.values()):
        own = labels // len(COLOURINGS) == index
        distance[own] = shape(u[own], v[own])
    kind = labels % len(COLOURINGS)
    distance = np.where((kind == COLOURINGS.index("outlined"))[:, None, None], abs(distance + 0.1) - 0.1, distance)
    cover = np.clip(0.5 - distance * size * SIDE / 2, 0, 1)[:, None]
    image = cover * _paint(kind, u, v, random) + (1 - cover) * _ground(count, x, y, random)
    light = _numbers(random, count, 0.75, 1.1)[:, None, None, None]
    noise = (
        random.standard_normal(image.shape, dtype=np.float32) * _numbers(random, count, 0.01, 0.07)[:, None, None, None]
    )
    return np.clip((image * light + noise) * 255 + 0.5, 0, 255).astype(np.uint8)


def _paint(kind: Array, u: Array, v: Array, random: np.random.Generator) -> Array:
    """Return the colour of the shapes everywhere, (N, 3, H, W): a plain one, or two in a pattern."""
    count = len(kind)
    hue = _numbers(random, count, 0, 1)
    for name, middle in HUES.items():
        own = kind == COLOURINGS.index(name)
        hue = np.where(own, middle + (hue - 0.5) * 0.1, hue)
    plain = kind < len(HUES)
    one = _colour(hue, _numbers(random, count, 0.6, 1), _numbers(random, count, 0.6, 1))
    pale = _colour(hue, _numbers(random, count, 0, 0.12), _numbers(random, count, 0.85, 1))
    one = np.where((kind == COLOURINGS.index("pale"))[:, None], pale, one)
    other = _colour(
        hue + _numbers(random, count, 0.3, 0.7), _numbers(random, count, 0.5, 1), _numbers(random, count, 0.2, 1)
    )
    step = _numbers(random, count, 5.5, 8)[:, None, None]
    wave_u, wave_v = np.sin(u * step), np.sin(v * step)
    share = np.zeros(u.shape, np.float32)
    for name, pattern in (
        ("striped", wave_v > 0),
        ("checked", wave_u * wave_v > 0),
        ("dotted", np.minimum(wave_u, wave_v) > 0.3),
        ("shaded", np.clip(v * 0.6 + 0.5, 0, 1)),
    ):
        share = np.where((kind == COLOURINGS.index(name))[:, None, None], pattern, share)
    share = np.where(plain[:, None, None], 0, share)[:, None]
    return one[:, :, None, None] * (1 - share) + other[:, :, None, None] * share


def _ground(count: int, x: Array, y: Array, random: np.random.Generator) -> Array:
    """Return grounds (N, 3, H, W): two dull colours that run into each other, and three blots."""
    colours = [
        _colour(_numbers(random, count, 0, 1), _numbers(random, count, 0, 0.6), _numbers(random, count, 0.05, 0.75))
        for _ in range(5)
    ]
    angle = _numbers(random, count, 0, 2 * np.pi)[:, None, None]
    run = np.clip((x * np.cos(angle) + y * np.sin(angle)) * 0.5 + 0.5, 0, 1)[:, None]
    ground = colours[0][:, :, None, None] * run + colours[1][:, :, None, None] * (1 - run)
    for colour in colours[2:]:
        place, radius = _numbers(random, count, -1, 1, 2), _numbers(random, count, 0.08, 0.35)[:, None, None]
        far = np.hypot(x - place[:, 0, None, None], y - place[:, 1, None, None])
        blot = np.clip((radius - far) * 8 + 0.5, 0, 1)[:, None] * 0.8
        ground = ground * (1 - blot) + colour[:, :, None, None] * blot
    return ground


def _colour(hue: Array, saturation: Array, value: Array) -> Array:
    """Return colours (N, 3) in 0..1 for hues in turns."""
    k = (np.array([5, 3, 1], np.float32) + hue[:, None] * 6) % 6
    return value[:, None] * (1 - saturation[:, None] * np.clip(np.minimum(k, 4 - k), 0, 1))


def _box(u: Array, v: Array, width: float, height: float) -> Array:
    return np.maximum(abs(u) - width, abs(v) - height)


def _numbers(random: np.random.Generator, count: int, low: float, high: float, *more: int) -> Array:
    return (low + (high - low) * random.random((count, *more), dtype=np.float32)).astype(np.float32)
