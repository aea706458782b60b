"""The alternation: every variant in a process of its own, all alive at once, driven in turn."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from benchmarks.environment import Watch

ROOT = Path(__file__).parent.parent
Tell = Callable[[str], None]


class Failed(Exception):
    """A variant's process ended; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A loop that a process of its own holds. `pictures`: it is a baseline, which is given the images."""

    name: str
    loop: str
    device: str = "cpu"
    spec: str = ""
    overrides: tuple[str, ...] = ()
    pictures: bool = False
    keep_memory: bool = False
    workers: int = 0

    def task(self, folder: Path) -> dict[str, Any]:
        """Return what its process is told."""
        return {**vars(self), "folder": str(folder)}


class Contestant(Protocol):
    """A variant that can be told to run. `run` returns seconds and page faults, both a step."""

    threads: int

    def run(self, steps: int) -> tuple[float, float]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is run. A round is `warm` steps that are not measured and `steps` that are, of each variant in turn."""

    starts: int
    rounds: int
    warm: int
    steps: int
    seed: int = 0


@dataclass
class Sitting:
    """One fresh start of some variants: a figure of each round by variant, and of each variant's first step."""

    start: int
    milliseconds: dict[str, list[float]] = field(default_factory=dict)
    faults: dict[str, list[float]] = field(default_factory=dict)
    first_seconds: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    threads: dict[str, int] = field(default_factory=dict)


class Process:
    """A contestant in a process of its own, which stands still until it is told to run."""

    def __init__(self, variant: Variant, folder: Path) -> None:
        self._name = variant.name
        folder.mkdir(parents=True)
        self._log = folder / "log.txt"
        paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.worker", json.dumps(variant.task(folder))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONPATH": paths},
            )
        try:
            self.threads = int(self._answer()["threads"])
        except Failed:
            self.close()
            raise

    def run(self, steps: int) -> tuple[float, float]:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{steps}\n")
            self._process.stdin.flush()
        answer = self._answer()
        return answer["seconds"] / steps, answer["faults"] / steps

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            said = self._log.read_text(errors="replace").strip().splitlines()
            raise Failed(f"{self._name} ended: {said[-1] if said else 'it said nothing'}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def turns(names: Sequence[str], seed: int, start: int, round: int) -> list[str]:
    """Return the order of a round: drawn anew for each, the same for the same seed."""
    order = list(names)
    random.Random(f"{seed} {start} {round}").shuffle(order)
    return order


def groups(names: Sequence[str], anchors: Sequence[str], alive: int) -> list[list[str]]:
    """Cut variants into as few groups of about one size as keep no more than `alive` processes; the anchors, which
    others are compared with, stand in each.
    """
    first = [name for name in anchors if name in names]
    others = [name for name in names if name not in first]
    count = max(1, -(-len(others) // max(1, alive - len(first))))
    return [[*first, *others[index::count]] for index in range(count)]


def sit(
    names: Sequence[str],
    open_one: Callable[[str], Contestant],
    plan: Plan,
    start: int,
    tell: Tell = lambda text: None,
    watch: Watch | None = None,
) -> Sitting:
    """Start the variants, run all rounds, and end them. What does not come to its first step is left out."""
    sitting = Sitting(start)
    contestants: dict[str, Contestant] = {}
    try:
        for name in names:
            tell(f"start {start + 1}: {name}")
            try:
                contestants[name] = open_one(name)
                sitting.first_seconds[name] = contestants[name].run(1)[0]
                sitting.threads[name] = contestants[name].threads
            except Failed as error:
                sitting.failed[name] = str(error)
                tell(str(error))
                if name in contestants:
                    contestants.pop(name).close()
        if watch is not None:
            watch.skip()
        for round in range(plan.rounds):
            for name in turns(list(contestants), plan.seed, start, round):
                contestants[name].run(plan.warm)
                seconds, faults = contestants[name].run(plan.steps)
                sitting.milliseconds.setdefault(name, []).append(1000 * seconds)
                sitting.faults.setdefault(name, []).append(faults)
            disturbed = watch.look() if watch is not None else {}
            note = "".join(f"; WARNING: {who} took {share:.0%} of a core" for who, share in disturbed.items())
            tell(f"start {start + 1}, round {round + 1} of {plan.rounds}{note}")
    finally:
        for contestant in contestants.values():
            contestant.close()
    return sitting


def race(
    variants: Sequence[Variant], anchors: Sequence[str], plan: Plan, folder: Path, alive: int, tell: Tell
) -> dict[str, Any]:
    """Run the variants against each other in `plan.starts` fresh starts; return everything measured as plain data."""
    by_name = {variant.name: variant for variant in variants}
    watch = Watch()
    sittings = []
    for start in range(plan.starts):
        for part, names in enumerate(groups(list(by_name), anchors, alive)):
            place = folder / f"start-{start}-{part}"

            def open_one(name: str, place: Path = place) -> Process:
                return Process(by_name[name], place / name.replace(" ", "-").replace(",", ""))

            sittings.append(sit(names, open_one, plan, start, tell, watch))
    return {"plan": asdict(plan), "sittings": [asdict(one) for one in sittings], **watch.to_data()}


def failures(result: dict[str, Any]) -> list[str]:
    """Return which variants of a race did not come to their first step, and why."""
    failed = {name: reason for one in result["sittings"] for name, reason in one["failed"].items()}
    return [f"{name}: failed, {reason}" for name, reason in failed.items()]
