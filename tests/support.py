"""What tests of all areas share."""

from __future__ import annotations

import importlib
import tomllib
from functools import lru_cache
from pathlib import Path

from zoo.registry import Provider, Registry

ROOT = Path(__file__).parent.parent


def builtin_plugins() -> dict[str, str]:
    """Return the built-in plugins' modules by entry point name, from the project file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    points: dict[str, str] = project["project"]["entry-points"]["zoo"]
    return points


@lru_cache(maxsize=1)
def builtin_registry() -> Registry:
    """Return the registry of all built-in plugins, and of nothing else that may be installed."""
    found = Registry()
    for name, module in builtin_plugins().items():
        for component in importlib.import_module(module).zoo_components():
            found.add(component, Provider(name))
    return found
