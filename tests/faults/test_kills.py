"""A command that was ended by SIGKILL at a call that writes, in the middle of one or at any moment, that met a full
disk, another user's folder or too few file descriptors, or was sent a signal, is given again: it leaves what one that was not ended leaves, bit for bit.

The quick part is a hundred faults over all stages, of which more than sixty are kills; `pytest -m slow tests/faults` makes each call of each stage fail
in each way. Not tried here: a loss of power, a remote file system, a GPU that goes away.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors import safe_open

CLASSIFY: dict[str, Any] = {
    "zoo": 1,
    "name": "tiny",
    "task": "classify",
    "data": {"shapes": {"train_images": 100, "test_images": 100}},
    "augment": ["horizontal_flip"],
    "networks": {
        "classifier": {
            "architecture": {
                "layers": [{"conv": 4}, "batch_norm", "relu", {"dropout": 0.1}, "global_average_pool", {"linear": 100}]
            },
            "ema": 0.5,
        }
    },
    "train": {
        "steps": 5,
        "batch_size": 8,
        "device": "cpu",
        "precision": "fp32",
        "engine": "eager",
        "log_every": 1,
        "checkpoint_every": 2,
        "validation": 10,
        "evaluate_every": 3,
    },
    "budget": {"parameters": 10000},
}
GAN: dict[str, Any] = {
    **CLASSIFY,
    "task": {"gan": {"latent_size": 4}},
    "networks": {
        "generator": {"architecture": {"dcgan_generator": {"widths": [8, 4]}}},
        "discriminator": {"architecture": {"dcgan_discriminator": {"widths": [4, 4]}}},
    },
    "train": {**CLASSIFY["train"], "validation": 0, "evaluate_every": 0, "sample_every": 2, "test_at_end": False},
    "budget": {"parameters": 100000},
}
DIFFUSE: dict[str, Any] = {
    **CLASSIFY,
    "task": {"diffuse": {"sampling_steps": 2}},
    "networks": {"denoiser": {"architecture": {"unet": {"widths": [8, 8], "blocks": 1}}, "ema": 0.5}},
    "train": {**CLASSIFY["train"], "validation": 0, "evaluate_every": 0, "test_at_end": False},
    "budget": {"parameters": 100000},
}
SEEDS = {**CLASSIFY, "train": {**CLASSIFY["train"], "seeds": 2, "steps": 3}}
SWEEP = {
    **CLASSIFY,
    "networks": {
        "classifier": {
            **CLASSIFY["networks"]["classifier"],
            "optimizer": {"adam": {"lr": {"free": [0.1, 0.01]}}},
        }
    },
    "train": {**CLASSIFY["train"], "steps": 2},
    "sweep": {"figures": {"validation_loss": "minimize"}, "trials": 2, "sampler": "grid"},
}
TRAIN = ["train", "tiny.json", "--run", "run"]
WAYS = ["killed", "torn", "INT", "killed", "full", "torn", "TERM", "killed", "full", "HUP", "torn"]
#: By stage: the spec, what comes before, the command, and how many faults and kills at random moments there are.
STAGES: dict[str, tuple[dict[str, Any], list[list[str]], list[str], int, int]] = {
    "classify": (CLASSIFY, [], TRAIN, 22, 2),
    "gan": (GAN, [], TRAIN, 14, 2),
    "diffuse": (DIFFUSE, [], TRAIN, 14, 2),
    "seeds": (SEEDS, [], TRAIN, 11, 1),
    "sweep": (SWEEP, [], ["sweep", "tiny.json", "--study", "study", "--heartbeat", "1"], 11, 1),
    "import": (CLASSIFY, [], ["data", "add", "mine", "--from", "pictures"], 11, 1),
    "evaluate": (CLASSIFY, [TRAIN], ["evaluate", "run"], 11, 1),
    "publish": (CLASSIFY, [TRAIN], ["publish", "run", "--name", "tiny"], 14, 2),
}
#: What differs between two runs that are the same: times, and how often one had to begin.
VOLATILE = {
    "measured",
    "started",
    "finished",
    "seconds",
    "command",
    "published",
    "machine",
    "versions",
    "test_looks",
    "git",
}
SIGNALS = {"INT": 130, "TERM": 143, "HUP": 129}
#: What a folder may hold that no reader looks at.
HIDDEN = (".lock", "test-looks.json", ".origin", "study.db")


def compiled(folder: Path) -> Path:
    """Build what watches the calls."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("watching the calls of a process needs Linux and a C compiler")
    library = folder / "interpose.so"
    source = Path(__file__).with_name("interpose.c")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    return library


def plan_of(stage: str, folder: Path, *, thorough: bool) -> dict[str, Any]:
    """Make the folder that a stage begins with, and say what is to be done with it."""
    spec, before, command, faults, moments = STAGES[stage]
    start = folder / stage / "start"
    start.mkdir(parents=True)
    (start / "tiny.json").write_text(json.dumps(spec))
    for index, place in enumerate(("train/cat", "train/dog", "test/cat", "test/dog")):
        (start / "pictures" / place).mkdir(parents=True)
        Image.new("RGB", (8, 8), (index * 60, 0, 99)).save(start / "pictures" / place / "one.png")
    return {
        "name": stage,
        "into": str(folder / stage),
        "before": before,
        "command": command,
        "faults": 0 if thorough else faults,
        "moments": 20 if thorough else moments,
        "kinds": WAYS,
        "seed": 0,
        "aged": stage == "sweep",
    }


