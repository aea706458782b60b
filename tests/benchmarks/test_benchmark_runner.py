"""The alternation of processes, and what they are told."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest

from benchmarks import environment
from benchmarks.environment import Usage, disturbances
from benchmarks.runner import Failed, Plan, Variant, groups, race, sit, turns
from benchmarks.worker import Gate

PLAN = Plan(starts=1, rounds=3, warm=2, steps=5, seed=1)


class Told:
    """A contestant that notes what it is told to run, and takes 0.01 s a step."""

    threads = 1

    def __init__(self, name: str, notes: list[tuple[str, int]]) -> None:
        self.name, self.notes, self.closed = name, notes, False

    def run(self, steps: int) -> tuple[float, float]:
        self.notes.append((self.name, steps))
        return 0.01, 3.0

    def close(self) -> None:
        self.closed = True


def test_all_variants_run_in_each_round_in_turn() -> None:
    notes: list[tuple[str, int]] = []
    made: list[Told] = []

    def open_one(name: str) -> Told:
        made.append(Told(name, notes))
        return made[-1]

    found = sit(["a", "b", "c"], open_one, PLAN, start=0)
    assert notes[:3] == [("a", 1), ("b", 1), ("c", 1)]  # the first steps
    rounds = [notes[index : index + 6] for index in range(3, len(notes), 6)]
    assert len(rounds) == 3
    for round in rounds:
        # Unmeasured steps come right before the measured ones of the same variant.
        assert [steps for _, steps in round] == [2, 5] * 3
        names = [name for name, _ in round]
        assert names[::2] == names[1::2]
        assert sorted(names[::2]) == ["a", "b", "c"]
    assert found.milliseconds == {name: [10.0] * 3 for name in "abc"}
    assert found.faults == {name: [3.0] * 3 for name in "abc"}
    assert all(one.closed for one in made)


def test_the_order_is_drawn_for_each_round_and_fixed_by_the_seed() -> None:
    names = list("abcdef")
    drawn = [tuple(turns(names, 0, start, round)) for start in range(3) for round in range(4)]
    assert len(set(drawn)) == len(drawn)
    assert drawn == [tuple(turns(names, 0, start, round)) for start in range(3) for round in range(4)]
    assert drawn != [tuple(turns(names, 1, start, round)) for start in range(3) for round in range(4)]


def test_a_variant_that_does_not_start_is_left_out_with_the_reason() -> None:
    def open_one(name: str) -> Told:
        if name == "b":
            raise Failed("b ended: no compiler")
        return Told(name, [])

    found = sit(["a", "b"], open_one, PLAN, start=0)
    assert found.failed == {"b": "b ended: no compiler"}
    assert list(found.milliseconds) == ["a"]


def test_the_baselines_stand_in_every_group() -> None:
    assert groups(["naive", "a", "b", "c", "d", "e"], ["naive", "gone"], 4) == [
        ["naive", "a", "c", "e"],
        ["naive", "b", "d"],
    ]
    assert groups(["naive", "a"], ["naive"], 7) == [["naive", "a"]]
    assert groups(["naive"], ["naive"], 7) == [["naive"]]


def test_a_gate_answers_when_ready_and_after_as_many_steps_as_asked() -> None:
    answers = io.StringIO()
    gate = Gate(["1\n", "3\n"], answers, "cpu")
    steps = 0
    with pytest.raises(SystemExit):
        gate()  # ready
        while True:
            steps += 1
            gate()
    assert steps == 4
    ready, *measured = [json.loads(line) for line in answers.getvalue().splitlines()]
    assert ready.keys() == {"ready", "threads"}
    assert [one["steps"] for one in measured] == [1, 3]
    assert all(one["seconds"] >= 0 and one["faults"] >= 0 for one in measured)


def test_processes_are_driven_over_pipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    variants = [Variant(name=name, loop=f"benchmark_loops:{name}") for name in ("idle", "broken", "missing")]
    found = race(variants, (), Plan(starts=2, rounds=2, warm=1, steps=3), tmp_path, 3, lambda text: None)
    for sitting in found["sittings"]:
        assert len(sitting["milliseconds"].pop("idle")) == 2
        assert sitting["milliseconds"] == {}
        assert sitting["threads"] == {"idle": 1}
        assert sitting["failed"]["broken"] == "broken ended: ValueError: no compiler was found"
        assert "has no attribute 'missing'" in sitting["failed"]["missing"]


def test_who_else_computed_is_told_by_name() -> None:
    own = os.getpid()
    before = Usage(0.0, {own: ("python", 1, 0.0), 7: ("make", 1, 1.0), 8: ("child", own, 0.0)}, 0.0, 0.0)
    after = Usage(10.0, {own: ("python", 1, 1.0), 7: ("make", 1, 6.0), 8: ("child", own, 9.0)}, 2.0, 22.0)
    assert disturbances(before, after, own) == {"make": 0.5, "unseen": 0.5}
    assert disturbances(None, after, own) == {}


def test_the_machine_is_told_without_its_owner() -> None:
    machine = environment.describe("cpu")
    text = json.dumps(machine) + "".join(environment.sentences(machine))
    assert machine["versions"]["torch"]
    assert str(Path.home()) not in text
    assert str(Path.cwd()) not in text
