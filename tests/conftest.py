"""Fixtures for all tests: one torch thread, a cache of their own, and the registry of the built-in plugins."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support import builtin_registry

from zoo.builder import Builder
from zoo.registry import Registry

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def registry() -> Registry:
    return builtin_registry()


@pytest.fixture(scope="session")
def builder(registry: Registry) -> Builder:
    return Builder(registry)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "zoo-data"))
