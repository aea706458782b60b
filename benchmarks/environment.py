"""What a measurement depends on: processor, versions, threads; and who else used the machine meanwhile."""

from __future__ import annotations

import importlib.util
import os
import platform
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import zoo
from benchmarks.baselines import WRITTEN_FOR

PACKAGES = ("zoo", "torch", "torchvision", "numpy", "scipy", "pillow", "pydantic", "lightning", "clean-fid")
#: Flags of an x86 processor that decide how fast torch computes.
FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "avx512_vnni", "amx_tile", "amx_bf16")
NOT_INSTALLED = "not installed (pip install .[bench])"
DISTURBING = 0.2  # share of one core that another process may take


def installed(package: str) -> str:
    """Return a package's version; "" where it is not installed."""
    try:
        return zoo.__version__ if package == "zoo" else version(package)
    except PackageNotFoundError:
        return ""


def lacking(module: str) -> str:
    """Say that a module of the extra `bench` is not here; "" where it is."""
    return "" if importlib.util.find_spec(module) else NOT_INSTALLED


def describe(device: str = "cpu") -> dict[str, Any]:
    """Return the machine and the versions, without anything that names its owner."""
    import torch

    name, flags = _processor()
    return {
        "device": torch.device(device).type,
        "processor": name,
        "flags": [flag for flag in FLAGS if flag in flags],
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "gpu": torch.cuda.get_device_name() if device.startswith("cuda") else "",
        "cuda": torch.version.cuda if device.startswith("cuda") else "",
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}, {' '.join(platform.libc_ver())}",
        "python": platform.python_version(),
        "versions": {package: found for package in PACKAGES if (found := installed(package))},
        "other_versions": {
            package: [wanted, installed(package)]
            for package, wanted in WRITTEN_FOR.items()
            if installed(package) and installed(package) != wanted
        },
    }


def sentences(machine: dict[str, Any]) -> list[str]:
    """Return what `describe` found, in words."""
    lacks = [flag for flag in FLAGS if flag not in machine["flags"]]
    flags = f"with {', '.join(machine['flags']) or 'none'}; without {', '.join(lacks) or 'none'}"
    found = [
        f"{machine['gpu']}, CUDA {machine['cuda']}" if machine["gpu"] else "no GPU",
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {flags}",
        f"{machine['system']}, Python {machine['python']}, "
        + ", ".join(f"{name} {version}" for name, version in machine["versions"].items()),
    ]
    return found + [
        f"the baselines were written for {package} {wanted}; here they ran with {found}"
        for package, (wanted, found) in machine["other_versions"].items()
    ]


def load_average() -> float | None:
    """Return the load of the last minute, where the system tells it."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _processor() -> tuple[str, set[str]]:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or platform.machine(), set()
    fields = {name.strip(): value for name, _, value in (line.partition(":") for line in path.read_text().splitlines())}
    return fields.get("model name", "").strip() or platform.machine(), set(fields.get("flags", "").split())


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None


@dataclass(frozen=True)
class Usage:
    """Seconds of processor time at a moment: of each process, and of the whole machine, stolen time included."""

    at: float
    processes: dict[int, tuple[str, int, float]]  # name, parent, seconds
    ended: float  # of this process's children that have ended
    machine: float

    @classmethod
    def now(cls) -> Usage | None:
        """Return the usage at this moment; None where the system does not tell it."""
        if not Path("/proc/stat").exists():
            return None
        tick = os.sysconf("SC_CLK_TCK")
        processes = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                head, _, tail = path.read_text().rpartition(")")
            except OSError:
                continue  # it has ended
            fields = tail.split()
            number, _, name = head.partition(" (")
            processes[int(number)] = (name, int(fields[1]), (int(fields[11]) + int(fields[12])) / tick)
        # user, nice, system, idle, waiting, interrupts, soft interrupts, stolen
        times = [int(one) for one in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        ended = os.times().children_user + os.times().children_system
        return cls(time.monotonic(), processes, ended, (sum(times) - times[3] - times[4]) / tick)


def disturbances(before: Usage | None, after: Usage | None, own: int) -> dict[str, float]:
    """Return the share of a core that each process took which does not descend from the process `own`, by its name,
    where that is more than DISTURBING. What no visible process took, such as time stolen by the machine's host, is
    "unseen".
    """
    if before is None or after is None or after.at <= before.at:
        return {}
    seconds = after.at - before.at
    known = after.processes | before.processes
    found: dict[str, float] = {}
    seen = after.ended - before.ended
    for number, (name, _, total) in after.processes.items():
        used = total - before.processes.get(number, ("", 0, 0.0))[2]
        seen += used
        if not _descends(number, own, known) and used / seconds > DISTURBING:
            found[name] = round(found.get(name, 0.0) + used / seconds, 2)
    unseen = (after.machine - before.machine - seen) / seconds
    return found | ({"unseen": round(unseen, 2)} if unseen > DISTURBING else {})


def _descends(number: int, own: int, known: dict[int, tuple[str, int, float]]) -> bool:
    while number in known and number != own:
        number = known[number][1]
    return number == own


class Watch:
    """Notes the load before and after a measurement, and who disturbed it."""

    def __init__(self) -> None:
        self.before = load_average()
        self._usage = Usage.now()
        self._worst: dict[str, float] = {}

    def skip(self) -> None:
        """Leave out what was since the last look: nothing was measured."""
        self._usage = Usage.now()

    def look(self) -> dict[str, float]:
        """Return who disturbed since the last look, and remember the worst."""
        usage = Usage.now()
        found = disturbances(self._usage, usage, os.getpid())
        self._usage = usage
        for name, share in found.items():
            self._worst[name] = max(share, self._worst.get(name, 0.0))
        return found

    def to_data(self) -> dict[str, Any]:
        """Return the loads, and the largest share of a core that each disturber took between two looks."""
        return {"load_before": self.before, "load_after": load_average(), "disturbed_by": self._worst}


def notes(result: dict[str, Any]) -> list[str]:
    """Return what a Watch noted of a measurement, in sentences."""
    found = [f"load before {result['load_before']}, after {result['load_after']}"]
    return found + [
        f"WARNING: {name} took up to {share:.0%} of a core meanwhile; measure again on a quiet machine"
        for name, share in result["disturbed_by"].items()
    ]
