"""A run that may be published: finished, whole, and within its budget when it is counted again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from zoo.builder import Builder
from zoo.checking import Report, check
from zoo.data.identity import Identity
from zoo.errors import BudgetError, RunError
from zoo.evaluation.run import measured_spec
from zoo.evaluation.trained import Trained
from zoo.publishing.certificate import sha256_of
from zoo.spec.difference import differences
from zoo.spec.reader import read
from zoo.spec.schema import Spec, hash_of
from zoo.training import checkpoint
from zoo.training.run import Run
from zoo.training.trainee import under

SEED_KEYS = ("seed", "seeds")


@dataclass(frozen=True)
class Finished:
    """What a finished run holds. `written` is its spec as it stands in the folder."""

    run: Run
    written: dict[str, Any]
    spec: Spec
    report: Report
    facts: dict[str, Any]
    data: Identity
    result: dict[str, Any]
    checkpoint: Path
    held: dict[str, Any]  # the checkpoint's own facts
    tensors: dict[str, Tensor]
    evaluation: dict[str, Any]

    @classmethod
    def open(cls, folder: Path, builder: Builder) -> Finished:
        """Open a run and check it again.

        Raises RunError when it is not finished, or its parts do not belong together, and BudgetError when the spec
        breaks a limit.
        """
        run = Run.open(folder)
        facts, result = run.facts(), run.result()
        written = read(run.spec_path).data()
        if (found := hash_of(written)) != facts["spec_hash"]:
            raise RunError(
                f"{run.spec_path}: it was changed after the training began (found the hash {found[:8]}, wanted "
                f"{facts['spec_hash'][:8]}); put the old one back"
            )
        data = run.data
        if data is None:
            raise RunError(f"{run.folder}: nothing says on which data it was trained; this run cannot be published")
        if facts.get("other_data"):
            raise RunError(f"{run.folder}: it went on with other data than it was begun on; train it on one data set")
        spec = run.spec(builder.registry)
        report = check(spec, builder)
        if not report.kept:
            raise BudgetError(report.broken(), report.exit_code)
        last = run.weights()
        held, tensors = checkpoint.read(last)
        chosen = (result or {}).get("chosen", {})
        ended = result["steps"] if result and chosen.get("enough") else spec.train.steps
        wanted = chosen["step"] if chosen.get("keep") == "best" else ended
        if result is None or held["step"] != wanted or result["steps"] != ended:
            raise RunError(
                f"{folder}: it is not finished: its newest checkpoint is of step {held['step']:,} of "
                f"{spec.train.steps:,}; repeat its `zoo train`"
            )
        if held["spec"] != facts["spec_hash"]:
            raise RunError(f"{last}: it was written by another spec than this run's; this run folder is damaged")
        for role, one in report.networks.items():
            if held["updates"].get(role, 0) > one.figures.steps:
                raise RunError(
                    f"{last}: {role} was updated {held['updates'][role]:,} times; its spec counts {one.figures.steps:,}"
                )
        trained = Trained.load(run, builder)
        for role, network in trained.networks.items():
            if not all(bool(one.isfinite().all()) for one in network.state_dict().values()):
                raise RunError(f"{last}: the weights of {role} are not finite; this run cannot be published")
        evaluation = run.evaluation() or {}
        if evaluation and (
            evaluation.get("data") != data.fingerprint
            or evaluation["checkpoint_sha256"] != sha256_of(last)
            or evaluation["spec"] != measured_spec(spec, trained.task)
        ):
            raise RunError(
                f"{folder}: what `zoo evaluate` wrote there is about another checkpoint, other data or a changed spec; "
                f"repeat `zoo evaluate {folder}`, with --set for nothing but metrics"
            )
        return cls(run, written, spec, report, facts, data, result, last, held, tensors, evaluation)

    @property
    def seed(self) -> int:
        return int(self.spec.train.seed)

    def weights(self) -> dict[str, Tensor]:
        """Return what inference needs of each network, the average where there is one, by a checkpoint's names."""
        found = {}
        for role in (name for name, one in self.report.networks.items() if not one.frozen):
            average = under(self.tensors, f"{role}.average.module.")
            for name, tensor in (average or under(self.tensors, f"{role}.network.")).items():
                found[f"{role}.network.{name}"] = tensor.contiguous()
        return found

    def figures(self) -> dict[str, dict[str, float]]:
        """Return every figure that the run knows of the weights that it ended with, by split and name.

        Deviations over drawing seeds are left out: they stand with the measurements.
        """
        evaluated = self.evaluation.get("figures", {})
        drawn = {f"{one['name']}_std" for one in self.evaluation.get("measurements", [])}
        parts = {
            "test": evaluated.get("test", {}) | self.result.get("test", {}),
            "validation": evaluated.get("validation", {}) | self.run.validation(),
            "train": evaluated.get("train", {}),
        }
        numbers = {
            split: {
                name: one
                for name, one in part.items()
                if isinstance(one, float) and math.isfinite(one) and name not in drawn
            }
            for split, part in parts.items()
        }
        return {split: part for split, part in numbers.items() if part}

    def per_class(self) -> list[float | None]:
        """Return the share of each class's test images that is right, where the task says it."""
        test = self.evaluation.get("figures", {}).get("test", {}) | self.result.get("test", {})
        found: list[float | None] = test.get("per_class", [])
        return found


def members(folders: Iterable[Path]) -> Iterator[Path]:
    """Yield the run folders: of a run of several seeds those of its seeds, else the folder itself."""
    for folder in folders:
        yield from [one.folder for one in Run.open(folder).seeds().values()] or [folder]


def require_alike(runs: Sequence[Finished]) -> None:
    """Raise RunError unless the runs are of one spec and one data set, and their seeds differ."""
    first = runs[0]
    for other in runs[1:]:
        changes = list(differences(without_seed(first.written), without_seed(other.written)))
        if changes:
            paths = ", ".join(dict.fromkeys(one.path for one in changes))
            raise RunError(
                f"{other.run.folder}: its spec differs from that of {first.run.folder} in {paths}; wanted runs of one "
                "spec that differ in train.seed alone"
            )
        if other.data.fingerprint != first.data.fingerprint:
            raise RunError(f"{other.run.folder}: it was trained on other data than {first.run.folder}")
    seeds = [one.seed for one in runs]
    for index, seed in enumerate(seeds):
        if seed in seeds[:index]:
            raise RunError(
                f"{runs[index].run.folder}: its seed, {seed}, is that of {runs[seeds.index(seed)].run.folder} too; "
                "wanted one run of each seed"
            )


def without_seed(written: dict[str, Any]) -> dict[str, Any]:
    """Return a spec's data without its seeds."""
    train = {name: value for name, value in written["train"].items() if name not in SEED_KEYS}
    return {**written, "train": train}
