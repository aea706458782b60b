"""Where checkpoints lie, by the step that they were written after. Nothing here reads them, or loads torch."""

from __future__ import annotations

import re
from pathlib import Path

KEPT = 2  # newest checkpoints that stay, in case the last one is damaged
_NAME = re.compile(r"step-(\d+)\.safetensors\Z")


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in `folder`, oldest first."""
    found = {path: _NAME.match(path.name) for path in folder.glob("step-*.safetensors")}
    # By number: from 100,000,000 on, steps have more digits than names are filled up to.
    return sorted((path for path, name in found.items() if name), key=step_of)


def step_of(path: Path) -> int:
    """Return the step that a checkpoint was written after, by its name."""
    return int(path.stem.removeprefix("step-"))


def file_of(folder: Path, step: int) -> Path:
    """Return where the state after `step` steps lies."""
    return folder / f"step-{step:08d}.safetensors"


def best_of(folder: Path, step: int) -> Path:
    """Return where the state lies that was the best after `step` steps."""
    return folder / f"best-{step:08d}.safetensors"


def prune_best(folder: Path, step: int) -> None:
    """Remove what was the best once, and is not that of `step`."""
    for path in folder.glob("best-*.safetensors"):
        if path != best_of(folder, step):
            path.unlink(missing_ok=True)


def newest(folder: Path) -> Path | None:
    """Return the newest checkpoint, or None."""
    found = checkpoints(folder)
    return found[-1] if found else None


def prune(folder: Path) -> None:
    """Remove all but the newest checkpoints."""
    for old in checkpoints(folder)[:-KEPT]:
        old.unlink(missing_ok=True)
