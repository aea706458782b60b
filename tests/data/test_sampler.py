"""The sampler and the validation split: pure functions, every image once an epoch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.sampler import Sampler, validation_split
from zoo.errors import DataError
from zoo.random import derive_seed

sizes = st.integers(1, 200)
seeds = st.integers(0, 2**32 - 1)


@settings(deadline=None)
@given(images=sizes, batch=st.integers(1, 64), seed=seeds, epochs=st.integers(1, 3))
def test_each_image_is_seen_once_an_epoch(images: int, batch: int, seed: int, epochs: int) -> None:
    sampler = Sampler(images, batch, seed)
    steps = -(-images * epochs // batch)
    stream = np.concatenate([sampler.indices(step) for step in range(steps)])
    for epoch in range(epochs):
        assert sorted(stream[epoch * images : (epoch + 1) * images]) == list(range(images))


@settings(deadline=None)
@given(
    images=sizes, batch=st.integers(1, 300), seed=seeds, steps=st.lists(st.integers(0, 1000), min_size=1, max_size=5)
)
def test_a_step_is_a_pure_function_of_seed_and_number(images: int, batch: int, seed: int, steps: list[int]) -> None:
    together = Sampler(images, batch, seed)
    for step in steps:
        alone = Sampler(images, batch, seed).indices(step)
        assert len(alone) == batch
        assert np.array_equal(together.indices(step), alone)


def test_another_seed_gives_another_order() -> None:
    assert not np.array_equal(Sampler(100, 50, 0).indices(0), Sampler(100, 50, 1).indices(0))


def test_epochs_have_orders_of_their_own() -> None:
    sampler = Sampler(100, 100, 0)
    assert not np.array_equal(sampler.indices(0), sampler.indices(1))


@settings(deadline=None)
@given(labels=st.lists(st.integers(0, 4), min_size=2, max_size=80), seed=seeds, data=st.data())
def test_the_validation_split_parts_the_images(labels: list[int], seed: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(labels) - 1))
    train, held = validation_split(np.array(labels), count, seed)
    assert len(held) == count
    assert sorted([*train, *held]) == list(range(len(labels)))
    again = validation_split(np.array(labels), count, seed)
    assert np.array_equal(held, again[1])


def test_the_validation_split_takes_the_same_share_of_each_class() -> None:
    labels = np.repeat(np.arange(10), 50)
    _, held = validation_split(labels, 100, 0)
    assert np.bincount(labels[held]).tolist() == [10] * 10


def test_the_validation_split_of_uneven_classes_keeps_their_shares() -> None:
    labels = np.repeat([0, 1, 2], [900, 90, 10])
    _, held = validation_split(labels, 100, 0)
    assert np.bincount(labels[held]).tolist() == [90, 9, 1]
    assert held.tolist() == sorted(held)


def test_holding_out_every_image_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        validation_split(np.zeros(100, dtype=np.int64), 100, 0)
    assert str(caught.value) == "100 of 100 training images cannot be held out; wanted fewer than there are"


def test_a_batch_may_be_larger_than_the_set() -> None:
    batch = Sampler(10, 25, 0).indices(0)
    assert sorted(batch[:10]) == sorted(batch[10:20]) == list(range(10))
    assert batch.dtype == np.int64


def test_seeds_differ_by_purpose_and_step() -> None:
    found = {derive_seed(seed, purpose, step) for seed in (0, 1) for purpose in ("a", "b") for step in range(50)}
    assert len(found) == 200
    assert all(0 <= one < 2**63 for one in found)
    assert derive_seed(0, "init") == 900553517829159482
