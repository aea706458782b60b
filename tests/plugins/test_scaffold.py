"""What `zoo new plugin` writes, and when it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.errors import ZooError
from zoo.scaffold import create_plugin


def test_a_package_of_its_own_is_written(tmp_path: Path) -> None:
    written = [path.relative_to(tmp_path).as_posix() for path in create_plugin("shiny", tmp_path)]
    assert written == [
        "zoo-shiny/README.md",
        "zoo-shiny/zoo_shiny/__init__.py",
        "zoo-shiny/zoo_shiny/activations.py",
        "zoo-shiny/zoo_shiny/networks.py",
        "zoo-shiny/zoo_shiny/specs/shiny-shapes.yaml",
        "zoo-shiny/pyproject.toml",
        "zoo-shiny/tests/test_plugin.py",
    ]
    assert all("$" not in (tmp_path / path).read_text() for path in written)


@pytest.mark.parametrize("name", ["Shiny", "a-b", "", "2x", "../x", "class"])
def test_a_name_that_no_plugin_can_have_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="cannot name a plugin; a name is lower case"):
        create_plugin(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_package_of_an_installed_plugin_is_not_taken_twice(tmp_path: Path) -> None:
    with pytest.raises(ZooError) as caught:
        create_plugin("torch", tmp_path)
    assert str(caught.value) == "a plugin with the package zoo_torch is installed already; choose another name"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "zoo-shiny").mkdir()
    with pytest.raises(ZooError, match="it exists; choose another name or --folder, or delete it"):
        create_plugin("shiny", tmp_path)
    assert list((tmp_path / "zoo-shiny").iterdir()) == []
