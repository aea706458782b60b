"""Every command in the README and the documents runs, and every example of a spec is a spec."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from support import ROOT, builtin_registry

import zoo
from zoo.builder import Builder
from zoo.challenges.load import load_challenge
from zoo.cli.main import cli
from zoo.errors import SpecError
from zoo.local import HERE
from zoo.plugins import installed
from zoo.spec.load import load_document, load_spec
from zoo.sweeps.plan import Plan
from zoo.testing import checks_of_components

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.M | re.S)


class Block(NamedTuple):
    """A fenced block of a page: the line it begins on, its language, the rest of that line, and its text."""

    page: str
    line: int
    language: str
    note: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        yield Block(page.name, text.count("\n", 0, match.start()) + 1, *match.groups())


BLOCKS = [block for page in PAGES for block in blocks(page)]
CONSOLE = [block for block in BLOCKS if block.language == "console" and "no-test" not in block.note]
YAML = [block for block in BLOCKS if block.language == "yaml" and not block.text.startswith("challenge:")]
CHALLENGES = [block for block in BLOCKS if block.text.startswith("challenge:")]
PYTHON = [block for block in BLOCKS if block.language == "python"]


def test_the_pages_have_commands() -> None:
    assert {"README.md", "specs.md", "budgets.md", "plugins.md"} <= {block.page for block in CONSOLE}


def test_a_block_that_is_not_run_says_why() -> None:
    for block in BLOCKS:
        if "no-test" in block.note:
            assert re.search(r"no-test: \w+", block.note), block


@pytest.mark.parametrize("block", CONSOLE, ids=str)
def test_commands_run(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for line in block.text.splitlines():
        assert line.startswith("$ zoo "), line
        command, _, _ = line.removeprefix("$ zoo ").partition(" > ")
        words = shlex.split(command, comments=True)
        if words[0] in ("train", "sweep"):
            words += ["--set", "train.device=cpu", "--set", "data={shapes: {train_images: 400, test_images: 100}}"]
            words += ["--set", "train.validation=100"]
        done = CliRunner().invoke(cli, words)
        # Doctor's own exit code tells of this machine, not of the page.
        assert done.exit_code == 0 or words[0] == "doctor", f"{line}\n{done.output}\n{done.exception!r}"


@pytest.mark.parametrize("block", YAML, ids=str)
def test_examples_of_specs_are_right(block: Block, tmp_path: Path) -> None:
    """Each part of a spec that a page shows is laid over a whole one; alternatives stand on lines of their own."""
    lines = block.text.splitlines()
    choices = (
        [[line] for line in lines] if len({line.partition(":")[0] for line in lines}) == 1 < len(lines) else [lines]
    )
    for choice in choices:
        path = tmp_path / "example.yaml"
        text = "\n".join(choice) + "\n"
        if text.startswith("activation:"):
            text = f"networks: {{classifier: {{architecture: {{resnet: {{{choice[0]}}}}}}}}}\n"
        elif text.startswith("architecture:"):
            text = "networks:\n  classifier:\n" + "".join(f"    {line}\n" for line in choice)
        if not re.search("^(zoo|extends):", text, re.M):
            text = "extends: cifar100-resnet-silu\n" + text
        path.write_text(text)
        try:
            if "\nsweep:" in text:
                Plan.of(load_document(path), Builder(builtin_registry()))
            elif "{free:" in text:
                zoo.fit(path, most=20, registry=builtin_registry())
            else:
                load_spec(path, registry=builtin_registry())
        except SpecError as error:
            raise AssertionError(f"{block.page}:\n{text}\n{error}") from error


@pytest.mark.parametrize("block", CHALLENGES, ids=str)
def test_examples_of_challenges_are_right(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "challenge.yaml"
    path.write_text(block.text)
    assert load_challenge(path, registry=builtin_registry()).references


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_examples_of_python_run(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if "onnxruntime" in block.text:
        for package in ("onnx", "onnxscript", "onnxruntime"):
            pytest.importorskip(package, reason=f"{package} is not installed (the extra `export`)")
    installed.cache_clear()
    try:
        monkeypatch.setitem(sys.modules, "example", module := ModuleType("example"))
        exec(compile(block.text, block.page, "exec"), vars(module))
        # What an example registers keeps the contract of its kind.
        registry = installed().registry
        own = [one for one in registry if registry.provider(one) == HERE]
        for check in checks_of_components(own, registry):
            check()
    finally:
        installed.cache_clear()


def test_all_layers_are_listed() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "list_layers.py"))["page"]
    listed = (ROOT / "docs" / "layer-list.md").read_text(encoding="utf-8")
    assert listed == page(builtin_registry()), "`make docs` writes the list anew"


def test_the_picture_of_results_shows_all_that_the_shelf_holds() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "draw_results.py"))
    picture, text = made["PICTURE"].read_text(encoding="utf-8"), (ROOT / "docs" / "results.md").read_text()
    for row in made["rows"]():
        assert row["name"] in picture, f"make docs draws {row['name']}"
        assert f"{row['name']} {row['accuracy']:.1f} %" in text


def test_the_public_names_are_listed_as_they_are() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "list_api.py"))["page"]
    listed = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert listed == page(), "what is public has changed: if that is meant, say so in CHANGELOG.md and run `make docs`"
