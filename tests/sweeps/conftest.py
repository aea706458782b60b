"""A study whose trainings take a moment: a network of one layer on random pixels."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import ROOT, changed

from zoo.builder import Builder
from zoo.files import json_text
from zoo.spec.document import Node
from zoo.spec.load import load_document
from zoo.sweeps.plan import Plan

STUDY: dict[str, Any] = {
    "zoo": 1,
    "name": "study",
    "task": "classify",
    "data": {"noise": {"image": [1, 4, 4], "classes": 3, "train_images": 60, "test_images": 30}},
    "let": {"width": {"free": {"from": 4, "to": 40, "step": 4}}},
    "networks": {
        "classifier": {
            "architecture": {
                "layers": [
                    {"conv": {"channels": "${width}", "kernel": 1}},
                    {"free": ["relu", {"leaky_relu": {"negative_slope": 0.2}}]},
                    "global_average_pool",
                    {"linear": 3},
                ]
            },
            "optimizer": {"adam": {"lr": {"free": {"from": 1e-4, "to": 1e-1, "log": True}}}},
        }
    },
    "train": {
        "steps": 4,
        "batch_size": 8,
        "device": "cpu",
        "precision": "fp32",
        "engine": "eager",
        "log_every": 2,
        "checkpoint_every": 2,
        "validation": 30,
        "evaluate_every": 2,
    },
    "budget": {"parameters": 100},
    "sweep": {"figures": {"validation_loss": "minimize", "parameters": "minimize"}, "trials": 3, "sampler": "random"},
}


@pytest.fixture
def document() -> Callable[..., Node]:
    """Make the document of the study, changed where asked."""
    return lambda **parts: load_document(changed(copy.deepcopy(STUDY), **parts))


@pytest.fixture
def plan(document: Callable[..., Node], builder: Builder, tmp_path: Path) -> Callable[..., Plan]:
    """Make the plan of the study, changed where asked, in a folder of its own."""

    def make(storage: str = "", heartbeat: int = 60, folder: str = "study", **parts: Any) -> Plan:
        return Plan.of(document(**parts), builder, tmp_path / folder, storage, heartbeat)

    return make


#: A worker that dies by SIGKILL after step 7 of its first trial, when the checkpoint of step 6 is there.
KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import zoo
from support import builtin_registry
from zoo.sweeps import worker
worker.Watcher.step = lambda self, step: step == 7 and os.kill(os.getpid(), signal.SIGKILL)
storage = os.environ.get("ZOO_STORAGE", "")
zoo.sweep(sys.argv[2], folder=sys.argv[3], storage=storage, heartbeat=1, registry=builtin_registry())
"""


@pytest.fixture
def killed(document: Callable[..., Node], tmp_path: Path) -> Callable[..., str]:
    """Let a worker of a study be killed in the middle of its first trial; return what it said."""

    def run(plan: Plan, **parts: Any) -> str:
        path = tmp_path / "study.json"
        path.write_text(json_text(document(**parts).data()))
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")]),
            "ZOO_STORAGE": plan.storage,
        }
        words = [sys.executable, "-u", "-c", KILLED, str(ROOT / "tests"), str(path), str(plan.folder)]
        done = subprocess.run(words, env=environment, capture_output=True, text=True)
        assert done.returncode == -signal.SIGKILL, done.stderr
        return done.stdout + done.stderr

    return run
