"""What a challenge file holds: who may take part with what, which figure counts, and what it is compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from zoo.annotations import Field, Section, Wanted
from zoo.spec.schema import DatasetOption, LimitOption, PositiveInt


@dataclass(frozen=True, kw_only=True)
class MetricRule:
    """The figure that counts, by its name in the figures of `zoo evaluate`, and what it is measured on."""

    figure: Annotated[str, Field(min_length=1)]
    title: Annotated[str, Field(description="What people call it; the figure's name unless given.")] = ""
    split: Literal["train", "validation", "test"] = "test"
    better: Literal["higher", "lower"]
    images: Annotated[PositiveInt, Field(description="Images that it is measured on, or that are generated.")]
    reference_images: Annotated[PositiveInt, Field(description="Real images beside generated ones.")] | None = None
    extractor: Annotated[str, Field(description="Whose features are compared; null: it needs none.")] | None = None
    percent: Annotated[bool, Field(description="A share of the images, shown as a percentage.")] = False
    also: Annotated[list[str], Field(description="Figures that bear their extractor's name; each is ranked apart.")] = (
        field(default_factory=list)
    )


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A result of others, to be compared with as far as its remark allows."""

    value: float
    parameters: PositiveInt
    steps: PositiveInt | None = None
    source: Annotated[str, Field(min_length=1)]
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """A whole challenge, resolved: every default filled in, every name looked up."""

    challenge: Annotated[Literal[1], Field(description="Version of the challenge format.")]
    name: Annotated[
        str,
        Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=100),
        Wanted("a name of lower-case letters, digits, '-', '_' and '.'"),
    ]
    title: Annotated[str, Field(min_length=1)]
    summary: str = ""
    source: Annotated[str, Field(description="Where the rules come from.")] = ""
    tasks: Annotated[list[str], Field(min_length=1, description="The tasks that may be trained.")]
    data: DatasetOption
    budget: dict[str, LimitOption]
    units: Annotated[dict[str, str], Field(description="What a limit counts, in words.")] = field(default_factory=dict)
    metric: Annotated[Any, Section(MetricRule)]
    forbidden: Annotated[list[str], Field(description="Components that no spec may name, as kind/name.")] = field(
        default_factory=list
    )
    declarations: Annotated[list[str], Field(description="Rules that a person has to affirm.")] = field(
        default_factory=list
    )
    references: dict[str, Annotated[Any, Section(Reference)]] = field(default_factory=dict)
