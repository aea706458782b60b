"""The trackers of a training: each is told what comes out, and one that fails is left alone after a warning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from zoo.builder import Builder
from zoo.isolation import off_stdout
from zoo.spec.compose import content_hash
from zoo.spec.schema import ComponentSpec, Spec
from zoo.training.reporter import Reporter
from zoo.training.run import Run
from zoo.training.watching import Tracked, Tracker


class Trackers:
    """Those that a spec names. Nothing that they do stops a training."""

    def __init__(self, spec: Spec, builder: Builder, reporter: Reporter) -> None:
        self._spec, self._builder, self._reporter = spec, builder, reporter
        self._open: list[tuple[ComponentSpec, Tracker]] = []

    def open(self, run: Run, step: int) -> None:
        """Open all of them for a training that has done `step` steps."""
        if not self._spec.trackers or self._open:  # a training that is rolled back goes on with them
            return
        tracked = _tracked(self._spec, run, step)
        for one in self._spec.trackers:
            made: list[Tracker] = []

            def begin(one: ComponentSpec = one, made: list[Tracker] = made) -> None:
                made.append(self._builder.bind(one))
                made[0].open(tracked)

            if self._done(one, "open", begin):
                self._open.append((one, made[0]))

    def log(self, record: Mapping[str, Any], step: int) -> None:
        """Tell all of them the numbers of a line of metrics."""
        figures = dict(numbers(record))
        if figures:
            self._each("log", lambda tracker: tracker.log(step, figures))

    def picture(self, step: int, name: str, path: Path) -> None:
        """Show all of them a picture."""
        self._each("picture", lambda tracker: tracker.picture(step, name, path))

    def close(self, *, finished: bool) -> None:
        """Close those that are open."""
        self._each("close", lambda tracker: tracker.close(finished=finished))
        self._open = []

    def _each(self, what: str, tell: Callable[[Tracker], object]) -> None:
        self._open = [(one, tracker) for one, tracker in self._open if self._done(one, what, lambda: tell(tracker))]  # noqa: B023

    def _done(self, one: ComponentSpec, what: str, work: Callable[[], object]) -> bool:
        """Whether a tracker did what it was asked; if not, it is told once, since it is then left alone."""
        try:
            # Some greet on stdout, where the results of a command stand.
            with off_stdout():
                work()
        except (Exception, SystemExit) as error:
            text = " ".join(f"{type(error).__name__}: {error}".split())
            self._reporter.message(
                f"warning: the tracker {one.name} ({one.component.target}) failed in {what}: {text}; training goes on "
                "without it"
            )
            return False
        return True


def numbers(record: Mapping[str, Any], above: str = "") -> list[tuple[str, float]]:
    """Return the single numbers of a line of metrics, those of its mappings as `lr/classifier`."""
    found: list[tuple[str, float]] = []
    for name, value in record.items():
        if isinstance(value, Mapping):
            found += numbers(value, f"{above}{name}/")
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and above + name != "step":
            found.append((above + name, float(value)))
    return found


def _tracked(spec: Spec, run: Run, step: int) -> Tracked:
    facts = run.facts()
    identity = content_hash([facts["spec_hash"], facts.get("started", ""), spec.train.seed, str(run.folder.resolve())])
    return Tracked(spec.name, identity[:16], run.folder, spec.to_data(), step, spec.train.steps)
