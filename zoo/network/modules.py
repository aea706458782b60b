"""The torch modules that the composites need beside `nn.Sequential`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

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


def sharing(rounds: Sequence[nn.Module], own: Collection[str]) -> nn.Sequential:
    """Return rounds of the same layers that share all modules but those named in `own`: these each round keeps."""

    def share(first: nn.Module, later: nn.Module, path: str = "") -> None:
        for name, module in first.named_children():
            inside = f"{path}{name}"
            if any(one.startswith(f"{inside}.") for one in own):
                share(module, later.get_submodule(name), f"{inside}.")
            elif inside not in own:
                later.register_module(name, module)

    for later in rounds[1:]:
        share(rounds[0], later)
    return nn.Sequential(*rounds)
