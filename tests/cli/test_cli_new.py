"""`zoo new`: what it writes works."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_support import Zoo


def test_a_new_spec_keeps_its_limits(zoo_command: Zoo, here: Path) -> None:
    assert zoo_command("new", "spec", "mine") == (0, "wrote mine.yaml\nnext:  zoo check mine.yaml\n", "")
    assert zoo_command("check", "mine.yaml").out.startswith("mine: keeps 2 limits\n")


def test_a_spec_that_exists_is_not_overwritten(zoo_command: Zoo, here: Path) -> None:
    (here / "mine.yaml").write_text("mine")
    assert zoo_command("new", "spec", "mine") == (
        1,
        "",
        "error: mine.yaml: it exists; choose another name or --folder\n",
    )
    assert (here / "mine.yaml").read_text() == "mine"


@pytest.mark.parametrize("name", ["Mine", "a/b", "", ".x"])
def test_a_name_that_no_spec_can_have_is_refused(zoo_command: Zoo, here: Path, name: str) -> None:
    assert zoo_command("new", "spec", name).code == 2
    assert list(here.iterdir()) == []


def test_a_new_plugin_is_written_where_it_is_wanted(zoo_command: Zoo, here: Path) -> None:
    code, out, err = zoo_command("new", "plugin", "shiny", "--folder", "work")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[-1] == "next:  pip install -e work/zoo-shiny"
    for line in lines[:-1]:
        assert Path(line.removeprefix("wrote ")).is_file()
