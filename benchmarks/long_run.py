"""A long training of a tiny network: whether memory, files and what is shown stay as they are, and figures hold when
the clock jumps.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

STEPS, SHORT_STEPS = 100_000, 5_000
LOOKS = 20  # at the memory, after the first
GROWTH = 2 * 2**20  # bytes that an allocator may take besides
JUMP_SECONDS = 1e6


@dataclass(frozen=True)
class LongRun:
    """What was seen: resident bytes at equal distances, and what lies in the run folder at the end."""

    steps: int
    seconds: float
    stated_seconds: float
    resident: list[int]
    metrics_bytes: int
    lines: int
    checkpoints: int
    shown: int

    @property
    def growth(self) -> int:
        """Bytes by which the second half of the run grew: the mean of its last quarter less that of the one before."""
        quarter = max(len(self.resident) // 4, 1)
        last, before = self.resident[-quarter:], self.resident[-2 * quarter : -quarter]
        return round(sum(last) / len(last) - sum(before) / len(before))

    @property
    def flat(self) -> bool:
        return self.growth <= GROWTH

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**asdict(self), "growth": self.growth, "flat": self.flat}


def spec_of(steps: int) -> dict[str, Any]:
    """Return a spec whose step takes a fraction of a millisecond."""
    layers = [{"conv": {"channels": 4, "kernel": 1}}, "relu", "global_average_pool", {"linear": 3}]
    return {
        "zoo": 1,
        "name": "long-run",
        "task": "classify",
        "data": {"noise": {"image": [1, 4, 4], "classes": 3, "train_images": 60, "test_images": 30}},
        "networks": {"classifier": {"architecture": {"layers": layers}, "ema": 0.99}},
        "train": {
            "steps": steps,
            "batch_size": 4,
            "device": "cpu",
            "precision": "fp32",
            "engine": "eager",
            "log_every": max(steps // 100, 1),
            "checkpoint_every": max(steps // 20, 1),
        },
        "budget": {"parameters": 1000},
    }


def resident() -> int:
    """Return the bytes of memory that this process has (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def measure(steps: int = STEPS) -> LongRun:
    """Train, and look at the memory now and then; in the middle the clock of the day jumps."""
    import gc

    from zoo import api
    from zoo.training.reporter import Reporter

    looks: list[int] = []
    shown = 0

    class Watch(Reporter):
        def step(self, step: int) -> None:
            if step % max(steps // LOOKS, 1) == 0:
                gc.collect()
                looks.append(resident())
            if step == steps // 2:
                day = time.time
                time.time = lambda: day() - JUMP_SECONDS

        def metrics(self, record: dict[str, Any]) -> None:
            nonlocal shown
            shown += 1

    whole = time.time
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="zoo-long-run-") as name:
            path = Path(name) / "long.json"
            path.write_text(json.dumps(spec_of(steps)))
            run = api.train(api.load_spec(str(path)), run=Path(name) / "run", reporter=Watch())
            seconds = time.monotonic() - began
            result = run.result() or {}
            return LongRun(
                steps,
                round(seconds, 1),
                result["seconds"],
                looks[1:],
                run.metrics_path.stat().st_size,
                len(run.metrics()),
                len(list(run.checkpoints.iterdir())),
                shown,
            )
    finally:
        time.time = whole


def problems(found: LongRun) -> list[str]:
    """Return what is not as it should be."""
    told = []
    if not found.flat:
        told.append(f"memory grew by {found.growth:,} bytes in the last quarter")
    if not 0 < found.stated_seconds <= found.seconds + 1:
        told.append(f"the run says {found.stated_seconds} s and took {found.seconds} s: the clock's jump shows")
    if found.checkpoints > 2:
        told.append(f"{found.checkpoints} checkpoints are kept; wanted 2")
    return told
