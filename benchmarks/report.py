"""Writes what was measured between the marks of docs/performance.md, and draws its pictures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from benchmarks import chart, checking, data_path, frechet, goals, overhead, startup, train
from benchmarks.environment import sentences
from benchmarks.runner import ROOT

PAGE = ROOT / "docs" / "performance.md"
PICTURES = ROOT / "docs" / "pictures"
DEVICES = ("cpu", "cuda")
TABLES = {
    goals.CLASSIFIER: train.table,
    goals.DCGAN: train.table,
    "data path": data_path.table,
    "overhead": overhead.table,
    "startup": startup.table,
    "checking": checking.table,
    "frechet": frechet.table,
}
MISSING = {
    "cpu": "Not measured yet; `make bench` measures it.",
    "cuda": "Not measured; `make bench` on a machine with a CUDA GPU measures it and fills this in.",
}
_MARKED = re.compile(r"(<!-- measured: (\w+), ([a-z ]+) -->\n).*?(<!-- end -->)", re.S)


def write(folder: Path) -> list[Path]:
    """Write the page and the pictures from the results in `folder`; return the files written."""
    results = load(folder)
    written = [PAGE]
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")
    for device, found in results.items():
        models = [found[part] for part in (goals.CLASSIFIER, goals.DCGAN) if part in found]
        if models:
            written.append(PICTURES / picture(device))
            written[-1].write_text(chart.svg(models), encoding="utf-8")
    return written


def load(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the results that were kept, by device."""
    paths = {device: folder / f"{device}.json" for device in DEVICES}
    return {device: json.loads(path.read_text(encoding="utf-8")) for device, path in paths.items() if path.exists()}


def render(page: str, results: dict[str, dict[str, Any]]) -> str:
    """Return the page with everything between its marks written anew. Raises KeyError for a mark that says nothing."""

    def filled(match: re.Match[str]) -> str:
        before, device, part, after = match.groups()
        return f"{before}{_part(device, part, results.get(device, {}))}\n{after}"

    return _MARKED.sub(filled, page)


def picture(device: str) -> str:
    """Return the name of a device's picture."""
    return f"performance-{device}.svg"


def _part(device: str, part: str, found: dict[str, Any]) -> str:
    if part == "goals":
        return goals.table(device, found).markdown()
    if part == "machine":
        return "\n".join(f"- {line}" for line in sentences(found["environment"])) if found else MISSING[device]
    if part == "picture":
        drawn = goals.CLASSIFIER in found or goals.DCGAN in found
        return f"![Training speed](pictures/{picture(device)})" if drawn else MISSING[device]
    table = TABLES[part]
    return table(found[part]).markdown() if part in found else MISSING[device]
