"""Layers that work along axes, which they call as expressions do: channels, length, depth, height, width, features."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from zoo.api import AXES, Cost, Field, Layer, Shape, ShapeError, Wanted, image
from zoo_torch.layers import Extent, PaddingMode, Size, require_border

if TYPE_CHECKING:
    from torch import nn

Axis = Literal["channels", "length", "depth", "height", "width", "features"]
Shift = Annotated[
    Annotated[int, Field(ge=-(2**20), le=2**20)] | None,
    Wanted("a whole number"),
    Field(description="Places, towards the end."),
]
Range = Annotated[
    int | Annotated[str, Field(pattern=r"^(-?\d{1,9})?:(-?\d{1,9})?(:\d{1,9})?$")] | None,
    Wanted('an index, or a range such as "2:-2" or "::2"'),
]
Border = Annotated[
    Extent | tuple[Extent, Extent] | None, Wanted("a whole number >= 0, or two of them: [before, behind]")
]
WindowSize = Annotated[
    Size | tuple[Size, Size],
    Wanted("a whole number >= 1, or two of them: [height, width]"),
    Field(description="Pixels of a window: one number, or [height, width]."),
]


def sides(size: int | tuple[int, int]) -> tuple[int, int]:
    """Return one number for both sides, or two, as (height, width)."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def names_of(input: Shape, layer: str) -> tuple[str, ...]:
    """Return what the axes of a shape are called. Raises ShapeError when it is none that has names."""
    if len(input) not in AXES:
        raise ShapeError(f"{layer} takes a shape of one to four sizes, but the shape here is {tuple(input)}")
    return AXES[len(input)]


def index_of(axis: str, input: Shape, layer: str) -> int:
    """Return where an axis stands in a shape. Raises ShapeError when it has none of that name."""
    names = names_of(input, layer)
    if axis == "channels":
        return 0
    if axis not in names:
        raise ShapeError(f"{layer}: {tuple(input)} has no {axis}; wanted one of {', '.join(names)}")
    return names.index(axis)


@dataclass(frozen=True, kw_only=True)
class AlongAxes(Layer):
    """Base: what is asked for along each axis, under its name."""

    def asked(self, input: Shape) -> Iterator[tuple[int, str, Any]]:
        """Yield place, name and value of each axis that something is asked for along."""
        for name in AXES[4] + AXES[2] + AXES[1]:
            value = getattr(self, name, None)
            if value is not None and name != "channels":
                yield index_of(name, input, self.label), name, value
        value = getattr(self, "channels", None)
        if value is not None:
            yield 0, "channels", value

    def cost(self, input: Shape, /) -> Cost:
        output = self.shape(input)
        return Cost.view(input) if self.idle(input) else Cost.operation(input, output)


@dataclass(frozen=True, kw_only=True)
class Crop(AlongAxes):
    """A part of each axis that is named, as a copy: an index takes one place and drops the axis, a range keeps it.

    Indices and ranges are Python's: from 0, negative ones from the end; "1:" is all but the first, "::2" every other.
    """

    length: Range = None
    height: Range = None
    width: Range = None
    depth: Range = None
    channels: Range = None

    def _ranges(self, input: Shape) -> tuple[int | slice, ...]:
        found: list[int | slice] = [slice(0, size, 1) for size in input]
        for axis, name, wanted in self.asked(input):
            size = input[axis]
            parts = [wanted] if isinstance(wanted, int) else [int(one) if one else None for one in wanted.split(":")]
            bound = size - 1 if isinstance(wanted, int) else size
            for one in parts[:2]:
                if one is not None and not -size <= one <= bound:
                    raise ShapeError(f"crop: {name} {wanted} is beyond the {size} of {tuple(input)}")
            if isinstance(wanted, int):
                found[axis] = wanted % size
                continue
            if parts[2:] == [0]:
                raise ShapeError(f"crop: {name} {wanted} takes steps of 0; wanted 1 or more")
            found[axis] = cut = slice(*slice(*parts).indices(size))
            if not range(size)[cut]:
                raise ShapeError(f"crop: {name} {wanted} leaves nothing of the {size} of {tuple(input)}")
        if all(isinstance(one, int) for one in found):
            raise ShapeError(f"crop leaves a single number of {tuple(input)}; wanted a range along one axis")
        return tuple(found)

    def shape(self, input: Shape, /) -> Shape:
        cut = zip(input, self._ranges(input), strict=True)
        return tuple(len(range(size)[one]) for size, one in cut if isinstance(one, slice))

    def idle(self, input: Shape, /) -> bool:
        return self.shape(input) == tuple(input)

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        from zoo_torch.modules.axes import Crop as Module

        return nn.Identity() if self.idle(input) else Module(self._ranges(input))


