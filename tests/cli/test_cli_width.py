"""What commands print on a narrow terminal: nothing is cropped without a mark, and every number is whole."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_support import Zoo
from hypothesis import given
from hypothesis import strategies as st

from zoo.cli import terminal as terminals
from zoo.cli.layout import GAP, Column, fitted, packed
from zoo.cli.terminal import Terminal

STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
NUMBER = re.compile(r"(?<![\w.,/-])\d[\d,]*(?:\.\d+)?(?![\w.,/-])")
WIDTHS = (40, 80, 120)

FREE = """\
zoo: 1
name: free
task: classify
data: shapes
let: {width: {free: {from: 4, to: 64, step: 4}}, depth: {free: [1, 2, 3]}, kernel_of_the_first: {free: [3, 5]}}
networks:
  classifier:
    architecture:
      resnet: {stem: '${width}', widths: ['${width}'], depths: ['${depth}']}
train: {steps: 10}
budget: {parameters: 100000, macs: 200M, memory: 4 MiB, steps: 20}
"""


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def on_screen(zoo_command: Zoo, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run `zoo` on a terminal of so many columns and return what it shows there."""
    monkeypatch.setenv("TERM", "xterm-256color")

    def run(width: int, *arguments: object) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        screen = Screen()
        made = Terminal.__init__
        monkeypatch.setattr(Terminal, "__init__", lambda self, stream="results", *, file=None: made(self, file=screen))
        monkeypatch.setattr(terminals.sys, "stdout", screen)  # type: ignore[attr-defined]
        try:
            zoo_command(*arguments)
        finally:
            monkeypatch.undo()
        return STYLE.sub("", screen.getvalue())

    return run


@pytest.fixture
def free(here: Path) -> Path:
    path = here / "free.yaml"
    path.write_text(FREE)
    return path
