"""Figures of several seeds together: their mean and how far they lie apart."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

Figures = Mapping[str, Mapping[str, Any]]  # of one run, by split


def over_seeds(each: Mapping[int, Figures]) -> dict[str, Any]:
    """Return `n`, and `mean` and `std` of every single number by split; `std` is of a sample, over n - 1.

    One value has no deviation: None. A figure that not every seed has, or that is not finite, is in neither.
    """
    runs = list(each.values())
    found: dict[str, Any] = {"n": len(runs), "mean": {}, "std": {}}
    for split in runs[0]:
        values: dict[str, list[Any]] = {name: [one.get(split, {}).get(name) for one in runs] for name in runs[0][split]}
        known = {name: one for name, one in values.items() if all(map(_is_number, one))}
        found["mean"][split] = {name: statistics.fmean(one) for name, one in known.items()}
        found["std"][split] = {name: deviation(one) for name, one in known.items()}
    return found


def deviation(values: Sequence[float]) -> float | None:
    """Return the sample standard deviation; None of a single value, which says nothing of others."""
    return statistics.stdev(values) if len(values) > 1 else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
