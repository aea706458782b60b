"""What Zoo's loop adds to a step (seeding, sampling, counting, logging), on a network of next to nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks import ratios
from benchmarks.environment import lacking, notes
from benchmarks.ratios import Rounds, Spread
from benchmarks.runner import Plan, Tell, Variant, failures, race
from benchmarks.table import NONE, Table, between, middle

PLAIN, STEP, LOOP, BARE, DEFAULT = "plain", "zoo step", "zoo loop", "lightning, bare", "lightning"
LOOPS = {PLAIN: "plain", STEP: "step", LOOP: "loop", BARE: "lightning_bare", DEFAULT: "lightning_default"}
#: What the loop's extra time is taken over.
AGAINST = {STEP: PLAIN, LOOP: STEP, BARE: PLAIN, DEFAULT: PLAIN}
PLAN = Plan(starts=5, rounds=5, warm=200, steps=1000)
SHORT_PLAN = Plan(starts=2, rounds=3, warm=100, steps=500)


def measure(plan: Plan, tell: Tell) -> dict[str, Any]:
    """Return what each loop takes, as plain data."""
    missing = lacking("lightning")
    absent = [BARE, DEFAULT] if missing else []
    variants = [
        Variant(name=name, loop=f"benchmarks.tiny:{function}", keep_memory=True)
        for name, function in LOOPS.items()
        if name not in absent
    ]
    with tempfile.TemporaryDirectory(prefix="zoo-benchmark-") as folder:
        found = race(variants, (), plan, Path(folder), len(variants), tell)
    return {"reasons": dict.fromkeys(absent, missing), **found}


def microseconds(result: dict[str, Any], name: str) -> Spread | None:
    """Return the time of a loop's step."""
    return ratios.over_starts(_rounds(result), ratios.level(name))


def extra(result: dict[str, Any], name: str, against: str) -> Spread | None:
    """Return by how many microseconds a step of one loop exceeds one of another, inside the rounds."""
    return ratios.over_starts(_rounds(result), ratios.excess(name, against))


def table(result: dict[str, Any]) -> Table:
    """Return the figures of all loops."""
    rows = []
    for name in LOOPS:
        more = extra(result, name, AGAINST[name]) if name in AGAINST else None
        rows.append([name, middle(microseconds(result, name), 0), middle(more, 0), between(more, 0)])
        rows[-1].append(AGAINST.get(name, NONE))
    plan = result["plan"]
    found = [
        f"flatten and linear; {plan['starts']} fresh starts of {plan['rounds']} rounds of {plan['steps']} steps after "
        f"{plan['warm']} unmeasured ones"
    ]
    found += [f"{name}: not run, {reason}" for name, reason in result["reasons"].items()]
    columns = ["loop", "µs a step", "extra, µs", "range", "over"]
    return Table("Loop overhead, cpu", columns, rows, [*found, *failures(result), *notes(result)])


def _rounds(result: dict[str, Any]) -> list[Rounds]:
    return [
        {name: [1000 * value for value in values] for name, values in one["milliseconds"].items()}
        for one in result["sittings"]
    ]