def happened(folder: Path, stages: list[str], *, thorough: bool = False) -> dict[str, Any]:
    """Do all faults of some stages in one process, which loads what they need once; return what it tells."""
    plans = folder / "plans.json"
    plans.write_text(json.dumps([plan_of(one, folder, thorough=thorough) for one in stages]))
    script = Path(__file__).with_name("killing.py")
    # A report tells times, and of a run that went on that it did.
    environment = {**os.environ, "LD_PRELOAD": str(compiled(folder)), "ZOO_REPORT": "off"}
    done = subprocess.run(
        [sys.executable, str(script), str(plans)], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("kills")
    return folder, happened(folder, list(STAGES))


def left(folder: Path) -> dict[str, Any]:
    """Return what stands in a folder by path, without times, and without what no reader looks at."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        # What measures a run does not hold its lock, and leaves leftovers to who trains it.
        hidden = path.suffix in (".lock", ".part") and "checkpoints" not in path.parts
        if path.is_dir() or hidden or path.name in HIDDEN:
            continue
        if path.suffix == ".safetensors":
            with safe_open(path, "np") as file:
                found[name] = {key: file.get_tensor(key).tobytes() for key in file.keys()}  # noqa: SIM118
        elif path.suffix == ".jsonl":
            found[name] = [_steady(json.loads(line)) for line in path.read_text().splitlines()]
        elif path.suffix == ".json":
            found[name] = _steady(json.loads(path.read_text()))
        else:
            found[name] = path.read_bytes()
    return found


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _steady(one) for key, one in value.items() if key not in VOLATILE}
    return value


def points(folder: Path) -> dict[str, Any]:
    """Return what a study came to by point: its figures, and all that its run left; numbers of trials may differ."""
    summary = json.loads((folder / "study" / "sweep.json").read_text())
    found = {str(one["values"]): (one["figures"], left(folder / "study" / one["folder"])) for one in summary["trials"]}
    assert len(found) == len(summary["trials"]), "a finished trial was repeated"
    with contextlib.closing(sqlite3.connect(folder / "study" / "study.db")) as database:
        done = [row[0] for row in database.execute("SELECT state FROM trials")]
    assert "RUNNING" not in done and "WAITING" not in done
    return found


def logs(folder: Path) -> Iterator[str]:
    for suffix in (".first.log", ".log"):
        yield Path(f"{folder}{suffix}").read_text()


def examine(stage: str, folder: Path, told: dict[str, Any]) -> int:
    """See that all faults of a stage came to the same end; return how many there were."""
    assert told["straight"] == 0, told["log"]
    what: Callable[[Path], dict[str, Any]] = points if stage == "sweep" else left
    expected = what(folder / "straight")
    assert expected
    for name, codes in told["faults"].items():
        text = "\n".join(logs(folder / name))
        if name.startswith(("full", "files", "foreign")):
            assert codes["first"] in (1, 5, 6, 8) and "bug in Zoo" not in text and "Traceback" not in text, text
        elif name.startswith(tuple(SIGNALS)):
            assert codes["first"] == SIGNALS[name.partition("-")[0]] and "Traceback" not in text, text
            assert text.count("\x1b[?25l") == text.count("\x1b[?25h"), "the cursor was not given back"
        else:
            assert codes["first"] == -9, text
        # What was ended between the last rename and its end is told that there is such an entry or set.
        assert codes["again"] in {"publish": (0, 8), "import": (0, 2)}.get(stage, (0,)), text
        found = what(folder / name)
        assert found.keys() == expected.keys(), name
        differ = {path for path in found if found[path] != expected[path]}
        assert differ <= ({"shelf/tiny/README.md"} if stage == "publish" else set()), (name, differ)
        if stage in ("classify", "gan", "diffuse", "seeds"):
            assert not list((folder / name).rglob("*.part")), name
    return len(told["faults"])


@pytest.mark.xdist_group("kills")
@pytest.mark.parametrize("stage", STAGES)
def test_what_was_ended_goes_on_to_the_same_end(stage: str, quick: tuple[Path, dict[str, Any]]) -> None:
    folder, told = quick
    assert examine(stage, folder / stage, told[stage]) >= STAGES[stage][3] - 2


@pytest.mark.xdist_group("kills")
def test_there_were_as_many_as_are_stated(quick: tuple[Path, dict[str, Any]]) -> None:
    faults = [name for told in quick[1].values() for name in told["faults"]]
    assert sum(name.startswith(("killed", "torn", "moment")) for name in faults) >= 60


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_every_call_of_every_stage(stage: str, tmp_path: Path) -> None:
    assert examine(stage, tmp_path / stage, happened(tmp_path, [stage], thorough=True)[stage]) >= 40
