"""The torch modules that the composites need beside `nn.Sequential`."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn


class Joined(nn.ModuleDict):
    """Runs every branch on one input and joins their outputs by `add`, `multiply` or `concat`.

    input: (N, C, ...); output: the same but for the channels of a `concat`.
    """

    def __init__(self, branches: Mapping[str, nn.Module], join: str) -> None:
        super().__init__(branches)
        self.join = join

    def forward(self, input: Tensor) -> Tensor:
        outputs = [branch(input) for branch in self.values()]
        if self.join == "concat":
            return torch.cat(outputs, dim=1) if len(outputs) > 1 else outputs[0]
        result = outputs[0]
        for other in outputs[1:]:
            result = result + other if self.join == "add" else result * other
        return result

    def extra_repr(self) -> str:
        return f"join={self.join}"


class Rounds(nn.Sequential):
    """Runs the same layers round after round; the rounds share all modules but those named in `own`."""

    def __init__(self, own: Collection[str], *rounds: nn.Module) -> None:
        super().__init__(*rounds)
        self.own = own
        for later in rounds[1:]:
            self._share(rounds[0], later)

    def _share(self, first: nn.Module, later: nn.Module, path: str = "") -> None:
        for name, module in first.named_children():
            inside = f"{path}{name}"
            if any(one.startswith(f"{inside}.") for one in self.own):
                self._share(module, later.get_submodule(name), f"{inside}.")
            elif inside not in self.own:
                later.register_module(name, module)

    def extra_repr(self) -> str:
        return f"own={self.own}"
