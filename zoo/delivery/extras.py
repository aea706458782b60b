"""The packages that a target needs beside Zoo's own, and what is said where they are missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from zoo.distribution import install_command
from zoo.errors import DeliveryError


def need(package: str, what: str) -> ModuleType:
    """Return a package of the extra. Raises DeliveryError, which says `what` needs it, when it is not installed."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        missing = (error.name or package).partition(".")[0]
        raise DeliveryError(
            f"{what} needs the package {missing}, which is not here; {install_command('export')}"
        ) from error
