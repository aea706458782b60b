"""Statistics of alternating measurements: ratios inside a round, medians over rounds, then over fresh starts."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

#: One figure of each variant in each round, in which all variants ran in turn.
Rounds = Mapping[str, Sequence[float]]
#: What one fresh start of the processes says of a variant; None where it did not take part.
PerStart = Callable[[Rounds], float | None]


class Spread(NamedTuple):
    """A median, and the least and the most of what it was taken over."""

    median: float
    least: float
    most: float


def spread(values: Iterable[float]) -> Spread:
    """Return the median and the range. Raises ValueError when there are no values."""
    found = sorted(values)
    if not found:
        raise ValueError("a spread of no values")
    return Spread(statistics.median(found), found[0], found[-1])


def quartiles(values: Iterable[float]) -> Spread:
    """Return the median and the quartiles, for many values of which the extremes say little."""
    found = sorted(values)
    if len(found) < 2:
        return spread(found)
    lower, middle, upper = statistics.quantiles(found, n=4, method="inclusive")
    return Spread(middle, lower, upper)


def ratios(rounds: Rounds, variant: str, against: str) -> list[float]:
    """Return how many times as fast as `against` the variant was, round by round; the figures are times."""
    return [other / own for other, own in zip(rounds[against], rounds[variant], strict=True)]


def differences(rounds: Rounds, variant: str, against: str) -> list[float]:
    """Return by how much the variant's figure exceeded that of `against`, round by round."""
    return [own - other for other, own in zip(rounds[against], rounds[variant], strict=True)]


def over_starts(starts: Iterable[Rounds], figure: PerStart) -> Spread | None:
    """Return the spread of a figure over fresh starts; None when no start has it."""
    found = [value for value in map(figure, starts) if value is not None]
    return spread(found) if found else None


def level(variant: str) -> PerStart:
    """Return what takes the median over rounds of the variant's own figure."""

    def of(rounds: Rounds) -> float | None:
        return statistics.median(rounds[variant]) if variant in rounds else None

    return of


def speed(variant: str, against: str) -> PerStart:
    """Return what takes the median over rounds of the ratios inside the rounds."""
    return _compared(ratios, variant, against)


def excess(variant: str, against: str) -> PerStart:
    """Return what takes the median over rounds of the differences inside the rounds."""
    return _compared(differences, variant, against)


def _compared(compare: Callable[[Rounds, str, str], list[float]], variant: str, against: str) -> PerStart:
    def of(rounds: Rounds) -> float | None:
        return statistics.median(compare(rounds, variant, against)) if {variant, against} <= rounds.keys() else None

    return of
