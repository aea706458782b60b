"""Zoo: a declarative, plugin-based PyTorch model zoo for networks under a budget.

The public names are those of `zoo.api`; each is imported when it is first used, so that `import zoo` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.api import *  # noqa: F403

__version__ = "0.1.0"

# What every plugin's entry point imports comes without the rest of the API, so that `zoo --help` stays quick.
_LIGHT = {"Component": "zoo.registry", "hookimpl": "zoo.plugins"}


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    try:
        return importlib.import_module(f"zoo.{name}")  # which puts it here, too
    except ModuleNotFoundError as error:
        if error.name != f"zoo.{name}":
            raise
    module = importlib.import_module(_LIGHT.get(name, "zoo.api"))
    try:
        found = globals()[name] = getattr(module, name)
    except AttributeError:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}") from None
    return found


def __dir__() -> list[str]:
    return sorted({"__version__", *importlib.import_module("zoo.api").__all__})
