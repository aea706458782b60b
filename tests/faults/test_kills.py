"""A command that was ended by SIGKILL before any of its writes is repeated: it leaves what one that was not ended leaves.

Not tried here: a loss of power, a remote file system, and what a kill leaves of a write that was half done.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors import safe_open

from zoo.builder import Builder
from zoo.spec.load import load_spec
from zoo.training.loop import train

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
SEEDS = {**CLASSIFY, "train": {**CLASSIFY["train"], "seeds": 2, "steps": 3}}
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


def killed(command: list[str], start: Path, into: Path, *, every: int = 1, first: int = 1) -> dict[str, int]:
    """Return the exit codes of the command repeated after each kill, by the folder that it left."""
    into.mkdir()
    plan = into / "plan.json"
    plan.write_text(
        json.dumps({"command": command, "start": str(start), "into": str(into), "every": every, "first": first})
    )
    script = Path(__file__).with_name("killing.py")
    done = subprocess.run([sys.executable, str(script), str(plan)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["straight"] == 0, (into / "straight.log").read_text()
    again: dict[str, int] = told["again"]
    return again


def left(folder: Path) -> dict[str, Any]:
    """Return what stands in a folder by path, without times, and without what no reader looks at."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        # What measures a run does not hold its lock, and leaves leftovers to who trains it.
        hidden = path.suffix in (".lock", ".part") and "checkpoints" not in path.parts
        if path.is_dir() or hidden or path.name in (".lock", "test-looks.json"):
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


@pytest.mark.parametrize(
    ("spec", "least", "every"), [(CLASSIFY, 30, 1), (GAN, 20, 2), (SEEDS, 20, 3)], ids=["classify", "gan", "seeds"]
)
def test_a_killed_training_goes_on_to_the_same_end(
    spec: dict[str, Any], least: int, every: int, tmp_path: Path
) -> None:
    start = tmp_path / "start"
    start.mkdir()
    (start / "tiny.json").write_text(json.dumps(spec))
    again = killed(["train", "tiny.json", "--run", "run"], start, tmp_path / "work", every=every)
    assert len(again) >= least
    expected = left(tmp_path / "work" / "straight")
    for name, code in again.items():
        assert code == 0, (tmp_path / "work" / f"{name}.log").read_text()
        assert left(tmp_path / "work" / name) == expected, name
        assert not list((tmp_path / "work" / name).rglob("*.part")), name


def test_a_killed_import_leaves_the_whole_set_or_none(tmp_path: Path) -> None:
    start = tmp_path / "start"
    for index, place in enumerate(("train/cat", "train/dog", "test/cat", "test/dog")):
        folder = start / "pictures" / place
        folder.mkdir(parents=True)
        Image.new("RGB", (8, 8), (index * 60, 0, 99)).save(folder / "one.png")
    again = killed(["data", "add", "mine", "--from", "pictures"], start, tmp_path / "work")
    assert len(again) >= 4
    expected = left(tmp_path / "work" / "straight")
    assert "data/mine.safetensors" in expected
    for name, code in again.items():
        assert code == 0, (tmp_path / "work" / f"{name}.log").read_text()
        assert left(tmp_path / "work" / name) == expected, name


@pytest.mark.parametrize("command", [["evaluate", "run"], ["publish", "run", "--name", "tiny"]], ids=" ".join)
def test_a_killed_measurement_or_publication_is_repeated(command: list[str], tmp_path: Path, builder: Builder) -> None:
    train(load_spec(CLASSIFY, registry=builder.registry), builder, tmp_path / "start" / "run")
    again = killed(command, tmp_path / "start", tmp_path / "work", every=2)
    assert len(again) >= 4
    expected = left(tmp_path / "work" / "straight")
    for name, code in again.items():
        # What was killed between the last rename and its end is told that there is such an entry.
        assert code in ((0, 8) if command[0] == "publish" else (0,)), (tmp_path / "work" / f"{name}.log").read_text()
        found = left(tmp_path / "work" / name)
        assert found.keys() == expected.keys(), name
        assert {path for path in found if found[path] != expected[path]} <= {"shelf/tiny/README.md"}, name
