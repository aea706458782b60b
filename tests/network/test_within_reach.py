"""Blocks of modern networks in the language of layers alone, beside torchvision's modules of the same name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import pytest
import torch
from support import builtin_registry
from torch import Tensor, nn
from torchvision.models import convnext, efficientnet, mobilenetv3, resnet, shufflenetv2, squeezenet, vision_transformer
from torchvision.ops import SqueezeExcitation

import zoo
from zoo.checking import NetworkReport
from zoo.network.measure import measure
from zoo.spec.reader import read_text


class Case(NamedTuple):
    """A network in the language, for images of a shape, and the module that it stands for."""

    image: tuple[int, int, int]
    text: str
    original: Callable[[], nn.Module]


def headed(features: int, *modules: nn.Module) -> nn.Module:
    return nn.Sequential(*modules, nn.Flatten(), nn.Linear(features, 10))


def squeeze_excitation() -> nn.Module:
    block = resnet.BasicBlock(16, 16)
    block.bn2 = nn.Sequential(block.bn2, SqueezeExcitation(16, 4))  # type: ignore[assignment]
    return headed(16 * 6 * 5, block)


SQUEEZE_EXCITATION = """
blocks:
  excited:
    parameters: {channels: null, squeeze: "${channels // 4}"}
    layers:
      - branches:
          join: multiply
          branches:
            - identity
            - sequence:
                - adaptive_average_pool: 1
                - conv: {channels: "${squeeze}", kernel: 1}
                - relu
                - conv: {channels: "${channels}", kernel: 1}
                - sigmoid
layers:
  - residual:
      - conv: {channels: 16, bias: false}
      - batch_norm
      - relu
      - conv: {channels: 16, bias: false}
      - batch_norm
      - excited: 16
  - relu
  - flatten
  - linear: 10
"""


def shuffle_net() -> nn.Module:
    return headed(24 * 3 * 3, shufflenetv2.InvertedResidual(8, 24, 2), shufflenetv2.InvertedResidual(24, 24, 1))


SHUFFLE_NET = """
blocks:
  depthwise:
    parameters: {channels: null, stride: 1}
    layers:
      - conv: {channels: "${channels}", stride: "${stride}", groups: depthwise, bias: false}
      - batch_norm
  pointwise:
    parameters: {channels: null}
    layers: [conv: {channels: "${channels}", kernel: 1, bias: false}, batch_norm, relu]
  right:
    parameters: {half: null, stride: 1}
    layers: [pointwise: "${half}", depthwise: {channels: "${half}", stride: "${stride}"}, pointwise: "${half}"]
  unit:
    parameters: {channels: null, half: "${channels // 2}"}
    layers:
      - branches:
          join: concat
          branches:
            - channels: "${half}"
            - sequence: [channels: {count: "${half}", start: "${half}"}, right: "${half}"]
      - channel_shuffle: 2
  down:
    parameters: {input: null, channels: null, half: "${channels // 2}"}
    layers:
      - branches:
          join: concat
          branches:
            - sequence: [depthwise: {channels: "${input}", stride: 2}, pointwise: "${half}"]
            - right: {half: "${half}", stride: 2}
      - channel_shuffle: 2
layers: [down: {input: 8, channels: 24}, unit: 24, flatten, linear: 10]
"""


def fire() -> nn.Module:
    return headed(24 * 6 * 5, squeezenet.Fire(6, 4, 8, 16))


FIRE = """
blocks:
  fire:
    parameters: {squeeze: null, narrow: null, wide: null}
    layers:
      - conv: {channels: "${squeeze}", kernel: 1}
      - relu
      - branches:
          join: concat
          branches:
            - sequence: [conv: {channels: "${narrow}", kernel: 1}, relu]
            - sequence: [conv: "${wide}", relu]
