"""Which of several are best where several figures count."""

from __future__ import annotations

from collections.abc import Sequence


def front(points: Sequence[Sequence[float]], directions: Sequence[str]) -> list[bool]:
    """Return of each point whether no other is at least as good in every figure and better in one.

    directions: "maximize" or "minimize" of each figure.
    """
    signs = [-1.0 if one == "maximize" else 1.0 for one in directions]
    costs = [[sign * value for sign, value in zip(signs, point, strict=True)] for point in points]
    return [not any(_dominates(other, one) for other in costs) for one in costs]


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return list(one) != list(other) and all(mine <= theirs for mine, theirs in zip(one, other, strict=True))
