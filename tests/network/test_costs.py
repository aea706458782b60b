"""The closed forms of costs, held against the built module on the meta device."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import builtin_registry
from torch.utils.flop_counter import FlopCounterMode

from zoo.builder import Builder
from zoo.errors import ShapeError
from zoo.network.layer import Cost, Layer, Shape
from zoo.network.measure import measure
from zoo.registry import Registry

IMAGES: list[Shape] = [(3, 32, 32), (8, 9, 7), (16, 1, 1)]
#: Options that a layer cannot do without, and forms worth trying beside the defaults.
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "conv": [
        {"channels": 8},
        {"channels": 6, "kernel": [3, 1], "stride": [2, 1], "bias": False},
        {"channels": 16, "kernel": 5, "dilation": 2, "stride": 2},
        {"channels": 16, "groups": "depthwise", "padding": [0, 2], "kernel": 1},
        {"channels": 2, "padding_mode": "reflect"},
        {"channels": 20, "kernel": [3, 1], "padding_mode": "circular"},
        {"channels": 4, "kernel": 1, "padding_mode": "replicate"},
    ],
    "conv_transpose": [
        {"channels": 4},
        {"channels": 6, "kernel": 3, "stride": 2, "padding": 1, "output_padding": 1, "bias": False},
    ],
    "linear": [{"features": 5}, {"features": 3, "bias": False}],
    "max_pool": [{}, {"kernel": 3, "stride": 2, "padding": 1}, {"kernel": 3, "stride": 2, "ceil_mode": True}],
    "average_pool": [{}, {"kernel": 3, "stride": 1, "padding": 1, "count_include_pad": False}],
    "adaptive_average_pool": [{}, {"size": [2, 3]}],
    "shortcut_pad": [{"channels": 20, "stride": 2}],
    "reshape": [{"to": [-1]}, {"to": [1, 1, -1]}],
    "spectral_norm": [
        {"layer": {"conv": {"channels": 5}}},
        {"layer": {"conv": {"channels": 1, "kernel": 1, "bias": False}}},
        {"layer": {"conv_transpose": {"channels": 4, "stride": 2}}},
    ],
    "channels": [{"count": 2}, {"count": 1, "start": 2}],
    "channel_shuffle": [{}, {"groups": 1}],
    "zero_pad": [{"padding": [0, 1, 2, 3]}],
    "upsample": [{}, {"factor": 3, "mode": "bilinear"}, {"factor": [2, 1]}, {"size": [5, 40], "mode": "bicubic"}],
    "group_norm": [{"groups": 1}, {"groups": 8, "affine": False}],
    "instance_norm": [{}, {"affine": True}],
    "batch_norm": [{}, {"affine": False}],
    "layer_norm": [{}, {"affine": False}, {"over": "channels"}, {"over": "channels", "affine": False}],
    "rms_norm": [{}, {"affine": False}],
    "self_attention": [{}, {"heads": 4, "bias": False}, {"heads": 8, "qkv_bias": False}],
    "squeeze_excitation": [{"hidden": 2}, {"hidden": 4, "activation": "silu", "gate": "hardsigmoid"}],
    "scale": [{}, {"per_channel": False}],
    "pixel_shuffle": [{}, {"factor": 1}],
    "prelu": [{}, {"per_channel": True}],
    "sequence": [{"layers": ["relu", {"conv": 4}]}, {"layers": []}],
    "scope": [{"layers": [{"name": "x"}, "relu", {"add": "x"}]}],
    "repeat": [
        {"times": 3, "layers": [{"conv": 8}, "silu"]},
        {"times": 2, "shared": True, "layers": ["batch_norm"]},
        {"times": 3, "shared": "but_norms", "layers": ["batch_norm", {"residual": ["rms_norm", "silu"]}]},
    ],
    "for": [{"each": "width", "of": [4, 6], "layers": [{"conv": 4}]}],
    "let": [{"values": {"width": 4}, "layers": [{"conv": 4}, "relu"]}],
    "when": [{"condition": True, "layers": ["silu"]}, {"condition": False, "layers": ["silu"], "otherwise": ["relu"]}],
    "formula": [
        {"formula": "x * sigmoid(a * x)", "trainable": {"a": 1.0}},
        {
            "formula": "where(x > 0, x, b * (exp(min(x, 0)) - 1) / (1 + a * a))",
            "trainable": {"a": 1},
            "per_channel": {"b": 0.5},
        },
        {"formula": "1 if x < 0 else 0"},
        {"formula": "x"},
    ],
    "branches": [{"branches": ["relu", "identity", {"conv": 5}], "join": "concat"}],
    "residual": [{"layers": ["batch_norm"]}],
    "sum": [{}, {"over": "channels"}],
    "window_attention": [
        {"window": 3},
        {"heads": 4, "window": [3, 4], "shift": [1, 2], "bias": False},
        {"heads": 8, "window": 4, "shift": 2, "position_bias": False, "qkv_bias": False},
    ],
    "stochastic_depth": [{}, {"mode": "batch"}],
    "adaptive_max_pool": [{}, {"size": [2, 3]}],
    "crop": [{}, {"height": "1:", "width": "::2"}, {"channels": "2:", "width": 0}, {"height": -1}],
    "pad": [
        {},
        {"channels": [0, 2], "height": 1},
        {"height": [2, 1], "mode": "reflect"},
        {"width": 3, "mode": "replicate"},
        {"height": 1, "width": [0, 2], "mode": "circular"},
    ],
    "roll": [{}, {"height": 1, "width": -2}, {"channels": 1}],
    "permute": [{"order": ["channels", "width", "height"]}, {"order": ["channels", "height", "width"]}],
    "softmax": [{}, {"axis": "width"}],
    "windows": [{"size": [3, 1]}],
    "merge_windows": [{"size": [1, 7], "rows": 3}],
    "local_response_norm": [{}, {"size": 2}],
    "qkv_attention": [{}],
    "zero_init": [{"conv": {"channels": 8}}],
}


OF_A_NUMBER = ("embedding", "sinusoids")  # they take a label or a time: see test_conditioned.py
OF_A_SEQUENCE = ("rnn", "lstm", "gru", "class_token")  # see test_recurrent.py and torch_plugin/test_along.py


def layers(registry: Registry) -> list[tuple[str, dict[str, Any]]]:
    named = [one.name for one in registry if one.target.startswith("zoo.network.naming:")]  # these are no operations
    names = [
        name
        for name in registry.names("layer", "activation", "norm")
        if name not in (*named, *OF_A_NUMBER, *OF_A_SEQUENCE)
    ]
    return [(name, options) for name in names for options in OPTIONS.get(name, [{}])]


def assert_measured(layer: Layer, input: Shape) -> None:
    """Hold shape and cost against the module, and against its state."""
    module = layer.module(input)
    assert measure(module, input) == (layer.shape(input), layer.cost(input))


@pytest.mark.parametrize(("name", "options"), layers(builtin_registry()))
def test_every_layer_costs_what_it_says(name: str, options: dict[str, Any], builder: Builder) -> None:
    layer = builder.layer({name: options})
    assert type(layer).cost is not Layer.cost, "a built-in layer has a closed form"
    inputs = [(12,)] if name == "linear" else IMAGES
    taken = 0
    for input in inputs:
        try:
            layer.shape(input)
        except ShapeError:
            continue
        assert_measured(layer, input)
        taken += 1
    assert taken > 0


@pytest.mark.parametrize("shape", [(12,), (4, 6)])
@pytest.mark.parametrize("name", ["layer_norm", "rms_norm", "position", "scale"])
def test_what_takes_any_shape_costs_what_it_says(name: str, shape: Shape, builder: Builder) -> None:
    for options in OPTIONS.get(name, [{}]):
        assert_measured(builder.layer({name: options}), shape)


@pytest.mark.parametrize(("name", "options"), layers(builtin_registry()))
def test_every_layer_runs_as_it_is_shaped(name: str, options: dict[str, Any], builder: Builder) -> None:
    layer = builder.layer({name: options})
    input: Shape = {
        "linear": (12,),
        "pixel_unshuffle": (16, 8, 8),
        "qkv_attention": (12, 9, 8),
        "merge_windows": (16, 9, 7),
    }.get(name, (16, 9, 8))
    torch.manual_seed(0)
    output = layer.module(input)(torch.randn(2, *input))
    assert tuple(output.shape[1:]) == layer.shape(input)
    assert torch.isfinite(output).all()


leaves = st.sampled_from(
    [
        *(name for name in builtin_registry().names("activation", "norm") if name != "formula"),
        {"formula": "1 / (1 + exp(-x)) * x"},
        "flatten",
        "identity",
        "global_average_pool",
        {"linear": 5},
        {"dropout": 0.1},
        {"channel_dropout": 0.1},
        {"instance_norm": {"affine": True}},
        {"layer_norm": {"over": "channels"}},
        {"layer_norm": {"over": "channels", "affine": False}},
        {"rms_norm": {"affine": False}},
        "self_attention",
        {"self_attention": {"heads": 2, "qkv_bias": False}},
        {"self_attention": {"bias": False}},
        "position",
        {"window_attention": {"heads": 2, "window": 3, "shift": 1}},
        {"window_attention": {"window": [2, 4], "position_bias": False}},
        {"stochastic_depth": 0.2},
        "global_max_pool",
        {"adaptive_max_pool": 2},
        {"local_response_norm": 3},
        {"crop": {"height": "1:", "width": "::2"}},
        {"crop": {"width": 0}},
        {"pad": {"height": 1, "mode": "circular"}},
        {"pad": {"channels": 1, "width": [0, 1]}},
        {"roll": {"height": 3}},
        {"permute": ["height", "width", "channels"]},
        {"softmax": "height"},
        {"windows": 2},
        {"conv": {"channels": 4, "padding_mode": "reflect"}},
        {"upsample": {"size": [3, 9]}},
        "scale",
        {"scale": {"per_channel": False}},
        {"conv": {"channels": 6}},
        {"conv": {"channels": 4, "kernel": 1, "bias": False}},
        {"conv": {"channels": 6, "stride": 2}},
        {"max_pool": {"kernel": 3, "stride": 1, "padding": 1}},
        {"max_pool": {"kernel": 3, "stride": 2, "ceil_mode": True}},
        {"average_pool": 2},
        {"adaptive_average_pool": 3},
        {"conv": {"channels": 8, "groups": "depthwise"}},
        {"conv_transpose": {"channels": 3, "stride": 2}},
        {"upsample": 2},
        {"pixel_shuffle": 2},
        {"shortcut_pad": {"channels": 12, "stride": 2}},
        {"group_norm": 2},
        {"channels": 2},
        {"channels": {"count": 1, "start": 1}},
        {"zero_pad": [1, 0, 0, 1]},
        "channel_shuffle",
        {"pixel_unshuffle": 2},
        {"reshape": [-1]},
        {"reshape": [4, -1, 1]},
        {"spectral_norm": {"layer": {"conv": {"channels": 3, "kernel": 1}}}},
        {"spectral_norm": {"layer": {"conv_transpose": {"channels": 2, "stride": 2}}}},
        {"spectral_norm": {"layer": {"conv_transpose": {"channels": 50, "kernel": 1}}}},
        {"spectral_norm": {"layer": {"linear": {"features": 1}}}},
    ]
)


def composites(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, max_size=3)
    return st.one_of(
        st.builds(lambda layers: {"sequence": layers}, some),
        st.builds(
            lambda n, s, layers: {"repeat": {"times": n, "layers": layers, "shared": s}},
            st.integers(1, 3),
            st.sampled_from([False, True, "but_norms"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        st.builds(lambda one, two: {"residual": {"layers": one, "shortcut": two}}, some, some),
        st.builds(
            lambda ones, join: {"branches": {"branches": ones, "join": join}},
            st.lists(st.builds(lambda layers: {"sequence": layers}, some), min_size=1, max_size=3),
            st.sampled_from(["add", "multiply", "concat"]),
        ),
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(network=st.lists(st.recursive(leaves, composites, max_leaves=8), min_size=1, max_size=4))
def test_random_networks_cost_what_they_say(network: list[Any]) -> None:
    layer = Builder(builtin_registry()).layer(network)
    try:
        layer.shape((4, 8, 8))
    except ShapeError:
        return
    assert_measured(layer, (4, 8, 8))


def test_a_shared_weight_counts_once(builder: Builder) -> None:
    body = [{"conv": {"channels": 8}}]
    once = builder.layer(body).cost((8, 4, 4))
    shared = builder.layer({"repeat": {"times": 5, "layers": body, "shared": True}}).cost((8, 4, 4))
    assert (shared.parameters, shared.macs) == (once.parameters, 5 * once.macs)


def test_rounds_that_share_all_but_their_norms_count_each_norm(builder: Builder) -> None:
    body = [{"conv": {"channels": 8}}, {"residual": ["batch_norm", "silu", {"conv": 8}]}]
    once, norm = builder.layer(body).cost((8, 4, 4)), builder.layer("batch_norm").cost((8, 4, 4))
    rounds = builder.layer({"repeat": {"times": 5, "layers": body, "shared": "but_norms"}}).cost((8, 4, 4))
    assert rounds.parameters == once.parameters + 4 * norm.parameters
    assert rounds.buffers == once.buffers + 4 * norm.buffers
    assert rounds.macs == 5 * once.macs


def test_rounds_share_their_kernels_and_not_their_norms(builder: Builder) -> None:
    body = [{"conv": 8}, {"residual": ["batch_norm", {"conv": 8}, {"branches": ["silu", "layer_norm"]}]}]
    layer = builder.layer({"repeat": {"times": 3, "layers": body, "shared": "but_norms"}})
    first, second, third = layer.module((8, 4, 4))
    shared = ["0", "1.layers.1", "1.layers.2.0"]
    own = ["1.layers.0", "1.layers.2.1"]
    assert all(first.get_submodule(name) is third.get_submodule(name) for name in shared)
    assert all(first.get_submodule(name) is not third.get_submodule(name) for name in own)
    assert all(second.get_submodule(name) is not third.get_submodule(name) for name in own)


def test_rounds_on_another_device_still_share(builder: Builder) -> None:
    layer = builder.layer({"repeat": {"times": 3, "layers": [{"conv": 8}, "batch_norm"], "shared": "but_norms"}})
    module = copy.deepcopy(layer.module((8, 4, 4))).to("meta")
    assert sum(one.numel() for one in module.parameters()) == layer.cost((8, 4, 4)).parameters


def test_ten_billion_parameters_are_counted_without_memory_for_them(builder: Builder) -> None:
    stack = builder.layer({"repeat": {"times": 600, "layers": [{"linear": 4096}]}})
    assert stack.cost((4096,)).parameters == 600 * 4096 * 4097


@settings(max_examples=200, deadline=None)
@given(
    size=st.integers(1, 9),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 4),
    padding=st.integers(0, 2),
    ceil_mode=st.booleans(),
)
def test_a_pool_takes_what_torch_takes(size: int, kernel: int, stride: int, padding: int, ceil_mode: bool) -> None:
    options = {"kernel": kernel, "stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    layer, input = Builder(builtin_registry()).layer({"max_pool": options}), (1, size, 8)
    try:
        theirs = tuple(torch.nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil_mode)(torch.zeros(input)).shape)
    except RuntimeError:
        with pytest.raises(ShapeError):
            layer.shape(input)
    else:
        assert layer.shape(input) == theirs


def test_frozen_parameters_do_not_count() -> None:
    module = torch.nn.Linear(4, 3)
    module.weight.requires_grad_(False)
    assert measure(module, (4,))[1].parameters == 3


def test_peak_memory_of_a_residual_holds_the_input(builder: Builder) -> None:
    layer = builder.layer({"residual": ["relu", "relu"]})
    # The second relu reads and writes while the input waits for the addition.
    assert layer.cost((2, 4, 4)) == Cost(peak=96, held_peak=96)


SHAPE_ERRORS = [
    ([{"linear": 3}], (3, 8, 8), "layer 0: linear takes a vector (features,), but the shape here is (3, 8, 8); put flatten or global_average_pool before it"),
    (["flatten", {"conv": 3}], (3, 8, 8), "layer 1: conv takes a sequence (channels, length), an image (channels, height, width) or a volume (channels, depth, height, width), but the shape here is (192,)"),
    ([{"max_pool": 9}], (3, 8, 8), "layer 0: max_pool: a kernel of 9x9 does not fit (3, 8, 8) with padding 0; make the kernel or an earlier stride smaller, or the padding larger"),
    ([{"max_pool": {"kernel": 2, "padding": 2}}], (3, 8, 8), "layer 0: max_pool: padding 2 is more than half of the kernel, 2"),
    ([{"group_norm": 2}], (3, 8, 8), "layer 0: group_norm: groups 2 does not divide 3 channels"),
    ([{"group_norm": 8}], (8, 1, 1), "layer 0: group_norm: groups 8 leaves one value in each group of (8, 1, 1)"),
    ([{"pixel_shuffle": 2}], (3, 8, 8), "layer 0: pixel_shuffle: 3 channels are no multiple of factor squared, 4"),
    ([{"self_attention": 2}], (3, 8, 8), "layer 0: self_attention: heads 2 does not divide 3 channels; choose a divisor of the channels"),
    (["flatten", "self_attention"], (3, 8, 8), "layer 1: self_attention takes an image (channels, height, width), whose pixels attend to each other, or a sequence, but the shape here is (192,); put it before flatten or global_average_pool"),
    ([{"window_attention": {"heads": 2}}], (3, 8, 8), "layer 0: window_attention: heads 2 does not divide 3 channels; choose a divisor of the channels"),
    ([{"window_attention": {"window": 4, "shift": [0, 4]}}], (3, 8, 8), "layer 0: window_attention: shift [0, 4] is no part of the window, 4"),
    (["class_token"], (3, 8, 8), "layer 0: class_token takes a sequence (channels, length), but the shape here is (3, 8, 8); `reshape: [${channels}, -1]` makes one of an image"),
    ([{"crop": {"length": 0}}], (3, 8, 8), "layer 0: crop: (3, 8, 8) has no length; wanted one of channels, height, width"),
    ([{"crop": {"height": "2:9"}}], (3, 8, 8), "layer 0: crop: height 2:9 is beyond the 8 of (3, 8, 8)"),
    ([{"crop": {"height": 8}}], (3, 8, 8), "layer 0: crop: height 8 is beyond the 8 of (3, 8, 8)"),
    ([{"crop": {"width": "5:5"}}], (3, 8, 8), "layer 0: crop: width 5:5 leaves nothing of the 8 of (3, 8, 8)"),
    ([{"crop": {"width": "::0"}}], (3, 8, 8), "layer 0: crop: width ::0 takes steps of 0; wanted 1 or more"),
    (["flatten", {"crop": {"channels": 0}}], (3, 8, 8), "layer 1: crop leaves a single number of (192,); wanted a range along one axis"),
    ([{"pad": {"height": 8, "mode": "reflect"}}], (3, 8, 8), "layer 0: pad: reflect reaches 7 places beyond the 8 of height; found 8"),
    ([{"pad": {"channels": 1, "mode": "circular"}}], (3, 8, 8), "layer 0: pad: circular goes along length, depth, height and width; wanted zeros for channels"),
    ([{"conv": {"channels": 3, "kernel": 7, "padding_mode": "reflect"}}], (3, 3, 8), "layer 0: conv: reflect reaches 2 places beyond the 3 of height; found 3"),
    ([{"permute": ["height", "width"]}], (3, 8, 8), "layer 0: permute: [height, width] for (3, 8, 8); wanted channels, height, width, each once"),
    ([{"softmax": "depth"}], (3, 8, 8), "layer 0: softmax: (3, 8, 8) has no depth; wanted one of channels, height, width"),
    ([{"windows": 3}], (3, 8, 8), "layer 0: windows: 3x3 does not divide 8x8 pixels; pad them before"),
    ([{"merge_windows": {"size": 2}}], (3, 8, 4), "layer 0: merge_windows: (3, 8, 4) is not 2 rows of windows of 2x2 pixels; wanted the size and the rows that `windows` cut"),
    (["flatten", "global_max_pool"], (3, 8, 8), "layer 1: global_max_pool takes a sequence (channels, length), an image (channels, height, width) or a volume (channels, depth, height, width), but the shape here is (192,)"),
    ([{"upsample": {"size": "fine"}}], (3, 8, 8), "layer 0: no value is called 'fine'; wanted one of input"),
    ([{"name": "flat"}, "relu", "flatten", {"name": "rows"}, {"from": "flat"}, {"upsample": {"size": "rows"}}], (3, 8, 8), "layer 5: upsample: the size of 'rows' takes an image (channels, height, width), but the shape here is (192,)"),
    (["glu"], (3, 8, 8), "layer 0: glu halves the channels, but 3 come in"),
    ([{"conv_transpose": {"channels": 4, "padding": 9}}], (3, 4, 4), "layer 0: conv_transpose: padding 9 leaves nothing of (3, 4, 4); make it smaller"),
    ([{"conv_transpose": {"channels": 4, "output_padding": 1}}], (3, 4, 4), "layer 0: conv_transpose: output_padding 1 must be smaller than the stride, 1"),
    ([{"branches": {"branches": ["relu", {"conv": 4}], "join": "add"}}], (3, 8, 8), "layer 0: branch 0 gives (3, 8, 8), branch 1 gives (4, 8, 8); add cannot join them"),
    ([{"repeat": {"times": 2, "shared": True, "layers": [{"conv": 4}]}}], (3, 8, 8), "layer 0: shared weights need layers that keep the shape; these turn (3, 8, 8) into (4, 8, 8)"),
    ([{"residual": [["relu"], {"linear": 2}][1:]}], (3, 8, 8), "layer 0.layers.0: linear takes a vector (features,), but the shape here is (3, 8, 8); put flatten or global_average_pool before it"),
]  # fmt: skip


@pytest.mark.parametrize(("network", "input", "message"), SHAPE_ERRORS)
def test_a_shape_error_names_the_layer(network: list[Any], input: Shape, message: str, builder: Builder) -> None:
    with pytest.raises(ShapeError) as caught:
        builder.layer(network).cost(input)
    assert str(caught.value) == message


def test_what_is_measured_is_what_torch_counts() -> None:
    class Mixed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(4, 8, 3, stride=2, groups=2)
            self.up = torch.nn.ConvTranspose2d(8, 4, 4)
            self.attention = torch.nn.MultiheadAttention(4, 2, batch_first=True)
            self.last = torch.nn.Bilinear(4, 4, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            tokens = self.up(self.conv(images)).flatten(2).transpose(1, 2)
            attended = self.attention(tokens, tokens, tokens)[0] @ tokens.transpose(1, 2)
            return torch.einsum("nij,njk->nik", attended, self.last(tokens, tokens))

    with FlopCounterMode(display=False) as flops, torch.no_grad():
        Mixed().to("meta").eval()(torch.zeros(1, 4, 9, 9, device="meta"))
    assert measure(Mixed(), (4, 9, 9))[1].macs == flops.get_total_flops() // 2 > 0
