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

from zoo.cli.commands.sample import _tell
from zoo.cli.layout import GAP, Column, fitted, packed
from zoo.cli.results import show_figures, show_seeds
from zoo.cli.terminal import Terminal

STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
NUMBER = re.compile(r"(?<![\w.,/:+-])\d+(?:,\d{3})*(?:\.\d+)?(?![\w./:-])")
WIDTHS = (40, 80, 120)

SPEC = """\
zoo: 1
name: free
task: classify
data: shapes
let: {width: {free: {from: 4, to: 64, step: 4}}, depth: {free: [1, 2, 3]}, kernel_of_the_first: {free: [3, 5]}}
networks:
  classifier:
    architecture:
      layers:
        - conv: {channels: '${width}', kernel: '${kernel_of_the_first}'}
        - repeat: {times: '${depth}', layers: [{conv: '${width}'}, batch_norm, relu]}
        - global_average_pool
        - linear: 100
train: {steps: 10}
budget: {parameters: 100000, macs: 200M, memory: 4 MiB, steps: 20}
"""
CHALLENGE = "cifar100-classify-100k"


class Screen(io.StringIO):
    """A file that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def shown(zoo_command: Zoo, here: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run `zoo` on a terminal of so many columns, or on none, and return what it shows there."""
    (here / "free.yaml").write_text(SPEC)

    def run(width: int | None, *arguments: object) -> str:
        monkeypatch.setenv("TERM", "xterm-256color")
        if width:
            monkeypatch.setenv("COLUMNS", str(width))
            monkeypatch.setenv("FORCE_COLOR", "1")
        else:
            monkeypatch.delenv("COLUMNS", raising=False)
            monkeypatch.delenv("FORCE_COLOR", raising=False)
        return STYLE.sub("", zoo_command(*arguments).out)

    return run


def assert_whole(narrow: str, wide: str) -> None:
    """Every number on the narrow terminal is one of those that the wide one shows."""
    seconds = re.compile(r"\d+ s \(.*a second\)")
    numbers = [set(NUMBER.findall(seconds.sub("", text))) for text in (narrow, wide)]
    assert numbers[0] <= numbers[1], numbers[0] - numbers[1]
    assert numbers[0]


@pytest.mark.parametrize(
    "command",
    [
        "check free.yaml --layers --set let.width=48 --set let.depth=2 --set let.kernel_of_the_first=3",
        "check cifar100-resnet-silu --layers",
        "show cifar100-resnet-silu",
        "show conv",
        "fit free.yaml --candidates 96",
        "leaderboard",
        "list shelf",
        "data list",
        "data show shapes",
        "diff cifar100-resnet-silu quickstart",
        f"check --challenge {CHALLENGE} cifar100-resnet-silu",
        "plugins",
    ],
)
@pytest.mark.parametrize("width", WIDTHS)
def test_numbers_are_whole_at_every_width(shown: Callable[..., str], command: str, width: int) -> None:
    assert_whole(shown(width, *command.split()), shown(None, *command.split()))


def test_what_has_no_room_is_named(shown: Callable[..., str]) -> None:
    text = shown(80, "leaderboard", "--challenge", CHALLENGE)
    assert "97,092" in text
    assert "13,298" not in text
    assert "no room for MACs, steps, n, seeds; a wider terminal shows more, --json everything\n" in text
    assert "no room" not in shown(200, "leaderboard", "--challenge", CHALLENGE)
    assert "no room" not in shown(None, "leaderboard", "--challenge", CHALLENGE)


def test_fit_keeps_the_figure_that_is_used(shown: Callable[..., str]) -> None:
    command = ("fit", "free.yaml", "--candidates", 96, "--use", "macs")
    heading = next(line for line in shown(80, *command).splitlines() if line.startswith("rank"))
    assert "macs" in heading.split()
    assert "memory" not in heading


FIGURES = {
    split: {"images": 50_000, "loss": 1.23456, "top1": 0.12345, "top5": 0.54321, "calibration": 0.01234}
    for split in ("train", "test")
}


@pytest.mark.parametrize("width", WIDTHS)
def test_figures_of_an_evaluation_are_whole(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = []
    for columns in (width, 1000):
        monkeypatch.setenv("COLUMNS", str(columns))
        screen = Screen()
        terminal = Terminal(file=screen)
        show_figures(FIGURES, terminal)
        seeds = {str(seed): FIGURES for seed in range(8)}
        show_seeds({"mean": FIGURES, "std": FIGURES, "n": 8}, seeds, terminal)
        _tell({"images": {"median": 1234.5, "least": 12.5}, "test_images": {"median": 999.5, "least": 1.5}}, terminal)
        texts.append(STYLE.sub("", screen.getvalue()))
    assert_whole(*texts)
    assert "50,000" in texts[0] and "1,234.5" not in texts[0]


@given(
    st.lists(st.tuples(st.text("abc", max_size=30), *[st.integers(0, 10**12)] * 4), min_size=1, max_size=4),
    st.integers(10, 100),
)
def test_any_table_fits_or_becomes_lines(rows: list[tuple[str, int, int, int, int]], width: int) -> None:
    screen = Screen()
    terminal = Terminal(file=screen)
    terminal._console.width = width
    columns = ("name", "a", "b", "c", "d")
    cells = [(name, *(f"{number:,}" for number in numbers)) for name, *numbers in rows]
    terminal.table(columns, cells, right=columns[1:], drop=("d", "c"), shorten=("name",))
    text = STYLE.sub("", screen.getvalue())
    numbers = {cell for row in cells for cell in row[1:]}
    assert set(NUMBER.findall(text)) <= numbers
    if text.startswith("name  "):
        assert all(len(line) <= width for line in text.splitlines() if not line.startswith("no room"))
        assert all(row[1] in text for row in cells)
    else:
        assert set(NUMBER.findall(text)) == numbers


def test_numbers_in_folded_text_are_whole() -> None:
    column = Column.of("note", ["at most 1,234,567,890,123,456,789 of them are known by now"], len, fold=True)
    assert column.least == len("1,234,567,890,123,456,789")
    assert fitted([column], column.least, (), ())[0].width == column.least
    assert fitted([column], column.least - 1, (), ()) == []


def test_folded_columns_share_what_is_left() -> None:
    columns = [Column.of(name, ["word " * 20], len, fold=True) for name in "ab"]
    assert [one.width for one in fitted(columns, 60 + GAP, (), ())] == [30, 30]


def test_a_line_of_figures_is_broken_between_them() -> None:
    assert packed("loss 1.2000, accuracy 0.5000, x 1", 20, len) == ["loss 1.2000", "accuracy 0.5000, x 1"]
    assert packed("accuracy_mean 0.0312", 8, len) == ["accuracy_mean 0.0312"]
