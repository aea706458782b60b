"""A loop for a process of its own that needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def idle(task: dict[str, Any], pause: Callable[[], None]) -> None:
    print("what a library prints is no answer")
    pause()
    while True:
        pause()


def broken(task: dict[str, Any], pause: Callable[[], None]) -> None:
    pause()
    raise ValueError("no compiler was found")
