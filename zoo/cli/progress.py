"""What a training shows while it runs: an area that is redrawn on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from zoo.checking import Report
from zoo.cli import units
from zoo.cli.terminal import Area, Terminal
from zoo.training.reporter import Reporter

REDRAW_SECONDS = 0.2
LINE_SECONDS = 5.0
WINDOW_SECONDS = 20.0  # over which the pace is taken


class TrainingDisplay(Reporter):
    """Shows step, figures, pace and the updates used of the budget, on stderr."""

    def __init__(self, terminal: Terminal, report: Report) -> None:
        self._terminal = terminal
        self._updates = {role: one.figures.steps / report.spec.train.steps for role, one in report.networks.items()}
        bounds = [verdict.figure + verdict.spare for verdict in report.verdicts if verdict.limit == "steps"]
        self._bound = min(bounds, default=0)
        self._closing = ExitStack()
        self._area: Area | None = None
        self._pace: Pace | None = None
        self._figures: Mapping[str, Any] = {}
        self._validation = ""
        self._due = 0.0

    def begin(self, *, name: str, first_step: int, steps: int, batch_size: int, engine: str) -> None:
        self._step, self._steps, self._batch_size = first_step, steps, batch_size
        self._pace = Pace(first_step, time.monotonic())
        self._figures, self._validation = {}, ""
        self._due = time.monotonic() + LINE_SECONDS
        self._say(f"training {name} on {engine}: {units.count(steps)} steps of {batch_size} images")
        if self._terminal.is_terminal:
            self._area = self._closing.enter_context(self._terminal.area())
            self._draw(first_step, time.monotonic())

    def step(self, step: int) -> None:
        # Called after every step: a clock and a comparison, unless it is time to draw.
        self._step = step
        now = time.monotonic()
        if self._area is not None and now >= self._due:
            self._draw(step, now)

    def metrics(self, record: dict[str, Any]) -> None:
        now, step = time.monotonic(), int(record["step"])
        validation = {name.removeprefix("validation_"): one for name, one in record.items() if "validation_" in name}
        if validation:
            self._validation = f"validation at step {units.count(step)}: {_shown(validation)}"
            if self._area is None:
                self._terminal.line(self._validation)
            return
        self._figures = record
        if self._area is None and (now >= self._due or step == self._steps):
            self._due = now + LINE_SECONDS
            parts = (_shown(record), self._timing(step, now))
            self._terminal.line(f"{self._place(step)}: {', '.join(part for part in parts if part)}")

    def message(self, text: str) -> None:
        self._say(text)

    def end(self) -> None:
        if self._area is not None:
            self._draw(self._step, time.monotonic())
        self._closing.close()
        self._area = None

    def _say(self, text: str) -> None:
        if self._area is not None:
            self._area.line(text)
        else:
            self._terminal.line(text)

    def _draw(self, step: int, now: float) -> None:
        assert self._area is not None
        self._due = now + REDRAW_SECONDS
        lines = [_shown(self._figures), self._validation, self._used(step)]
        self._area.draw(
            self._place(step), step / self._steps, self._timing(step, now), [line for line in lines if line]
        )

    def _place(self, step: int) -> str:
        return f"step {units.count(step)} of {units.count(self._steps)}"

    def _timing(self, step: int, now: float) -> str:
        assert self._pace is not None
        rate = self._pace.rate(step, now)
        if not rate:
            return ""
        pace = f"{rate * self._batch_size:,.0f} images/s"
        return f"{pace}, {units.duration((self._steps - step) / rate)} left" if step < self._steps else pace

    def _used(self, step: int) -> str:
        used = ", ".join(f"{role} {units.count(round(step * each))}" for role, each in self._updates.items())
        return f"updates used: {used} of {units.count(self._bound)}" if self._bound else f"updates: {used}"


class Pace:
    """Steps a second over the last seconds, so that a slow start is soon forgotten."""

    def __init__(self, step: int, now: float) -> None:
        self._seen: deque[tuple[float, int]] = deque([(now, step)])

    def rate(self, step: int, now: float) -> float:
        """Note that `step` was reached at `now`; return the steps a second, 0 while unknown."""
        if step > self._seen[-1][1]:
            self._seen.append((now, step))
        while len(self._seen) > 2 and now - self._seen[1][0] > WINDOW_SECONDS:
            self._seen.popleft()
        (began, first), (ended, last) = self._seen[0], self._seen[-1]
        return (last - first) / (ended - began) if ended > began else 0.0


def _shown(record: Mapping[str, Any]) -> str:
    """Return the figures of a line of metrics that are single numbers, without its bookkeeping."""
    skipped = ("step", "seconds", "images")
    figures = ((name, one) for name, one in record.items() if isinstance(one, (int, float)) and name not in skipped)
    return ", ".join(f"{name} {one:.4f}" for name, one in figures)


@contextmanager
def counting(terminal: Terminal, noun: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function of done and total that draws a bar on a terminal, and nothing elsewhere."""
    if not terminal.is_terminal:
        yield lambda done, total: None
        return
    due = 0.0
    with terminal.area() as area:

        def show(done: int, total: int) -> None:
            nonlocal due
            now = time.monotonic()
            if now >= due or done >= total:
                due = now + REDRAW_SECONDS
                area.draw(f"{units.count(done)} of {units.count(total)} {noun}", done / max(total, 1), "")

        yield show
