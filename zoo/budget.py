"""Limits: figures of a network or of a whole spec, held against bounds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeAlias

from zoo.annotations import Field, Wanted
from zoo.network.layer import BYTES, Cost, Shape, elements

if TYPE_CHECKING:
    from zoo.network.graph import Graph

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_BOUND = r"^(<=|<|=)? ?([0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,2})?) ?(k|M|G|KiB|MiB|GiB)?$"

Bound: TypeAlias = Annotated[
    Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0)] | Annotated[str, Field(pattern=_BOUND)],
    Wanted('a whole number (the most that is allowed), or a text such as "<100000", "=99364" or "64 KiB"'),
    Field(description='The most that is allowed: 100000; or "<100000", "=99364", "64 KiB".'),
]


class Counts(NamedTuple):
    """The numbers of Figures, which `zoo check` shows."""

    parameters: int  # trainable
    macs: int  # of one forward pass for one input
    memory: int  # bytes of activations at the peak of a forward pass for one input, fp32
    file_size: int  # bytes of the saved weights, at most
    steps: int  # optimizer updates


class Figures(Counts):
    """What limits are about. For a whole spec: sums over its networks; of memory and steps, the largest."""

    #: Returns the shapes of the trainable tensors; what asks for none of them does not wait for them.
    shapes: Callable[[], Iterable[Shape]] = tuple
    #: Returns the networks' graphs, for a limit that no sum can tell, such as a receptive field.
    graphs: Callable[[], Iterable[Graph]] = tuple

    @classmethod
    def of(
        cls,
        cost: Cost,
        steps: int,
        shapes: Callable[[], Iterable[Shape]] = tuple,
        graphs: Callable[[], Iterable[Graph]] = tuple,
    ) -> Figures:
        """Return the figures of one network."""
        made = cls(cost.parameters, cost.macs, cost.peak_bytes, cost.file_bytes, steps)
        made.shapes, made.graphs = shapes, graphs
        return made

    def weight_bytes(self, precision: str) -> int:
        """Return the bytes of the weights on a device, in fp32 or int8.

        In int8 kernels and matrices have a byte for each value and a scale in fp32 for each row (a channel that comes
        out); biases, norms and other vectors keep 4 bytes, as quantizers leave them.
        """
        if precision == "fp32":
            return BYTES * self.parameters
        return sum(elements(one) + BYTES * one[0] if len(one) > 1 else BYTES * elements(one) for one in self.shapes())

    def arena_bytes(self, precision: str) -> int:
        """Return the bytes of activations at the peak of a forward pass for one input, in fp32 or int8."""
        return self.memory if precision == "fp32" else self.memory // BYTES

    @classmethod
    def total(cls, parts: list[Figures]) -> Figures:
        """Return the figures of networks that are trained together."""
        made = cls(
            sum(part.parameters for part in parts),
            sum(part.macs for part in parts),
            max((part.memory for part in parts), default=0),
            sum(part.file_size for part in parts),
            max((part.steps for part in parts), default=0),
        )
        made.shapes = lambda: (shape for part in parts for shape in part.shapes())
        made.graphs = lambda: (graph for part in parts for graph in part.graphs())
        return made


@dataclass(frozen=True)
class Verdict:
    """Whether a figure keeps its bound. `spare` is what is left, negative when the limit is broken.

    `exit_code` is that of `zoo check` when the limit is broken; limits of plugins share 15 unless they choose another.
    """

    limit: str
    figure: int
    bound: str
    kept: bool
    spare: int
    exit_code: int = 15
    unit: str = ""
    network: str = ""  # the role, or "" for the whole spec

    def __str__(self) -> str:
        of = f"{self.network} " if self.network else ""
        state = f"{self.spare:,} to spare" if self.kept else f"{-self.spare:,} too many"
        if not self.kept and self.spare > 0:
            state = f"{self.spare:,} too few"
        return f"{of}{self.limit}: {self.figure:,}{self.unit and ' ' + self.unit} of {self.most}, {state}"

    @property
    def most(self) -> str:
        """The bound as it was written; where the figure has a unit, in the same unit."""
        if not self.unit:
            return self.bound
        sign = self.bound[: len(self.bound) - len(self.bound.lstrip("<= "))].strip()
        return f"{sign}{self.figure + self.spare + (sign == '<'):,} {self.unit}"


def judge(limit: str, figure: int, bound: float | str, *, exit_code: int = 15, unit: str = "") -> Verdict:
    """Return the verdict of `figure` against `bound`, which is inclusive unless it says "<" or "=".

    A bound is taken exactly as its decimal digits say: "1.001k" is 1001. Of one that is no whole number the whole
    numbers below count. Raises ValueError where nothing can keep it, as "=0.5", and where it is no bound.
    """
    sign, most = _most(bound)
    spare = most - figure
    kept = spare == 0 if sign == "=" else spare >= 0
    return Verdict(limit, figure, str(bound), kept, spare, exit_code, unit)


@lru_cache(maxsize=256, typed=True)
def _most(bound: float | str) -> tuple[str, int]:
    """Return the sign of a bound, and the most that it allows."""
    match = re.match(_BOUND, str(bound))
    if match is None:
        raise ValueError(f"{bound!r} is no bound")
    sign, number, suffix = match.group(1) or "<=", match.group(2), match.group(3) or ""
    exact = Fraction(number) * _UNITS[suffix]
    if sign == "=" and exact.denominator != 1:
        raise ValueError(f"found {bound!r}, which is no whole number; wanted one, since figures are whole")
    return sign, math.ceil(exact) - 1 if sign == "<" else math.floor(exact)
