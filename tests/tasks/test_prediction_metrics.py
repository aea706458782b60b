"""Metrics over predictions, against plain loops over what is said and true."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import builtin_registry

from zoo.builder import Builder
from zoo.spec.resolve import Resolver


def metric(data: Any) -> Any:
    known = builtin_registry()
    return Builder(known).bind(Resolver(known).component_from(("metric",), data))


@st.composite
def classified(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw probabilities (N, classes) and labels."""
    items, classes, seed = draw(st.integers(1, 30)), draw(st.integers(2, 6)), draw(st.integers(0, 10**6))
    random = torch.Generator().manual_seed(seed)
    shares = (torch.randn(items, classes, generator=random) * 3).softmax(1)
    return shares, torch.randint(classes, (items,), generator=random)


@given(classified(), st.integers(1, 12))
def test_the_calibration_error_is_that_of_bins(case: tuple[torch.Tensor, torch.Tensor], bins: int) -> None:
    shares, labels = case
    found = metric({"calibration_error": {"bins": bins}})(shares, labels)["calibration_error"]
    sums = [[0.0, 0.0] for _ in range(bins)]
    for row, label in zip(shares.double(), labels.tolist(), strict=True):
        sure, named = float(row.max()), int(row.argmax())
        at = min(bins - 1, max(0, math.ceil(sure * bins) - 1))
        sums[at][0] += sure
        sums[at][1] += named == label
    assert found == pytest.approx(sum(abs(sure - hits) for sure, hits in sums) / len(labels), abs=1e-12)


@given(classified())
def test_confusion_and_macro_f1_count_each_class(case: tuple[torch.Tensor, torch.Tensor]) -> None:
    shares, labels = case
    classes, named = shares.shape[1], shares.argmax(1).tolist()
    table = metric("confusion")(shares, labels)["confusion"]
    assert sum(map(sum, table)) == len(labels)
    for true, said in zip(labels.tolist(), named, strict=True):
        assert table[true][said] > 0
    scores = []
    for one in range(classes):
        hits = table[one][one]
        counted = sum(table[one]) + sum(row[one] for row in table)
        scores.append(2 * hits / counted if counted else 0.0)
    assert metric("macro_f1")(shares, labels)["macro_f1"] == pytest.approx(sum(scores) / classes)


@given(classified())
def test_top_k_of_one_is_the_accuracy(case: tuple[torch.Tensor, torch.Tensor]) -> None:
    shares, labels = case
    assert metric({"top_k": 1})(shares, labels)["top1"] == pytest.approx(
        float((shares.argmax(1) == labels).double().mean())
    )
    assert metric({"top_k": shares.shape[1]})(shares, labels) == {f"top{shares.shape[1]}": 1.0}


@given(st.integers(1, 20), st.integers(1, 3), st.integers(0, 10**6))
def test_errors_of_numbers_are_those_of_their_distances(items: int, numbers: int, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    said, true = (torch.randn(items, numbers, generator=random) for _ in range(2))
    apart = (said.double() - true).flatten().tolist()
    found = metric("mean_absolute_error")(said, true) | metric("root_mean_square_error")(said, true)
    assert found["mean_absolute_error"] == pytest.approx(sum(map(abs, apart)) / len(apart))
    assert found["root_mean_square_error"] == pytest.approx(math.sqrt(sum(one * one for one in apart) / len(apart)))
    assert metric("r2")(true, true)["r2"] == (1.0 if items > 1 else None)
    mean = true.mean(0, keepdim=True, dtype=torch.double).expand(items, -1)
    assert items == 1 or metric("r2")(mean, true)["r2"] == pytest.approx(0, abs=1e-6)
