"""Training speed: Zoo's own loop against the baselines, ratios inside the rounds of one run."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import data, ratios
from benchmarks.environment import notes
from benchmarks.ratios import Rounds, Spread
from benchmarks.runner import Plan, Tell, failures, race
from benchmarks.table import NONE, Table, between, middle, number
from benchmarks.variants import assemble

MODELS = ("classifier", "dcgan")
BASELINE, LIGHTNING, LOADING = "naive", "lightning", "lightning, 8 workers"
ANCHORS = (BASELINE, LIGHTNING, LOADING)
#: A step takes some 100 ms on a CPU and 1 ms on a GPU.
PLANS = {
    "cpu": Plan(starts=5, rounds=3, warm=5, steps=12),
    "cuda": Plan(starts=5, rounds=3, warm=30, steps=200),
}
SHORT_PLANS = {
    "cpu": Plan(starts=2, rounds=2, warm=3, steps=8),
    "cuda": Plan(starts=2, rounds=2, warm=20, steps=100),
}
#: What a short run leaves out takes minutes to compile, or is told by the others.
SHORT_VARIANTS = (LIGHTNING, "zoo eager fp32", "zoo eager bf16", "zoo graph tf32", "zoo graph bf16", "zoo auto")
ALIVE = 7  # processes at once, of about 1.5 GiB each
TITLES = {
    "classifier": "Classifier (99,364 parameters), batches of 64",
    "dcgan": "DCGAN (884,992 + 44,480 parameters), batches of 64",
}


def measure(
    model: str, device: str, plan: Plan, tell: Tell, only: Sequence[str] = (), alive: int = ALIVE
) -> dict[str, Any]:
    """Return what the variants of a model were measured at, as plain data."""
    there = assemble(model, device, only)
    with tempfile.TemporaryDirectory(prefix="zoo-benchmark-") as folder:
        # A cache of its own: the first start compiles from nothing, the others find what it compiled.
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(Path(folder) / "inductor")
        found = race(there.variants, ANCHORS, plan, Path(folder), alive, tell)
    return {
        "model": model,
        "device": device,
        "data": data.describe(),
        "names": there.names,
        "reasons": there.reasons,
        "same_as": there.same_as,
        **found,
    }


def plan_for(device: str, *, short: bool, **changes: int | None) -> Plan:
    """Return the device's plan, changed where a change is given."""
    plan = (SHORT_PLANS if short else PLANS)["cpu" if device == "cpu" else "cuda"]
    return replace(plan, **{name: value for name, value in changes.items() if value is not None})


def speed(result: dict[str, Any], variant: str, against: str = BASELINE) -> Spread | None:
    """Return how many times as fast a variant was, over the starts; None where it or the other was not run."""
    return ratios.over_starts(_rounds(result, "milliseconds"), ratios.speed(_ran(result, variant), against))


def milliseconds(result: dict[str, Any], variant: str) -> Spread | None:
    """Return the time of a variant's step over the starts."""
    return ratios.over_starts(_rounds(result, "milliseconds"), ratios.level(_ran(result, variant)))


def faults(result: dict[str, Any], variant: str) -> Spread | None:
    """Return the page faults of a variant's step over the starts."""
    return ratios.over_starts(_rounds(result, "faults"), ratios.level(_ran(result, variant)))


def first_seconds(result: dict[str, Any], variant: str, chosen: Callable[[int], bool]) -> float | None:
    """Return the seconds of a variant's first step, compilation included, as a median over the chosen starts."""
    name = _ran(result, variant)
    found = [
        one["first_seconds"][name]
        for one in result["sittings"]
        if chosen(one["start"]) and name in one["first_seconds"]
    ]
    return statistics.median(found) if found else None


def table(result: dict[str, Any]) -> Table:
    """Return the figures of one model."""
    against = [one for one in (LIGHTNING, LOADING) if speed(result, one) is not None]
    columns = ["", "ms a step", "range", "steps/s", f"× {BASELINE}", "range", *(f"× {one}" for one in against)]
    columns += ["page faults a step", "first step, s", "cached, s"]
    rows = [_row(result, name, against) for name in result["names"]]
    return Table(f"{TITLES[result['model']]}, {result['device']}", columns, rows, _notes(result))


def _row(result: dict[str, Any], name: str, against: Sequence[str]) -> list[str]:
    time = milliseconds(result, name)
    if time is None:
        return [name, "not run", *[NONE] * (7 + len(against))]
    ratio = speed(result, name)
    return [
        name,
        middle(time),
        between(time),
        number(1000 / time.median),
        middle(ratio, 2),
        between(ratio, 2),
        *(middle(speed(result, name, one), 2) for one in against),
        middle(faults(result, name), 0),
        number(first_seconds(result, name, lambda start: start == 0)),
        number(first_seconds(result, name, lambda start: start > 0)),
    ]


def _notes(result: dict[str, Any]) -> list[str]:
    plan = result["plan"]
    threads = sorted({number for one in result["sittings"] for number in one["threads"].values()})
    found = [
        f"{result['data']}; {plan['starts']} fresh starts of {plan['rounds']} rounds of {plan['steps']} steps after "
        f"{plan['warm']} unmeasured ones; threads: {' or '.join(map(str, threads))}"
    ]
    found += [f"{name}: not run, {reason}" for name, reason in result["reasons"].items()]
    found += [f"{name}: chose the same as {other}" for name, other in result["same_as"].items()]
    return [*found, *failures(result), *notes(result)]


def _ran(result: dict[str, Any], variant: str) -> str:
    return str(result["same_as"].get(variant, variant))


def _rounds(result: dict[str, Any], figure: str) -> list[Rounds]:
    return [one[figure] for one in result["sittings"]]
