"""A forward pass written down as a list of operations: its shapes, and what it costs, follow without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from zoo.errors import ShapeError
from zoo.network.layer import Cost, Shape, elements, image


class Ledger:
    """Which storages each operation reads and writes; from that follows what must be held, and when.

    A storage goes by a number of the caller's; `input` is that of the network's input, and holds `size` values.
    """

    def __init__(self, input: int, size: int) -> None:
        self._input = input
        self._sizes = {input: size}
        self._operations: list[set[int]] = []

    def add(self, reads: Iterable[int], writes: Mapping[int, int]) -> None:
        """Add the next operation: the storages that it reads, and those that it writes with their sizes."""
        reads = set(reads)
        for storage, size in writes.items():
            if storage not in reads:
                self._sizes[storage] = max(self._sizes.get(storage, 0), size)
        # Weights are read too, but they are no activations: only what an operation wrote has a size here.
        self._operations.append({storage for storage in reads | writes.keys() if storage in self._sizes})

    def peaks(self, output: int) -> tuple[int, int]:
        """Return the most values held at one time, when the input may be freed and when it must stay.

        What an operation writes and nothing reads, as the statistics of a norm in inference, is not held at all.
        """
        end = len(self._operations)
        first: dict[int, int] = {self._input: 0}
        last: dict[int, int] = {self._input: 0}
        for index, storages in enumerate(self._operations):
            for storage in storages:
                first.setdefault(storage, index)
                last[storage] = index
        last[output] = end
        held = {storage for storage in last if last[storage] > first[storage]} | {self._input}
        return self._peak(held, first, last), self._peak(held, first, last | {self._input: end})

    def _peak(self, held: set[int], first: dict[int, int], last: dict[int, int]) -> int:
        # Sums of sizes by prefix: what comes into being at an operation, less what was last used before it.
        change = [0] * (len(self._operations) + 2)
        for storage in held:
            change[first[storage]] += self._sizes[storage]
            change[last[storage] + 1] -= self._sizes[storage]
        live, peak = 0, self._sizes[self._input]
        for difference in change[: len(self._operations)]:
            live += difference
            peak = max(peak, live)
        return peak


class Handle(NamedTuple):
    """A tensor on a tape: its shape without batch, and the number of its storage, which its views share."""

    shape: Shape
    storage: int


class Tape:
    """Records a forward pass for one input, operation by operation; every method returns the Handle of what is written.

    Each call of a method with weights counts weights of its own. `spectral_norm` divides a weight as
    torch.nn.utils.parametrizations.spectral_norm does.
    """

    def __init__(self, input: Shape) -> None:
        self.input = Handle(tuple(input), 0)
        self._storages = 1
        self._ledger = Ledger(self.input.storage, elements(input))
        self._counted = Cost()
        self.weights: list[Shape] = []  # the shapes of trainable tensors
        self.normalized: list[Shape] = []  # what norms over the batch have met

    def operation(
        self,
        output: Shape,
        *reads: Handle,
        parameters: int = 0,
        buffers: int = 0,
        tensors: int = 0,
        macs: int = 0,
    ) -> Handle:
        """Record an operation that reads some tensors and writes a new one of shape `output`; pooling, for instance.

        The counts, as those of a Cost, are of what belongs to it.
        """
        if parameters:
            self.weights.append((parameters,))
        return self._written(output, reads, parameters=parameters, buffers=buffers, tensors=tensors, macs=macs)

    def _written(self, output: Shape, reads: Iterable[Handle], **counts: int) -> Handle:
        written = Handle(tuple(output), self._storages)
        self._storages += 1
        self._ledger.add((one.storage for one in reads), {written.storage: elements(output)})
        self._count(**counts)
        return written

    def view(self, x: Handle, shape: Shape) -> Handle:
        """Return `x`, or a part of it, as another shape; nothing is written."""
        return Handle(tuple(shape), x.storage)

    def pointwise(self, *operands: Handle) -> Handle:
        """Record any function of each value: an activation, a sum, a product. The operands' shapes are broadcast."""
        shapes = [one.shape for one in operands]
        output = tuple(max(sides) for sides in zip(*shapes, strict=False))
        for shape in shapes:
            if len(shape) != len(output) or any(a not in (1, b) for a, b in zip(shape, output, strict=True)):
                raise ShapeError(f"a function of each value cannot take {' and '.join(map(str, shapes))} together")
        return self.operation(output, *operands)

    def cat(self, *operands: Handle) -> Handle:
        """Record the concatenation of features, or of channels."""
        shapes = [one.shape for one in operands]
        if len({shape[1:] for shape in shapes}) > 1:
            raise ShapeError(f"cat cannot join {' and '.join(map(str, shapes))}")
        return self.operation((sum(shape[0] for shape in shapes), *shapes[0][1:]), *operands)

    def linear(self, x: Handle, features: int, *, bias: bool = True, spectral_norm: bool = False) -> Handle:
        """Record torch.nn.Linear on a vector."""
        if len(x.shape) != 1:
            raise ShapeError(f"linear takes a vector (features,), but the shape here is {x.shape}")
        weight = self._weight((features, x.shape[0]), spectral_norm)
        return self.operation(
            (features,), x, *weight, parameters=bias * features, tensors=bias, macs=features * x.shape[0]
        )

    def embedding(self, classes: int, features: int, *, spectral_norm: bool = False) -> Handle:
        """Record torch.nn.Embedding of a label."""
        return self.operation((features,), *self._weight((classes, features), spectral_norm))

    def conv(
        self,
        x: Handle,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        bias: bool = True,
        spectral_norm: bool = False,
    ) -> Handle:
        """Record torch.nn.Conv2d."""
        before, *sides = image(x.shape, "conv")
        height, width = ((side + 2 * padding - kernel) // stride + 1 for side in sides)
        if min(height, width) < 1:
            raise ShapeError(f"conv: a kernel of {kernel} does not fit in {x.shape} with padding {padding}")
        if before % groups or channels % groups:
            raise ShapeError(f"conv: groups {groups} does not divide both {before} channels in and {channels} out")
        columns = before // groups * kernel**2
        return self.operation(
            (channels, height, width),
            x,
            *self._weight((channels, before // groups, kernel, kernel), spectral_norm),
            parameters=bias * channels,
            tensors=bias,
            macs=channels * columns * height * width,
        )

    def conv_transpose(
        self,
        x: Handle,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
        spectral_norm: bool = False,
    ) -> Handle:
        """Record torch.nn.ConvTranspose2d."""
        before, *sides = image(x.shape, "conv_transpose")
        height, width = ((side - 1) * stride - 2 * padding + kernel for side in sides)
        if min(height, width) < 1:
            raise ShapeError(f"conv_transpose: padding {padding} leaves nothing of {x.shape}")
        # The rows of this weight as a matrix do not lie in order.
        turned = before > 1 and channels > 1 and kernel > 1
        return self.operation(
            (channels, height, width),
            x,
            *self._weight((before, channels, kernel, kernel), spectral_norm, outputs=1, turned=turned),
            parameters=bias * channels,
            tensors=bias,
            macs=channels * before * kernel**2 * elements(tuple(sides)),
        )

    def batch_norm(self, x: Handle, *, affine: bool = True) -> Handle:
        """Record torch.nn.BatchNorm2d, or BatchNorm1d."""
        channels = x.shape[0]
        self.normalized.append(x.shape)
        # Running mean and variance, and the count of batches.
        return self._norm(x, affine, buffers=2 * channels + 1, tensors=3)

    def group_norm(self, x: Handle, groups: int, *, affine: bool = True) -> Handle:
        """Record torch.nn.GroupNorm."""
        if x.shape[0] % groups:
            raise ShapeError(f"group_norm: groups {groups} does not divide {x.shape[0]} channels")
        if elements(x.shape) == groups:
            raise ShapeError(f"group_norm: groups {groups} leaves one value in each group of {x.shape}")
        return self._norm(x, affine)

    def _norm(self, x: Handle, affine: bool, *, buffers: int = 0, tensors: int = 0) -> Handle:
        self.weights += [x.shape[:1]] * 2 * affine
        return self._written(
            x.shape, (x,), parameters=2 * x.shape[0] * affine, buffers=buffers, tensors=tensors + 2 * affine
        )

    def attention(self, query: Handle, key: Handle, value: Handle) -> Handle:
        """Record scaled_dot_product_attention, each (heads, tokens, features), with the weights of all pairs held."""
        (heads, tokens, features), (_, others, given) = query.shape, value.shape
        pairs = heads * tokens * others
        scaled = self.pointwise(query), self.pointwise(key)
        products = self.operation((heads, tokens, others), *scaled, macs=pairs * features)
        return self.operation((heads, tokens, given), self.pointwise(products), value, macs=pairs * given)

    def cost(self, output: Handle) -> Cost:
        """Return the cost of what was recorded, when `output` is what it gives."""
        peak, held_peak = self._ledger.peaks(output.storage)
        return self._counted._replace(peak=peak, held_peak=held_peak, alias=output.storage == self.input.storage)

    def _weight(self, shape: Shape, spectral_norm: bool, *, outputs: int = 0, turned: bool = False) -> list[Handle]:
        """Count a weight, of which the dimension `outputs` is the channels that come out; return what was written for
        its use.

        `turned`: torch has to copy it to see it as a matrix of one row for each channel that comes out.
        """
        self.weights.append(shape)
        rows, columns = shape[outputs], elements(shape) // shape[outputs]
        self._count(parameters=rows * columns, tensors=1)
        if not spectral_norm:
            return []
        matrix = [self.operation((rows, columns))] if turned else []
        left = self.operation((rows,), buffers=rows, tensors=1)
        right = self.operation((columns,), buffers=columns, tensors=1)
        largest = self.operation((), left, self.operation((rows,), *matrix, right))
        return [self.operation((rows, columns), largest)]

    def _count(self, **counts: int) -> None:
        self._counted = self._counted._replace(
            **{name: getattr(self._counted, name) + count for name, count in counts.items() if count}
        )


#: Records a module's forward pass on a tape, from its input to the output that it returns.
Forward = Callable[[Tape, Handle], Handle]


def record(forward: Forward, input: Shape) -> tuple[Shape, Cost]:
    """Return the output's shape and the cost of a forward pass for one input (shapes without batch)."""
    tape = Tape(input)
    output = forward(tape, tape.input)
    return output.shape, tape.cost(output)


def taped(forward: Forward, input: Shape) -> Tape:
    """Return the tape of a forward pass for one input."""
    tape = Tape(input)
    forward(tape, tape.input)
    return tape
