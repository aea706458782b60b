"""The shapes of the JSON files in a run's folder, which people open and sometimes change."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NotRequired

from typing_extensions import TypedDict

from zoo.errors import RunError


class Dataset(TypedDict):
    """What `Identity.to_data` gives."""

    fingerprint: str
    class_names: list[str]
    info: dict[str, int | str | list[float] | list[str]]
    parts: dict[str, str]


class Facts(TypedDict):
    """run.json."""

    spec_hash: str
    versions: dict[str, str]
    python: str
    command: list[str]
    git: NotRequired[dict[str, Any] | None]
    machine: NotRequired[dict[str, Any] | None]
    engine: NotRequired[str]
    seeds: NotRequired[list[int]]
    data: NotRequired[str]
    dataset: NotRequired[Dataset]
    other_data: NotRequired[list[str]]
    frozen: NotRequired[dict[str, dict[str, str]]]
    began_from: NotRequired[dict[str, dict[str, Any]]]
    left_out: NotRequired[list[int]]
    rollbacks: NotRequired[int]


class Chosen(TypedDict):
    """What the validations of a run decided."""

    keep: str
    figure: str
    value: float | None
    step: int
    validations: int
    enough: bool


class Result(TypedDict):
    """result.json; of several seeds with the result of each."""

    steps: int
    seconds: float
    engine: str
    updates: NotRequired[dict[str, int]]
    images: NotRequired[int]
    chosen: NotRequired[Chosen]
    test: NotRequired[dict[str, Any]]
    n: NotRequired[int]
    mean: NotRequired[dict[str, dict[str, float]]]
    std: NotRequired[dict[str, dict[str, float | None]]]
    seeds: NotRequired[dict[str, dict[str, Any]]]


class Measured(TypedDict):
    """One of the measurements in evaluation.json."""

    name: str
    values: list[float | None]
    mean: float | None


class Evaluation(TypedDict):
    """evaluation.json."""

    spec: dict[str, Any]
    checkpoint: str
    checkpoint_sha256: str
    data: NotRequired[str]
    figures: dict[str, dict[str, Any]]
    measurements: list[Measured]


class Line(TypedDict):
    """A line of metrics.jsonl."""

    step: NotRequired[int]


class Checkpoint(TypedDict):
    """The facts in the header of a checkpoint."""

    step: int
    spec: str
    updates: dict[str, int]
    seconds: NotRequired[float]


def require(data: Any, shape: Any, where: Path | str) -> None:
    """Raise RunError, naming file, key and what was found, unless `data` has this shape; further keys may stand there.

    shape: one of the classes here, or any type that describes plain data.
    """
    from pydantic import ValidationError

    try:
        _adapter(shape).validate_python(data, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        found = "nothing" if first["type"] == "missing" else _shown(first["input"])
        wanted = first["msg"].removeprefix("Input should be ").removesuffix("Field required")
        raise RunError(
            f"{where}: {place + ': ' if place else ''}found {found}{wanted and f'; wanted {wanted}'}; it was changed "
            "by hand or is damaged; put the old one back"
        ) from error


@lru_cache
def _adapter(shape: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(shape)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
