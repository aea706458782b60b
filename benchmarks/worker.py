"""A process that holds one variant: it trains as many steps as it is told, and stands still between.

It is started with what to run as JSON, reads numbers of steps from stdin, and answers with lines of JSON on stdout.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any


class Gate:
    """What a loop calls before its first step and after every step: it lets through as many as were asked for."""

    def __init__(self, orders: Iterable[str], answers: IO[str], device: str) -> None:
        self._orders, self._answers, self._device = iter(orders), answers, device
        self._began = time.perf_counter()
        self._asked = self._left = 0
        self._faults = 0

    def __call__(self) -> None:
        self._left -= 1
        if self._left > 0:
            return
        if self._asked:
            self._synchronize()
            seconds = time.perf_counter() - self._began
            faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - self._faults
            self._answer({"steps": self._asked, "seconds": seconds, "faults": faults})
        else:
            self._answer({"ready": time.perf_counter() - self._began, "threads": _threads()})
        order = next(self._orders, "")
        if not order.strip():
            raise SystemExit
        self._asked = self._left = int(order)
        self._synchronize()
        self._faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        self._began = time.perf_counter()

    def _answer(self, answer: dict[str, Any]) -> None:
        print(json.dumps(answer), file=self._answers, flush=True)

    def _synchronize(self) -> None:
        if self._device.startswith("cuda"):
            import torch

            torch.cuda.synchronize()


def main() -> None:
    """Run the loop named on the command line until stdin ends."""
    task = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    if task["keep_memory"]:
        from zoo.training.allocator import keep_memory

        keep_memory()
    gate = Gate(sys.stdin, answers, task["device"])
    module, _, name = task["loop"].partition(":")
    loop = getattr(importlib.import_module(module), name)
    if task["pictures"]:
        from benchmarks.baselines import Setting
        from benchmarks.data import load_pictures

        pictures = load_pictures(task["spec"], task["overrides"])
        loop(Setting(pictures, task["device"], Path(task["folder"]), gate, task["workers"]))
    else:
        loop(task, gate)


def _threads() -> int:
    """Return torch's threads; 1 for a loop that does without torch."""
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch is not None else 1


if __name__ == "__main__":
    main()
