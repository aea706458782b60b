"""Convolutions, pools and norms over one and three axes: as many as the shape has, beside torch's modules of that many."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support import builtin_registry
from torch import nn

from zoo import api
from zoo.builder import Builder
from zoo.errors import ShapeError
from zoo.network.layer import Shape
from zoo.network.measure import measure
from zoo.spec.reader import read_text

torch.set_num_threads(1)
SEQUENCE: Shape = (8, 21)
VOLUME: Shape = (4, 7, 6, 5)
#: Layers with the modules that they are.
CASES: list[tuple[Any, Shape, nn.Module]] = [
    ({"conv": 6}, SEQUENCE, nn.Conv1d(8, 6, 3, padding=1)),
    ({"conv": {"channels": 6, "kernel": [5], "stride": 2, "dilation": 2, "groups": 2, "bias": False}}, SEQUENCE,
     nn.Conv1d(8, 6, 5, 2, 4, 2, 2, False)),
    ({"conv": {"channels": 8, "kernel": 80, "stride": 4, "padding": 40, "groups": "depthwise"}}, SEQUENCE,
     nn.Conv1d(8, 8, 80, 4, 40, groups=8)),
    ({"conv": 6}, VOLUME, nn.Conv3d(4, 6, 3, padding=1)),
    ({"conv": {"channels": 6, "kernel": [1, 3, 5], "stride": [1, 2, 1], "padding": [0, 1, 0]}}, VOLUME,
     nn.Conv3d(4, 6, (1, 3, 5), (1, 2, 1), (0, 1, 0))),
    ({"conv_transpose": {"channels": 3, "stride": 2, "output_padding": 1}}, SEQUENCE,
     nn.ConvTranspose1d(8, 3, 4, 2, output_padding=1)),
    ({"conv_transpose": {"channels": 6, "kernel": [2, 3, 4], "stride": 2, "padding": [0, 1, 1], "groups": 2}}, VOLUME,
     nn.ConvTranspose3d(4, 6, (2, 3, 4), 2, (0, 1, 1), groups=2)),
    ({"max_pool": {"kernel": 3, "stride": 2, "padding": 1, "ceil_mode": True}}, SEQUENCE,
     nn.MaxPool1d(3, 2, 1, ceil_mode=True)),
    ("max_pool", VOLUME, nn.MaxPool3d(2)),
    ({"average_pool": {"kernel": 3, "padding": 1, "count_include_pad": False}}, SEQUENCE,
     nn.AvgPool1d(3, padding=1, count_include_pad=False)),
    ({"average_pool": {"kernel": [3, 2, 1], "stride": 1, "padding": [1, 0, 0]}}, VOLUME,
     nn.AvgPool3d((3, 2, 1), 1, (1, 0, 0))),
    ({"adaptive_average_pool": 5}, SEQUENCE, nn.AdaptiveAvgPool1d(5)),
    ({"adaptive_average_pool": [2, 3, 1]}, VOLUME, nn.AdaptiveAvgPool3d((2, 3, 1))),
    ("adaptive_average_pool", SEQUENCE, nn.AdaptiveAvgPool1d(1)),
    ("adaptive_average_pool", VOLUME, nn.AdaptiveAvgPool3d(1)),
    ("global_average_pool", SEQUENCE, nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten())),
    ("global_average_pool", VOLUME, nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Flatten())),
    ("batch_norm", SEQUENCE, nn.BatchNorm1d(8)),
    ("batch_norm", VOLUME, nn.BatchNorm3d(4)),
    ({"instance_norm": {"affine": True}}, SEQUENCE, nn.InstanceNorm1d(8, affine=True)),
    ("instance_norm", VOLUME, nn.InstanceNorm3d(4)),
    ({"group_norm": 2}, SEQUENCE, nn.GroupNorm(2, 8)),
    ({"group_norm": 2}, VOLUME, nn.GroupNorm(2, 4)),
    ("layer_norm", SEQUENCE, nn.LayerNorm(SEQUENCE)),
    ("layer_norm", VOLUME, nn.LayerNorm(VOLUME)),
    ("channel_dropout", SEQUENCE, nn.Dropout1d()),
    ("channel_dropout", VOLUME, nn.Dropout3d()),
    ("channel_shuffle", SEQUENCE, nn.ChannelShuffle(2)),
    ("sum", (3, 1), nn.Flatten()),
    # The features of each step by themselves.
    ({"layer_norm": {"over": "channels"}}, (8, 1), nn.Sequential(nn.Flatten(), nn.LayerNorm(8), nn.Unflatten(1, (8, 1)))),
]  # fmt: skip
NAMES = [
    f"{index} {layer if isinstance(layer, str) else next(iter(layer))} {len(input) - 1}"
    for index, (layer, input, _) in enumerate(CASES)
]


@pytest.mark.parametrize(("layer", "input", "expected"), CASES, ids=NAMES)
def test_a_layer_is_that_of_torch_with_as_many_axes(
    layer: Any, input: Shape, expected: nn.Module, builder: Builder
) -> None:
    ours = builder.layer(layer).module(input)
    torch.manual_seed(0)
    state = [torch.rand_like(one) if one.is_floating_point() else one for one in expected.state_dict().values()]
    for module in (ours, expected):
        for own, other in zip(module.state_dict().values(), state, strict=True):
            own.copy_(other)
    given = [torch.randn(2, *input, generator=torch.Generator().manual_seed(1)).requires_grad_() for _ in range(2)]
    training = "dropout" not in str(layer)
    found, wanted = (module.train(training)(one) for module, one in zip((ours, expected), given, strict=True))
    assert torch.allclose(found, wanted, atol=1e-6)
    for one in (found, wanted):
        one.square().sum().backward()
    assert torch.allclose(given[0].grad, given[1].grad, atol=1e-4)  # type: ignore[arg-type]


@pytest.mark.parametrize(("layer", "input", "expected"), CASES, ids=NAMES)
def test_it_costs_what_is_measured(layer: Any, input: Shape, expected: nn.Module, builder: Builder) -> None:
    made = builder.layer(layer)
    assert measure(made.module(input), input) == (made.shape(input), made.cost(input))
    assert made.weights(input) == {name: tuple(one.shape) for name, one in made.module(input).named_parameters()}


@pytest.mark.parametrize("input", [SEQUENCE, VOLUME, (1, 9), (1, 4, 4, 4)])
@pytest.mark.parametrize("layer", [{"conv": 5}, {"conv_transpose": {"channels": 4, "stride": 2}}])
def test_a_spectral_norm_costs_what_is_measured(layer: Any, input: Shape, builder: Builder) -> None:
    made = builder.layer({"spectral_norm": {"layer": layer}})
    assert measure(made.module(input), input) == (made.shape(input), made.cost(input))


ERRORS = [
    ({"conv": {"channels": 4, "kernel": [3, 3]}}, SEQUENCE, "conv: kernel [3, 3] has 2 numbers, but here is a shape with 1 axis beside the channels; wanted a number, or one for each axis"),
    ({"conv": {"channels": 4, "padding": [1]}}, VOLUME, "conv: padding [1] has 1 number, but here is a shape with 3 axes beside the channels; wanted a number, or one for each axis"),
    ({"max_pool": {"stride": [1, 2, 3]}}, (3, 8, 8), "max_pool: stride [1, 2, 3] has 3 numbers, but here is a shape with 2 axes beside the channels; wanted a number, or one for each axis"),
    ({"conv": {"channels": 4, "kernel": 30, "padding": 1}}, SEQUENCE, "conv: a kernel of 30 does not fit (8, 21) with padding 1; make the kernel or an earlier stride smaller, or the padding larger"),
    ({"average_pool": {"kernel": 6, "padding": 1}}, VOLUME, "average_pool: a kernel of 6x6x6 is larger than (4, 7, 6, 5), which torch does not take over three axes, padded or not; make it smaller"),
    ("batch_norm", (2, 2, 2, 2, 2), "batch_norm takes a vector, a sequence, an image or a volume, channels first, but the shape here is (2, 2, 2, 2, 2)"),
    ("instance_norm", (8,), "instance_norm takes a sequence (channels, length), an image (channels, height, width) or a volume (channels, depth, height, width), but the shape here is (8,)"),
    ("global_average_pool", (8,), "global_average_pool takes a sequence (channels, length), an image (channels, height, width) or a volume (channels, depth, height, width), but the shape here is (8,)"),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "input", "message"), ERRORS)
def test_axes_that_do_not_fit_are_told(layer: Any, input: Shape, message: str, builder: Builder) -> None:
    with pytest.raises(ShapeError) as caught:
        builder.layer(layer).cost(input)
    assert str(caught.value) == message


VIDEO = """
zoo: 1
name: video
task: classify
data: {noise: {image: [3, 8, 16, 16], classes: 10}}
networks:
  classifier:
    architecture:
      layers:
        - conv: {channels: 8, kernel: [3, 5, 5], stride: [1, 2, 2], bias: false}
        - batch_norm
        - relu
        - max_pool: {kernel: [1, 2, 2]}
        - residual:
            layers: [conv: "${channels}", {group_norm: 4}, silu, conv: {channels: "${channels}", kernel: ["${depth // 3}", 1, 1]}]
            shortcut: [conv: {channels: "${channels}", kernel: [2, 1, 1]}]
        - global_average_pool
        - linear: 10
