"""Schedules: the factor on the learning rate as a pure function of the step, counted from 0.

Where torch has the schedule, the factors are those of its class in torch.optim.lr_scheduler, stepped once a step.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Annotated, Any, Literal

from zoo.api import Field, Finding, ScheduleOption, Setting, requires

Schedule = Callable[[int], float]
Share = Annotated[float, Field(ge=0, le=1)]
Steps = Annotated[int, Field(ge=1, le=10**12)]


def _late(option: str) -> Callable[..., Iterator[Finding]]:
    """Return what says that steps named by `option` come too late to be seen."""

    def check(setting: Setting, **options: Any) -> Iterator[Finding]:
        value = options[option]
        late = [one for one in (value if isinstance(value, list) else [value]) if one >= setting.steps]
        if late:
            found = f"found {late[0]:,}, which comes after the last of {setting.steps:,} steps"
            yield Finding(found, f"less than {setting.steps:,}", option, warning=True)

    return check


def constant(steps: int, /) -> Schedule:
    """Return 1 throughout."""
    return lambda step: 1.0


@requires(_late("every"))
def step(
    steps: int,
    /,
    *,
    every: Annotated[Steps, Field(description="Steps between two reductions.")],
    factor: Annotated[float, Field(gt=0, le=1)] = 0.1,
) -> Schedule:
    """Return a factor that is multiplied by `factor` every so many steps; StepLR."""
    return lambda step: factor ** (step // every)


@requires(_late("milestones"))
def multi_step(
    steps: int,
    /,
    *,
    milestones: Annotated[list[Steps], Field(min_length=1, description="Steps of the reductions.")],
    factor: Annotated[float, Field(gt=0, le=1)] = 0.1,
) -> Schedule:
    """Return a factor that is multiplied by `factor` at each milestone; MultiStepLR."""
    ordered = sorted(milestones)
    return lambda step: factor ** bisect_right(ordered, step)


def exponential(steps: int, /, *, factor: Annotated[float, Field(gt=0, le=1)]) -> Schedule:
    """Return a factor that is multiplied by `factor` every step; ExponentialLR."""
    return lambda step: factor**step


def linear(steps: int, /, *, floor: Share = 0.0) -> Schedule:
    """Return a factor that falls in a line from 1 to `floor` at the end."""
    return lambda step: 1 + (floor - 1) * min(step / steps, 1)


def polynomial(steps: int, /, *, power: Annotated[float, Field(gt=0)] = 1.0) -> Schedule:
    """Return (1 - step / steps) to a power; PolynomialLR."""
    return lambda step: (1 - min(step, steps) / steps) ** power


def cosine(steps: int, /, *, floor: Share = 0.0) -> Schedule:
    """Return half a cosine from 1 to `floor` at the end; CosineAnnealingLR.

    Source: Loshchilov and Hutter 2016, arXiv:1608.03983.
    """
    return lambda step: floor + (1 - floor) * (1 + math.cos(math.pi * min(step / steps, 1))) / 2


def _restarts(setting: Setting, *, period: int, **_: Any) -> Iterator[Finding]:
    if period > setting.steps:
        found = f"found {period:,}, which does not end in {setting.steps:,} steps"
        yield Finding(found, f"at most {setting.steps:,}", "period", warning=True)


@requires(_restarts)
def cosine_restarts(steps: int, /, *, period: Steps, floor: Share = 0.0) -> Schedule:
    """Return cosines of `period` steps, one after another; CosineAnnealingWarmRestarts.

    Source: Loshchilov and Hutter 2016, arXiv:1608.03983.
    """
    return lambda step: floor + (1 - floor) * (1 + math.cos(math.pi * (step % period) / period)) / 2


def one_cycle(
    steps: int,
    /,
    *,
    rise: Annotated[float, Field(ge=0, le=1, description="Share of the steps up to the full rate.")] = 0.3,
    anneal: Annotated[Literal["cosine", "linear"], Field(description="How it rises and falls.")] = "cosine",
    div_factor: Annotated[float, Field(ge=1, description="How many times smaller it begins.")] = 25.0,
    final_div_factor: Annotated[
        float, Field(gt=0, description="How many times smaller than at the beginning it ends.")
    ] = 1e4,
) -> Schedule:
    """Return a rise to 1, then a fall to almost nothing at the last step; OneCycleLR, its momentum left alone.

    Source: Smith and Topin 2017, arXiv:1708.07120.
    """
    first = 1 / div_factor
    peak, last = rise * steps - 1, steps - 1

    def factor(step: int) -> float:
        step = min(step, last)
        if step <= peak:
            start, end, share = first, 1.0, step / peak if peak else 1.0
        else:
            start, end, share = 1.0, first / final_div_factor, (step - peak) / (last - peak)
        if anneal == "cosine":
            share = (1 - math.cos(math.pi * share)) / 2
        return start + (end - start) * share

    return factor


def _warmup(setting: Setting, *, over: int, **_: Any) -> Iterator[Finding]:
    if over > setting.steps:
        found = f"found {over:,}, more than the {setting.steps:,} steps, so that the full rate is never reached"
        yield Finding(found, f"less than {setting.steps:,}", "over", warning=True)


def _after(option: str, setting: Setting, *, over: int, **_: Any) -> Setting:
    return replace(setting, steps=max(setting.steps - over, 1))


@requires(_warmup, inside=_after)
def warmup(
    steps: int,
    /,
    *,
    over: Annotated[Steps, Field(description="Steps in which the factor rises in a line to its full size.")],
    then: ScheduleOption = "constant",
) -> Schedule:
    """Return a rise from 1/over to 1, then another schedule over the steps that are left."""
    after: Schedule = then(max(steps - over, 1))
    return lambda step: (step + 1) / over if step < over else after(step - over)
