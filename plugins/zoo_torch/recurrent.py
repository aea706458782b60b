"""Recurrent layers over a sequence (features, length), each with its cost in closed form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple

from zoo.api import Cost, Field, Finding, Layer, Setting, Shape, ShapeError
from zoo_torch.layers import Size

if TYPE_CHECKING:
    from torch import nn


class Moment(NamedTuple):
    """When a step of torch holds most: how many gates and states beside the states that it gave before, whether the
    layer's input is still to be read, and how many of the states that the network began with.
    """

    works: int
    reads: bool
    begins: int


@dataclass(frozen=True, kw_only=True)
class Recurrent(Layer):
    """Base: a state that each step makes of the one before it and of what comes in at that step."""

    gates: ClassVar[int]
    states: ClassVar[int] = 1  # that go from step to step
    moments: ClassVar[tuple[Moment, ...]]

    hidden: Annotated[Size, Field(description="Features of the state, so of what each direction gives.")]
    layers: Annotated[int, Field(ge=1, le=1000, description="One upon the other.")] = 1
    bidirectional: Annotated[bool, Field(description="A second one from the end; what both give lies together.")] = (
        False
    )
    dropout: Annotated[float, Field(ge=0, lt=1, description="Between the layers, while training.")] = 0.0
    output: Annotated[
        Literal["all", "last"],
        Field(description="The state after every step, or each direction's after its last, as a vector."),
    ] = "all"
    bias: bool = True

    def shape(self, input: Shape, /) -> Shape:
        if len(input) != 2:
            raise ShapeError(
                f"{self.label} takes a sequence (features, length), but the shape here is {tuple(input)}; "
                "reshape makes one"
            )
        given = self.hidden * (1 + self.bidirectional)
        return (given, input[1]) if self.output == "all" else (given,)

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        found: dict[str, Shape] = {}
        rows, features = self.gates * self.hidden, input[0]
        for layer in range(self.layers):
            for suffix in ("", "_reverse") if self.bidirectional else ("",):
                found[f"weight_ih_l{layer}{suffix}"] = (rows, features)
                found[f"weight_hh_l{layer}{suffix}"] = (rows, self.hidden)
                if self.bias:
                    found[f"bias_ih_l{layer}{suffix}"] = found[f"bias_hh_l{layer}{suffix}"] = (rows,)
            features = self.hidden * (1 + self.bidirectional)
        return found

    def cost(self, input: Shape, /) -> Cost:
        self.shape(input)
        features, length = input
        directions = 1 + self.bidirectional
        runs, rows = self.layers * directions, self.gates * self.hidden
        reads = directions * (features + (self.layers - 1) * directions * self.hidden)  # of all runs in a step
        weights = rows * (reads + runs * self.hidden)
        return Cost(
            parameters=weights + 2 * rows * runs * self.bias,
            tensors=runs * (2 + 2 * self.bias),
            macs=weights * length,
            peak=self._peak(input, held=False),
            held_peak=self._peak(input, held=True),
        )

    def _peak(self, input: Shape, held: bool) -> int:
        """Return the most values that torch's step-by-step way holds at one time; fused kernels hold about as many."""
        hidden, length, directions = self.hidden, input[1], 1 + self.bidirectional
        given = length * hidden  # by a run: a layer in one direction
        begun = hidden * self.layers * directions  # of one state, for all runs
        read = whole = input[0] * length
        ended = peak = 0  # what runs ended with is held until the last
        for run in range(self.layers * directions):
            layer, direction = divmod(run, directions)
            last_reader, last = direction == directions - 1, run == self.layers * directions - 1
            stays = held and layer == 0
            around = whole if held and layer else 0
            base = around + ended + direction * given
            for step in {0, 1, length - 2, length - 1} & set(range(length)):
                cell = hidden * (self.states - 1) if step else 0
                for works, reads, begins in self.moments:
                    reading = reads or stays or not last_reader or step < length - 1
                    beginning = self.states if not last else begins if step == 0 else 0
                    peak = max(peak, base + (step + works) * hidden + cell + reading * read + beginning * begun)
            # The states of all steps are put together, then those of both directions.
            reading, beginning = stays or not last_reader, 0 if last else self.states
            cell = hidden * (self.states - 1)
            peak = max(peak, base + 2 * given + cell + reading * read + beginning * begun)
            ended += self.states * hidden
            if last_reader:
                if self.bidirectional:
                    peak = max(peak, around + stays * read + ended + 4 * given + beginning * begun)
                read = directions * given
        return peak

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        if self.dropout and self.layers == 1:
            found = f"found dropout in {self.label} of one layer, which drops nothing"
            yield Finding(found, "2 layers or more, or the layer dropout after it", "", True)

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules import recurrent as modules

        self.shape(input)
        kind: type[nn.Module] = getattr(modules, type(self).__name__)
        return kind(input[0], self.hidden, self.layers, *self._beside(), last=self.output == "last")

    def _beside(self) -> tuple[object, ...]:
        return (self.bias, self.dropout, self.bidirectional)


@dataclass(frozen=True, kw_only=True)
class RNN(Recurrent):
    """A recurrent layer: the state is a nonlinear function of a matrix product; torch.nn.RNN.

    Source: Elman 1990, Cognitive Science 14(2).
    """

    gates: ClassVar[int] = 1
    moments: ClassVar[tuple[Moment, ...]] = (Moment(1, True, 1), Moment(2, True, 0))

    nonlinearity: Literal["tanh", "relu"] = "tanh"

    def _beside(self) -> tuple[object, ...]:
        return (self.nonlinearity, self.bias, self.dropout, self.bidirectional)


@dataclass(frozen=True, kw_only=True)
class LSTM(Recurrent):
    """Long short-term memory: a state and a cell that gates write, keep and read; torch.nn.LSTM.

    Source: Hochreiter and Schmidhuber 1997, Neural Computation 9(8); with Gers et al.'s forget gate.
    """

    gates: ClassVar[int] = 4
    states: ClassVar[int] = 2
    moments: ClassVar[tuple[Moment, ...]] = (Moment(4, True, 2), Moment(8, True, 1))


@dataclass(frozen=True, kw_only=True)
class GRU(Recurrent):
    """Gated recurrent unit: gates say how much of the state is kept; torch.nn.GRU.

    Source: Cho et al. 2014, arXiv:1406.1078.
    """

    gates: ClassVar[int] = 3
    moments: ClassVar[tuple[Moment, ...]] = (Moment(3, True, 1), Moment(7, False, 1))
