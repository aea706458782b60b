"""The data sets that `zoo data` speaks of: those in the store, and those that the datasets of plugins stand for.

A public dataset of a plugin is kept in the store under its own name; another makes its images itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zoo.builder import Builder
from zoo.data import store
from zoo.data.arrays import Chosen, import_arrays
from zoo.data.dataset import DataInfo, Dataset, DataSource
from zoo.data.identity import fingerprint, parts_of
from zoo.data.importer import Imported, import_images, make_dataset
from zoo.errors import DataError, ZooError, closest
from zoo.plugins import installed

ROUNDED = 2e-6  # statistics are kept with six digits after the point


def known_sets() -> list[dict[str, Any]]:
    """Return every set that a spec can name, with `info` where it is here and `problem` where it is not."""
    found = []
    for one in installed().registry:
        source = _source(one.name) if one.kind == "dataset" else None
        if source is not None:
            found.append({"name": one.name, "summary": one.summary, **_state(one.name, source)})
    for name in store.stored():
        if _source(name) is None:
            state = _state(name, None)
            component = "arrays" if state["info"] and not _of_files(state["info"]) else "images"
            found.append({"name": name, "summary": f"your own: data: {{{component}: {name}}}", **state})
    return found


def facts_of(name: str) -> dict[str, Any]:
    """Return what is known of a set. Raises DataError when it is not on this machine."""
    source = _source(name)
    if source is not None and not source.public:
        return {"name": name, "info": _told(source.info()), "path": None}
    _require_stored(name, source)
    path = store.path_of(name)
    facts = store.read_facts(name)
    counts = {label: {"train": train, "test": test} for label, (train, test) in store.class_counts(name).items()}
    told = {"info": _told(store.read_info(name)), "class_counts": counts}
    return {"name": name, **facts, **told, "path": str(path), "bytes": path.stat().st_size}


def is_here(name: str) -> bool:
    """Return whether a sound set of this name is in the store. Raises DataError for a name that no set can have."""
    store.path_of(name)
    source = _source(name)
    if source is not None and not source.public:
        raise DataError(f"{name} makes its images itself, so that nothing is to be added; choose another name")
    try:
        store.load(name)
    except DataError:
        return False
    return True


def find_download(name: str) -> Callable[[], Dataset]:
    """Return the function that downloads a public set. Raises DataError when there is none for this name."""
    source = _source(name)
    if source is None or not source.public:
        names = [one["name"] for one in known_sets() if getattr(_source(one["name"]), "public", False)]
        hint = closest(name, names) or f"those that can be downloaded are {', '.join(names) or 'none'}"
        raise DataError(f"{name}: nothing says where to download it; name a folder or zip with --from PATH; {hint}")
    return source.download


def add_images(name: str, source: Path, *, progress: Callable[[int, int], None], **options: Any) -> Imported:
    """Import images into the store under `name`. Raises DataError when they make no set, or not the one so named."""
    found = import_images(source, progress=progress, **options)
    public = _source(name)
    store.save(name, found.dataset if public is None else public.finish(found.dataset))
    return found


def add_arrays(name: str, path: Path, chosen: Chosen, **options: Any) -> None:
    """Import a table or arrays into the store under `name`. Raises DataError when they make no set."""
    if _source(name) is not None:
        raise DataError(f"{name}: it is a data set of images, which are brought in from a folder or zip of files")
    store.save(name, import_arrays(path, chosen, **options))


def verify_set(name: str) -> dict[str, Any]:
    """Return what is found of a stored set when it is read whole: `problems`, a sentence each, and its fingerprint.

    Raises DataError when it is not on this machine, or so damaged that it cannot be read.
    """
    source = _source(name)
    if source is not None and not source.public:
        raise DataError(f"{name} makes its images itself, so that nothing of it is stored")
    _require_stored(name, source)
    found = store.load(name)
    real = fingerprint(found.train, found.test, found.class_names)
    problems = list(_stored_wrong(found, real))
    if source is not None and not problems:
        try:
            source.load()
        except DataError as error:
            problems.append(str(error))
    return {"name": name, "path": str(store.path_of(name)), "fingerprint": real, "problems": problems}


def _stored_wrong(found: Dataset, real: str) -> Iterator[str]:
    if real != found.fingerprint:
        yield f"images, labels or names have the fingerprint {real[:16]}; it says {found.fingerprint[:16]}"
    for title, part in (("training", found.train), ("test", found.test)) if found.info.target == "class" else ():
        wrong = part.labels[(part.labels < 0) | (part.labels >= len(found.class_names))]
        if len(wrong):
            yield f"{len(wrong):,} {title} images have a label that is no class, such as {wrong[0]}"
    if len(found.class_names) != found.info.classes and found.info.target in ("class", "classes"):
        yield f"it names {len(found.class_names)} classes; it says it has {found.info.classes}"
    if found.parts and real == found.fingerprint:
        parts = parts_of(found.train, found.test, found.class_names)
        if wrong_parts := sorted(name for name, value in parts.items() if found.parts.get(name) != value):
            yield f"the hashes of {', '.join(wrong_parts)} are not those of its content"
    info = found.info
    made = make_dataset(found.train, found.test, found.class_names, target=info.target, tokens=info.tokens).info
    for name in ("mean", "std", "target_mean", "target_std"):
        stated, counted = getattr(info, name), getattr(made, name)
        if not all(abs(one - other) <= ROUNDED * max(1, abs(one)) for one, other in zip(stated, counted, strict=True)):
            yield f"the {name} of its training {info.noun} is {counted}; it says {stated}"


def _require_stored(name: str, source: DataSource | None) -> None:
    """Raise DataError for a public set that is not here; of others the store itself says what brings them in."""
    if source is not None and name not in store.stored():
        raise DataError(f"the data set {name!r} is not on this machine; bring it in with `zoo data add {name}`")


def _source(name: str) -> DataSource | None:
    """Return the dataset of a plugin that is called `name` and needs no options, or None."""
    builder = Builder(installed().registry)
    if builder.registry.find(("dataset",), name) is None:
        return None
    try:
        source: DataSource = builder.bind(builder.resolver.component_from(("dataset",), name))
    except ZooError:
        return None
    return source


def _state(name: str, source: DataSource | None) -> dict[str, Any]:
    try:
        info = store.read_info(name) if source is None or source.public else source.info()
    except DataError as error:
        missing = f"`zoo data add {name}`" if name not in store.stored() else str(error)
        return {"info": None, "problem": missing}
    return {"info": _told(info), "problem": ""}


def _told(info: DataInfo) -> dict[str, Any]:
    return {**asdict(info), "items": info.items, "label_shape": info.label_shape}


def _of_files(info: dict[str, Any]) -> bool:
    """Whether a set may have been made of image files."""
    return info["items"] == "images" and info["target"] == "class"
