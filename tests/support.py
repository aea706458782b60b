"""What tests of all areas share."""

from __future__ import annotations

import copy
import importlib
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from zoo.registry import Provider, Registry

ROOT = Path(__file__).parent.parent

#: A CPU that only imitates bf16 is refused, by an error that has a test of its own.
needs_bf16 = pytest.mark.skipif("not __import__('support').computes_bf16()", reason="this CPU computes no bf16")


def computes_bf16() -> bool:
    """Return whether this CPU does; asked late, since tests of what loads torch import this module too."""
    import torch

    from zoo.training.devices import bf16_units

    return bf16_units(torch.device("cpu"))


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


def changed(spec: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """Return a spec with dotted keys replaced, given with __ for the dots."""
    data = copy.deepcopy(spec)
    for path, value in parts.items():
        *above, last = path.split("__")
        where = data
        for key in above:
            where = where.setdefault(key, {})
        where[last] = value
    return data
