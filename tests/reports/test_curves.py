"""The lines of metrics as curves."""

from __future__ import annotations

import pytest

from zoo.drawing.charts import MOST_POINTS, Line, Point, lines
from zoo.reports.curves import panel_chart, remarks, series_of

FIRST = [
    {"step": 10, "loss": 4.0, "lr": {"classifier": 0.1}, "images": 100, "seconds": 2.0, "updates": {"classifier": 10}},
    {"step": 10, "validation_loss": 3.5, "validation_top1": 0.1, "validation_images": 50},
    {"step": 20, "loss": 2.0, "lr": {"classifier": 0.05}, "images": 200, "seconds": 4.0},
]
SECOND = [{**line, **({"loss": line["loss"] + 2} if "loss" in line else {})} for line in FIRST]  # type: ignore[operator]


def test_figures_of_a_kind_share_a_panel() -> None:
    found = {one.name: one.panel for one in series_of({0: FIRST})}
    assert found == {
        "loss": "loss",
        "validation loss": "loss",
        "validation top1": "accuracy",
        "classifier": "learning rate",
        "images a second": "throughput",
    }


def test_throughput_is_what_was_seen_between_two_lines() -> None:
    (one,) = [one for one in series_of({0: FIRST}) if one.panel == "throughput"]
    assert [(point.x, point.y) for point in one.line.points] == [(10, 50.0), (20, 50.0)]


def test_seeds_are_a_mean_with_a_band_of_one_sample_deviation() -> None:
    (one,) = [one for one in series_of({0: FIRST, 1: SECOND}) if one.name == "loss"]
    first = one.line.points[0]
    assert (first.x, first.y) == (10, 5.0)
    assert (first.low, first.high) == pytest.approx((5 - 2**0.5, 5 + 2**0.5))


def test_one_training_has_no_band() -> None:
    (one,) = [one for one in series_of({0: FIRST}) if one.name == "loss"]
    assert all(point.low == point.y == point.high for point in one.line.points)
    assert len(lines([one.line])["layer"]) == 1


def test_a_chart_says_in_words_what_it_shows() -> None:
    found = [one for one in series_of({0: FIRST}) if one.panel == "loss"]
    assert panel_chart("Loss", found).alt == (
        "loss: from 4 at step 10 to 2 at step 20. validation loss: 3.5 at step 10."
    )


def test_what_is_not_finite_is_left_out() -> None:
    assert series_of({0: [{"step": 1, "loss": float("nan")}, {"step": 2, "validation_top1": None}]}) == []


def test_long_lines_keep_their_ends() -> None:
    points = [Point(step, step, step, step) for step in range(10_000)]
    values = lines([Line("loss", points)])["data"]["values"]
    assert len(values) == MOST_POINTS
    assert (values[0]["x"], values[-1]["x"]) == (0, 9_999)


def test_a_remark_is_told_where_it_comes_up() -> None:
    metrics = [
        {"step": 2, "lr": {}, "remarks": {"collapse": "it collapses"}},
        {"step": 4, "lr": {}, "remarks": {"collapse": "it collapses more"}},
        {"step": 6, "lr": {}},
        {"step": 8, "lr": {}, "remarks": {"collapse": "again"}},
    ]
    assert remarks(metrics) == ["Step 2: it collapses", "Step 8: again"]
