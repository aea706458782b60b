"""Ends commands at the calls by which they write, or at any moment, or lets the disk be full; then gives them again.

`python killing.py PLANS`: a JSON list of plans, each with a `name`, the folder `into` that holds its folder `start`,
the `commands` (arguments of zoo) that come `before`, the `command` itself, how many `faults` at calls that are spread
evenly over all that the command makes (0: at each), how many `moments` drawn at random from `seed`, and whether
heartbeats are to be `aged`, which stands for waiting until a worker is taken for dead. What was done is told as JSON.

The calls are those of libc, watched by `interpose.c`, which has to be loaded before it (LD_PRELOAD).
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import itertools
import json
import os
import pty
import random
import resource
import shutil
import signal
import sqlite3
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

COUNT, KILL, TEAR, FILL = range(4)  # as interpose.c has them
SIGNAL = 100
SIGNALS = {"INT": SIGNAL + signal.SIGINT, "TERM": SIGNAL + signal.SIGTERM, "HUP": SIGNAL + signal.SIGHUP}
CONDITIONS = ("files", "foreign")  # that a command may run in: few file descriptors, another user's folder
NOBODY = 65534
ACTIONS = {"killed": KILL, "torn": TEAR, "full": FILL, **SIGNALS}


def run(
    command: Sequence[str],
    folder: Path,
    action: int = COUNT,
    at: int = 0,
    *,
    seconds: float | None = None,
    condition: str = "",
) -> int:
    """Run a command in `folder` in a process of its own; return its exit code, -9 where it was killed.

    seconds: after which it is killed, wherever it is; condition: one of CONDITIONS.
    """
    child, screen = pty.fork() if action > SIGNAL else (os.fork(), -1)
    if not child:
        try:
            _work(command, folder, action, at, condition)
        except BaseException:
            traceback.print_exc()
        os._exit(99)
    if screen >= 0:
        _watch(screen, Path(f"{folder}.log"))
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _work(command: Sequence[str], folder: Path, action: int, at: int, condition: str) -> None:
    from zoo.cli.main import main

    os.chdir(folder)
    os.environ["ZOO_DATA"] = str(folder / "data")
    if action < SIGNAL:
        with Path(f"{folder}.log").open("a") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
    if condition == "files":  # a few more than are open
        few = len(list(Path("/proc/self/fd").iterdir())) + 2
        resource.setrlimit(resource.RLIMIT_NOFILE, (few, few))
    if condition == "foreign":  # the folder is another user's, and read-only
        folder.chmod(0o555)
        os.setuid(NOBODY)
    libc = ctypes.CDLL(None)
    libc.zoo_arm(os.fsencode(folder), ctypes.c_long(at), action)
    code = main(command)
    if not at and not condition:
        Path(f"{folder}.modules").write_text("\n".join(sorted(sys.modules)))
        Path(f"{folder}.calls").write_text(str(libc.zoo_seen()))
    os._exit(code)


def _watch(screen: int, log: Path) -> None:
    """Read what a command shows on its terminal, to its end."""
    with log.open("ab") as file, contextlib.suppress(OSError):  # a terminal without processes is an error on Linux
        while shown := os.read(screen, 2**16):
            file.write(shown)
    os.close(screen)


def go(plan: dict[str, Any]) -> dict[str, Any]:
    """Return the exit code of the command by itself, and of each fault: what it was, and the codes then and after."""
    into = Path(plan["into"])
    start = into / "start"
    for command in plan["before"]:
        if run(command, start):
            return {"straight": -1, "faults": {}, "log": Path(f"{start}.log").read_text()}

    def copy(name: str) -> Path:
        return Path(shutil.copytree(start, into / name, symlinks=True))

    began = time.monotonic()
    straight = run(plan["command"], copy("straight"))
    took = time.monotonic() - began
    told: dict[str, Any] = {"straight": straight, "faults": {}, "log": (into / "straight.log").read_text()}
    if straight:
        return told
    _import((into / "straight.modules").read_text().split())
    calls = int((into / "straight.calls").read_text())
    for what, at in _faults(plan, calls):
        folder = copy(f"{what}-{at:05}")
        first = run(plan["command"], folder, ACTIONS[what], at)
        if first:  # where less was written, there was nothing to be killed at
            told["faults"][folder.name] = _again(plan, folder, first)
    for condition in CONDITIONS if os.geteuid() == 0 else ("files",):
        folder = copy(condition)
        first = run(plan["command"], folder, condition=condition)
        folder.chmod(0o755)
        if first:
            told["faults"][condition] = _again(plan, folder, first)
    draw = random.Random(plan["seed"])
    for number in range(plan["moments"]):
        folder = copy(f"moment-{number}")
        # Of what is loaded already; a repeated command takes less than the first.
        first = run(plan["command"], folder, seconds=draw.uniform(0, took / 2))
        if first:
            told["faults"][folder.name] = _again(plan, folder, first)
    return told | {"calls": calls}


def _faults(plan: dict[str, Any], calls: int) -> Iterator[tuple[str, int]]:
    count = plan["faults"] or calls
    numbers = sorted({1 + round(index * (calls - 1) / max(count - 1, 1)) for index in range(count)})
    return zip(itertools.cycle(plan["kinds"]), numbers, strict=False)


def _again(plan: dict[str, Any], folder: Path, first: int) -> dict[str, Any]:
    shutil.copyfile(f"{folder}.log", f"{folder}.first.log")
    if plan["aged"]:
        for path in folder.rglob("study.db"):
            with contextlib.closing(sqlite3.connect(path)) as database, contextlib.suppress(sqlite3.OperationalError):
                database.execute("UPDATE trial_heartbeats SET heartbeat = datetime(heartbeat, '-1 day')")
                database.commit()
    return {"first": first, "again": run(plan["command"], folder)}


def _import(names: Sequence[str]) -> None:
    """Load what a command loaded, which the next ones share; not its work: who computed a gradient may not fork."""
    for name in names:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


if __name__ == "__main__":
    import torch
    import torch._dynamo  # what all commands load

    import zoo.cli.main
    import zoo.plugins
    import zoo.training.loop

    torch.set_num_threads(1)
    zoo.plugins.installed()
    print(json.dumps({plan["name"]: go(plan) for plan in json.loads(Path(sys.argv[1]).read_text())}))
