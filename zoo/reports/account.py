"""What a run's folder says of the run: how far it is, on what, and its figures. Nothing is loaded or computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from zoo.builder import Builder
from zoo.errors import RunError
from zoo.evaluation.spread import deviation
from zoo.spec.schema import Spec
from zoo.sweeps.comparison import figures_by_seed
from zoo.training.checkpoint_files import newest, step_of
from zoo.training.run import LOCK, Run

FINISHED, RUNNING, STOPPED = "finished", "running", "stopped"
SPLITS = ("validation", "train", "test")


@dataclass(frozen=True)
class Account:
    """A run as its folder tells it. `figures`: by split and name, of each seed; `runs`: of its seeds, or itself."""

    run: Run
    spec: Spec
    state: str
    step: int
    seconds: float
    facts: Mapping[str, Any]
    figures: Mapping[str, Mapping[str, Mapping[int, float]]]
    main: str  # the first figure that the task names with a better direction; "" where there is none
    runs: Mapping[int, Run]

    @classmethod
    def of(cls, run: Run, builder: Builder) -> Account:
        """Return what the folder of `run` tells. Raises RunError or SpecError where it is damaged."""
        spec = run.spec(builder.registry)
        parts = {seed: one for seed, one in run.seeds().items() if one.spec_path.exists()}
        runs = parts or {spec.train.seed: run}
        found, _, _ = figures_by_seed(run, list(runs.values()), builder)
        figures: dict[str, dict[str, dict[int, float]]] = {}
        for name, values in found.items():
            split, _, rest = name.partition("_")
            figures.setdefault(split, {})[rest] = values
        last = {seed: _last(one) for seed, one in runs.items()}
        result = run.result()
        state = FINISHED if result is not None else RUNNING if is_held(run) else STOPPED
        return cls(
            run,
            spec,
            state,
            min((int(one.get("step", 0)) for one in last.values()), default=0),
            float(result["seconds"]) if result else sum(float(one.get("seconds", 0)) for one in last.values()),
            run.facts(),
            {split: figures[split] for split in (*SPLITS, *figures) if split in figures},
            next((name for name, better in builder.bind(spec.task).figures().items() if better), ""),
            runs,
        )

    @property
    def standing(self) -> str:
        """How far it is, in a few words."""
        if self.state == FINISHED:
            return self.state
        return f"{self.state} at step {self.step:,} of {self.spec.train.steps:,}"

    @property
    def headline(self) -> tuple[str, float, float | None] | None:
        """The figure by which a person judges the run, on held-out images before test images: name, mean, deviation."""
        for split in SPLITS:
            values = self.figures.get(split, {}).get(self.main)
            if values:
                return f"{split} {self.main}", mean(values), deviation(list(values.values()))
        return None

    @property
    def validation(self) -> list[tuple[float, float]]:
        """The first figure on the held-out images, by step; over seeds the mean."""
        found: dict[int, dict[int, float]] = {}
        for seed, run in self.runs.items():
            for record in run.metrics():
                value = record.get(f"validation_{self.main}")
                if isinstance(value, (int, float)):
                    found.setdefault(int(record.get("step", 0)), {})[seed] = value
        return [(step, mean(values)) for step, values in sorted(found.items())]

    @property
    def data(self) -> str:
        """The data as the spec writes them, and which they were."""
        fingerprint = str(self.facts.get("data", ""))
        return self.spec.data.written() + (f" ({fingerprint[:8]})" if fingerprint else "")

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "run": str(self.run.folder),
            "name": self.spec.name,
            "hash": self.run.spec_hash,
            "state": self.state,
            "step": self.step,
            "steps": self.spec.train.steps,
            "seconds": self.seconds,
            "started": self.facts.get("started", ""),
            "data": self.facts.get("data", ""),
            "seeds": list(self.runs),
            "figures": {
                split: {
                    name: {"mean": mean(values), "std": deviation(list(values.values())), "n": len(values)}
                    for name, values in figures.items()
                }
                for split, figures in self.figures.items()
            },
            "test_looks": sum(self.run.looks().values()),
        }


def mean(values: Mapping[int, float]) -> float:
    return sum(values.values()) / len(values)


def is_held(run: Run) -> bool:
    """Return whether a process trains in the run just now."""
    path = run.folder / LOCK
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # a folder that is only read
        return False
    lock.release()
    return False


def _last(run: Run) -> dict[str, Any]:
    """Return the last lines of metrics that say how far a run is; where a checkpoint is further, its step."""
    found: dict[str, Any] = {}
    for record in run.metrics():
        found |= {key: record[key] for key in ("step", "seconds") if key in record}
    saved = newest(run.checkpoints)
    return found | {"step": max(int(found.get("step", 0)), step_of(saved) if saved else 0)}


def runs_in(folder: Path) -> Iterator[Path]:
    """Yield the folders of runs in and below `folder`, those of several seeds as one, the newest first.

    Raises RunError where there is no such folder.
    """
    if not folder.is_dir():
        raise RunError(f"{folder}: there is no such folder; wanted one with runs in it, such as runs")
    found: list[tuple[float, Path]] = []
    waiting = [folder]
    while waiting:
        one = waiting.pop()
        if (one / "spec.yaml").is_file() and (one / "run.json").is_file():
            found.append(((one / "run.json").stat().st_mtime, one))
            continue
        waiting += [path for path in one.iterdir() if path.is_dir() and not path.is_symlink() and path.name[0] != "."]
    yield from (path for _, path in sorted(found, key=lambda pair: (-pair[0], str(pair[1]))))
