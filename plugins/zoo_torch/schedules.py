"""Schedules: the factor on the learning rate as a pure function of the step, counted from 0.

Where torch has the schedule, the factors are those of its class in torch.optim.lr_scheduler, stepped once a step.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from typing import Annotated

from zoo.api import Field, ScheduleOption

Schedule = Callable[[int], float]
Share = Annotated[float, Field(ge=0, le=1)]
Steps = Annotated[int, Field(ge=1, le=10**12)]


def constant(steps: int, /) -> Schedule:
    """Return 1 throughout."""
    return lambda step: 1.0


def step(
    steps: int,
    /,
    *,
    every: Annotated[Steps, Field(description="Steps between two reductions.")],
    factor: Annotated[float, Field(gt=0, le=1)] = 0.1,
) -> Schedule:
    """Return a factor that is multiplied by `factor` every so many steps; StepLR."""
    return lambda step: factor ** (step // every)


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


def cosine_restarts(steps: int, /, *, period: Steps, floor: Share = 0.0) -> Schedule:
    """Return cosines of `period` steps, one after another; CosineAnnealingWarmRestarts.

    Source: Loshchilov and Hutter 2016, arXiv:1608.03983.
    """
    return lambda step: floor + (1 - floor) * (1 + math.cos(math.pi * (step % period) / period)) / 2


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
