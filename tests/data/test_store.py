"""The store: whole files or none, read back as memory maps, damage named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.data import store
from zoo.data.dataset import Dataset, ImageSet
from zoo.data.importer import make_dataset
from zoo.errors import DataError


@pytest.fixture
def dataset() -> Dataset:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (30, 3, 4, 4), np.uint8)
    labels = np.arange(30, dtype=np.int64) % 3
    return make_dataset(ImageSet(images[:20], labels[:20]), ImageSet(images[20:], labels[20:]), ("a", "b", "c"))


def test_what_is_saved_is_loaded(dataset: Dataset) -> None:
    store.save("pets", dataset)
    found = store.load("pets")
    assert isinstance(found.train.images, np.memmap)
    assert np.array_equal(found.train.images, dataset.train.images)
    assert np.array_equal(found.test.labels, dataset.test.labels)
    assert (found.info, found.class_names, found.fingerprint) == (
        dataset.info,
        dataset.class_names,
        dataset.fingerprint,
    )
    assert store.read_info("pets") == dataset.info
    assert store.stored() == ["pets"]


def test_the_fingerprint_is_that_of_the_content(dataset: Dataset) -> None:
    changed = dataset.train.images.copy()
    changed[0, 0, 0, 0] ^= 1
    other = make_dataset(ImageSet(changed, dataset.train.labels), dataset.test, dataset.class_names)
    assert other.fingerprint != dataset.fingerprint


def test_a_missing_set_says_how_to_bring_it_in(dataset: Dataset) -> None:
    store.save("pets", dataset)
    with pytest.raises(DataError) as caught:
        store.load("toys")
    assert str(caught.value) == (
        "the data set 'toys' is not on this machine (there are: pets); bring it in with "
        "`zoo data add toys --from PATH`, a folder or zip of train/<class>/* and test/<class>/*"
    )


def damage(path: Path) -> str:
    """Return what the store says of a damaged file, less its name and the advice."""
    with pytest.raises(DataError) as caught:
        store.load(path.stem)
    before, after = (
        f"{path}: this file of a data set is damaged (",
        "); bring it in again with `zoo data add pets --from PATH`",
    )
    message = str(caught.value)
    assert message.startswith(before)
    assert message.endswith(after)
    return message[len(before) : -len(after)]


@pytest.mark.parametrize(
    ("keep", "found"),
    [
        (0, "its header has no sensible length"),
        (5, "its header cannot be read"),
        (200, "its header cannot be read"),
        (-1, "it has 2,383 bytes where its header says 2,384"),
    ],
)
def test_a_cut_off_file_is_named(keep: int, found: str, dataset: Dataset) -> None:
    path = store.save("pets", dataset)
    whole = path.read_bytes()
    path.write_bytes(whole[:keep])
    assert damage(path) == found.replace("2,383", f"{len(whole) - 1:,}").replace("2,384", f"{len(whole):,}")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ((b'"shape":[20,3,4,4]', b'"shape":[20,3,4,5]'), "its header contradicts itself about train_images"),
        ((b'"dtype":"U8"', b'"dtype":"I8"'), "its header contradicts itself about train_images"),
        ((b'\\"format\\": 1', b'\\"format\\": 2'), "it has format 2, this version of Zoo reads 1"),
        ((b"train_labels", b"train_lobels"), "its header cannot be read"),
    ],
)
def test_a_header_is_not_believed(change: tuple[bytes, bytes], found: str, dataset: Dataset) -> None:
    path = store.save("pets", dataset)
    content = path.read_bytes()
    assert change[0] in content
    path.write_bytes(content.replace(*change))
    assert damage(path) == found


def test_images_that_lie_scattered_in_memory_are_saved_in_order(dataset: Dataset) -> None:
    turned = ImageSet(dataset.train.images.transpose(0, 1, 3, 2)[::2], dataset.train.labels[::2])
    store.save("pets", make_dataset(turned, dataset.test, dataset.class_names))
    assert np.array_equal(store.load("pets").train.images, turned.images)
    assert np.array_equal(store.load("pets").train.labels, turned.labels)


def test_an_interrupted_save_leaves_the_set_before(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.save("pets", dataset)
    before = path.read_bytes()

    def interrupted(arrays: Any, target: Path, metadata: Any) -> None:
        target.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("safetensors.numpy.save_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.save("pets", dataset)
    assert path.read_bytes() == before
    assert sorted(one.name for one in path.parent.iterdir() if one.suffix != ".lock") == ["pets.safetensors"]


def test_a_full_disk_leaves_the_set_before(dataset: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = store.save("pets", dataset)
    before = path.read_bytes()

    def full(arrays: Any, target: Path, metadata: Any) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.numpy.save_file", full)
    with pytest.raises(DataError, match="No space left on device.*nothing was changed; make room"):
        store.save("pets", dataset)
    assert path.read_bytes() == before
    assert sorted(one.name for one in path.parent.iterdir() if one.suffix != ".lock") == ["pets.safetensors"]


def test_a_name_that_no_set_can_have_is_refused(dataset: Dataset) -> None:
    with pytest.raises(DataError, match="'../pets' cannot name a data set"):
        store.save("../pets", dataset)


def test_a_removed_set_is_gone(dataset: Dataset) -> None:
    store.save("pets", dataset)
    store.remove("pets")
    assert store.stored() == []
    with pytest.raises(DataError):
        store.remove("pets")


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ZOO_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert store.data_folder() == tmp_path / "zoo" / "data"
