"""Errors as the command line says them; nothing heavy is imported here."""

from __future__ import annotations

import errno
import os
import signal
from typing import Any

import click

from zoo.errors import Interrupted, SpecError, ZooError
from zoo.signals import Ended
from zoo.text import visible

BUG = "this is a bug in Zoo or a plugin; repeat with ZOO_TRACEBACK=1 for the traceback"

ELSEWHERE = "look at the path, or name another one; what was there before is whole"
ADVICE = {
    errno.ENOSPC: "make room, or name a place on another disk; what was saved before is whole",
    errno.EDQUOT: "make room, or name a place on another disk; what was saved before is whole",
    errno.EACCES: "it belongs to somebody else, or is locked; change its permissions, or name another place",
    errno.EPERM: "it belongs to somebody else, or is locked; change its permissions, or name another place",
    errno.EROFS: "nothing can be written there; name another place",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EMFILE: "too many files are open; raise the limit with `ulimit -n`",
}
#: What the system refuses without naming a file, as a write to a full disk does.
FORESEEN = frozenset((*ADVICE, errno.EIO, errno.EFBIG))


def exit_code(error: BaseException) -> int:
    """Return the exit code that `error` leaves with."""
    if isinstance(error, (ZooError, click.ClickException)):
        return error.exit_code
    interrupt = _interrupt(error)
    return 1 if interrupt is None else 128 + signal.Signals[_name(interrupt)]


def describe(error: BaseException) -> str:
    """Return what is said on stderr: for errors on purpose their text, for others a line and what to do."""
    return visible(_described(error))


def _described(error: BaseException) -> str:
    if isinstance(error, SpecError) and len(error.problems) > 1:
        files = dict.fromkeys(problem.at.file for problem in error.problems if problem.at)
        where = f" in {' and '.join(files)}" if files else ""
        return f"{error}\nerror: {len(error.problems) + error.more:,} problems{where}"
    if isinstance(error, Interrupted):
        return str(error)
    if isinstance(error, ZooError):
        return f"error: {error}"
    if isinstance(error, click.ClickException):
        return f"error: {_usage(error)}"
    if (interrupt := _interrupt(error)) is not None:
        return "stopped" if _name(interrupt) == "SIGINT" else f"stopped by {_name(interrupt)}"
    if isinstance(error, click.Abort):
        return "error: there was no answer; nothing was done"
    if isinstance(error, OSError) and (error.filename is not None or error.errno in FORESEEN):
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, (str, bytes, os.PathLike)) else ""
        return f"error: {where}{error.strerror or error}\n    {ADVICE.get(error.errno or 0, ELSEWHERE)}"
    text = " ".join(str(error).split())
    return f"error: {type(error).__name__}{text and ': ' + text}\n    {_blamed(error) or BUG}"


def _blamed(error: BaseException) -> str:
    """Say which plugin raised an error that nobody foresaw: that of the innermost call that is in one."""
    import traceback

    from zoo.plugins import installed

    owners = {package: plugin.provider for plugin in installed().plugins for package in plugin.packages()}
    found = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        owner = owners.get(str(frame.f_globals.get("__name__", "")).partition(".")[0])
        if owner is not None:
            place = f"{os.path.basename(frame.f_code.co_filename)}:{line}, {frame.f_code.co_name}"  # noqa: PTH119
            found = f"it comes from the plugin {owner} ({place}); repeat with ZOO_TRACEBACK=1 for the traceback"
    return found


def error_data(error: ZooError) -> dict[str, Any]:
    """Return an error as plain data."""
    problems = error.problems if isinstance(error, SpecError) else ()
    return {
        "exit_code": error.exit_code,
        "error": str(error),
        "problems": [one.to_data() for one in problems],
    }


def print_traceback(error: BaseException) -> None:
    """Print the traceback where `ZOO_TRACEBACK` asks for it."""
    if os.environ.get("ZOO_TRACEBACK", "") not in ("", "0"):
        import traceback

        traceback.print_exception(error)


def _interrupt(error: BaseException) -> KeyboardInterrupt | None:
    """Return the interrupt that `error` is, or that led to it."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, KeyboardInterrupt):
        # click turns Ctrl-C into an Abort; a terminal that is gone takes no new line either.
        found = found.__cause__ or (found.__context__ if isinstance(found, OSError) else None)
    return found


def _name(interrupt: KeyboardInterrupt) -> str:
    return interrupt.signal_name if isinstance(interrupt, Ended) else "SIGINT"


def _usage(error: click.ClickException) -> str:
    text = error.format_message().rstrip(".")
    text = text[:1].lower() + text[1:]
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{text}; see `{context.command_path} --help`" if context else text
