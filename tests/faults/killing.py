"""Ends a command by SIGKILL before each of its writes in turn, then gives the same command again.

`python killing.py PLAN`: the plan is JSON with the `command` (arguments of zoo), the folder `start` that it works in a
copy of, the folder `into` for the copies, and `every`: 1 for each write, 2 for every other. What it did is told as JSON.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shutil
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def run(command: list[str], folder: Path, kill_at: int) -> int:
    """Run a command in `folder` in a process of its own; return its exit code, or -9 where it was killed.

    kill_at: the number of the write before which it ends; 0: none.
    """
    child = os.fork()
    if not child:
        try:
            _work(command, folder, kill_at)
        except BaseException:
            traceback.print_exc()
        os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _work(command: list[str], folder: Path, kill_at: int) -> None:
    from zoo.cli.main import main

    os.chdir(folder)
    os.environ["ZOO_DATA"] = str(folder / "data")
    with (folder.parent / f"{folder.name}.log").open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    seen = 0

    def watch(event: str, about: tuple[Any, ...]) -> None:
        nonlocal seen
        written = event in CHANGES or (event == "open" and isinstance(about[2], int) and about[2] & WRITES)
        if not written or isinstance(about[0], int):
            return
        if Path(os.fsdecode(about[0])).absolute().is_relative_to(folder):
            seen += 1
            if seen == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    code = main(command)
    if not kill_at:
        (folder.parent / "modules.txt").write_text("\n".join(sorted(sys.modules)))
    os._exit(code)


def go(plan: dict[str, Any]) -> dict[str, Any]:
    """Return the exit code of the command by itself, and those of the repeated one after each kill."""
    start, into = Path(plan["start"]), Path(plan["into"])

    def copy(name: str) -> Path:
        return Path(shutil.copytree(start, into / name))

    straight = run(plan["command"], copy("straight"), 0)
    # What it loaded the others share; not its work, since no process may fork that has computed a gradient.
    for name in (into / "modules.txt").read_text().split() if not straight else ():
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    again: dict[str, int] = {}
    for at in range(plan.get("first", 1), 10_000, plan["every"]):
        folder = copy(f"kill-{at:04d}")
        if run(plan["command"], folder, at) != -signal.SIGKILL:
            shutil.rmtree(folder)
            break
        again[folder.name] = run(plan["command"], folder, 0)
    return {"straight": straight, "again": again}


if __name__ == "__main__":
    import torch

    import zoo.cli.main  # what forked processes share
    import zoo.plugins
    import zoo.training.loop

    torch.set_num_threads(1)
    zoo.plugins.installed()
    print(json.dumps(go(json.loads(Path(sys.argv[1]).read_text()))))
