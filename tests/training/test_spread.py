"""Figures of several seeds together; a single value has no deviation."""

from __future__ import annotations

import math

import pytest

from zoo.cli.results import show_seeds
from zoo.cli.terminal import Terminal
from zoo.evaluation.metric import Measurement
from zoo.evaluation.spread import deviation, over_seeds
from zoo.publishing.certificate import Figure


def test_one_value_has_no_deviation_wherever_it_is_asked() -> None:
    assert deviation([0.5]) is None
    assert over_seeds({3: {"test": {"top1": 0.5}}}) == {
        "n": 1,
        "mean": {"test": {"top1": 0.5}},
        "std": {"test": {"top1": None}},
    }
    assert Figure.of({"3": 0.5}).std is None
    assert Measurement("top1", (0.5,), (3,)).std is None


def test_several_values_have_that_of_a_sample() -> None:
    assert deviation([1.0, 2.0, 4.0]) == pytest.approx(math.sqrt(7 / 3))
    assert over_seeds({0: {"test": {"top1": 0.0}}, 1: {"test": {"top1": 1.0}}})["std"] == {
        "test": {"top1": math.sqrt(0.5)}
    }


def test_one_value_is_shown_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    each = {"3": {"test": {"top1": 0.5}}}
    show_seeds(over_seeds({3: each["3"]}), each, Terminal())
    assert "0.5000 (n = 1)" in capsys.readouterr().out
