"""What the section `sweep` of a spec says: by which figures, how often and how its free values are tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from zoo.annotations import Field, Wanted

Direction: TypeAlias = Literal["maximize", "minimize"]


@dataclass(frozen=True, kw_only=True)
class Confirm:
    """Which of the trials are trained again, from new seeds, and measured on the test images."""

    top: Annotated[int, Field(ge=1, le=1000)] = 3
    seeds: Annotated[int, Field(ge=1, le=1000)] = 5

    __pydantic_config__ = {"extra": "forbid", "strict": True}


@dataclass(frozen=True, kw_only=True)
class SweepSpec:
    """A study: many trainings of one spec whose free values differ."""

    figures: Annotated[
        dict[str, Direction],
        Field(min_length=1),
        Wanted("figures with their direction, such as {validation_top1: maximize, parameters: minimize}"),
        Field(
            description="What trials are judged by: validation_... of the task, or a figure that `zoo check` counts."
        ),
    ]
    trials: Annotated[int, Field(ge=1, le=10**6, description="Trainings; refused points do not count.")] = 40
    sampler: Annotated[Literal["tpe", "random", "grid", "nsga2"], Field(description="Who chooses the next point.")] = (
        "tpe"
    )
    pruner: Annotated[
        Literal["none", "median", "hyperband"],
        Field(description="Who ends a training early, by its validations; of one figure only."),
    ] = "none"
    seed: Annotated[int, Field(ge=0, lt=2**32, description="Of the sampler; trainings have train.seed.")] = 0
    refusals: Annotated[
        int, Field(ge=1, le=10**6, description="Points refused one after another, after which the search ends.")
    ] = 1000
    retries: Annotated[
        int, Field(ge=0, le=100, description="How often a trial is taken up again whose process was killed.")
    ] = 3
    confirm: Annotated[
        Confirm | None,
        Wanted("{top: 3, seeds: 5} or null"),
        Field(description="Trials that are trained again from new seeds and measured on the test images; null: none."),
    ] = None
