"""Parts of a network: a path is the name of a weight or a module, and stands for all that lies inside."""

from __future__ import annotations

from collections.abc import Iterable


def lies_in(name: str, path: str) -> bool:
    """Whether a weight or a module is that of a path, or lies inside."""
    return name == path or name.startswith(f"{path}.")


def innermost(name: str, paths: Iterable[str]) -> str | None:
    """Return the longest of the paths that a name lies in, or None."""
    return max((path for path in paths if lies_in(name, path)), key=len, default=None)
