"""The store of imported data sets: one safetensors file each, read back as memory maps.

It lies in `$ZOO_DATA`, else in `$XDG_CACHE_HOME/zoo/data`, else in `~/.cache/zoo/data`.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from zoo.annotations import Field
from zoo.data.dataset import TARGET_TYPES, VALUE_TYPES, DataInfo, Dataset, DataSource, ImageSet, of_classes
from zoo.data.identity import parts_of
from zoo.data.soundness import require_sound
from zoo.errors import DataError
from zoo.files import clear_leftovers, json_text, write_atomically
from zoo.registry import NAME

if TYPE_CHECKING:
    import numpy as np

FORMAT = 1
_TENSORS = ("train_images", "train_labels", "test_images", "test_labels")
#: Of the types that are stored: numpy's name, and the bytes of each element.
_TYPES = {"U8": ("uint8", 1), "I64": ("int64", 8), "F32": ("float32", 4), "BOOL": ("bool", 1)}
_STORED = {name: key for key, (name, _) in _TYPES.items()}
_LOCK_SECONDS = 60.0


class _Damage(Exception):
    """What is wrong with a file, in words for the user."""


def data_folder() -> Path:
    """Return the folder that data sets are kept in; it need not exist."""
    if os.environ.get("ZOO_DATA"):
        return Path(os.environ["ZOO_DATA"]).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "zoo" / "data"


def path_of(name: str) -> Path:
    """Return the file of the set `name`. Raises DataError for a name that no set can have."""
    if not NAME.match(name):
        raise DataError(
            f"{name!r} cannot name a data set; a name is lower case, with digits and underscores after the first letter"
        )
    return data_folder() / f"{name}.safetensors"


def save(name: str, dataset: Dataset) -> Path:
    """Write `dataset` under `name`, whole or not at all; what was there before is replaced at the end.

    Raises DataError when the disk is full or the folder cannot be written.
    """
    import numpy as np
    from filelock import FileLock
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    path = path_of(name)
    facts = {
        "format": FORMAT,
        "info": asdict(dataset.info),
        "class_names": dataset.class_names,
        "superclasses": dataset.superclasses,
        "fingerprint": dataset.fingerprint,
        "parts": dict(dataset.parts or parts_of(dataset.train, dataset.test, dataset.class_names)),
        "source": dataset.source,
        "imported": dict(dataset.imported),
    }
    # safetensors writes the bytes at an array's address, whatever its strides are.
    arrays = {
        f"{split}_{what}": np.ascontiguousarray(getattr(part, what), dtype)
        for split, part in (("train", dataset.train), ("test", dataset.test))
        for what, dtype in _types(dataset.info).items()
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=_LOCK_SECONDS):
            clear_leftovers(path.parent, of=f"{path.name}.")
            write_atomically(
                path, lambda temporary: save_file(arrays, temporary, {"zoo": json_text(facts, indent=None)})
            )
    except (OSError, SafetensorError) as error:
        raise DataError(
            f"{path}: the data set cannot be written ({error}); nothing was changed; "
            "make room, or choose another folder with ZOO_DATA=FOLDER"
        ) from error
    return path


def load(name: str) -> Dataset:
    """Return a stored set, its images memory-mapped. Raises DataError when it is missing, damaged or no sound set."""
    import numpy as np

    path = path_of(name)
    start, header, facts = _header(path)
    content = np.memmap(path, np.uint8, "r", offset=start)

    def array(key: str) -> np.ndarray:
        entry = header[key]
        return content[slice(*entry["data_offsets"])].view(_TYPES[entry["dtype"]][0]).reshape(entry["shape"])

    dataset = Dataset(
        info=_info(facts),
        train=ImageSet(array("train_images"), np.array(array("train_labels"))),
        test=ImageSet(array("test_images"), np.array(array("test_labels"))),
        class_names=tuple(facts["class_names"]),
        fingerprint=facts["fingerprint"],
        superclasses=tuple(facts["superclasses"]),
        source=facts.get("source", ""),
        imported=facts.get("imported", {}),
        parts=facts.get("parts", {}),
    )
    try:
        require_sound(dataset, f"the data set {name!r}")
    except DataError as error:
        raise DataError(f"{path}: {error}; {_again(name)}") from error
    return dataset


def class_counts(name: str) -> dict[str, tuple[int, int]]:
    """Return how many training and test items each class of a stored set has; nothing where it has no classes."""
    found = load(name)
    if not found.info.classes:
        return {}
    counts = (of_classes(part.labels, found.info.classes) for part in (found.train, found.test))
    return dict(zip(found.class_names, zip(*counts, strict=True), strict=True))


def read_info(name: str) -> DataInfo:
    """Return what the header of a stored set says, without its images. Raises DataError as `load` does."""
    return _info(_header(path_of(name))[2])


def read_facts(name: str) -> dict[str, Any]:
    """Return all that the header of a stored set says: names of classes, counts, fingerprint."""
    return _header(path_of(name))[2]


def stored() -> list[str]:
    """Return the sorted names of the sets that are here."""
    return sorted(path.stem for path in data_folder().glob("*.safetensors") if not path.name.startswith("."))


def remove(name: str) -> None:
    """Delete a stored set. Raises DataError when there is none."""
    path = path_of(name)
    if not path.exists():
        raise DataError(_missing(name))
    path.unlink()
    path.with_suffix(".lock").unlink(missing_ok=True)


def _header(path: Path) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Return where the data begin, the entries of the arrays, and our own facts, all of which agree with each other."""
    if not path.exists():
        raise DataError(_missing(path.stem))
    try:
        if not path.is_file():
            raise _Damage("it is a pipe, a device or a folder")
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= 2**26:
                raise _Damage("its header has no sensible length")
            header = json.loads(file.read(length))
        facts = json.loads(header["__metadata__"]["zoo"])
        _require_facts(facts)
        if facts["format"] != FORMAT:
            raise _Damage(f"it has format {facts['format']}, this version of Zoo reads {FORMAT}")
        _require_shapes(header, _info(facts))
        end = 8 + length + max(header[key]["data_offsets"][1] for key in _TENSORS)
        if path.stat().st_size != end:
            raise _Damage(f"it has {path.stat().st_size:,} bytes where its header says {end:,}")
    except (OSError, _Damage, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = error if isinstance(error, (OSError, _Damage)) else "its header cannot be read"
        raise DataError(f"{path}: this file of a data set is damaged ({reason}); {_again(path.stem)}") from error
    return 8 + length, header, facts


def _require_facts(facts: Any) -> None:
    """Raise _Damage unless what a set says of itself is there, and of its kind."""
    if not isinstance(facts["fingerprint"], str):
        raise _Damage("its fingerprint is no text")
    for key in ("class_names", "superclasses"):
        if not isinstance(facts[key], list) or not all(isinstance(one, str) for one in facts[key]):
            raise _Damage(f"its {key} are no list of names")
    info = {"superclass_of": facts.get("superclass_of", [])} | facts["info"]
    for key, kind in (("image", int), ("mean", (int, float)), ("std", (int, float)), ("superclass_of", int)):
        values = info.get(key, [])
        if not isinstance(values, list) or not all(isinstance(one, kind) for one in values):
            raise _Damage(f"its {key} is no list of numbers")
    for key in ("classes", "train_images", "test_images"):
        if not isinstance(info[key], int):
            raise _Damage(f"its {key} is no number")
    for key in ("imported", "parts"):
        if not isinstance(facts.get(key, {}), dict):
            raise _Damage(f"its {key} is no object")


def _require_shapes(header: dict[str, Any], info: DataInfo) -> None:
    """Raise _Damage unless each array is as long and wide as the facts and its own bytes say."""
    shapes = {"images": info.image, "labels": info.label_shape}
    for split, count in (("train", info.train_images), ("test", info.test_images)):
        for what, name in _types(info).items():
            dtype, shape = _STORED[name], (count, *shapes[what])
            entry = header[f"{split}_{what}"]
            begin, end = entry["data_offsets"]
            wanted = math.prod(shape) * _TYPES[dtype][1]
            if (entry["dtype"], tuple(entry["shape"]), end - begin) != (dtype, shape, wanted) or begin < 0:
                raise _Damage(f"its header contradicts itself about {split}_{what}")


def _types(info: DataInfo) -> dict[str, str]:
    """Return numpy's names of what a set's items and targets are stored as."""
    return {"images": VALUE_TYPES["tokens" if info.tokens else info.values], "labels": TARGET_TYPES[info.target]}


def _info(facts: dict[str, Any]) -> DataInfo:
    # Earlier versions kept the groups of classes beside the rest.
    info: dict[str, Any] = {"superclass_of": facts.get("superclass_of", ())} | facts["info"]
    info = {key: tuple(value) if isinstance(value, list) else value for key, value in info.items()}
    return DataInfo(**info)


def _again(name: str) -> str:
    return f"bring it in again with `zoo data add {name} --from PATH`"


def _missing(name: str) -> str:
    here = ", ".join(stored()) or "none"
    return (
        f"the data set {name!r} is not on this machine (there are: {here}); bring it in with "
        f"`zoo data add {name} --from PATH`, a folder or zip of train/<class>/* and test/<class>/*"
    )


@dataclass(frozen=True, kw_only=True)
class Stored(DataSource):
    """Base of the sets that somebody brought in, by the name that they were given."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="The name that they were brought in under.")]

    def info(self) -> DataInfo:
        return read_info(self.name)

    def fingerprint(self) -> str | None:
        return read_facts(self.name)["fingerprint"] if self.name in stored() else None

    def load(self) -> Dataset:
        return load(self.name)
