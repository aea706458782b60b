"""What Zoo is called on a package index, and who else is called so."""

from __future__ import annotations

import importlib
import tomllib
from importlib.metadata import Distribution
from pathlib import Path

import pytest
from support import ROOT, builtin_plugins

import zoo
from zoo import distribution
from zoo.distribution import NAME, install_command, is_own, namesake, unmet

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def written(folder: Path, name: str, version: str, points: str = "") -> Path:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(points)
    return info


def test_the_project_file_says_the_same_name() -> None:
    assert PROJECT["name"] == NAME


def test_every_extra_that_a_message_names_is_there() -> None:
    named = set()
    packages = [
        Path(importlib.import_module(one).__file__ or "").parent for one in ("zoo", *builtin_plugins().values())
    ]
    for path in (path for package in packages for path in package.rglob("*.py")):
        named |= {part.partition('"')[0].partition("'")[0] for part in _after(path.read_text(), "install_command(")}
    assert named - {""} <= set(PROJECT["optional-dependencies"])
    assert {"export", "fid", "lite0", "sweep"} <= named


def _after(text: str, mark: str) -> list[str]:
    return [part[1:] for part in text.split(mark)[1:] if part[0] in "'\""]


def test_the_command_names_package_and_extra() -> None:
    assert install_command("export") == "pip install 'speczoo[export]'"
    assert install_command() == "pip install speczoo"
    assert zoo.install_command is install_command


@pytest.mark.parametrize(
    ("name", "points", "own"),
    [
        ("speczoo", "", True),
        ("zoo", "[zoo]\ncore = zoo_core\n", True),  # as Zoo was installed before
        ("zoo", "", False),  # the framework for remote procedure calls
        ("zoo-shiny", "[zoo]\nshiny = zoo_shiny\n", False),
    ],
)
def test_zoo_is_known_under_both_of_its_names(name: str, points: str, own: bool, tmp_path: Path) -> None:
    assert is_own(Distribution.at(written(tmp_path, name, "0.1a0", points))) is own


@pytest.mark.parametrize("points", ["", "[zoo]\ncore = zoo_core\n"])
def test_a_namesake_is_seen(points: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "zoo", "0.1a0", points)
    monkeypatch.syspath_prepend(tmp_path)
    assert namesake() == ("0.1a0", bool(points))


def test_no_namesake_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> Distribution:
        raise distribution.PackageNotFoundError(name)

    monkeypatch.setattr(distribution, "distribution", none)
    assert namesake() is None


@pytest.mark.parametrize(
    ("requirements", "wanted"),
    [
        (None, ""),
        (["click", "zoology>=9"], ""),
        (["speczoo"], ""),
        (["speczoo>=0.0.1,<99"], ""),
        (["speczoo>=99"], "speczoo>=99"),
        (["torch>=2", "zoo<0.0.1"], "speczoo<0.0.1"),
        (["speczoo[fid]>=99; python_version < '3'"], ""),
        (["speczoo nonsense"], ""),
    ],
)
def test_the_bound_of_a_plugin_is_looked_at(requirements: list[str] | None, wanted: str) -> None:
    assert unmet(requirements) == wanted
