"""What a training shows on a terminal and elsewhere."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest

import zoo
from zoo.cli import progress
from zoo.cli.progress import Pace, TrainingDisplay, counting
from zoo.cli.terminal import Terminal
from zoo.registry import Registry

STYLE = re.compile(r"\x1b\[[0-9;]*m")
BEGIN: dict[str, Any] = {"name": "quickstart", "first_step": 0, "steps": 600, "batch_size": 64, "engine": "cpu, fp32"}


class Screen(io.StringIO):
    """A file that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(progress, "time", found)
    return found


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """A terminal of 100 columns."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Screen()


def display(registry: Registry, screen: Screen | None = None) -> TrainingDisplay:
    return TrainingDisplay(Terminal("status", file=screen), zoo.check("quickstart", registry=registry))


def test_elsewhere_figures_are_lines_some_seconds_apart(
    registry: Registry, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = display(registry)
    shown.begin(**BEGIN)
    for step in range(50, 601, 50):
        clock.now += 1
        shown.step(step)
        shown.metrics({"step": step, "loss": 600 / step, "accuracy": 0.5, "lr": {"classifier": 0.1}, "seconds": 1.0})
        if step == 200:
            shown.metrics({"step": step, "validation_loss": 2.0, "validation_top1": 0.25, "validation_images": 1000})
    shown.message("done")
    shown.end()
    assert capsys.readouterr().err == (
        "training quickstart on cpu, fp32: 600 steps of 64 images\n"
        "validation at step 200: loss 2.0000, top1 0.2500\n"
        "step 250 of 600: loss 2.4000, accuracy 0.5000, 3,200 images/s, 7 s left\n"
        "step 500 of 600: loss 1.2000, accuracy 0.5000, 3,200 images/s, 2 s left\n"
        "step 600 of 600: loss 1.0000, accuracy 0.5000, 3,200 images/s\n"
        "done\n"
    )


def test_on_a_terminal_an_area_is_redrawn(registry: Registry, clock: Clock, screen: Screen) -> None:
    shown = display(registry, screen)
    shown.begin(**BEGIN)
    shown.metrics({"step": 50, "loss": 1.5})
    clock.now += 1
    shown.step(60)
    shown.end()
    text = screen.getvalue()
    assert "step 60 of 600" in text
    assert "3,840 images/s, 9 s left" in text
    assert "loss 1.5000" in text
    assert "updates used: classifier 60 of 1,000" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1


@pytest.mark.parametrize("width", [30, 80])
def test_no_figure_of_the_area_is_cut(
    registry: Registry, clock: Clock, screen: Screen, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = display(registry, screen)
    shown.begin(**BEGIN)
    figures = {f"accuracy_of_part_{index}": 0.1234 for index in range(5)}
    clock.now += 1
    shown.step(60)
    shown.metrics({"step": 60, **figures})
    shown.end()
    lines = STYLE.sub("", screen.getvalue()).splitlines()
    assert all(any(f"{name} 0.1234" in line for line in lines) for name in figures)
    assert any("9 s left" in line for line in lines)
    assert "…" not in screen.getvalue()


def test_what_moves_a_cursor_is_shown_and_not_done(screen: Screen) -> None:
    terminal = Terminal("status", file=screen)
    terminal.line("a\x1b[2Jb\x9b1mc")
    terminal.table(("name", "text"), [("x\ny", "\x1b]0;title\x07\u202e")])
    with terminal.area() as area:
        area.line("above\x1b[1A")
        area.draw("\x1b[3J", 0.5, "", ["line\x1b[1m"])
    text = screen.getvalue()
    for told in (
        r"a\u001b[2Jb\u009b1mc",
        r"x\u000ay",
        r"\u001b]0;title\u0007\u202e",
        r"above\u001b[1A",
        r"line\u001b[1m",
        r"\u001b[3J",
    ):
        assert told in text
    assert not any(one in text for one in ("\x1b[2J", "\x9b", "\x1b]0;", "\x07", "\u202e", "\x1b[3J"))


def test_the_area_is_drawn_five_times_a_second_at_most(registry: Registry, clock: Clock, screen: Screen) -> None:
    shown = display(registry, screen)
    shown.begin(**BEGIN)
    before = len(screen.getvalue())
    for step in range(1, 100):
        clock.now += 0.001
        shown.step(step)
    assert len(screen.getvalue()) == before
    clock.now += 0.2
    shown.step(100)
    assert len(screen.getvalue()) > before
    shown.end()


def test_a_message_goes_above_the_area(registry: Registry, clock: Clock, screen: Screen) -> None:
    shown = display(registry, screen)
    shown.begin(**BEGIN)
    shown.message("evaluating on the test images")
    shown.end()
    assert "evaluating on the test images\n" in screen.getvalue()


def test_what_came_after_the_last_step_is_drawn_too(registry: Registry, clock: Clock, screen: Screen) -> None:
    shown = display(registry, screen)
    shown.begin(**BEGIN)
    shown.step(600)
    shown.metrics({"step": 600, "validation_top1": 0.25})
    shown.end()
    assert "validation at step 600: top1 0.2500" in screen.getvalue()
    assert "step 600 of 600" in screen.getvalue()


def test_the_pace_forgets_a_slow_start() -> None:
    pace = Pace(0, 0.0)
    assert pace.rate(0, 1.0) == 0.0
    assert pace.rate(1, 10.0) == pytest.approx(0.1)
    for step in range(2, 42):
        rate = pace.rate(step, 8.0 + step)
    assert rate == pytest.approx(1.0)


def test_without_colour_no_colour_is_written(
    registry: Registry, clock: Clock, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    Terminal("status", file=screen).line("red", style="bold red")
    assert "\x1b[31m" not in screen.getvalue() and "\x1b[1;31m" not in screen.getvalue()


def test_counting_is_silent_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    with counting(Terminal("status"), "images") as count:
        count(1, 2)
    assert capsys.readouterr() == ("", "")


def test_counting_draws_a_bar(screen: Screen) -> None:
    with counting(Terminal("status", file=screen), "images") as count:
        count(500, 1000)
        count(1000, 1000)
    assert "1,000 of 1,000 images" in screen.getvalue()


def test_a_table_elsewhere_is_as_wide_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().table(("name", "text"), [("a", "x" * 500), ("[b]", "")])
    assert capsys.readouterr().out == f"name  text\na     {'x' * 500}\n[b]\n"


def test_a_table_fits_a_narrow_terminal(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    Terminal("status", file=screen).table(("name", "text"), [("resnet", "word " * 20)], fold=("text",))
    assert max(map(len, STYLE.sub("", screen.getvalue()).splitlines())) <= 40
