"""Which specs a command line names: files, folders of them, shipped names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from zoo.errors import Position, Problem, SpecError
from zoo.plugins import installed
from zoo.spec import shipped
from zoo.spec.reader import FORMATS, read


def shipped_specs() -> list[dict[str, str]]:
    """Return name, provider, summary and path of each shipped spec; a summary that cannot be read is the problem."""
    return _described(shipped.names(installed().spec_folders()))


def shelf_entries() -> list[dict[str, str]]:
    """Return the same of each published entry."""
    entries = shipped.entries(installed().spec_folders())
    return _described({name: folder / shipped.SPEC for name, folder in entries.items()})


def shipped_challenges() -> list[dict[str, str]]:
    """Return the same of each shipped challenge."""
    return _described(shipped.challenges(installed().spec_folders()))


def _described(paths: dict[str, Path]) -> list[dict[str, str]]:
    return [
        {"name": name, "provider": _provider(path), "summary": _summary(path), "path": str(path)}
        for name, path in sorted(paths.items())
    ]


def expand(sources: Sequence[str]) -> Iterator[str]:
    """Yield `sources`, with each folder replaced by the spec files in it and below, sorted.

    Raises SpecError for a folder without any.
    """
    for source in sources:
        if not Path(source).is_dir():
            yield source
            continue
        files = list(shipped.spec_files(Path(source)))
        if not files:
            wanted = f"spec files in it ({', '.join(FORMATS)})"
            raise SpecError([Problem(Position(source, 0, 0), "", "found a folder without specs", wanted)])
        yield from map(str, files)


def is_spec(name: str) -> bool:
    """Return whether `name` is a spec file or the name of a shipped spec."""
    if Path(name).suffix.lower() in FORMATS or Path(name).is_file():
        return True
    return shipped.find(name, installed().spec_folders()) is not None


def _provider(path: Path) -> str:
    for plugin in installed().plugins:
        if any(path.is_relative_to(folder) for folder in plugin.specs):
            return plugin.provider.plugin
    return "you" if path.is_relative_to(shipped.OWN_SHELF) else "zoo"


def _summary(path: Path) -> str:
    try:
        document = read(path, last="summary")
    except SpecError as error:
        return f"broken: {error.problems[0]}"
    node = document.value.get("summary") if document.is_mapping else None
    return str(node.value) if node is not None else ""
