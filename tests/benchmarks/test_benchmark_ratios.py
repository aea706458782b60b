"""Medians of ratios that are taken inside the rounds."""

from __future__ import annotations

import pytest

from benchmarks import ratios
from benchmarks.ratios import Spread


def test_a_ratio_is_taken_inside_its_round() -> None:
    # The machine was half as fast in the second round; the ratio does not see it.
    rounds = {"naive": [100.0, 200.0], "zoo": [50.0, 100.0]}
    assert ratios.ratios(rounds, "zoo", "naive") == [2.0, 2.0]
    assert ratios.differences(rounds, "naive", "zoo") == [50.0, 100.0]


def test_rounds_of_different_numbers_are_no_rounds() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratios.ratios({"naive": [1.0, 2.0], "zoo": [1.0]}, "zoo", "naive")


def test_the_median_is_over_rounds_and_then_over_starts() -> None:
    starts = [
        {"naive": [10.0, 10.0, 10.0], "zoo": [5.0, 5.0, 1.0]},  # 2
        {"naive": [12.0, 12.0, 12.0], "zoo": [4.0, 4.0, 12.0]},  # 3
        {"naive": [10.0, 10.0, 10.0], "zoo": [10.0, 10.0, 0.1]},  # 1
    ]
    assert ratios.over_starts(starts, ratios.speed("zoo", "naive")) == Spread(2.0, 1.0, 3.0)
    assert ratios.over_starts(starts, ratios.level("zoo")) == Spread(5.0, 4.0, 10.0)
    assert ratios.over_starts(starts, ratios.excess("naive", "zoo")) == Spread(5.0, 0.0, 8.0)


def test_a_start_without_the_variant_does_not_count() -> None:
    starts = [{"naive": [4.0], "zoo": [2.0]}, {"naive": [4.0]}]
    assert ratios.over_starts(starts, ratios.speed("zoo", "naive")) == Spread(2.0, 2.0, 2.0)
    assert ratios.over_starts(starts, ratios.speed("lightning", "naive")) is None


def test_quartiles_leave_the_extremes_out() -> None:
    assert ratios.quartiles([1.0, 2.0, 3.0, 4.0, 1000.0]) == Spread(3.0, 2.0, 4.0)
    assert ratios.quartiles([7.0]) == Spread(7.0, 7.0, 7.0)


def test_no_values_have_no_spread() -> None:
    with pytest.raises(ValueError, match="no values"):
        ratios.spread([])
