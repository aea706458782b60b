"""How far weights move: a learning rate shows in it before a loss does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from zoo.api import Callback, Field, Moment

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(kw_only=True)
class UpdateRatios(Callback):
    """Logs |w - w'| / |w'| of each network, where w' are its weights at the last look."""

    every: Annotated[int, Field(ge=1, description="Steps from look to look.")] = 100
    _before: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False)

    def on_step(self, moment: Moment, /) -> None:
        import torch

        found = {}
        for role, network in moment.networks.items():
            with torch.no_grad():
                now = torch.cat([one.detach().flatten().float().cpu() for one in network.parameters()])
            before = self._before.get(role)
            if before is not None:
                found[role] = float((now - before).norm() / before.norm().clamp_min(1e-12))
            self._before[role] = now
        if found:
            moment.log(found)

    def state_dict(self) -> dict[str, Any]:
        return {"before": dict(self._before)}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        self._before = dict(state["before"])
