"""Who watches a training: trackers, which are told what comes out, and callbacks, which are part of the spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import nn

    from zoo.data.dataset import DataInfo


class Tracked(NamedTuple):
    """The training that a tracker is opened for.

    identity: the same whenever this run goes on, and of no other run; spec: resolved, as plain data; step: how many
    are done already, of `steps`.
    """

    name: str
    identity: str
    folder: Path
    spec: Mapping[str, Any]
    step: int
    steps: int


class Tracker:
    """Base of all trackers: places outside a run's own files that metrics and pictures are written to.

    A subclass is a keyword-only dataclass whose fields are its options. It imports what it writes with inside its
    methods. Whatever it raises is a warning, after which it is left alone; the training goes on.
    """

    def open(self, run: Tracked, /) -> None:
        """Begin, or go on where the run was stopped."""

    def log(self, step: int, figures: Mapping[str, float], /) -> None:
        """Take figures by name, such as `loss`, `lr/classifier`, `validation_top1` and, at the end, `test/top1`."""

    def picture(self, step: int, name: str, path: Path, /) -> None:
        """Take a picture, a PNG file that stays where it is."""

    def close(self, *, finished: bool) -> None:
        """End: the training is finished, or was stopped and may go on."""


class Moment(NamedTuple):
    """A training after `step` of `steps` steps, as a callback sees it.

    networks: those in training, by role, of which nothing may be changed; evaluated: the averaged ones where there are
    any; figures: the last line of metrics; folder: the run's; log: writes figures into the metrics of this step, under
    the callback's name.
    """

    step: int
    steps: int
    networks: Mapping[str, nn.Module]
    evaluated: Mapping[str, nn.Module]
    figures: Mapping[str, Any]
    info: DataInfo
    folder: Path
    log: Callable[[Mapping[str, float]], None]


class Callback:
    """Base of all callbacks, which are called after every so many steps.

    A subclass is a keyword-only dataclass whose fields are its options; one may be `every`. It may keep and write
    what it likes, but changes no network. What it keeps comes back when a run goes on, if `state_dict` names it.
    """

    every: int = 1

    def on_step(self, moment: Moment, /) -> None:
        """Look at the training after each `every` steps, before a checkpoint of that step is written."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint has to keep: tensors, numbers, text, null, and lists and mappings of these."""
        return {}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Put back what `state_dict` gave."""
