"""A layer that is a torch module of a plugin's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from zoo.network.layer import Condition, Cost, Layer, Shape
from zoo.requirements import Finding, Setting

if TYPE_CHECKING:
    from torch import nn

    from zoo.network.lowering import Flow


class FromModule(Layer):
    """A layer that is a torch module, made anew for each use; `conditions` are what it is called with beside its input.

    Shape and cost are measured on the meta device; `look` may be one made for that.
    """

    def __init__(
        self,
        make: Callable[[], nn.Module],
        *,
        conditions: tuple[Condition, ...] = (),
        look: nn.Module | None = None,
    ) -> None:
        self._make = make
        self._conditions = conditions
        self._look = look
        self._counted: dict[Shape, tuple[Shape, Cost]] = {}

    def lower_into(self, flow: Flow, name: str) -> None:
        flow.operation(self, name, (flow.value, *(flow.read(one.name) for one in self._conditions)))

    def shape(self, input: Shape, /, *conditions: Shape) -> Shape:
        return self._count(input)[0]

    def cost(self, input: Shape, /, *conditions: Shape) -> Cost:
        return self._count(input)[1]

    def module(self, input: Shape, /, *conditions: Shape) -> nn.Module:
        return self._make()

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        from zoo.network.measure import refusal

        reason = refusal(self._looked_at(), setting.input, self._conditions, setting.part)
        if reason:
            yield Finding(f"found a network that cannot be trained on {setting.part} at a time: {reason}", "another")

    def weights(self, input: Shape, /, *conditions: Shape) -> dict[str, Shape]:
        from zoo.network.measure import weights

        return weights(self._looked_at)

    def unread(self, input: Shape) -> dict[str, int]:
        """Return the sizes of the trainable weights that a forward pass does not read, by name."""
        from zoo.network.measure import unread

        return unread(self._looked_at(), input, self._conditions)

    def _count(self, input: Shape) -> tuple[Shape, Cost]:
        if input not in self._counted:
            from zoo.network.measure import measure

            self._counted[input] = measure(self._looked_at(), input, self._conditions)
        return self._counted[input]

    def _looked_at(self) -> nn.Module:
        if self._look is None:
            import torch

            with torch.device("meta"):
                self._look = self._make()
        return self._look
