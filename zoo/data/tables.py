"""Reading tables and arrays from files: .csv, .tsv, .npy, .npz, .safetensors and .parquet."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.distribution import install_command
from zoo.errors import DataError, closest, listing

if TYPE_CHECKING:
    import numpy as np

TABLES = (".csv", ".tsv", ".parquet")
ARRAYS = (".npy", ".npz", ".safetensors")
SUFFIXES = (*TABLES, *ARRAYS)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_WHOLE = re.compile(r"[-+]?\d+")


@dataclass(frozen=True)
class Source:
    """A file's arrays by name, all with the items along their first axis; of a table they are its columns.

    `place` says in words where the value of an item, by its number, stands.
    """

    path: Path
    arrays: Mapping[str, np.ndarray]
    table: bool
    place: Callable[[int], str]

    @property
    def label(self) -> str:
        return str(self.path)

    def array(self, name: str) -> np.ndarray:
        """Return an array or column. Raises DataError when there is none of this name."""
        if name not in self.arrays:
            what = "column" if self.table else "array"
            near = closest(name, self.arrays) or f"there are {listing(self.arrays)}"
            raise DataError(f"{self.path}: it has no {what} {name!r}; {near}")
        return self.arrays[name]

    def numbers(self, name: str, values: np.ndarray | None = None) -> np.ndarray:
        """Return an array or column as numbers of 32 bits, each as near as those come.

        Raises DataError, with the place, for what is no finite number or a whole one that 32 bits do not hold.
        """
        import numpy as np

        values = self.array(name) if values is None else values
        if values.dtype.kind not in "fiub":
            self._refuse_text(name, values)
        wide = values.astype(np.float64)
        with np.errstate(over="ignore"):
            found = wide.astype(np.float32)
        self._refuse(name, values, ~np.isfinite(found), "a finite number of 32 bits")
        whole = (np.abs(wide) > 2**24) & (wide == np.rint(wide)) if values.dtype.kind in "iu" else np.zeros(1, bool)
        if whole.any():
            wanted = f"a number that 32 bits hold, as those of networks do; leave the column out with --without {name}"
            self._refuse(name, values, whole & (found != wide), wanted)
        return found

    def _refuse_text(self, name: str, values: np.ndarray) -> None:
        wrong = next(row for row, one in enumerate(values.tolist()) if not _NUMBER.fullmatch(str(one)))
        shown = f"found {values[wrong]!r}" if values[wrong] != "" else "found an empty cell"
        raise DataError(
            f"{self.path}: {self.place(wrong)}, column {name!r}: {shown}; wanted a number; mend it, or leave the "
            f"column out with --without {name}"
        )

    def _refuse(self, name: str, values: np.ndarray, wrong: np.ndarray, wanted: str) -> None:
        import numpy as np

        places = np.argwhere(wrong)
        if len(places):
            first = tuple(map(int, places[0]))
            where = f"{self.place(first[0])}, {'column' if self.table else 'array'} {name!r}"
            raise DataError(f"{self.path}: {where}: found {values[first]}; wanted {wanted}")


def read_source(path: Path) -> Source:
    """Return what a file holds. Raises DataError when it cannot be read, or what it holds is no table."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    try:
        return _READERS[path.suffix.lower()](path)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, EOFError) as error:
        raise DataError(f"{path}: it cannot be read as {path.suffix.lower()} ({error})") from error


def _read_text(path: Path) -> Source:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, strict=True, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        rows = [(reader.line_num, row) for row in reader if row]
    if not rows:
        raise DataError(f"{path}: it is empty; wanted a line of names, then a line for each item")
    names = rows[0][1]
    if all(_NUMBER.fullmatch(one.strip()) for one in names):
        names = [str(index) for index in range(len(names))]  # without a line of names, columns go by their numbers
    else:
        rows = rows[1:]
    if len(names) == 1 and ";" in names[0]:
        raise DataError(f"{path}: its cells are parted by semicolons; wanted commas, or tabs in a .tsv file")
    if len(set(names)) < len(names):
        doubled = [one for one in names if names.count(one) > 1]
        raise DataError(f"{path}: several columns have one name: {listing(dict.fromkeys(doubled), 3)}")
    for line, row in rows:
        if len(row) != len(names):
            raise DataError(f"{path}: line {line}: found {len(row)} cells; wanted {len(names)}, one for each column")
    if not rows:
        raise DataError(f"{path}: it has names of columns and no items; wanted a line for each item")
    columns = {name: _column([row[index].strip() for _, row in rows]) for index, name in enumerate(names)}
    return Source(path, columns, True, lambda row: f"line {rows[row][0]}")


def _column(cells: Sequence[str]) -> np.ndarray:
    """Return cells as whole numbers or numbers, where all of them are such, else as text."""
    import numpy as np

    if all(_WHOLE.fullmatch(one) and len(one) < 19 for one in cells):
        return np.array([int(one) for one in cells], dtype=np.int64)
    if all(_NUMBER.fullmatch(one) for one in cells):
        return np.array([float(one) for one in cells])
    return np.array(cells, dtype=object)


def _read_parquet(path: Path) -> Source:
    import numpy as np

    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise DataError(f"{path}: a .parquet file is read with pyarrow; {install_command('parquet')}") from error
    try:
        table = parquet.read_table(path)
    except pyarrow.ArrowException as error:
        raise DataError(f"{path}: it cannot be read as .parquet ({error})") from error
    columns = {}
    for name in table.column_names:
        column = table.column(name)
        if column.null_count:
            row = next(index for index, one in enumerate(column) if not one.is_valid)
            raise DataError(f"{path}: row {row}, column {name!r}: found nothing; wanted a value")
        values = column.to_numpy()
        columns[name] = values if values.dtype.kind in "fiub" else np.array([str(one) for one in values], dtype=object)
    return Source(path, columns, True, lambda row: f"row {row}")


def _read_arrays(path: Path) -> Source:
    import numpy as np

    if path.suffix.lower() == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            arrays = load_file(path)
        except SafetensorError as error:
            raise DataError(f"{path}: it cannot be read as .safetensors ({error})") from error
        return _of_arrays(path, arrays)
    found = np.load(path, allow_pickle=False)
    if isinstance(found, np.ndarray):
        if found.ndim != 2:
            return _of_arrays(path, {"items": found})
        # A matrix is a table whose columns go by their numbers.
        columns = {str(index): found[:, index] for index in range(found.shape[1])}
        return Source(path, columns, True, lambda row: f"row {row}")
    with found:
        return _of_arrays(path, {name: found[name] for name in found.files})


def _of_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> Source:
    for name, one in arrays.items():
        if not one.ndim or not len(one):
            raise DataError(f"{path}: the array {name!r} holds no items; wanted them along its first axis")
    return Source(path, arrays, False, lambda row: f"row {row}")


_READERS: dict[str, Callable[[Path], Source]] = {
    ".csv": _read_text,
    ".tsv": _read_text,
    ".parquet": _read_parquet,
    **dict.fromkeys(ARRAYS, _read_arrays),
}
