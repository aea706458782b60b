"""`zoo` as installed: with the entry points of the project file, whether the package is installed here or not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_support import TINY, Outcome, Zoo, write_distribution
from support import ROOT, builtin_plugins

from zoo import __version__
from zoo.cli.main import main
from zoo.distribution import NAME
from zoo.plugins import installed


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed distributions that holds Zoo; tests put more into it."""
    folder = tmp_path / "site"
    write_distribution(folder, NAME, __version__, builtin_plugins())
    monkeypatch.syspath_prepend(folder)
    installed.cache_clear()
    yield folder
    installed.cache_clear()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, empty."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def zoo_command(site: Path, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Zoo:
    """Run `zoo` in this process."""
    monkeypatch.setenv("ZOO_ALLOCATOR", "system")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "ZOO_PLUGINS", "ZOO_STRICT_PLUGINS", "ZOO_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = main([str(one) for one in arguments])
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture
def python(site: Path, here: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start a Python process that sees what is installed here."""
    path = os.pathsep.join([str(site), str(ROOT), str(ROOT / "plugins")])

    def start(code: str, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def tiny(here: Path) -> Path:
    """A spec that trains in a second."""
    path = here / "tiny.yaml"
    path.write_text(TINY)
    return Path("tiny.yaml")
