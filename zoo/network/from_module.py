"""A layer that is a torch module of a plugin's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from zoo.network.layer import Condition, Cost, Layer, Shape, batch_of_one
from zoo.network.tape import Forward, record, taped
from zoo.requirements import Finding, Setting

if TYPE_CHECKING:
    from torch import nn


class FromModule(Layer):
    """A layer that is a torch module, made anew for each use; `conditions` are what it is called with beside its input.

    `forward` records the module's forward pass on a tape, from the input to the output that it returns, and shape and
    cost follow without torch. Without it the module is measured on the meta device; `look` may be one made for that.
    """

    def __init__(
        self,
        make: Callable[[], nn.Module],
        forward: Forward | None = None,
        *,
        conditions: tuple[Condition, ...] = (),
        look: nn.Module | None = None,
    ) -> None:
        self._make = make
        self._forward = forward
        self._conditions = conditions
        self._look = look
        self._counted: dict[Shape, tuple[Shape, Cost]] = {}

    def shape(self, input: Shape, /) -> Shape:
        return self._count(input)[0]

    def cost(self, input: Shape, /) -> Cost:
        return self._count(input)[1]

    def module(self, input: Shape, /) -> nn.Module:
        return self._make()

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        if self._forward is not None:
            for shape in taped(self._forward, setting.input).normalized:
                yield from batch_of_one(shape, setting, "batch_norm")
            return
        from zoo.network.measure import refusal

        reason = refusal(self._looked_at(), setting.input, self._conditions, setting.part)
        if reason:
            yield Finding(f"found a network that cannot be trained on {setting.part} at a time: {reason}", "another")

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        if self._forward is not None:
            return {str(index): shape for index, shape in enumerate(taped(self._forward, input).weights)}
        from zoo.network.measure import weights

        return weights(self._looked_at)

    def unread(self, input: Shape) -> dict[str, int]:
        """Return the sizes of the trainable weights that a forward pass does not read, by name."""
        from zoo.network.measure import unread

        return unread(self._looked_at(), input, self._conditions)

    def _count(self, input: Shape) -> tuple[Shape, Cost]:
        if input not in self._counted:
            self._counted[input] = self._measured(input) if self._forward is None else record(self._forward, input)
        return self._counted[input]

    def _measured(self, input: Shape) -> tuple[Shape, Cost]:
        from zoo.network.measure import measure

        return measure(self._looked_at(), input, self._conditions)

    def _looked_at(self) -> nn.Module:
        if self._look is None:
            import torch

            with torch.device("meta"):
                self._look = self._make()
        return self._look
