"""The figures of the steps since the last line of metrics, of which that line states the means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from zoo.training.guard import SKIPPED

MOST_UNREAD = 1000  # steps whose figures wait on the device


class NotFinite(Exception):
    """A figure is not finite; `ago` says how many steps before the last one."""

    def __init__(self, ago: int, figures: dict[str, float]) -> None:
        super().__init__(ago, figures)
        self.ago, self.figures = ago, figures


class Tally:
    """Keeps what steps leave on the device, reads it now and then at once, and adds it up in the order of the steps.

    Sums do not depend on when they were read, so that they can be saved at any step and gone on with.
    """

    def __init__(self) -> None:
        self.steps = 0  # that are in the sums
        self.skipped = 0  # steps that were taken back, since the beginning
        self.sums: dict[str, float] = {}
        self._unread: list[dict[str, Tensor]] = []

    def add(self, figures: dict[str, Tensor]) -> None:
        """Take in the figures of one more step; the device is not waited for but after very many."""
        self._unread.append(figures)
        if len(self._unread) >= MOST_UNREAD:
            self.read()

    def read(self) -> None:
        """Read what waits on the device. Raises NotFinite with the first step that has such a figure."""
        if not self._unread:
            return
        unread, self._unread = self._unread, []
        names = list(unread[0])
        # A stack of each figure's values, not of each step's figures: as many operations as there are names.
        table = torch.stack([torch.stack([one[name] for one in unread]).float() for name in names], 1).cpu()
        bad = ~torch.isfinite(table).all(1)
        if bool(bad.any()):
            row = int(bad.nonzero()[0, 0])
            raise NotFinite(len(unread) - row - 1, dict(zip(names, table[row].tolist(), strict=True)))
        for line in table.tolist():
            figures = dict(zip(names, line, strict=True))
            if figures.pop(SKIPPED, 0.0):
                self.skipped += 1
                continue
            self.steps += 1
            for name, value in figures.items():
                self.sums[name] = self.sums.get(name, 0.0) + value

    def means(self) -> dict[str, float]:
        """Return the means of all that was added and not taken back, and begin anew; nothing where that is none."""
        self.read()
        steps, sums = self.steps, self.sums
        self.steps, self.sums = 0, {}
        return {name: value / steps for name, value in sums.items()}

    def facts(self) -> dict[str, Any]:
        """Return what was read and is in no line yet, as plain data."""
        return {"steps": self.steps, "sums": self.sums, **({"skipped": self.skipped} if self.skipped else {})}

    def resume(self, facts: Mapping[str, Any]) -> None:
        """Go on with what `facts` gave, and nothing else; checkpoints of earlier versions know nothing of it."""
        self._unread = []
        self.steps, self.skipped = int(facts.get("steps", 0)), int(facts.get("skipped", 0))
        self.sums = {str(name): float(value) for name, value in facts.get("sums", {}).items()}
