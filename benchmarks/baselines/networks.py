"""The paper's networks as a user would write them, layer by layer equal to those that Zoo builds from its specs.

Frozen; written for torch 2.15.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LATENT_SIZE = 10


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution around a shortcut; the inner width is a quarter."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        inner = channels // 4
        self.conv1 = nn.Conv2d(in_channels, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )
        self.activation = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        out = self.activation(self.bn1(self.conv1(x)))
        out = self.activation(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        found: Tensor = self.activation(out + self.shortcut(x))
        return found


class Classifier(nn.Module):
    """The paper's classifier: 99,364 parameters. images: (N, 3, 32, 32), normalised; returns logits (N, 100)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 32, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(32)
        self.activation = nn.SiLU()
        blocks: list[nn.Module] = []
        channels = 32
        for width, depth, stride in ((32, 5, 1), (64, 4, 2), (128, 3, 2)):
            for index in range(depth):
                blocks.append(Bottleneck(channels, width, stride if index == 0 else 1))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(128, 100)

    def forward(self, images: Tensor) -> Tensor:
        out = self.blocks(self.activation(self.bn(self.conv(images))))
        logits: Tensor = self.fc(torch.flatten(self.pool(out), 1))
        return logits


def generator() -> nn.Sequential:
    """Return the DCGAN's generator: 884,992 parameters, from (N, 10, 1, 1) to images (N, 3, 32, 32) in -1..1."""
    return nn.Sequential(
        *_up(LATENT_SIZE, 256, 4, 1, 0),
        *_up(256, 128, 4, 2, 1),
        *_up(128, 128, 3, 1, 1),
        *_up(128, 64, 4, 2, 1),
        *_up(64, 64, 3, 1, 1),
        nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False),
        nn.Tanh(),
    ).apply(initialise)


def discriminator(*, sigmoid: bool) -> nn.Sequential:
    """Return the DCGAN's discriminator: 44,480 parameters, from images to logits (N,), or to probabilities."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.LeakyReLU(0.2, inplace=True),
        *_down(8, 16),
        *_down(16, 32),
        *_down(32, 64),
        nn.Conv2d(64, 1, 4, bias=False),
        nn.Flatten(0),
        *([nn.Sigmoid()] if sigmoid else []),
    ).apply(initialise)


def initialise(module: nn.Module) -> None:
    """Draw a layer's weights as DCGAN does. Source: Radford et al. 2015, arXiv:1511.06434, section 4."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def _up(in_channels: int, channels: int, kernel: int, stride: int, padding: int) -> list[nn.Module]:
    conv = nn.ConvTranspose2d(in_channels, channels, kernel, stride, padding, bias=False)
    return [conv, nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]


def _down(in_channels: int, channels: int) -> list[nn.Module]:
    conv = nn.Conv2d(in_channels, channels, 4, 2, 1, bias=False)
    return [conv, nn.BatchNorm2d(channels), nn.LeakyReLU(0.2, inplace=True)]
