"""The specs that ship with Zoo and with plugins, each known by its file's stem."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zoo.errors import Problem, SpecError

_PACKAGE = Path(__file__).parent.parent
#: Inside a wheel the specs lie in the package; in a checkout they lie beside it.
DEFAULT = _PACKAGE / "shipped" if (_PACKAGE / "shipped").is_dir() else _PACKAGE.parent / "specs"


def folders(extra: Iterable[Path] = ()) -> list[Path]:
    """Return the folders that are searched: those that Zoo ships, then `extra`."""
    return [folder for folder in (DEFAULT, *extra) if folder.is_dir()]


def names(extra: Iterable[Path] = ()) -> dict[str, Path]:
    """Return every shipped spec's file by its name. Raises SpecError when two files have one name."""
    found: dict[str, Path] = {}
    for folder in folders(extra):
        for path in sorted(path for suffix in ("yaml", "yml", "json") for path in folder.rglob(f"*.{suffix}")):
            if path.stem in found:
                raise SpecError(
                    [Problem(None, "", f"found two shipped specs called {path.stem!r}: {found[path.stem]} and {path}")]
                )
            found[path.stem] = path
    return found


def find(name: str, extra: Iterable[Path] = ()) -> Path | None:
    """Return the file of the shipped spec `name`, or None."""
    return names(extra).get(name)