@dataclass(frozen=True, kw_only=True)
class Pad(AlongAxes):
    """More places around each axis that is named; torch.nn.functional.pad.

    `reflect` mirrors at the outermost places, `replicate` repeats them, `circular` goes on from the other side.
    """

    length: Border = None
    height: Border = None
    width: Border = None
    depth: Border = None
    channels: Border = None
    mode: Annotated[PaddingMode, Field(description="What stands in the new places.")] = "zeros"

    def _borders(self, input: Shape) -> list[tuple[int, int]]:
        found = [(0, 0)] * len(input)
        for axis, name, wanted in self.asked(input):
            found[axis] = (wanted, wanted) if isinstance(wanted, int) else tuple(wanted)
            require_border(self.label, name, max(found[axis]), input[axis], self.mode)
        if self.mode != "zeros" and (len(input) == 1 or any(found[0])):
            raise ShapeError(f"pad: {self.mode} goes along length, depth, height and width; wanted zeros for channels")
        return found

    def shape(self, input: Shape, /) -> Shape:
        return tuple(size + sum(border) for size, border in zip(input, self._borders(input), strict=True))

    def idle(self, input: Shape, /) -> bool:
        return self.shape(input) == tuple(input)

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        from zoo_torch.modules.axes import Pad as Module

        borders = self._borders(input)[::-1]  # torch counts from the last axis
        if self.idle(input):
            return nn.Identity()
        if self.mode != "zeros" or not any(borders[-1]):
            del borders[-1]
        return Module(tuple(one for border in borders for one in border), self.mode)


@dataclass(frozen=True, kw_only=True)
class Roll(AlongAxes):
    """Shift each axis that is named by so many places; what leaves at one end comes in at the other; torch.roll."""

    length: Shift = None
    height: Shift = None
    width: Shift = None
    depth: Shift = None
    channels: Shift = None

    def _shifts(self, input: Shape) -> dict[int, int]:
        shifts = {axis: shift % input[axis] for axis, _, shift in self.asked(input)}
        return {axis: shifts[axis] for axis in sorted(shifts) if shifts[axis]}

    def shape(self, input: Shape, /) -> Shape:
        self._shifts(input)
        return tuple(input)

    def idle(self, input: Shape, /) -> bool:
        return not self._shifts(input)

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        from zoo_torch.modules.axes import Roll as Module

        shifts = self._shifts(input)
        return Module(tuple(shifts.values()), tuple(1 + axis for axis in shifts)) if shifts else nn.Identity()


@dataclass(frozen=True, kw_only=True)
class Permute(Layer):
    """The axes in another order: `[channels, width, height]` transposes an image; torch.Tensor.permute."""

    order: Annotated[
        list[Axis],
        Field(min_length=1, max_length=4, description="The names that the axes have here, in their new order."),
    ]

    def _order(self, input: Shape) -> tuple[int, ...]:
        order = tuple(index_of(name, input, "permute") for name in self.order)
        if sorted(order) != list(range(len(input))):
            names = ", ".join(names_of(input, "permute"))
            raise ShapeError(f"permute: [{', '.join(self.order)}] for {tuple(input)}; wanted {names}, each once")
        return order

    def shape(self, input: Shape, /) -> Shape:
        return tuple(input[axis] for axis in self._order(input))

    def idle(self, input: Shape, /) -> bool:
        return self._order(input) == tuple(range(len(input)))

    def cost(self, input: Shape, /) -> Cost:
        return Cost.view(input) if self.idle(input) else Cost.operation(input, self.shape(input))

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        from zoo_torch.modules.axes import Permute as Module

        return nn.Identity() if self.idle(input) else Module(self._order(input))


@dataclass(frozen=True, kw_only=True)
class Softmax(Layer):
    """Exponentials that sum to 1 along an axis; torch.nn.Softmax."""

    axis: Axis = "channels"

    def shape(self, input: Shape, /) -> Shape:
        index_of(self.axis, input, "softmax")
        return input

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, self.shape(input))

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        return nn.Softmax(1 + index_of(self.axis, input, "softmax"))


@dataclass(frozen=True, kw_only=True)
class Windows(Layer):
    """Cut an image into windows: (channels, height, width) becomes (channels, windows, pixels of each).

    What works along the width then works within a window, what works along the height between windows, as in MaxViT.
    `merge_windows` puts them together again. Source: Liu et al. 2021, arXiv:2103.14030, section 3.2.
    """

    size: WindowSize = 7

    def shape(self, input: Shape, /) -> Shape:
        channels, height, width = image(input, "windows")
        (rows, columns), pixels = sides(self.size), math.prod(sides(self.size))
        if height % rows or width % columns:
            raise ShapeError(f"windows: {rows}x{columns} does not divide {height}x{width} pixels; pad them before")
        return (channels, height * width // pixels, pixels)

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, self.shape(input))

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules.axes import Windows as Module

        self.shape(input)
        return Module(sides(self.size))


@dataclass(frozen=True, kw_only=True)
class MergeWindows(Layer):
    """Put windows together to an image: (channels, windows, pixels of each) becomes (channels, height, width)."""

    size: WindowSize = 7
    rows: Annotated[Size | None, Field(description="Windows one below the other; null: as many as side by side.")] = (
        None
    )

    def _rows(self, input: Shape) -> int:
        _, windows, pixels = image(input, "merge_windows")
        height, width = sides(self.size)
        rows = self.rows or math.isqrt(windows)
        if pixels != height * width or windows % rows or (self.rows is None and rows * rows != windows):
            raise ShapeError(
                f"merge_windows: {tuple(input)} is not {rows} rows of windows of {height}x{width} pixels; "
                "wanted the size and the rows that `windows` cut"
            )
        return rows

    def shape(self, input: Shape, /) -> Shape:
        rows, (height, width) = self._rows(input), sides(self.size)
        return (input[0], rows * height, input[1] // rows * width)

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, self.shape(input))

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules.axes import MergeWindows as Module

        return Module(sides(self.size), self._rows(input))
