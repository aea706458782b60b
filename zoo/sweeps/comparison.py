"""Runs, entries and studies side by side: what differs, figures over seeds, what they cost, which are best."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.builder import Builder
from zoo.checking import check
from zoo.errors import RunError, closest, listing
from zoo.evaluation.metric import figures_of
from zoo.evaluation.spread import deviation
from zoo.publishing.shelf import Entry, find
from zoo.spec.difference import MISSING, differences
from zoo.spec.schema import Spec
from zoo.spec.writer import write_line
from zoo.sweeps.pareto import front
from zoo.training.run import VALIDATION, Run

COSTS = ("parameters", "macs")
SPLITS = ("validation", "test", "train")
STUDY = "sweep.json"
CONFIRMED = "confirmed"
SEEDS = ("seed", "seeds", "test_at_end", "device")  # of train: what differs in these alone is one row


@dataclass
class Row:
    """Trainings that differ in nothing but the seed."""

    label: str
    group: str
    spec: Spec
    figures: dict[str, dict[int, float]]  # by name, by seed
    costs: dict[str, int]
    seconds: list[float]
    looks: int
    finished: bool
    changes: dict[str, Any] = field(default_factory=dict)  # from the other rows, by key
    pareto: bool = False

    @property
    def seeds(self) -> int:
        return len({seed for values in self.figures.values() for seed in values}) or 1

    def mean(self, figure: str) -> float | None:
        values = self.figures.get(figure)
        return statistics.fmean(values.values()) if values else None

    def std(self, figure: str) -> float | None:
        values = self.figures.get(figure)
        return deviation(list(values.values())) if values else None

    def paired(self, other: Row, figure: str) -> tuple[float, float | None, int] | None:
        """Return mean and deviation of the difference from another row over the seeds that both have, and how many."""
        mine, theirs = self.figures.get(figure, {}), other.figures.get(figure, {})
        both = [mine[seed] - theirs[seed] for seed in mine if seed in theirs]
        return (statistics.fmean(both), deviation(both), len(both)) if both and other is not self else None


@dataclass
class Comparison:
    """The rows, the figures that every table shows, and those by which the Pareto marks were set."""

    rows: list[Row]
    shown: list[str]
    directions: dict[str, str]

    @property
    def by(self) -> str:
        """The figure that is set against the costs: the first that every row has; "" where there is none."""
        return next(iter(self.directions), "")

    @property
    def keys(self) -> list[str]:
        """The keys of the spec in which the rows differ."""
        return list(dict.fromkeys(key for row in self.rows for key in row.changes))

    def to_data(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "figures": self.shown,
            "pareto": self.directions,
            "rows": [
                {
                    "run": row.label,
                    "name": row.spec.name,
                    "finished": row.finished,
                    "differs": row.changes,
                    "seeds": row.seeds,
                    "figures": {
                        name: {
                            "mean": row.mean(name),
                            "std": row.std(name),
                            "n": len(values),
                            "values": {str(seed): value for seed, value in values.items()},
                        }
                        for name, values in row.figures.items()
                    },
                    "paired": {
                        name: dict(zip(("mean", "std", "n"), found, strict=True))
                        for name in self.shown
                        if (found := row.paired(self.rows[0], name)) is not None
                    },
                    **row.costs,
                    "seconds": row.seconds,
                    "test_looks": row.looks,
                    "pareto": row.pareto,
                }
                for row in self.rows
            ],
        }


def compare(
    sources: Sequence[str | Path], builder: Builder, folders: Sequence[Path] = (), *, figures: Sequence[str] = ()
) -> Comparison:
    """Return what `sources` have in common and in what they differ: runs, entries, and folders of studies.

    figures: those to be shown, such as validation_top1; unless given, the first that the task names, on each split.
    Raises RunError when there is no such run, or none has a figure.
    """
    rows: dict[str, Row] = {}
    for source in sources:
        for group, one in _found(source, builder, folders):
            _add(rows, group, one, builder)
    found = list(rows.values())
    if not found:
        raise RunError("there is nothing to compare: no trial of the study has begun")
    _tell_apart(found)
    known = list(dict.fromkeys(name for row in found for name in row.figures))
    for name in figures:
        if name not in known:
            hint = closest(name, known) or f"there are: {listing(known, 30)}"
            raise RunError(f"no run has the figure {name!r}; {hint}")
    directions = {
        f"{split}_{name}": direction
        for row in found
        for name, direction in _task_figures(row.spec, builder).items()
        for split in SPLITS
    }
    shown = list(figures) or _main_figures(known, found, builder)
    judging = [one for one in shown if directions.get(one)]
    by = next((one for one in judging if all(one in row.figures for row in found)), judging[0] if judging else "")
    axes = {by: directions[by], **dict.fromkeys(COSTS, "minimize")} if by else {}
    for confirmed in (True, False):
        _mark([row for row in found if (row.group == CONFIRMED) == confirmed], axes, by)
    return Comparison(found, shown, axes)


def _found(source: str | Path, builder: Builder, folders: Sequence[Path]) -> Iterator[tuple[str, Run | Entry]]:
    """Yield what a source stands for, itself or the runs of a study, each with the group in which seeds are counted
    together: a trial was chosen by its figures, so that those of the seeds that confirm it stand apart.
    """
    folder = Path(source)
    if (folder / "study.db").exists() or (folder / STUDY).exists():
        for spec in sorted([*folder.glob("trial-*/spec.yaml"), *folder.glob("confirmed/*/spec.yaml")]):
            yield CONFIRMED if spec.parent.parent.name == CONFIRMED else "", Run.open(spec.parent)
        return
    found = find(source, builder.registry, folders)
    yield f"entry {found.label}" if isinstance(found, Entry) else "", found


def _add(rows: dict[str, Row], group: str, source: Run | Entry, builder: Builder) -> None:
    """Put a training into the row of those that differ from it in the seed alone."""
    spec = source.spec(builder.registry)
    key = f"{group} {json.dumps(_without_seeds(spec), sort_keys=True)}"
    parts: list[Run | Entry] = [*source.seeds().values()] or [source]
    own = [one for one in parts if isinstance(one, Entry) or one.spec_path.exists()]
    figures, seconds, finished = figures_by_seed(source, own, builder)
    if key not in rows:
        total = check(spec, builder, _info(source)).total
        costs = {name: getattr(total, name) for name in COSTS}
        rows[key] = Row(source.label, group, spec, {}, costs, [], 0, True)
    row = rows[key]
    for name, values in figures.items():
        row.figures.setdefault(name, {}).update(values)
    row.seconds += seconds
    row.looks += sum(source.looks().values())
    row.finished &= finished


def _info(source: Run | Entry) -> Any:
    data = source.data
    return data.info if data is not None else None


def _without_seeds(spec: Spec) -> dict[str, Any]:
    data = spec.to_data()
    train = {key: value for key, value in data["train"].items() if key not in SEEDS}
    return {key: value for key, value in {**data, "train": train}.items() if key not in ("name", "summary")}


def figures_by_seed(
    source: Run | Entry, parts: Iterable[Run | Entry], builder: Builder
) -> tuple[dict[str, dict[int, float]], list[float], bool]:
    """Return the figures by name and seed, the seconds of each training, and whether all are finished."""
    found: dict[str, dict[int, float]] = {}
    if isinstance(source, Entry):
        certificate = source.certificate
        for split, figures in certificate.figures.items():
            for name, one in figures.items():
                found[f"{split}_{name}"] = {int(seed): value for seed, value in one.values.items()}
        return found, list(certificate.seconds.values()), True
    seconds, finished = [], True
    for run in parts:
        assert isinstance(run, Run)
        seed = run.spec(builder.registry).train.seed
        for name, value in _measured(run).items():
            found.setdefault(name, {})[seed] = value
        result = run.result()
        finished &= result is not None
        seconds += [result["seconds"]] if result else []
    return found, seconds, finished


def _measured(run: Run) -> dict[str, float]:
    """Return all single figures of a run: its last validation, its result, and what was measured of it since."""
    found: dict[str, Any] = {f"{VALIDATION}{name}": value for name, value in run.validation().items()}
    for split, figures in {
        "test": (run.result() or {}).get("test", {}),
        **(run.evaluation() or {}).get("figures", {}),
    }.items():
        found |= {f"{split}_{name}": value for name, value in figures.items()}
    return {
        name: float(value)
        for name, value in found.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and not name.endswith("_images")
    }


def _tell_apart(rows: Sequence[Row]) -> None:
    """Note of each row the values of those keys in which the rows differ."""
    data = [_without_seeds(row.spec) for row in rows]
    paths: dict[str, None] = {}
    for other in data[1:]:
        paths |= dict.fromkeys(change.path for change in differences(data[0], other))
    for row, one in zip(rows, data, strict=True):
        for path in paths:
            value = _at(one, path.split("."))
            row.changes[path] = None if value is MISSING else value


def _at(data: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        if isinstance(data, Mapping) and key in data:
            data = data[key]
        elif isinstance(data, list) and key.isdigit() and int(key) < len(data):
            data = data[int(key)]
        else:
            return MISSING
    return data


def value_text(value: Any) -> str:
    """Return a value in which specs differ as people read it."""
    if isinstance(value, dict) and len(value) == 1 and value[name := next(iter(value))] == {}:
        value = name  # a component without options
    text = f"{value:.4g}" if isinstance(value, float) else "" if value is None else write_line(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _task_figures(spec: Spec, builder: Builder) -> dict[str, str]:
    return figures_of(spec, builder)


def _main_figures(known: Sequence[str], rows: Sequence[Row], builder: Builder) -> list[str]:
    """Return the first figure that the tasks name, on every split on which somebody has it."""
    named = dict.fromkeys(name for row in rows for name in list(_task_figures(row.spec, builder))[:1])
    found = [f"{split}_{name}" for split in SPLITS[:2] for name in named if f"{split}_{name}" in known]
    return found or [f"{SPLITS[2]}_{name}" for name in named if f"{SPLITS[2]}_{name}" in known]


def _mark(rows: Sequence[Row], directions: Mapping[str, str], by: str) -> None:
    """Mark the rows that no other beats in accuracy and in costs."""
    rated = [row for row in rows if by and row.mean(by) is not None]
    points = [[row.mean(by) or 0.0, *(row.costs[name] for name in COSTS)] for row in rated]
    for row, mark in zip(rated, front(points, list(directions.values())), strict=True):
        row.pareto = mark
