"""What ships with Zoo and with plugins: specs, each known by its file's stem, and published entries, by their folder's.

An entry is a folder with a certificate, a spec and weights. Its spec is known by the entry's name too, unless a spec
to be trained has that name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from zoo.errors import Problem, ShelfError, SpecError

_PACKAGE = Path(__file__).parent.parent
#: Inside a wheel the specs lie in the package; in a checkout they lie beside it.
DEFAULT = _PACKAGE / "shipped" if (_PACKAGE / "shipped").is_dir() else _PACKAGE.parent / "specs"
SUFFIXES = (".yaml", ".yml", ".json")
CERTIFICATE = "certificate.json"
SPEC = "spec.yaml"
RUN = "run.json"
#: Where `zoo publish` puts entries unless told otherwise; searched last.
OWN_SHELF = Path("shelf")


def folders(extra: Iterable[Path] = ()) -> list[Path]:
    """Return the folders that are searched: those that Zoo ships, then `extra`."""
    return [folder for folder in (DEFAULT, *extra) if folder.is_dir()]


def is_entry(folder: Path) -> bool:
    """Whether a folder is a published entry; a run that an earlier version measured holds a certificate too."""
    return (folder / CERTIFICATE).is_file() and not (folder / RUN).is_file()


def spec_files(folder: Path) -> Iterator[Path]:
    """Yield the spec files in a folder and below, sorted, of a published entry its spec alone."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    yield from sorted(path for path in found if path.name == SPEC or not is_entry(path.parent))


def names(extra: Iterable[Path] = ()) -> dict[str, Path]:
    """Return every shipped spec's file by its name. Raises SpecError when two files have one name."""
    extra = list(extra)
    found: dict[str, Path] = {}
    for folder in folders(extra):
        for path in spec_files(folder):
            if is_entry(path.parent):
                continue
            if path.stem in found:
                raise SpecError(
                    [Problem(None, "", f"found two shipped specs called {path.stem!r}: {found[path.stem]} and {path}")]
                )
            found[path.stem] = path
    return {name: folder / SPEC for name, folder in entries(extra).items()} | found


def entries(extra: Iterable[Path] = ()) -> dict[str, Path]:
    """Return every published entry's folder by its name. Raises ShelfError when two have one name."""
    found: dict[str, Path] = {}
    for folder in folders((*extra, OWN_SHELF)):
        for path in sorted(folder.rglob(CERTIFICATE)):
            if path.parent.name in found:
                raise ShelfError(
                    f"two entries are called {path.parent.name!r}: {found[path.parent.name]} and {path.parent}; "
                    "rename or remove one of them"
                )
            found[path.parent.name] = path.parent
    return found


def find(name: str, extra: Iterable[Path] = ()) -> Path | None:
    """Return the file of the shipped spec `name`, or None."""
    return names(extra).get(name)