layers: [fire: {squeeze: 4, narrow: 8, wide: 16}, flatten, linear: 10]
"""


def mobile_net() -> nn.Module:
    config = partial(mobilenetv3.InvertedResidualConfig, dilation=1, width_mult=0.75)
    norm = partial(nn.BatchNorm2d, eps=1e-3, momentum=1e-2)
    units = [
        config(16, 5, 64, 24, True, "RE", stride=2),
        config(24, 5, 120, 24, True, "RE", stride=1),
        config(24, 3, 240, 80, True, "HS", stride=2),
    ]
    return headed(64 * 2 * 2, *(mobilenetv3.InvertedResidual(unit, norm) for unit in units))


MOBILE_NET = """
let: {width: 0.75}
blocks:
  norm: [batch_norm: {eps: 0.001, momentum: 0.01}]
  excitation:
    parameters: {channels: null, squeeze: "${round_to(channels // 4, 8)}"}
    layers:
      - branches:
          join: multiply
          branches:
            - sequence:
                - adaptive_average_pool: 1
                - conv: {channels: "${squeeze}", kernel: 1}
                - relu
                - conv: {channels: "${channels}", kernel: 1}
                - hardsigmoid
            - identity
  unit:
    parameters:
      expanded: null
      channels: null
      kernel: 3
      stride: 1
      act: relu
      hidden: "${round_to(expanded * width, 8)}"
      # torchvision rounds no more than a tenth of the channels away.
      near: "${round_to(channels * width, 8)}"
      output: "${near if near >= 0.9 * channels * width else near + 8}"
    layers:
      - conv: {channels: "${hidden}", kernel: 1, bias: false}
      - norm
      - "${act}"
      - conv: {channels: "${hidden}", kernel: "${kernel}", stride: "${stride}", groups: depthwise, bias: false}
      - norm
      - "${act}"
      - excitation: "${hidden}"
      - conv: {channels: "${output}", kernel: 1, bias: false}
      - norm
layers:
  - unit: {expanded: 64, channels: 24, kernel: 5, stride: 2}
  - residual: [unit: {expanded: 120, channels: 24, kernel: 5}]
  - unit: {expanded: 240, channels: 80, stride: 2, act: hardswish}
  - flatten
  - linear: 10
"""


def efficient_net() -> nn.Module:
    config = partial(efficientnet.MBConvConfig, num_layers=1)
    units = [config(6, 3, 2, 16, 24, width_mult=1.1), config(4, 5, 1, 24, 24, width_mult=1.1)]
    return headed(24 * 3 * 3, *(efficientnet.MBConv(unit, 0.2, nn.BatchNorm2d) for unit in units))


EFFICIENT_NET = """
let: {width: 1.1}
blocks:
  excitation:
    parameters: {channels: null, squeeze: null}
    layers:
      - branches:
          join: multiply
          branches:
            - sequence:
                - adaptive_average_pool: 1
                - conv: {channels: "${squeeze}", kernel: 1}
                - silu
                - conv: {channels: "${channels}", kernel: 1}
                - sigmoid
            - identity
  unit:
    parameters:
      ratio: null
      input: null
      channels: null
      kernel: 3
      stride: 1
      narrow: "${round_to(input * width, 8)}"
      hidden: "${round_to(ratio * narrow, 8)}"
    layers:
      - conv: {channels: "${hidden}", kernel: 1, bias: false}
      - batch_norm
      - silu
      - conv: {channels: "${hidden}", kernel: "${kernel}", stride: "${stride}", groups: depthwise, bias: false}
      - batch_norm
      - silu
      - excitation: {channels: "${hidden}", squeeze: "${max(1, narrow // 4)}"}
      - conv: {channels: "${round_to(channels * width, 8)}", kernel: 1, bias: false}
      - batch_norm
layers:
  - unit: {ratio: 6, input: 16, channels: 24, stride: 2}
  - residual: [unit: {ratio: 4, input: 24, channels: 24, kernel: 5}]
  - flatten
  - linear: 10
"""


def conv_next() -> nn.Module:
    blocks = [convnext.CNBlock(channels, 1e-6, 0.1) for channels in (8, 12)]
    norm = convnext.LayerNorm2d(8, eps=1e-6)
    return headed(12 * 3 * 2, blocks[0], norm, nn.Conv2d(8, 12, 2, 2), blocks[1])


CONV_NEXT = """
blocks:
  block:
    parameters: {channels: null}
    layers:
      - residual:
          - conv: {channels: "${channels}", kernel: 7, groups: depthwise}
          - layer_norm: {over: channels, eps: 1e-6}
          - conv: {channels: "${4 * channels}", kernel: 1}
          - gelu
          - conv: {channels: "${channels}", kernel: 1}
          - scale: 1e-6
layers:
  - block: 8
  - layer_norm: {over: channels, eps: 1e-6}
  - conv: {channels: 12, kernel: 2, stride: 2, padding: 0}
  - block: 12
  - flatten
  - linear: 10
