"""What a training shows in a notebook: one line that is written anew, and messages below each other."""

from __future__ import annotations

import html
import sys
import time
from typing import Any

from zoo.training.reporter import Reporter

REDRAW_SECONDS = 0.5


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook."""
    if "ipykernel" not in sys.modules:
        return False
    from IPython import get_ipython

    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")


class NotebookReporter(Reporter):
    """Shows step, bar and figures in the cell that trains."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._lines: list[str] = []
        self._figures = self._validation = ""
        self._due = 0.0
        self._step = self._steps = 0

    def begin(self, *, name: str, first_step: int, steps: int, batch_size: int, engine: str) -> None:
        self._step, self._steps = first_step, steps
        self._lines.append(f"training {name} on {engine}: {steps:,} steps of {batch_size} images")
        self._draw()

    def step(self, step: int) -> None:
        self._step = step
        if time.monotonic() >= self._due:
            self._draw()

    def metrics(self, record: dict[str, Any]) -> None:
        shown = ", ".join(
            f"{name} {one:.4f}" for name, one in record.items() if isinstance(one, float) and name != "seconds"
        )
        if any(name.startswith("validation_") for name in record):
            self._validation = f"step {record['step']:,}: {shown}"
        else:
            self._figures = shown

    def message(self, text: str) -> None:
        self._lines.append(text)
        self._draw()

    def end(self) -> None:
        self._draw()

    def _draw(self) -> None:
        from IPython.display import HTML, display

        self._due = time.monotonic() + REDRAW_SECONDS
        bar = f"<progress value='{self._step}' max='{max(self._steps, 1)}'></progress>"
        place = f"{bar} step {self._step:,} of {self._steps:,}" if self._steps else ""
        texts = [*map(html.escape, self._lines), place, html.escape(self._figures), html.escape(self._validation)]
        shown = HTML("<br>".join(text for text in texts if text))
        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)
