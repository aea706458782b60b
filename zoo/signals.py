"""Signals: a wish to stop that work looks for between its steps, and an end in good order for all that does not."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Ended(KeyboardInterrupt):
    """SIGTERM or a lost terminal ends the command, and what is half done is cleared away, as after Ctrl-C."""

    def __init__(self, signal_name: str) -> None:
        super().__init__(signal_name)
        self.signal_name = signal_name


@contextmanager
def stopping() -> Iterator[Callable[[], str]]:
    """Turn Ctrl-C, SIGTERM and a lost terminal into a wish, named where it is asked for: "" or the first signal's name.

    A second Ctrl-C stops at once. A hang-up that the program was told to ignore, as `nohup` does, stays ignored.
    """
    seen: list[str] = []

    def wish(number: int, frame: FrameType | None) -> None:
        if seen and number == signal.SIGINT:
            raise KeyboardInterrupt
        seen.append(signal.Signals(number).name)

    with _handling(dict.fromkeys((signal.SIGINT, *_endings()), wish)):
        yield lambda: seen[0] if seen else ""


@contextmanager
def ending() -> Iterator[None]:
    """Let SIGTERM and a lost terminal go the way of Ctrl-C, through every `finally`, instead of ending the process."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Ended(signal.Signals(number).name)

    with _handling(dict.fromkeys(_endings(), end)):
        yield


def _endings() -> list[int]:
    hang_up: int | None = getattr(signal, "SIGHUP", None)  # Windows has none
    if hang_up is None or signal.getsignal(hang_up) is signal.SIG_IGN:
        return [signal.SIGTERM]
    return [signal.SIGTERM, hang_up]


@contextmanager
def _handling(handlers: Mapping[int, Any]) -> Iterator[None]:
    """Put handlers in place meanwhile; Python runs them in the main thread alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