"""


class VisionTransformer(nn.Module):
    """torchvision's encoder blocks over the patches of an image, their mean, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.position = nn.ParameterList([torch.empty(16, 3, 4)])
        self.blocks = nn.Sequential(*(vision_transformer.EncoderBlock(4, 16, 32, 0.0, 0.0) for _ in range(3)))
        self.norm, self.head = nn.LayerNorm(16, 1e-6), nn.Linear(16, 10)

    def forward(self, images: Tensor) -> Tensor:
        tokens = (self.patches(images) + self.position[0]).flatten(2).transpose(1, 2)
        logits: Tensor = self.head(self.norm(self.blocks(tokens)).mean(1))
        return logits


VISION_TRANSFORMER = """
let: {width: 16}
blocks:
  norm: [layer_norm: {over: channels, eps: 1e-6}]
layers:
  - conv: {channels: "${width}", kernel: 4, stride: 4, padding: 0}
  - position
  - repeat:
      times: 3
      layers:
        - residual: [norm, self_attention: {heads: 4}]
        - residual: [norm, conv: {channels: "${2 * width}", kernel: 1}, gelu, conv: {channels: "${width}", kernel: 1}]
  - norm
  - global_average_pool
  - linear: 10
"""
CASES = {
    "squeeze_excitation": Case((16, 6, 5), SQUEEZE_EXCITATION, squeeze_excitation),
    "shuffle_net_v2": Case((8, 6, 5), SHUFFLE_NET, shuffle_net),
    "squeeze_net_fire": Case((6, 6, 5), FIRE, fire),
    "mobile_net_v3": Case((16, 8, 7), MOBILE_NET, mobile_net),
    "efficient_net": Case((16, 6, 5), EFFICIENT_NET, efficient_net),
    "conv_next": Case((8, 6, 5), CONV_NEXT, conv_next),
    "vision_transformer": Case((3, 12, 16), VISION_TRANSFORMER, VisionTransformer),
}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def network(case: Case) -> NetworkReport:
    """Return the network of a spec that is written as the case says."""
    written: Any = read_text(case.text, "case.yaml", "yaml").data()
    architecture = {"layers": written.pop("layers")}
    spec = {
        "zoo": 1,
        "name": "within-reach",
        "task": "classify",
        "data": {"noise": {"image": list(case.image), "classes": 10}},
        "networks": {"classifier": {"architecture": architecture}},
        "train": {"steps": 1},
        **written,
    }
    return zoo.check(spec, registry=builtin_registry()).networks["classifier"]


def state(module: nn.Module) -> list[Tensor]:
    """Return what a module saves in the order in which it is used: a layer scale stands before its block's layers."""
    found = module.state_dict()
    names = list(found)
    for name in [name for name in found if name.endswith("layer_scale")]:
        names.remove(name)
        block = [other for other in names if other.startswith(name.removesuffix("layer_scale"))]
        names.insert(names.index(block[-1]) + 1, name)
    return [found[name] for name in names]


def fill(tensors: list[Tensor]) -> None:
    """Give a network weights that are all different; variances and scales stay above zero."""
    random = torch.Generator().manual_seed(0)
    for tensor in tensors:
        if tensor.dim() > 1:
            tensor.normal_(0, max(1, tensor[0].numel()) ** -0.5, generator=random)
        elif tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5, generator=random)


@each_case
def test_it_has_the_parameters_of_its_original(case: Case) -> None:
    assert network(case).cost.parameters == sum(one.numel() for one in case.original().parameters())


@each_case
def test_it_costs_what_is_measured(case: Case) -> None:
    found = network(case)
    assert measure(found.network.module(found.input), found.input) == (found.output, found.network.cost(found.input))


@each_case
def test_with_the_weights_of_its_original_it_gives_the_same(case: Case) -> None:
    found, theirs = network(case), case.original().eval()
    ours = found.network.module(found.input).eval()
    fill(state(theirs))
    for own, other in zip(state(ours), state(theirs), strict=True):
        own.copy_(other.view_as(own))  # a linear layer over the channels is a convolution with one pixel
    images = torch.randn(3, *case.image, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        given, expected = ours(images), theirs(images)
    assert float(expected.std()) > 0.01
    assert float((given - expected).abs().max()) <= 1e-5 * max(1.0, float(expected.abs().max()))
