"""Charts are drawn elsewhere: what comes back, and what is said where nothing does."""

from __future__ import annotations

import re
import sys
from xml.etree import ElementTree

import pytest

from zoo.drawing import vega
from zoo.drawing.charts import Line, Mark, Point, lines, scatter
from zoo.errors import ZooError

needed = pytest.mark.skipif(not vega.available(), reason="charts need vl-convert-python, which is not here")


@needed
def test_charts_come_back_in_order_and_in_the_colours_of_the_page() -> None:
    points = [Point(step, 1 / (1 + step), 0.5 / (1 + step), 2 / (1 + step)) for step in range(9)]
    first, second = vega.draw(
        [lines([Line("loss", points)]), scatter([Mark("<a> & b", 3, 0.5, True)], x="parameters", y="top1")]
    )
    for one in (first, second):
        ElementTree.fromstring(one)
        assert "var(--c" in one and "var(--faint)" in one
        assert "aria-label" not in one  # the page says what a chart shows
    assert "&lt;a&gt; &amp; b: top1 0.5, parameters 3" in second
    assert set(re.findall("<title>(.*?)</title>", first)) == {"loss"}


@needed
def test_small_numbers_are_written_whole() -> None:
    (drawn,) = vega.draw([lines([Line("lr", [Point(step, step * 1e-5, 0, 0) for step in range(9)])])])
    assert {"0.00002", "0.00004"} <= set(re.findall(r">([\d.]+)</text>", drawn))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vega, "available", lambda: False)
    with pytest.raises(ZooError, match=r"charts need the package vl-convert-python: pip install 'speczoo\[report\]'"):
        vega.draw([{}])


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("import sys; sys.exit('out of memory')", "out of memory"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "exit code -9"),
        ("import time; time.sleep(60)", "TimeoutExpired"),
    ],
    ids=["error", "killed", "hangs"],
)
def test_what_goes_wrong_there_ends_nothing_here(monkeypatch: pytest.MonkeyPatch, program: str, told: str) -> None:
    monkeypatch.setattr(vega, "available", lambda: True)
    monkeypatch.setattr(vega, "PROGRAM", program)
    monkeypatch.setattr(vega, "SECONDS", 5.0)
    with pytest.raises(ZooError, match=f"the charts could not be drawn .*{told}"):
        vega.draw([{}])


def test_the_program_is_run_by_this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vega, "available", lambda: True)
    monkeypatch.setattr(vega, "PROGRAM", "import json, sys; json.dump([sys.executable], sys.stdout)")
    assert vega.draw([{}]) == [sys.executable]
