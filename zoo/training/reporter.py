"""What a training tells whoever watches it. The CLI draws it; without one nothing is shown."""

from __future__ import annotations

from typing import Any


class Reporter:
    """Receives what happens. The base ignores all of it, so that a subclass says only what it shows."""

    def begin(self, *, name: str, first_step: int, steps: int, batch_size: int, engine: str) -> None:
        """Training starts at `first_step` (0, or where it was left off) and ends at `steps`."""

    def step(self, step: int) -> None:
        """`step` steps are done. Called after every step: it must return at once and read nothing from the device."""

    def metrics(self, record: dict[str, Any]) -> None:
        """A line of metrics was written."""

    def message(self, text: str) -> None:
        """Something worth a line happened."""

    def end(self) -> None:
        """Training is over, or was stopped."""


class OneOfSeveral(Reporter):
    """Passes on what one of several trainings tells, under the name that it has among them."""

    def __init__(self, reporter: Reporter, name: str) -> None:
        self._reporter, self._name = reporter, name

    def begin(self, *, name: str, first_step: int, steps: int, batch_size: int, engine: str) -> None:
        name = f"{name}, {self._name}"
        self._reporter.begin(name=name, first_step=first_step, steps=steps, batch_size=batch_size, engine=engine)

    def step(self, step: int) -> None:
        self._reporter.step(step)

    def metrics(self, record: dict[str, Any]) -> None:
        self._reporter.metrics(record)

    def message(self, text: str) -> None:
        self._reporter.message(text)

    def end(self) -> None:
        self._reporter.end()


class Together:
    """Makes one report of trainings that run side by side: the mean of their steps and of their last figures."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter
        self.steps: dict[int, int] = {}
        self.records: dict[int, dict[str, Any]] = {}

    @property
    def step(self) -> int:
        """How far they are, on average."""
        return sum(self.steps.values()) // len(self.steps)

    def watcher(self, seed: int) -> Reporter:
        """Return what the training of `seed` reports to."""
        return _Watcher(self, seed)

    def mean(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return `record` with each single number in the mean over the trainings that last told the same."""
        alike = [one for one in self.records.values() if one.keys() == record.keys()]
        numbers = [name for name in record if all(isinstance(one[name], (int, float)) for one in alike)]
        return {**record, **{name: sum(one[name] for one in alike) / len(alike) for name in numbers}, "step": self.step}


class _Watcher(Reporter):
    """One of the trainings that are reported together."""

    def __init__(self, together: Together, seed: int) -> None:
        self._together, self._seed = together, seed

    def step(self, step: int) -> None:
        self._together.steps[self._seed] = step
        self._together.reporter.step(self._together.step)

    def metrics(self, record: dict[str, Any]) -> None:
        self._together.records[self._seed] = record
        self._together.reporter.metrics(self._together.mean(record))

    def message(self, text: str) -> None:
        self._together.reporter.message(f"seed {self._seed}: {text}")
