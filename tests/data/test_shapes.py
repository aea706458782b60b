"""The drawn data set: the same bytes everywhere, and what is said of it without drawing."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from zoo.data.importer import make_dataset
from zoo_images.datasets import Shapes
from zoo_images.shapes import SHAPES, draw


def test_shapes_are_the_same_for_the_same_options() -> None:
    one, same, other = (Shapes(seed=seed, train_images=300, test_images=100).load() for seed in (0, 0, 1))
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert not np.array_equal(one.train.images[:100], one.test.images)


def test_shapes_are_the_same_bytes_on_every_machine() -> None:
    images, _ = draw(400, 0, "train")
    assert (
        hashlib.sha256(images.tobytes()).hexdigest()
        == "8fb200baf51abb04cb978e246e9a7f372adb67b76b33997a13cb494225d8d417"
    )


def test_more_images_begin_with_the_same_ones() -> None:
    assert np.array_equal(draw(600, 0, "train")[0][:400], draw(400, 0, "train")[0])


def test_shapes_come_in_a_hundred_equal_classes() -> None:
    dataset = Shapes(train_images=300, test_images=100).load()
    assert np.bincount(dataset.train.labels).tolist() == [3] * 100
    assert dataset.class_names[0] == "circle_red"
    assert dataset.superclasses[dataset.info.superclass_of[99]] == "trefoil"
    assert dataset.train.images.shape == (300, 3, 32, 32)


@pytest.mark.parametrize("name", SHAPES)
def test_each_shape_is_closed_and_of_about_radius_one(name: str) -> None:
    grid = np.linspace(-1.5, 1.5, 300, dtype=np.float32)
    u, v = np.meshgrid(grid, grid)
    inside = SHAPES[name](u, v) < 0
    assert 0.5 < np.hypot(u, v)[inside].max() < 1.3
    assert 0.1 < inside.mean() < 0.4


def test_what_is_said_of_shapes_without_drawing_is_true() -> None:
    drawn = Shapes().load()
    measured = make_dataset(drawn.train, drawn.test, drawn.class_names).info
    assert replace(measured, superclass_of=Shapes().info().superclass_of) == Shapes().info()
