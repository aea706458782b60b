"""Small entries to deliver, and those that were traced already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import entries
import pytest
from delivery_support import SPECS
from support import builtin_registry

import zoo
from zoo.evaluation.trained import Trained

Load = Callable[[str], Trained]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Return the networks of an entry by its kind."""
    shelf = tmp_path_factory.mktemp("shelf")
    known: dict[str, Trained] = {}

    def load(kind: str) -> Trained:
        if kind not in known:
            folder: Path = entries.publish(shelf / f"tiny-{kind}", SPECS[kind], {"top1": {0: 0.25}})
            known[kind] = zoo.load(folder, registry=builtin_registry())
        return known[kind]

    return load
