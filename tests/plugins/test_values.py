"""Values that are taken without pydantic are what pydantic makes of them."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ConfigDict, TypeAdapter, ValidationError
from support import builtin_registry

from zoo.annotations import Field, Wanted
from zoo.errors import PluginError
from zoo.options import Options
from zoo.spec.schema import NetworkSpec, Spec, TrainSpec
from zoo.values import UNSURE, taker

OTHERS = [
    float | int,
    list[int | float] | None,
    tuple[float, ...],
    Literal["a", 1, True],
    dict[str, int],
    Any,
    Annotated[list[str], Field(max_length=2)],
    Annotated[str, Field(pattern=r"^\w+$", min_length=2, max_length=4), Wanted("a short word")],
    Annotated[int | None, Field(description="Nothing is asked of it.")],
]


def annotations() -> dict[str, Any]:
    """Return every type of a plain option, of the built-in components and of the sections, by how it is written."""
    targets = [component.load() for component in builtin_registry()]
    found = {str(one): one for one in OTHERS}
    for target in (*targets, Spec, NetworkSpec, TrainSpec):
        try:
            options = Options(target)
        except PluginError:
            continue
        found |= {str(one.annotation): one.annotation for one in options if one.form == "value"}
    return found


ANNOTATIONS = annotations()
NUMBERS = st.integers(-3, 40) | st.integers() | st.floats(-3, 3) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(max_size=5) | st.sampled_from(["a", "b1", "<100", "64 KiB", "cuda:0", "none", "both", "auto\n", "ä"])
SCALARS = NUMBERS | TEXTS | st.booleans() | st.none()
VALUES = SCALARS | st.lists(SCALARS, max_size=4) | st.lists(st.lists(NUMBERS, max_size=2), max_size=2)


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal, and of the same types all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.mark.parametrize("written", sorted(ANNOTATIONS))
@given(value=VALUES)
def test_what_is_taken_is_what_pydantic_takes(written: str, value: Any) -> None:
    annotation = ANNOTATIONS[written]
    taken = taker(annotation)(value)
    if taken is UNSURE:
        return
    config = ConfigDict(strict=True, arbitrary_types_allowed=True, allow_inf_nan=False)
    try:
        wanted = TypeAdapter(annotation, config=config).validate_json(json.dumps(value))
    except ValidationError as error:
        raise AssertionError(f"{value!r} was taken, but pydantic refuses it: {error}") from None
    assert same(taken, wanted)


@pytest.mark.parametrize(
    ("annotation", "value", "taken"),
    [
        (Annotated[int, Field(ge=1, le=8)], 8, 8),
        (Annotated[float, Field(gt=0)], 1, 1.0),
        (Annotated[int, Field(ge=1)] | tuple[int, int] | None, [1, 2], (1, 2)),
        (Annotated[list[int], Field(min_length=1)], [1, 2], [1, 2]),
        (Literal["a", "b"], "b", "b"),
        (Annotated[str, Field(pattern="^[a-z]+$")], "abc", "abc"),
    ],
)
def test_what_specs_are_made_of_is_taken(annotation: Any, value: Any, taken: Any) -> None:
    assert same(taker(annotation)(value), taken)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, True),
        (int, 1.0),
        (float, 2**53 + 1),
        (float, math.inf),
        (Annotated[int, Field(ge=1)], 0),
        (Annotated[str, Field(pattern="^a$")], "a\n"),
        (float | Annotated[float, Field(ge=0)], 1),
        (dict[int, str], {1: "a"}),
    ],
)
def test_a_doubt_is_left_to_pydantic(annotation: Any, value: Any) -> None:
    assert taker(annotation)(value) is UNSURE
