"""Checkpoints: one safetensors file each, holding every tensor of the training and what else must be known."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from zoo.errors import RunError
from zoo.files import json_text, write_atomically
from zoo.training import records
from zoo.training.callbacks import Callbacks
from zoo.training.trainee import Trainee, load_state, under

KEPT = 2  # newest checkpoints that stay, in case the last one is damaged
_NAME = re.compile(r"step-(\d+)\.safetensors\Z")


def save(
    folder: Path,
    step: int,
    trainees: Mapping[str, Trainee],
    spec_hash: str,
    seconds: float,
    figures: Mapping[str, Any] | None = None,
    callbacks: tuple[list[Any], dict[str, Tensor]] = ([], {}),
) -> Path:
    """Write the state after `step` steps and remove all but the newest checkpoints.

    figures: those that are in no line of metrics yet; callbacks: their state, and its tensors. Raises RunError on a
    full disk, TrainingError when an optimizer keeps what no checkpoint can hold.
    """
    tensors = {
        f"{role}.{name}": tensor.contiguous()
        for role, trainee in trainees.items()
        for name, tensor in trainee.tensors().items()
    } | callbacks[1]
    facts: dict[str, Any] = {
        "step": step,
        "spec": spec_hash,
        "updates": {role: one.updates for role, one in trainees.items()},
        "seconds": seconds,
        "figures": figures or {},
        "state": {role: one.facts() for role, one in trainees.items()},
        **({"callbacks": callbacks[0]} if callbacks[0] else {}),
    }
    path = folder / f"step-{step:08d}.safetensors"
    try:
        write_atomically(path, lambda temporary: save_file(tensors, temporary, {"zoo": json_text(facts, indent=None)}))
    except (OSError, SafetensorError) as error:
        last = newest(folder)
        kept = f"the last checkpoint is {last}" if last else "no checkpoint was written before"
        raise RunError(
            f"{path}: the checkpoint cannot be written: {error}; {kept}; make room and repeat the command"
        ) from error
    prune(folder)
    return path


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in `folder`, oldest first."""
    found = {path: _NAME.match(path.name) for path in folder.glob("step-*.safetensors")}
    # By number: from 100,000,000 on, steps have more digits than names are filled up to.
    return sorted((path for path, name in found.items() if name), key=_step)


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))


def newest(folder: Path) -> Path | None:
    """Return the newest checkpoint, or None."""
    found = checkpoints(folder)
    return found[-1] if found else None


def read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return a checkpoint's facts (step, spec, updates) and its tensors. Raises RunError when it is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})["zoo"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise RunError(
            f"{path}: this is no checkpoint that can be read ({error}); delete it to go on from an older one"
        ) from error
    records.require(facts, records.Checkpoint, path)
    return facts, tensors


def prune(folder: Path) -> None:
    """Remove all but the newest checkpoints."""
    for old in checkpoints(folder)[:-KEPT]:
        old.unlink(missing_ok=True)


def restore(
    path: Path, trainees: Mapping[str, Trainee], spec_hash: str, callbacks: Callbacks | None = None
) -> dict[str, Any]:
    """Load a checkpoint into `trainees` and `callbacks`, and return its facts.

    Those are the step, the seconds trained until then, and the figures that are in no line yet.

    Raises RunError when it belongs to another spec, or does not hold what these networks and optimizers want.
    """
    facts, tensors = read(path)
    if facts["spec"] != spec_hash:
        raise RunError(f"{path}: it was written by another spec ({facts['spec'][:8]}, not {spec_hash[:8]})")
    known = facts.get("state", {})  # checkpoints of earlier versions have none
    for role, trainee in trainees.items():
        try:
            trainee.load(under(tensors, f"{role}."), facts["updates"][role], known[role] if known else None)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise RunError(f"{path}: it does not fit the network {role!r}: {error}") from error
    if callbacks is not None:
        try:
            callbacks.load(facts.get("callbacks", []), tensors)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise RunError(f"{path}: it does not fit the callbacks: {error}") from error
    return facts


def load_networks(path: Path, networks: Mapping[str, nn.Module]) -> int:
    """Load a checkpoint's weights, the averaged ones where there are any, and return its step."""
    facts, tensors = read(path)
    for role, network in networks.items():
        averaged = under(tensors, f"{role}.average.module.")
        try:
            load_state(network, averaged or under(tensors, f"{role}.network."))
        except ValueError as error:
            raise RunError(f"{path}: it does not fit the network {role!r}: {error}") from error
    return int(facts["step"])
