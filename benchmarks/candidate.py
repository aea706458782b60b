"""Zoo as it is measured: its own training, step by step, with logging on. Nothing of its step is copied here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo import api
from zoo.builder import Builder
from zoo.checking import check
from zoo.plugins import installed
from zoo.spec.schema import Spec
from zoo.training.loop import Training
from zoo.training.reporter import Reporter
from zoo.training.run import Run

#: Neither does a baseline save or evaluate anything in the steps that are measured.
UNSAVED = ("train.checkpoint_every=0", "train.sample_every=0", "train.evaluate_every=0")


def train(task: dict[str, Any], pause: Callable[[], None]) -> None:
    """Train the spec of `task` through Zoo's loop, for ever."""
    spec = api.load_spec(task["spec"], overrides=task["overrides"])
    training = begin(spec, Path(task["folder"]))
    pause()
    while True:
        training.advance()
        pause()


def begin(spec: Spec, folder: Path, reporter: Reporter | None = None) -> Training:
    """Return a training of `spec` before its first step, with its run in `folder`."""
    builder = Builder(installed().registry)
    run = Run.prepare(folder / "run", spec)
    return Training(spec, check(spec, builder), builder, run, reporter or Reporter())
