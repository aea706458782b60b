"""Bringing tables and arrays in: columns or arrays of a file become the items and the targets of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.dataset import Dataset, ImageSet, Target
from zoo.data.importer import make_dataset
from zoo.data.sampler import generator, stratified_split
from zoo.data.tables import Source, read_source
from zoo.errors import DataError, listing

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Chosen:
    """What of a file becomes what. `targets` are columns or arrays, as `kind`; `items` is the array of the items;
    `without` are columns that are neither; `tokens` is how many there are, where items are such.
    """

    targets: tuple[str, ...] = ()
    kind: Target | None = None
    items: str | None = None
    without: tuple[str, ...] = ()
    tokens: int = 0


def import_arrays(
    path: Path, chosen: Chosen, *, test: Path | None = None, test_fraction: float | None = None
) -> Dataset:
    """Return a file's items and targets as a data set.

    The test items are those of the file `test`, of arrays that are called like the others with `_test`, or a share
    `test_fraction` that is cut out. Raises DataError, with file, column and row, for what cannot be taken.
    """
    source = read_source(path)
    train, held = _parts(source, chosen, test)
    if (held is None) == (test_fraction is None):
        raise DataError(
            f"{path}: it says nothing of test items; cut them out with --test-fraction 0.2, or name a file with --test"
            if held is None
            else f"{path}: it has test items already; leave --test-fraction out"
        )
    kind, values = _targets(train, chosen)
    names = _names(train, chosen, kind, values)
    features = _features(train, chosen)
    items, labels = _items(train, chosen, features), _labels(train, chosen, kind, names)
    if held is None:
        kept, cut = _cut(labels, test_fraction or 0.0, path)
        parts = ImageSet(items[kept], labels[kept]), ImageSet(items[cut], labels[cut])
    else:
        parts = ImageSet(items, labels), ImageSet(_items(held, chosen, features), _labels(held, chosen, kind, names))
    made = make_dataset(*parts, names, source=path.name, target=kind, tokens=chosen.tokens, features=features)
    facts = {"targets": list(chosen.targets), "without": list(chosen.without), "test_fraction": test_fraction}
    return replace(made, imported=facts)


def items_of(path: Path, like: Any) -> np.ndarray:
    """Return the items of a file as those of a data set whose DataInfo is `like`; columns beside them are left out.

    Raises DataError when it holds no such items.
    """
    source = read_source(path)
    if source.table:
        features = like.features or tuple(str(index) for index in range(like.image[0]))
        found = _items(source, Chosen(tokens=like.tokens), features)
    else:
        (name, *others) = source.arrays
        if others and "items" not in source.arrays:
            raise DataError(f"{path}: found the arrays {listing(source.arrays)}; wanted one, or the items as 'items'")
        found = _items(source, Chosen(items="items" if others else name, tokens=like.tokens), ())
    if found.shape[1:] != tuple(like.image):
        raise DataError(f"{path}: its items have the shape {found.shape[1:]}; wanted {tuple(like.image)}")
    return found


def _parts(source: Source, chosen: Chosen, test: Path | None) -> tuple[Source, Source | None]:
    """Return the training and the test items of a file, and of another where it is named."""
    if test is not None:
        return source, read_source(test)
    if source.table:
        return source, None
    parts = []
    for split in ("train", "test"):
        ends = (f"_{split}", f"{split}_")
        named = {
            name.removesuffix(ends[0]).removeprefix(ends[1]): one
            for name, one in source.arrays.items()
            if name.endswith(ends[0]) or name.startswith(ends[1])
        }
        parts.append(replace(source, arrays=named))
    train, held = parts
    return (train, held) if train.arrays and held.arrays else (source, None)


def _features(source: Source, chosen: Chosen) -> tuple[str, ...]:
    """Return the names of the columns that are features; none of arrays."""
    for name in (*chosen.targets, *chosen.without):
        source.array(name)
    if not source.table:
        return ()
    found = tuple(name for name in source.arrays if name not in (*chosen.targets, *chosen.without))
    if not found:
        raise DataError(f"{source.label}: no column is left for the items; wanted one that is no target")
    return found


def _items(source: Source, chosen: Chosen, features: Sequence[str]) -> np.ndarray:
    import numpy as np

    if features:
        if chosen.tokens:
            return np.stack([source.array(name).astype(np.int64) for name in features], 1)
        return np.stack([source.numbers(name) for name in features], 1)
    others = [name for name in source.arrays if name not in (*chosen.targets, *chosen.without)]
    if chosen.items is None and len(others) != 1:
        raise DataError(f"{source.label}: found the arrays {listing(others)}; say with --items which holds the items")
    name = chosen.items or others[0]
    values = source.array(name)
    if chosen.tokens and values.dtype.kind in "iu":
        return values.astype(np.int64)
    # Bytes are pixels, as those of images are; all else is taken for numbers.
    return values if values.dtype == np.uint8 else source.numbers(name)


def _targets(source: Source, chosen: Chosen) -> tuple[Target, list[np.ndarray]]:
    """Return what the targets are, and their columns or array. What could be either has to be said."""
    if not chosen.targets:
        return "none", []
    values = [source.array(name) for name in chosen.targets]
    if chosen.kind is not None:
        return chosen.kind, values
    kinds = {one.dtype.kind for one in values}
    single = len(values) == 1 and values[0].ndim == 1
    if single and kinds <= {"O", "U", "S"}:
        return "class", values
    if kinds <= {"f"}:
        return "numbers", values
    if not single and kinds <= {"b"}:
        return "classes", values
    either = "class or numbers" if single else "classes or numbers"
    raise DataError(
        f"{source.label}: the target {listing(chosen.targets)} may be {either}; say which with --as "
        f"{either.split()[0]} or --as numbers"
    )


def _names(source: Source, chosen: Chosen, kind: Target, values: list[np.ndarray]) -> tuple[str, ...]:
    """Return the names of the classes, or of the numbers."""
    import numpy as np

    if kind == "class":
        if len(values) != 1 or values[0].ndim != 1:
            raise DataError(f"{source.label}: found several targets; wanted one column, or --as classes")
        return tuple(_called(one) for one in np.unique(values[0]).tolist())
    if len(values) == 1 and values[0].ndim > 1:
        return tuple(str(index) for index in range(values[0].shape[1])) if kind == "classes" else ()
    return chosen.targets


def _called(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _labels(source: Source, chosen: Chosen, kind: Target, names: tuple[str, ...]) -> np.ndarray:
    """Return targets as a data set holds them."""
    import numpy as np

    values = [source.array(name) for name in chosen.targets]
    if kind == "none":
        return np.zeros((len(next(iter(source.arrays.values()))), 0), dtype=np.float32)
    if kind == "class":
        index = {name: number for number, name in enumerate(names)}
        called = [_called(one) for one in values[0].tolist()]
        unknown = next((row for row, one in enumerate(called) if one not in index or not one), None)
        if unknown is not None:
            shown = f"the class {called[unknown]!r}, which no training item has" if called[unknown] else "no class"
            raise DataError(f"{source.label}: {source.place(unknown)}: found {shown}")
        return np.array([index[one] for one in called], dtype=np.int64)
    if kind == "numbers":
        columns = [source.numbers(name) for name in chosen.targets]
        return columns[0] if columns[0].ndim > 1 and len(columns) == 1 else np.stack(columns, 1)
    whole = values[0] if len(values) == 1 and values[0].ndim > 1 else np.stack(values, 1)
    wrong = np.argwhere((whole != 0) & (whole != 1))
    if len(wrong):
        row, column = map(int, wrong[0])
        raise DataError(
            f"{source.label}: {source.place(row)}, class {names[column]!r}: found {whole[row, column]}; wanted 0 or 1"
        )
    return whole.astype(bool)


def _cut(labels: np.ndarray, fraction: float, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that are trained on and those that become the test set, the same ones each time."""
    count = round(len(labels) * fraction)
    if not 0 < count < len(labels):
        raise DataError(f"{path}: a test fraction of {fraction} of {len(labels)} items is {count}; wanted some of both")
    return stratified_split(labels, count, generator(0, "test split"))
