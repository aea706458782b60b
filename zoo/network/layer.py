"""A layer: its options are its fields; it knows its output shape and its cost in closed form, and builds its module.

Shapes leave out the batch. Channels come first: a vector is (features,), a sequence (channels, length), an image
(channels, height, width), a volume (channels, depth, height, width); a sequence of whole numbers is (length,).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeVar

from zoo.errors import Position, ShapeError
from zoo.requirements import Finding, Setting

if TYPE_CHECKING:
    from torch import nn

    from zoo.network.lowering import Flow

Shape = tuple[int, ...]
Operation = TypeVar("Operation", bound="Layer")
MOST_VALUES = 2**63  # in a tensor; torch counts no further
BYTES = 4  # of one value in fp32, the precision that memory is stated in


def elements(shape: Shape) -> int:
    """Return how many values a tensor of `shape` holds."""
    return math.prod(shape)


def image(input: Shape, layer: str) -> tuple[int, int, int]:
    """Return `input` as (channels, height, width). Raises ShapeError when it is no image."""
    if len(input) != 3:
        raise ShapeError(f"{layer} takes an image (channels, height, width), but the shape here is {tuple(input)}")
    return input


def spatial(input: Shape, layer: str) -> Shape:
    """Return `input`, channels and one to three axes. Raises ShapeError when it is anything else."""
    if not 2 <= len(input) <= 4:
        raise ShapeError(
            f"{layer} takes a sequence (channels, length), an image (channels, height, width) or a volume "
            f"(channels, depth, height, width), but the shape here is {tuple(input)}"
        )
    return input


def batch_of_one(input: Shape, setting: Setting, label: str) -> Iterator[Finding]:
    """Yield a finding where a norm over the batch meets a single value in a channel, whose deviation is none."""
    if elements(input) == input[0] and setting.part == 1:
        parts = f" in {setting.spec.train.accumulate} parts" if setting.spec.train.accumulate > 1 else ""
        size = f"a batch of {setting.spec.train.batch_size}{parts}"
        yield Finding(
            f"found {label} over one value: {size} gives one image, which has one pixel here",
            "2 images or more at a time, or another norm",
        )


class Cost(NamedTuple):
    """What a layer costs for one input.

    `parameters`: trainable values; a weight that is used twice counts once. `buffers`: values that are saved but not
    trained. `tensors`: how many are saved. `macs`: multiply-adds of convolutions and matrix products, the convention
    of torch's FlopCounterMode divided by two.

    `peak`: the most values that are held at one time in a forward pass when each tensor is freed after its last use,
    input and output of the running operation included. `held_peak`: the same when the input must outlive the layer.
    `alias`: the output is the input's own storage, as of a reshape.
    """

    parameters: int = 0
    buffers: int = 0
    tensors: int = 0
    macs: int = 0
    peak: int = 0
    held_peak: int = 0
    alias: bool = False

    @property
    def peak_bytes(self) -> int:
        return self.peak * BYTES

    @property
    def file_bytes(self) -> int:
        """Size of the weights' safetensors file, at most: fp32 values and 128 bytes of header for each tensor."""
        return BYTES * (self.parameters + self.buffers) + 128 * (self.tensors + 1)

    @classmethod
    def operation(
        cls, input: Shape, output: Shape, *, parameters: int = 0, buffers: int = 0, tensors: int = 0, macs: int = 0
    ) -> Cost:
        """Return the cost of one operation that reads `input` and writes a new tensor of shape `output`."""
        peak = elements(input) + elements(output)
        return cls(parameters, buffers, tensors, macs, peak, peak)

    @classmethod
    def view(cls, input: Shape) -> Cost:
        """Return the cost of an operation that hands on its input's storage."""
        return cls(peak=elements(input), held_peak=elements(input), alias=True)


class Condition(NamedTuple):
    """What a network is called with beside its input: a label below `classes` for each image, or a number where that
    is 0.
    """

    name: str
    classes: int = 0


class Layer:
    """Base of all layers. A subclass is a keyword-only frozen dataclass: its fields are the options in a spec.

    `at` is the place in the spec where the layer was written, if it was; `label` is the name that it has there; `block`
    says that this is the name of one of the spec's blocks.
    """

    at: ClassVar[Position | None] = None
    label: ClassVar[str] = ""
    block: ClassVar[bool] = False
    #: Whether the layer changes nothing when it runs a second time.
    idempotent: ClassVar[bool] = False
    #: Whether the layer is a norm: rounds that share all other weights may each have their own of these.
    normalizes: ClassVar[bool] = False
    #: Whether the layer takes whole numbers: labels, or the tokens of a sequence.
    takes_tokens: ClassVar[bool] = False
    #: The names that the layer gives to what is around it.
    gives: frozenset[str] = frozenset()
    #: Whether the layer has a check of its own.
    asks: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        cls.label = cls.__name__.lower()
        cls.asks = cls.check is not Layer.check

    def shape(self, input: Shape, /) -> Shape:
        """Return the output's shape. Raises ShapeError when the layer cannot take `input`."""
        return input

    def cost(self, input: Shape, /) -> Cost:
        """Return the cost in closed form. The base measures the built module on the meta device instead."""
        from zoo.network.measure import measure

        return measure(self.module(input), input)[1]

    def module(self, input: Shape, /) -> nn.Module:
        """Return the torch module."""
        raise NotImplementedError(f"{type(self).__name__} builds no module")

    def idle(self, input: Shape, /) -> bool:
        """Return whether the layer hands on exactly what it is given, in training too."""
        return False

    def centers(self, input: Shape, /) -> bool:
        """Return whether what is the same in a whole channel is taken away, as a norm over the batch does."""
        return False

    def lower_into(self, flow: Flow, name: str) -> None:
        """Add the layer to a graph; its module is called `name` there. A layer that is one operation is one step."""
        flow.operation(self, name)

    def standing_for(self, operation: Operation) -> Operation:
        """Return an operation that goes by the layer's name and place."""
        for key in ("label", "at"):
            object.__setattr__(operation, key, getattr(self, key))
        return operation

    def check(self, setting: Setting, /) -> Iterable[Finding]:
        """Return what stands in the way of training the layer on `setting.input`, and what is surely not meant."""
        return ()

    def groups_of(self, input: Shape, /) -> int:
        """Return in how many groups its module takes the channels, which shapes of weights do not tell."""
        return 1

    def weights(self, input: Shape, /) -> Mapping[str, Shape]:
        """Return the shapes of the trainable tensors, by their names in the layer's module.

        The base looks at the built module on the meta device instead. A layer of several values takes a shape for each.
        """
        if not self.cost(input).parameters:
            return {}
        from zoo.network.measure import weights

        return weights(lambda: self.module(input))

    def inner(self, input: Shape, /) -> Layer:
        """Return the layer that stands behind this one for `input`: itself, unless it was written for any shape."""
        return self
