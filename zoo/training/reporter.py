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
