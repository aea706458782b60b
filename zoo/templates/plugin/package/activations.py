"""An activation: a torch module whose keyword-only arguments are its options."""

from typing import Annotated

import torch
from torch import nn

from zoo.api import Field


class Bend(nn.Module):
    """x * tanh(scale * x), with a scale that is learned."""

    def __init__(self, *, scale: Annotated[float, Field(gt=0)] = 1.0):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, x):
        return x * torch.tanh(self.scale * x)
