"""Checkpoints: one safetensors file each, holding every tensor of the training and what else must be known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from zoo.errors import RunError
from zoo.files import json_text, write_atomically
from zoo.training import records
from zoo.training.callbacks import Callbacks
from zoo.training.checkpoint_files import best_of, file_of, newest, prune
from zoo.training.trainee import Trainee, load_state, under

ASIDE = ".damaged"  # ends the name of a checkpoint that was found damaged and passed over


def save(
    folder: Path,
    step: int,
    trainees: Mapping[str, Trainee],
    spec_hash: str,
    seconds: float,
    figures: Mapping[str, Any] | None = None,
    callbacks: tuple[list[Any], dict[str, Tensor]] = ([], {}),
    *,
    best: bool = False,
) -> Path:
    """Write the state after `step` steps and remove all but the newest checkpoints.

    figures: those that are in no line of metrics yet; callbacks: their state, and its tensors; best: it is the best
    until now, which stays until there is a better one. Raises RunError on a full disk, TrainingError when an optimizer
    keeps what no checkpoint can hold.
    """
    tensors = {
        f"{role}.{name}": tensor.cpu().contiguous()
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
    path = best_of(folder, step) if best else file_of(folder, step)
    try:
        text = json_text(facts, indent=None)
        held = {"zoo": text, "sha256": _digest(text, tensors)}
        write_atomically(path, lambda temporary: save_file(tensors, temporary, held))
    except (OSError, SafetensorError) as error:
        last = newest(folder)
        kept = f"the last checkpoint is {last}" if last else "no checkpoint was written before"
        raise RunError(
            f"{path}: the checkpoint cannot be written: {error}; {kept}; make room and repeat the command"
        ) from error
    prune(folder)
    return path


class Damaged(RunError):
    """A checkpoint is not what was written."""


def read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return a checkpoint's facts (step, spec, updates) and its tensors.

    Raises Damaged when it is no whole checkpoint, or its content has not the hash that it was written with, and
    RunError when it cannot be opened, or its facts are not of the shape that they have to be.
    """
    try:
        if path.exists() and not path.is_file():
            raise ValueError("it is no file")  # a pipe would be waited for
        with safe_open(path, framework="pt") as file:
            held = file.metadata() or {}
            facts = json.loads(held["zoo"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        # Those of earlier versions have no hash.
        if "sha256" in held and held["sha256"] != _digest(held["zoo"], tensors):
            raise ValueError("its content has not the hash that it was written with")
    except OSError as error:
        raise RunError(f"{path}: it cannot be read ({error.strerror or error})") from error
    except (SafetensorError, KeyError, ValueError, RecursionError) as error:
        raise Damaged(
            f"{path}: this is no checkpoint that can be read ({error}); delete it to go on from an older one"
        ) from error
    records.require(facts, records.Checkpoint, path)
    return facts, tensors


def _digest(facts: str, tensors: Mapping[str, Tensor]) -> str:
    """Return the hash of all that a checkpoint holds: facts, and names, types, shapes and bits of tensors."""
    found = hashlib.sha256(facts.encode())
    for name, one in sorted(tensors.items()):
        found.update(f"\n{name} {one.dtype} {tuple(one.shape)}\n".encode())
        found.update(_bits(one).numpy().data)
    return found.hexdigest()


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors in the memory of the host are the same, a zero's sign and a NaN's bits included."""
    alike = one.dtype == other.dtype and one.shape == other.shape
    return alike and torch.equal(_bits(one), _bits(other))


def _bits(tensor: Tensor) -> Tensor:
    return tensor.contiguous().reshape(-1).view(torch.uint8)


def resume(
    folder: Path,
    trainees: Mapping[str, Trainee],
    spec_hash: str,
    say: Callable[[str], object],
    callbacks: Callbacks | None = None,
) -> tuple[Path, dict[str, Any]] | None:
    """Load the newest checkpoint that is whole, and return it with its facts; None where there is none.

    Damaged ones are told of and put aside under another name. The caller holds the run's lock. Raises what `restore`
    raises otherwise.
    """
    while (path := newest(folder)) is not None:
        try:
            return path, restore(path, trainees, spec_hash, callbacks)
        except Damaged as error:
            aside = path.with_name(path.name + ASIDE)
            path.rename(aside)
            say(f"warning: {error.__cause__ or error}: {path} is damaged and passed over; it is now {aside.name}")
    return None


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
