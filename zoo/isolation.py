"""Imports of plugins: one may print, exit, interrupt or hang, and all of it is that plugin's failure alone."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

from zoo.errors import PluginError
from zoo.text import visible

#: Seconds that the import of one plugin may take, torch and a cold disk included; another number by ZOO_PLUGIN_SECONDS.
LIMIT = 120.0
IMPATIENT = 15.0  # seconds after which it is told what is waited for


class TooLong(BaseException):
    """Raised inside an import that takes too long. Plugins catch Exception; this is none."""


@contextlib.contextmanager
def isolated(what: str) -> Iterator[None]:
    """Run the imports of a plugin; whatever it raises leaves as an Exception, but for Ctrl-C, which is the user's.

    what: who is imported, for messages. What is printed meanwhile goes to stderr. Outside of the main thread there are
    no signals, and so no limit; nor can code that is compiled be interrupted. Raises PluginError.
    """
    with off_stdout(), _interruptible() as pressed, _limited(what):
        try:
            yield
        except Exception:
            raise
        except KeyboardInterrupt as error:
            if pressed:
                raise
            raise PluginError("KeyboardInterrupt, which nobody pressed") from error
        except TooLong as error:
            raise PluginError(
                f"it took more than {_limit():g} seconds; leave it out with ZOO_PLUGINS=name,name, which names the "
                "others, or give it more with ZOO_PLUGIN_SECONDS"
            ) from error
        except BaseException as error:
            text = " ".join(str(error).split())
            raise PluginError(f"{type(error).__name__}: {text}".rstrip(": ")) from error


@contextlib.contextmanager
def off_stdout() -> Iterator[None]:
    """Let what is printed go to stderr, also by what writes to the file itself: it is no result of ours."""
    if threading.current_thread() is not threading.main_thread():
        yield  # the other threads' results go there meanwhile
        return
    kept = None
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        kept = os.dup(1)
        os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        if kept is not None:
            with contextlib.suppress(OSError, ValueError, AttributeError):
                sys.__stdout__.flush()  # type: ignore[union-attr]
            os.dup2(kept, 1)
            os.close(kept)


@contextlib.contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Yield a list that holds something once Ctrl-C was pressed, by which it is told from a plugin's own exception."""
    pressed: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield pressed
        return

    def note(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        if signal.getsignal(signal.SIGINT) is note:  # a plugin may have put its own in place
            signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _limited(what: str) -> Iterator[None]:
    """Raise TooLong once the time is over, and again each second: a plugin may catch it."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return
    limit = _limit()
    soon = min(IMPATIENT, limit)
    rung: list[int] = []

    def ring(number: int, frame: FrameType | None) -> None:
        rung.append(number)
        if soon < limit and len(rung) == 1:
            print(visible(f"still importing {what}; without it: ZOO_PLUGINS=name,name"), file=sys.stderr)
            signal.setitimer(signal.ITIMER_REAL, limit - soon, 1.0)
            return
        raise TooLong

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, soon, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _limit() -> float:
    try:
        return max(float(os.environ.get("ZOO_PLUGIN_SECONDS", LIMIT)), 0.01)
    except ValueError:
        return LIMIT
