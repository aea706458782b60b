"""How long commands take to start: fresh processes in turn, beside `python -c pass` and `import torch`."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import zoo
from benchmarks import ratios
from benchmarks.environment import Watch, notes
from benchmarks.ratios import Spread
from benchmarks.runner import Failed, Tell
from benchmarks.table import Table, between, middle

TORCH = "import torch"
RUNS, SHORT_RUNS = 15, 5
_ZOO = "import sys; from zoo.cli.main import main; sys.exit(main())"


def commands() -> dict[str, list[str]]:
    """Return what is started, by the name that it is shown under."""
    script = Path(sys.executable).parent / "zoo"
    own = [str(script)] if script.exists() else [sys.executable, "-c", _ZOO]
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        TORCH: [sys.executable, "-c", "import torch"],
        "zoo --help": [*own, "--help"],
        "zoo list": [*own, "list"],
        "zoo check cifar100-resnet-silu": [*own, "check", "cifar100-resnet-silu"],
        "zoo check paper-classifier": [*own, "check", "paper-classifier"],
        "zoo check cifar100-cgan": [*own, "check", "cifar100-cgan"],
    }


def measure(runs: int, tell: Tell, seed: int = 0) -> dict[str, Any]:
    """Return the milliseconds of each command in each run, as plain data."""
    found: dict[str, list[float]] = {name: [] for name in commands()}
    watch = Watch()
    with tempfile.TemporaryDirectory(prefix="zoo-benchmark-") as folder:
        for name, command in commands().items():
            tell(f"unmeasured: {name}")  # files are read and compiled
            _seconds(command, folder)
        watch.skip()
        for run in range(runs):
            order = list(found)
            random.Random(f"{seed} {run}").shuffle(order)
            for name in order:
                found[name].append(1000 * _seconds(commands()[name], folder))
            tell(f"run {run + 1} of {runs}")
            watch.look()
    kind = "installed" if "site-packages" in Path(zoo.__file__).parts else "editable"
    return {"milliseconds": found, "installation": kind, **watch.to_data()}


def milliseconds(result: dict[str, Any], name: str) -> Spread:
    """Return the time of a command over the runs."""
    return ratios.quartiles(result["milliseconds"][name])


def share(result: dict[str, Any], name: str) -> Spread:
    """Return a command's time as a share of `import torch` of the same run."""
    return ratios.quartiles([1 / one for one in ratios.ratios(result["milliseconds"], name, TORCH)])


def table(result: dict[str, Any]) -> Table:
    """Return the figures of all commands."""
    rows = []
    for name in result["milliseconds"]:
        time, part = milliseconds(result, name), share(result, name)
        rows.append([name, middle(time, 0), between(time, 0), middle(part, 3), between(part, 3)])
    runs = len(result["milliseconds"][TORCH])
    how = f"{runs} runs in turn; files in the system's memory, modules compiled, Zoo {result['installation']}"
    columns = ["command", "ms", "quartiles", f"share of {TORCH}", "quartiles"]
    return Table("Startup", columns, rows, [how, *notes(result)])


def _seconds(command: list[str], folder: str) -> float:
    """Return how long a process takes. Raises Failed when it does not succeed."""
    # With it, a checkout's modules would be compiled again in every run.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Failed(f"{command[1:]} ended with {done.returncode}: {said[-1] if said else 'it said nothing'}")
    return seconds
