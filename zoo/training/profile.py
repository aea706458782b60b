"""Where a training step's time goes: phases of real steps, and the share of what this machine was measured to reach."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from zoo.builder import Builder
from zoo.checking import check
from zoo.spec.schema import Spec
from zoo.training.devices import laid_out, page_faults, synchronize
from zoo.training.engine import Engine
from zoo.training.loop import Training
from zoo.training.reporter import Reporter
from zoo.training.run import Run

PHASES = ("data", "augment", "forward", "backward", "optimizer", "rest")
WARM_STEPS, STEPS = 5, 30
PROBE_SECONDS = 0.5


@dataclass(frozen=True)
class Profile:
    """Medians over `steps` steps. `phases` in milliseconds a step; what is in none of them is `rest`: the loop itself,
    logging, and the host's gaps. `operations`: floating-point operations of a step, two for a multiply-add;
    `peak`: operations a second of the fastest probe on this device in the step's precision.
    """

    engine: str
    images: int
    steps: int
    step_milliseconds: float
    phases: dict[str, float]
    operations: int
    peak: float
    page_faults: float

    @property
    def share_of_peak(self) -> float:
        return self.operations / (self.step_milliseconds / 1000) / self.peak

    def to_data(self) -> dict[str, Any]:
        """Return the profile as plain data."""
        return {**vars(self), "share_of_peak": self.share_of_peak}


class PhaseClock:
    """Adds up the time in each phase; an inner phase's time is not its outer one's."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = {}
        self._device = device
        self._open: list[str] = []
        self._since = 0.0

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self._turn()
        self._open.append(name)
        try:
            yield
        finally:
            self._turn()
            self._open.pop()

    def _turn(self) -> None:
        """Book the time since the last turn on the phase that was open."""
        synchronize(self._device)
        now = time.perf_counter()
        if self._open:
            self.seconds[self._open[-1]] = self.seconds.get(self._open[-1], 0.0) + now - self._since
        self._since = now


def profile(spec: Spec, builder: Builder, *, steps: int = STEPS) -> Profile:
    """Train `spec` for its first steps in a folder that is thrown away, and return where their time went.

    Half of the steps are timed as a whole and half phase by phase, since on a GPU the phases can only be told apart
    by waiting for each, and not at all in a captured step, which is taken apart for them. Raises what training raises.
    """
    # As many steps as the spec has: the engine is chosen by them.
    least = max(spec.train.steps, WARM_STEPS + 2 * steps + 1)
    train = replace(spec.train, steps=least, checkpoint_every=0, sample_every=0, evaluate_every=0, seeds=1)
    watched = replace(spec, train=train)
    with tempfile.TemporaryDirectory(prefix="zoo-profile-") as folder:
        run = Run.prepare(Path(folder) / "run", watched)
        training = Training(watched, check(watched, builder), builder, run, Reporter())
        plain = {role: one.module for role, one in training.trainees.items()}
        with training.stepper.uncaptured(plain), FlopCounterMode(display=False) as flops:
            training.advance()
        for _ in range(WARM_STEPS):
            training.advance()
        whole, faults = _timed(training, steps)
        clock = PhaseClock(training.engine.device)
        training.stepper.phase = clock
        table = []
        with training.stepper.uncaptured():
            for _ in range(steps):
                clock.seconds = {}
                with clock("rest"):
                    training.advance()
                table.append(clock.seconds)
    milliseconds = {name: 1000 * statistics.median(one.get(name, 0.0) for one in table) for name in PHASES}
    return Profile(
        engine=training.engine.describe(),
        images=train.batch_size,
        steps=steps,
        step_milliseconds=1000 * whole,
        phases=milliseconds,
        operations=flops.get_total_flops(),
        peak=measured_peak(training.engine),
        page_faults=faults,
    )


def measured_peak(engine: Engine) -> float:
    """Return the operations a second of the faster of two probes: a 3x3 convolution of 128 channels, and a product of
    matrices of 2,048 rows, both in the engine's precision.
    """
    device = engine.device
    convolution = engine.place(torch.nn.Conv2d(128, 128, 3, padding=1, bias=False))
    images = laid_out(torch.randn(32, 128, 32, 32, device=device))
    matrix = torch.randn(2048, 2048, device=device)
    probes = (
        (lambda: convolution(images), 2 * 32 * 128 * 128 * 9 * 32 * 32),
        (lambda: matrix @ matrix, 2 * 2048**3),
    )
    best = 0.0
    with torch.no_grad(), engine.flags(), engine.autocast():
        for probe, operations in probes:
            probe()
            synchronize(device)
            times, until = [], time.perf_counter() + PROBE_SECONDS
            while time.perf_counter() < until:
                start = time.perf_counter()
                probe()
                synchronize(device)
                times.append(time.perf_counter() - start)
            best = max(best, operations / statistics.median(times))
    return best


def _timed(training: Training, steps: int) -> tuple[float, float]:
    """Return the median seconds of a step, and the page faults a step."""
    times = []
    before = page_faults()
    for _ in range(steps):
        start = time.perf_counter()
        training.advance()
        synchronize(training.engine.device)
        times.append(time.perf_counter() - start)
    faults = page_faults() - before
    return statistics.median(times), faults / steps
