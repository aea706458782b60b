"""For all tests: one torch thread, a cache of their own, the registry of the built-in plugins, and who runs what."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from support import builtin_registry

from zoo.builder import Builder
from zoo.registry import Registry

os.environ.setdefault("OMP_NUM_THREADS", "1")
#: nohup and shells let what runs in the background ignore some signals, and so would all that tests start.
for _name, _handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
    if hasattr(signal, _name) and signal.getsignal(getattr(signal, _name)) == signal.SIG_IGN:
        signal.signal(getattr(signal, _name), _handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let a test that kills its worker be one failure."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from scheduling import OnceOnly

    return OnceOnly(config, log)


def pytest_configure(config: pytest.Config) -> None:
    """Leave oneDNN out where ZOO_TEST_ONEDNN=0 asks for it: what is computed must not depend on one library."""
    if os.environ.get("ZOO_TEST_ONEDNN") == "0":
        import torch

        torch.backends.mkldnn.set_flags(False)


@pytest.fixture(scope="session")
def registry() -> Registry:
    return builtin_registry()


@pytest.fixture(scope="session")
def builder(registry: Registry) -> Builder:
    return Builder(registry)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "zoo-data"))


@pytest.fixture(autouse=True)
def _no_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what each run would draw at its end, unless a test is about that."""
    monkeypatch.setenv("ZOO_REPORT", "off")
