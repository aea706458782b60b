"""Confusion, calibration and what is said of single classes, against counts by hand."""

from __future__ import annotations

import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from report_support import some_answers

from zoo.drawing.page import Chart, Grid, Picture, Table
from zoo.reports.answers import Answers, calibration, confusion, png, sections

SHARES = st.lists(st.tuples(st.floats(0.01, 1.0), st.booleans()), min_size=1, max_size=60)


def test_confusion_counts_rows_by_truth() -> None:
    cells = confusion(np.array([0, 0, 0, 1]), np.array([0, 2, 2, 1]), 3)
    assert [tuple(one) for one in cells] == [(0, 0, 1, 1 / 3), (0, 2, 2, 2 / 3), (1, 1, 1, 1.0)]


@given(SHARES)
def test_the_calibration_error_is_the_mean_distance_of_the_bins(pairs: list[tuple[float, bool]]) -> None:
    confidence, right = np.array([one for one, _ in pairs]), np.array([one for _, one in pairs])
    bins, error = calibration(confidence, right, 10)
    assert sum(one.answers for one in bins) == len(pairs)
    expected = 0.0
    for low in range(10):
        inside = [(c, r) for c, r in pairs if low / 10 < c <= (low + 1) / 10 or (low == 0 and c == 0)]
        if inside:
            expected += abs(sum(c for c, _ in inside) - sum(r for _, r in inside)) / len(pairs)
    assert abs(error - expected) < 1e-6


def test_sure_answers_that_are_all_right_are_calibrated() -> None:
    assert calibration(np.ones(5), np.ones(5, dtype=bool))[1] == 0
    assert calibration(np.ones(5), np.zeros(5, dtype=bool))[1] == 1


def test_the_worst_mistakes_come_first_with_their_truths() -> None:
    answers = some_answers()
    (grid,) = [block for block in part(answers, "Worst mistakes").blocks if isinstance(block, Grid)]
    pictures = [block for block in grid.blocks if isinstance(block, Picture)]
    wrong = np.flatnonzero(answers.said != answers.labels)
    worst = wrong[answers.confidence[wrong].argmax()]
    truth, said = answers.names[answers.labels[worst]], answers.names[answers.said[worst]]
    assert (pictures[0].title, pictures[0].alt) == (truth, f"An image of {truth}, taken for {said}")
    assert pictures[0].caption.startswith(f"{said} {answers.confidence[worst]:.0%}; {truth} ")


def test_superclasses_have_a_matrix_of_their_own_where_the_data_have_them() -> None:
    assert [one.title for one in matrices(some_answers())] == ["By superclass", "By class"]
    plain = some_answers()
    plain = Answers(plain.images, plain.labels, plain.probabilities, plain.names)
    assert [one.title for one in matrices(plain)] == ["By class"]


def test_mistakes_of_what_is_no_image_are_a_table() -> None:
    answers = Answers(np.zeros((2, 5), np.float32), np.array([0, 1]), np.array([[0.9, 0.1]] * 2), ("cat", "dog"))
    (table,) = part(answers, "Worst mistakes").blocks
    assert isinstance(table, Table) and [*table.rows] == [("dog", "cat", "90%")]


def test_large_images_are_shown_smaller() -> None:
    picture = Image.open(io.BytesIO(png(np.zeros((1, 400, 200), np.uint8))))
    assert picture.size == (64, 128)


def test_classes_stand_worst_first_with_what_they_are_taken_for() -> None:
    answers = Answers(
        np.zeros((4, 1, 8, 8), np.uint8), np.array([0, 0, 1, 1]), np.array([[0.9, 0.1]] * 4), ("cat", "dog")
    )
    (table,) = part(answers, "Classes").blocks
    assert isinstance(table, Table)
    assert [*table.rows] == [["dog", "2", "0.0%", "cat (2)"], ["cat", "2", "100.0%", ""]]


def part(answers: Answers, title: str):  # type: ignore[no-untyped-def]
    return next(one for one in sections(answers, "Answers.") if one.title == title)


def matrices(answers: Answers) -> list[Chart]:
    (grid,) = [block for block in part(answers, "Confusion").blocks if isinstance(block, Grid)]
    return [block for block in grid.blocks if isinstance(block, Chart)]
