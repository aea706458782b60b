"""What ships with Zoo and with plugins: specs and challenges, each known by its file's stem, and published entries, by
their folder's.

An entry is a folder with a certificate, a spec and weights. Its spec is known by the entry's name too, unless a spec
to be trained has that name.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from zoo.text import visible

_PACKAGE = Path(__file__).parent.parent
#: Inside a wheel the specs lie in the package; in a checkout they lie beside it.
DEFAULT = _PACKAGE / "shipped" if (_PACKAGE / "shipped").is_dir() else _PACKAGE.parent / "specs"
SUFFIXES = (".yaml", ".yml", ".json")
CERTIFICATE = "certificate.json"
SPEC = "spec.yaml"
RUN = "run.json"
#: Where `zoo publish` puts entries unless told otherwise; searched last.
OWN_SHELF = Path("shelf")
CHALLENGES = "challenges"  # the folder, in one of specs, that holds challenges


def folders(extra: Iterable[Path] = ()) -> list[Path]:
    """Return the folders that are searched: those that Zoo ships, then `extra`."""
    return [folder for folder in (DEFAULT, *extra) if folder.is_dir()]


def is_entry(folder: Path) -> bool:
    """Whether a folder is a published entry; a run that an earlier version measured holds a certificate too."""
    return (folder / CERTIFICATE).is_file() and not (folder / RUN).is_file()


def spec_files(folder: Path) -> Iterator[Path]:
    """Yield the spec files in a folder and below, sorted, of a published entry its spec alone, and no challenges."""
    for path in _documents(folder):
        challenge = path.relative_to(folder).parts[0] == CHALLENGES
        if not challenge and (path.name == SPEC or not is_entry(path.parent)):
            yield path


def names(extra: Iterable[Path] = ()) -> dict[str, Path]:
    """Return every shipped spec's file by its name; of two of one name the first."""
    extra = list(extra)
    paths = (path for folder in folders(extra) for path in spec_files(folder))
    found = _by_stem("spec", (path for path in paths if not is_entry(path.parent)))
    return {name: folder / SPEC for name, folder in entries(extra).items()} | found


def challenges(extra: Iterable[Path] = ()) -> dict[str, Path]:
    """Return every shipped challenge's file by its name; of two of one name the first."""
    return _by_stem("challenge", (path for folder in folders(extra) for path in _documents(folder / CHALLENGES)))


def entries(extra: Iterable[Path] = ()) -> dict[str, Path]:
    """Return every published entry's folder by its name; of two of one name the first: what ships, then others'."""
    found: dict[str, Path] = {}
    for folder in folders((*extra, OWN_SHELF)):
        for path in sorted(folder.rglob(CERTIFICATE)):
            name = path.parent.name
            if hidden(path, folder) or found.setdefault(name, path.parent) == path.parent:
                continue
            _warn(f"{path.parent}: an entry called {name!r} is there already, {found[name]}; this one is left out")
    return found


def hidden(path: Path, folder: Path) -> bool:
    """Whether a part of `path` below `folder` begins with a dot, as what is not whole yet does."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


@cache
def _warn(text: str) -> None:
    """Say it once."""
    print(visible(f"warning: {text}"), file=sys.stderr)


def find(name: str, extra: Iterable[Path] = ()) -> Path | None:
    """Return the file of the shipped spec `name`, or None."""
    return names(extra).get(name)


def _documents(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not hidden(path, folder) and path.is_file()
    )


def _by_stem(noun: str, paths: Iterable[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        if found.setdefault(path.stem, path) != path:
            _warn(f"{path}: a {noun} called {path.stem!r} is there already, {found[path.stem]}; this one is left out")
    return found