train: {steps: 1}
"""


def video() -> nn.Module:
    class Video(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(
                nn.Conv3d(3, 8, (3, 5, 5), (1, 2, 2), (1, 2, 2), bias=False),
                nn.BatchNorm3d(8),
                nn.ReLU(),
                nn.MaxPool3d((1, 2, 2)),
            )
            self.layers = nn.Sequential(
                nn.Conv3d(8, 8, 3, padding=1), nn.GroupNorm(4, 8), nn.SiLU(), nn.Conv3d(8, 8, (2, 1, 1))
            )
            self.shortcut = nn.Conv3d(8, 8, (2, 1, 1))
            self.head = nn.Linear(8, 10)

        def forward(self, clips: torch.Tensor) -> torch.Tensor:
            clips = self.stem(clips)
            return self.head((self.layers(clips) + self.shortcut(clips)).mean((2, 3, 4)))  # type: ignore[no-any-return]

    return Video()


def test_a_network_over_three_axes_is_its_original_and_can_be_ejected() -> None:
    spec = read_text(VIDEO, "video.yaml", "yaml").data()
    report = api.check(spec, registry=builtin_registry())
    one = report.networks["classifier"]
    assert one.input == (3, 8, 16, 16)
    ours, theirs = one.network.module(one.input), video()
    made: dict[str, Any] = {"__name__": "model"}
    exec(api.eject(spec, registry=builtin_registry()), made)
    ejected = made["classifier"]()
    ejected.load_state_dict(ours.state_dict())
    for own, other in zip(theirs.state_dict().values(), ours.state_dict().values(), strict=True):
        own.copy_(other)
    assert one.cost.parameters == sum(parameter.numel() for parameter in theirs.parameters())
    clips = torch.randn(2, *one.input)
    outputs = [module.train()(clips) for module in (ours, theirs, ejected)]
    for output in outputs:
        output.square().sum().backward()
    assert torch.allclose(outputs[0], outputs[1], atol=1e-5)
    assert torch.equal(outputs[0], outputs[2])
    gradients = [[parameter.grad for parameter in module.parameters()] for module in (ours, theirs, ejected)]
    for mine, original, again in zip(*gradients, strict=True):
        assert torch.allclose(mine, original, rtol=1e-3, atol=1e-5)
        assert torch.equal(mine, again)
