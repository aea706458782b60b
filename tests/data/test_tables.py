"""Tables and arrays come in as they are: each kind of file, each kind of target, and errors that say where."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from zoo.data import store
from zoo.data.arrays import Chosen, import_arrays, items_of
from zoo.data.dataset import Dataset, ImageSet
from zoo.data.device import DeviceSet, as_input
from zoo.data.identity import fingerprint
from zoo.data.importer import make_dataset
from zoo.data.sampler import Sampler, validation_split
from zoo.data.tables import read_source
from zoo.errors import DataError

FRUIT = [
    ["weight", "size", "kind", "price"],
    *([str(10 + i), f"{i / 8}", "fig" if i % 2 else "kiwi", f"{i}.5"] for i in range(20)),
]
PRICED = Chosen(targets=("price",), without=("kind",))


def write(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",").writerows(rows)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".npy", ".npz", ".safetensors"])
def test_numbers_of_every_kind_of_file_are_the_same(suffix: str, tmp_path: Path) -> None:
    values = np.array([[10 + i, i / 8, i + 0.5] for i in range(20)], np.float32)
    path = tmp_path / f"fruit{suffix}"
    target, chosen = "2", Chosen(targets=("2",))
    if suffix in (".csv", ".tsv"):
        write(path, [[f"{one:g}" for one in row] for row in values.tolist()])
    elif suffix == ".npy":
        np.save(path, values)
    else:
        arrays, chosen = {"x": values[:, :2].copy(), "y": values[:, 2:].copy()}, Chosen(targets=("y",))
        np.savez(path, **arrays) if suffix == ".npz" else save_file(arrays, path)
    found = import_arrays(path, chosen, test_fraction=0.25)
    assert (found.info.items, found.info.target, found.info.target_shape) == ("vectors", "numbers", (1,)), target
    whole = (
        np.concatenate([found.train.images, found.test.images]),
        np.concatenate([found.train.labels, found.test.labels]),
    )
    order = np.argsort(whole[0][:, 0])
    assert np.array_equal(np.hstack([whole[0][order], whole[1][order]]), values)
    assert len(found.test.labels) == 5


def test_columns_become_features_and_text_becomes_classes(tmp_path: Path) -> None:
    path = write(tmp_path / "fruit.csv", FRUIT)
    found = import_arrays(path, Chosen(targets=("kind",)), test_fraction=0.2)
    assert (found.info.target, found.class_names) == ("class", ("fig", "kiwi"))
    assert found.info.features == ("weight", "size", "price")
    assert np.bincount(found.test.labels).tolist() == [2, 2]


def test_several_columns_of_zeros_and_ones_are_classes(tmp_path: Path) -> None:
    rows = [["a", "red", "round"], *([str(i / 4), str(i % 2), str(int(i % 3 == 0))] for i in range(12))]
    path = write(tmp_path / "labels.csv", rows)
    found = import_arrays(path, Chosen(targets=("red", "round"), kind="classes"), test_fraction=0.25)
    assert (found.info.target, found.class_names, found.train.labels.dtype) == ("classes", ("red", "round"), np.bool_)
    rows[3][2] = "2"
    with pytest.raises(DataError, match=r"line 4, class 'round': found 2; wanted 0 or 1"):
        import_arrays(write(path, rows), Chosen(targets=("red", "round"), kind="classes"), test_fraction=0.25)


def test_arrays_bring_their_own_test_items(tmp_path: Path) -> None:
    path = tmp_path / "series.npz"
    x, y = np.arange(60, dtype=np.float32).reshape(10, 2, 3), np.arange(10) % 2
    np.savez(path, x_train=x[:7], y_train=y[:7], x_test=x[7:], y_test=y[7:])
    found = import_arrays(path, Chosen(targets=("y",), kind="class"))
    assert (found.info.items, found.info.image, found.class_names) == ("series", (2, 3), ("0", "1"))
    assert np.array_equal(found.test.images, x[7:])


def test_items_are_found_by_the_names_of_their_columns(tmp_path: Path) -> None:
    info = import_arrays(write(tmp_path / "fruit.csv", FRUIT), PRICED, test_fraction=0.2).info
    other = write(tmp_path / "new.csv", [["size", "note", "weight"], ["0.5", "ripe", "12"]])
    assert items_of(other, info).tolist() == [[12.0, 0.5]]
    with pytest.raises(DataError, match="it has no column 'weight'; there are note, size"):
        items_of(write(other, [["size", "note"], ["0.5", "ripe"]]), info)


def cell(row: int, column: int, value: str) -> list[list[str]]:
    rows = [list(one) for one in FRUIT]
    rows[row][column] = value
    return rows


WRONG: dict[str, tuple[list[list[str]], Chosen, str]] = {
    "text": (cell(3, 0, "heavy"), PRICED, "line 4, column 'weight': found 'heavy'; wanted a number; mend it, or leave the column out with --without weight"),
    "nothing": (cell(5, 1, ""), PRICED, "line 6, column 'size': found an empty cell; wanted a number; mend it, or leave the column out with --without size"),
    "no number": (cell(2, 3, "nan"), Chosen(targets=("price",), without=("kind",), kind="numbers"), "line 3, column 'price': found 'nan'; wanted a number"),
    "too large": (cell(2, 1, "1e39"), PRICED, "line 3, column 'size': found 1e+39; wanted a finite number of 32 bits"),
    "an identifier": (cell(2, 0, "2023101501"), PRICED, "line 3, column 'weight': found 2023101501; wanted a number that 32 bits hold"),
    "a short line": ([*FRUIT[:4], ["1", "2"]], PRICED, "line 5: found 2 cells; wanted 4, one for each column"),
    "no such column": (FRUIT, Chosen(targets=("prise",)), "it has no column 'prise'; did you mean 'price'?"),
    "whole numbers": (FRUIT, Chosen(targets=("weight",), without=("kind",)), "the target weight may be class or numbers; say which with --as class or --as numbers"),
    "two names": ([["a", "a"], ["1", "2"]], Chosen(), "several columns have one name: a"),
    "nothing at all": ([], Chosen(), "it is empty; wanted a line of names, then a line for each item"),
    "only targets": ([["a"], ["0.5"]], Chosen(targets=("a",)), "no column is left for the items"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_an_error_says_where(name: str, tmp_path: Path) -> None:
    rows, chosen, told = WRONG[name]
    path = write(tmp_path / "fruit.csv", rows)
    with pytest.raises(DataError) as caught:
        import_arrays(path, chosen, test_fraction=0.2)
    assert f"{path}: {told}" in str(caught.value)


def test_what_stands_in_no_file_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "fruit.csv", FRUIT)
    with pytest.raises(DataError, match="it says nothing of test items; cut them out with --test-fraction"):
        import_arrays(path, PRICED)
    with pytest.raises(DataError, match="there is no such file"):
        read_source(tmp_path / "none.csv")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"objects.npy: it cannot be read as .npy"):
        read_source(tmp_path / "objects.npy")


KINDS = {"class": np.int64, "classes": np.bool_, "numbers": np.float32, "none": np.float32}


@st.composite
def data_sets(draw: st.DrawFn) -> Dataset:
    """Draw a data set of any kind of items and targets."""
    values, target = draw(st.sampled_from(["pixels", "numbers", "tokens"])), draw(st.sampled_from([*KINDS]))
    shape = (
        (draw(st.integers(1, 4)),)
        if values == "tokens"
        else tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    )
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    names = ("a", "b", "c") if target in ("class", "classes") else ()
    below = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=2)))

    def part(count: int) -> ImageSet:
        items: Any = random.integers(0, 256 if values == "pixels" else 9, (count, *shape))
        items = items.astype({"pixels": np.uint8, "numbers": np.float32, "tokens": np.int64}[values])
        labels: Any = (
            random.integers(0, 3, count)
            if target == "class"
            else random.random((count, *{"classes": (3,), "none": (0,)}.get(target, below)))
        )
        return ImageSet(items, (labels > 0.5 if target == "classes" else labels).astype(KINDS[target]))

    return make_dataset(
        part(draw(st.integers(3, 12))),
        part(draw(st.integers(0, 3))),
        names,
        target=target,
        tokens=9 if values == "tokens" else 0,
    )  # type: ignore[arg-type]


@given(data_sets())
def test_every_kind_of_data_comes_back_from_the_store_and_in_batches(dataset: Dataset) -> None:
    import torch

    store.save("any", dataset)
    found = store.load("any")
    assert found.info == dataset.info == store.read_info("any")
    assert fingerprint(found.train, found.test, found.class_names) == dataset.fingerprint
    held = DeviceSet(found.train, torch.device("cpu"))
    rows = Sampler(held.length, 2, 0).indices(1)
    items, labels = held.batch(rows)
    assert np.array_equal(items.numpy(), dataset.train.images[rows]) and np.array_equal(
        labels.numpy(), dataset.train.labels[rows]
    )
    assert tuple(labels.shape[1:]) == dataset.info.label_shape
    scale = 255 if dataset.info.values == "pixels" and not dataset.info.tokens else 1
    assert torch.equal(as_input(items) * 1.0, items / scale)
    kept, cut = validation_split(dataset.train.labels, 1, 0)
    assert sorted([*kept, *cut]) == list(range(held.length))
