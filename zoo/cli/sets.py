"""The data sets that `zoo data` speaks of: those in the store, and those that the datasets of plugins stand for.

A public dataset of a plugin is kept in the store under its own name; another makes its images itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zoo.builder import Builder
from zoo.data import store
from zoo.data.dataset import Dataset, DataSource
from zoo.data.importer import Imported, import_images
from zoo.errors import DataError, ZooError, closest
from zoo.plugins import installed


def known_sets() -> list[dict[str, Any]]:
    """Return every set that a spec can name, with `info` where it is here and `problem` where it is not."""
    found = []
    for component in installed().registry:
        source = _source(component.name) if component.kind == "dataset" else None
        if source is not None:
            found.append({"name": component.name, "summary": component.summary, **_state(component.name, source)})
    for name in store.stored():
        if _source(name) is None:
            found.append({"name": name, "summary": f"your own: data: {{images: {name}}}", **_state(name, None)})
    return found


def facts_of(name: str) -> dict[str, Any]:
    """Return what is known of a set. Raises DataError when it is not on this machine."""
    source = _source(name)
    if source is not None and not source.public:
        return {"name": name, "info": asdict(source.info()), "path": None}
    path = store.path_of(name)
    facts = store.read_facts(name)
    counts = {label: {"train": train, "test": test} for label, (train, test) in store.class_counts(name).items()}
    return {"name": name, **facts, "class_counts": counts, "path": str(path), "bytes": path.stat().st_size}


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
    return {"info": asdict(info), "problem": ""}
