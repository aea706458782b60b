"""What a component asks of the spec that it stands in, beyond the types and ranges of its own options.

A component may say it: a class by a method `check(self, setting)`, a function by what `requires` puts beside it. Both
yield Findings, which `zoo check` places in the spec.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from zoo.data.dataset import DataInfo
    from zoo.network.lowering import Composite
    from zoo.spec.schema import Spec
    from zoo.training.task import Task

Target = TypeVar("Target", bound=Callable[..., Any])


class Finding(NamedTuple):
    """One thing that stands in the way of training or, as a `warning`, is allowed but surely not meant.

    `option` is the one that it is about; "" for the component itself.
    """

    found: str
    wanted: str = ""
    option: str = ""
    warning: bool = False


class Weight(NamedTuple):
    """A trainable tensor of a network: its name, as near to the module's as can be told, and its shape."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a component can know of the spec that it stands in.

    batch: images that are augmented at once; part: the fewest that one forward pass of a training step sees, which
    are fewer where `train.accumulate` cuts a batch into parts; networks: those of the spec with their inputs, by role.

    Of the network that it belongs to: role; steps, over which its schedule runs; updates of its weights; twice: whether
    its slopes are differentiated again; weights: a function that returns those that an optimizer is given; input: the
    shape that reaches a layer. They are "", 0, false and empty elsewhere.
    """

    spec: Spec
    task: Task
    info: DataInfo
    batch: int
    part: int
    networks: Mapping[str, tuple[Composite, tuple[int, ...]]]
    role: str = ""
    steps: int = 0
    updates: int = 0
    twice: bool = False
    weights: Callable[[], tuple[Weight, ...]] = tuple
    input: tuple[int, ...] = ()

    def at(self, input: tuple[int, ...]) -> Setting:
        """Return the same where the shape `input` reaches a layer; many layers are asked."""
        there = object.__new__(Setting)
        vars(there).update(vars(self), input=input)
        return there


Check = Callable[..., Iterable[Finding] | None]
Inside = Callable[..., Setting]


def requires(
    check: Check | None = None, *, inside: Inside | None = None, about: tuple[str, ...] | None = None
) -> Callable[[Target], Target]:
    """Return a decorator that says what a function asks, and what the components in its options are told instead.

    check: called with the Setting and the function's options. inside: called with an option's name, the Setting
    and the options; it returns the Setting for the components in that option. about: of a loss, the predictions that it
    is for (`Task.predicts`); with a task that predicts something else it is refused.
    """

    def mark(target: Target) -> Target:
        for name, value in (("check", check), ("inside", inside), ("about", about)):
            if value is not None:
                setattr(target, name, value)
        return target

    return mark
