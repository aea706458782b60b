"""What works along axes, in windows and on tokens: beside torch's and torchvision's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support import builtin_registry
from torch import Tensor, nn
from torchvision.models.swin_transformer import ShiftedWindowAttention
from torchvision.ops import stochastic_depth

import zoo
from zoo.builder import Builder
from zoo.network.measure import measure
from zoo.registry import Registry

IMAGE = (8, 6, 9)


def made(builder: Builder, data: Any, shape: tuple[int, ...] = IMAGE) -> nn.Module:
    torch.manual_seed(0)
    return builder.layer(data).module(shape).eval()


def images(*shape: int) -> Tensor:
    return torch.randn(2, *(shape or IMAGE), generator=torch.Generator().manual_seed(1))


CROPS: list[tuple[dict[str, Any], tuple[Any, ...]]] = [
    ({"height": "1:-1", "width": ":-2"}, (slice(None), slice(1, -1), slice(None, -2))),
    ({"height": "1::2", "width": "::3"}, (slice(None), slice(1, None, 2), slice(None, None, 3))),
    ({"height": 0}, (slice(None), 0)),
    ({"channels": -1, "width": "-4:"}, (-1, slice(None), slice(-4, None))),
    ({"channels": 2, "height": 3}, (2, 3)),
]


@pytest.mark.parametrize(("data", "index"), CROPS, ids=str)
def test_a_crop_is_what_an_index_gives(data: dict[str, Any], index: tuple[Any, ...], builder: Builder) -> None:
    given = images()
    found = made(builder, {"crop": data})(given)
    assert torch.equal(found, given[(slice(None), *index)])
    assert found.untyped_storage().size() == 4 * found.numel()


def test_expressions_crop_to_the_middle(registry: Registry) -> None:
    middle = {"height": "${(height - 4) // 2}:${(height + 4) // 2}", "width": "${width // 2}"}
    (one,) = zoo.check(spec([{"crop": middle}, "flatten", {"linear": 10}]), registry=registry).networks.values()
    given = images(3, 9, 8)
    assert torch.equal(one.network.module(one.input)[0](given), given[:, :, 2:6, 4])


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 6), (3, 5, 6, 7)])
def test_a_pad_is_that_of_torch(mode: str, shape: tuple[int, ...], builder: Builder) -> None:
    names = {2: ["length"], 3: ["height", "width"], 4: ["depth", "height", "width"]}[len(shape)]
    borders = [[1, 2], [3, 0], [2, 2]][: len(names)]
    module = made(builder, {"pad": {**dict(zip(names, borders, strict=True)), "mode": mode}}, shape)
    flat = [one for border in borders[::-1] for one in border]
    wanted = nn.functional.pad(images(*shape), flat, "constant" if mode == "zeros" else mode)
    assert torch.equal(module(images(*shape)), wanted)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("shape", [(4, 7), (4, 7, 6), (2, 4, 7, 6)])
def test_a_convolution_pads_as_a_pad_before_it(mode: str, shape: tuple[int, ...], builder: Builder) -> None:
    names = {2: ["length"], 3: ["height", "width"], 4: ["depth", "height", "width"]}[len(shape)]
    one = made(builder, {"conv": {"channels": 3, "kernel": 5, "padding_mode": mode}}, shape)
    two = made(
        builder,
        [{"pad": {**dict.fromkeys(names, 2), "mode": mode}}, {"conv": {"channels": 3, "kernel": 5, "padding": 0}}],
        shape,
    )
    two.load_state_dict({f"1.{name}": value for name, value in one.state_dict().items()})
    assert torch.allclose(one(images(*shape)), two(images(*shape)), atol=1e-6)


def test_a_roll_a_permutation_and_a_softmax_are_those_of_torch(builder: Builder) -> None:
    given = images()
    assert torch.equal(made(builder, {"roll": {"height": 2, "width": -4}})(given), given.roll((2, -4), (2, 3)))
    assert torch.equal(made(builder, {"permute": ["width", "channels", "height"]})(given), given.permute(0, 3, 1, 2))
    assert torch.equal(made(builder, "softmax")(given), given.softmax(1))
    assert torch.equal(made(builder, {"softmax": "width"})(given), given.softmax(3))


def test_windows_hold_their_pixels_and_are_put_together_again(builder: Builder) -> None:
    given = images()
    cut = made(builder, {"windows": [2, 3]})(given)
    assert torch.equal(cut[:, :, 4], given[:, :, 2:4, 3:6].flatten(2))
    both = made(builder, [{"windows": [2, 3]}, {"merge_windows": {"size": [2, 3], "rows": 3}}])
    assert torch.equal(both(given), given)


def test_pools_take_the_largest_values(builder: Builder) -> None:
    given = images()
    assert torch.equal(made(builder, "global_max_pool")(given), given.amax((2, 3)))
    assert torch.equal(made(builder, {"adaptive_max_pool": [2, 4]})(given), nn.AdaptiveMaxPool2d((2, 4))(given))


@pytest.mark.parametrize("shape", [(8, 6), (8, 6, 9), (8, 3, 4, 5)])
def test_local_response_norm_is_that_of_torch(shape: tuple[int, ...], builder: Builder) -> None:
    options = {"size": 3, "alpha": 0.5, "beta": 0.6, "k": 2.0}
    found = made(builder, {"local_response_norm": options}, shape)(images(*shape))
    assert torch.equal(found, nn.functional.local_response_norm(images(*shape), 3, 0.5, 0.6, 2.0))


WINDOWS = [
    ((8, 8), [4, 4], [0, 0]),
    ((8, 8), [4, 4], [2, 2]),
    ((8, 12), [4, 4], [0, 2]),
    ((7, 10), [4, 4], [2, 2]),  # the last windows are filled
    ((3, 9), [4, 4], [2, 2]),  # one window covers the height: no shift along it
    ((6, 9), [2, 3], [1, 1]),
]


@pytest.mark.parametrize(("size", "window", "shift"), WINDOWS, ids=str)
def test_window_attention_is_that_of_torchvision(
    size: tuple[int, int], window: list[int], shift: list[int], builder: Builder
) -> None:
    ours = made(builder, {"window_attention": {"heads": 2, "window": window, "shift": shift}}, (8, *size))
    theirs = ShiftedWindowAttention(8, window, shift, 2).eval()
    for own, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        own.data = other.data.normal_(0, 0.5)
    one, other = images(8, *size).requires_grad_(), images(8, *size).requires_grad_()
    found, wanted = ours(one), theirs(other.movedim(1, -1)).movedim(-1, 1)
    assert found.is_contiguous()
    assert torch.allclose(found, wanted, atol=1e-5)
    found.square().sum().backward()
    wanted.square().sum().backward()
    assert torch.allclose(one.grad, other.grad, atol=1e-3)  # type: ignore[arg-type]
    for own, others in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(own.grad, others.grad, atol=1e-3, rtol=1e-4)  # type: ignore[arg-type]


def test_window_attention_without_biases_is_attention_in_each_window(builder: Builder) -> None:
    options = {"heads": 2, "qkv_bias": False, "bias": False}
    ours = made(builder, {"window_attention": {**options, "window": 3, "position_bias": False}}, (8, 3, 6))
    whole = made(builder, {"self_attention": options}, (8, 3, 3))
    whole.load_state_dict(ours.state_dict())
    given = images(8, 3, 6)
    wanted = torch.cat([whole(given[..., :3]), whole(given[..., 3:])], 3)
    assert torch.allclose(ours(given), wanted, atol=1e-6)


def test_window_attention_keeps_the_layout_of_its_input(builder: Builder) -> None:
    module, given = made(builder, {"window_attention": {"window": 4, "shift": 2}}), images()
    last = module(given.contiguous(memory_format=torch.channels_last))
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(module(given), last, atol=1e-6)


@pytest.mark.parametrize("data", ["self_attention", {"self_attention": {"heads": 4}}])
def test_attention_takes_a_sequence_as_an_image_of_one_row(data: Any, builder: Builder) -> None:
    one, other = made(builder, data, (8, 5)), made(builder, data, (8, 1, 5))
    other.load_state_dict(one.state_dict())
    assert torch.allclose(one(images(8, 5)), other(images(8, 5)[:, :, None])[:, :, 0], atol=1e-6)


def test_a_class_token_stands_before_the_others(builder: Builder) -> None:
    module = made(builder, {"class_token": {"count": 2, "std": 0.5}}, (8, 5))
    (token,), given = module.parameters(), images(8, 5)
    found = module(given)
    assert token.shape == (8, 2)
    assert torch.equal(found[:, :, 2:], given)
    assert torch.equal(found[0, :, :2], token) and torch.equal(found[1, :, :2], token)
    assert not made(builder, "class_token", (8, 5)).get_parameter("token").any()


@pytest.mark.parametrize("mode", ["row", "batch"])
@pytest.mark.parametrize("probability", [0.0, 0.4, 1.0])
def test_stochastic_depth_is_that_of_torchvision(mode: str, probability: float, builder: Builder) -> None:
    module = made(builder, {"stochastic_depth": {"probability": probability, "mode": mode}})
    given = images().repeat(8, 1, 1, 1)
    assert torch.equal(module(given), given)
    for seed in range(5):
        torch.manual_seed(seed)
        found = module.train()(given)
        torch.manual_seed(seed)
        assert torch.allclose(found, stochastic_depth(given, probability, mode))


SEQUENCES: list[tuple[Any, tuple[int, ...]]] = [
    ({"class_token": 3}, (8, 5)),
    ("position", (8, 5)),
    ({"self_attention": 4}, (8, 5)),
    ({"crop": {"length": 0}}, (8, 5)),
    ({"permute": ["length", "channels"]}, (8, 5)),
    ({"softmax": "length"}, (8, 5)),
    ({"pad": {"length": 2, "mode": "circular"}}, (8, 5)),
    ({"adaptive_max_pool": 2}, (8, 5)),
    ("local_response_norm", (8, 5)),
    ("global_max_pool", (8, 5)),
    ({"adaptive_max_pool": 2}, (8, 3, 4, 5)),
    ("local_response_norm", (8, 3, 4, 5)),
    ({"pad": {"depth": 1, "mode": "replicate"}}, (8, 3, 4, 5)),
    ({"conv": {"channels": 3, "padding_mode": "circular"}}, (8, 3, 4, 5)),
    ({"conv": {"channels": 3, "padding_mode": "reflect"}}, (8, 5)),
    ({"roll": {"channels": 3}}, (8,)),
]


@pytest.mark.parametrize(("data", "shape"), SEQUENCES, ids=str)
def test_sequences_and_volumes_cost_what_they_say(data: Any, shape: tuple[int, ...], builder: Builder) -> None:
    layer = builder.layer(data)
    assert measure(layer.module(shape), shape) == (layer.shape(shape), layer.cost(shape))


def test_upsampling_reaches_the_size_of_a_value_that_was_halved_with_rounding(builder: Builder) -> None:
    data = [
        {"name": "fine"},
        {"conv": {"channels": 4, "stride": 2}},
        {"upsample": {"size": "fine"}},
        {"concat": "fine"},
    ]
    layer = builder.layer(data)
    assert layer.shape((3, 7, 5)) == (7, 7, 5)
    found = layer.module((3, 7, 5))(images(3, 7, 5))
    assert tuple(found.shape) == (2, 7, 7, 5)
    assert torch.equal(found[:, 4:], images(3, 7, 5))


def test_upsampling_by_axis_and_to_a_size_is_that_of_torch(builder: Builder) -> None:
    given = images()
    by_axis = made(builder, {"upsample": {"factor": [1, 3], "mode": "bilinear"}})(given)
    assert torch.equal(by_axis, nn.functional.interpolate(given, scale_factor=(1, 3), mode="bilinear"))
    sized = made(builder, {"upsample": {"size": [7, 20], "mode": "bicubic", "align_corners": True}})(given)
    assert torch.equal(sized, nn.functional.interpolate(given, (7, 20), mode="bicubic", align_corners=True))


EVERYTHING: list[Any] = [
    {"conv": {"channels": 8, "padding_mode": "reflect"}},
    {"window_attention": {"heads": 2, "window": 3, "shift": 1}},
    {"name": "fine"},
    {"crop": {"height": "1:-1", "width": "::2"}},
    {"upsample": {"size": "fine", "mode": "bilinear"}},
    {"concat": "fine"},
    {"pad": {"height": [0, 1], "width": [0, 2], "mode": "circular"}},
    {"roll": {"height": 1}},
    {"permute": ["channels", "width", "height"]},
    {"windows": 2},
    {"softmax": "width"},
    {"merge_windows": 2},
    "local_response_norm",
    {"stochastic_depth": 0.5},
    {"adaptive_max_pool": 4},
    {"reshape": ["${channels}", -1]},
    {"class_token": {"std": 1.0}},
    "self_attention",
    {"crop": {"length": 0}},
    {"linear": 10},
]


def spec(layers: list[Any], **task: Any) -> dict[str, Any]:
    return {
        "zoo": 1,
        "name": "axes",
        "task": {"classify": task},
        "data": {"noise": {"image": [3, 9, 8], "classes": 10}},
        "networks": {"classifier": {"architecture": {"layers": layers}}},
        "train": {"steps": 10},
    }


def test_all_of_them_are_ejected(registry: Registry) -> None:
    written = spec(EVERYTHING)
    (one,) = zoo.check(written, registry=registry).networks.values()
    found: dict[str, Any] = {"__name__": "model"}
    exec(compile(zoo.eject(written, registry=registry), "model.py", "exec"), found)
    torch.manual_seed(0)
    module, ejected = one.network.module(one.input).eval(), found["classifier"]().eval()
    ejected.load_state_dict(module.state_dict())
    assert torch.equal(module(images(3, 9, 8)), ejected(images(3, 9, 8)))
    assert measure(module, one.input) == (one.output, one.network.cost(one.input))


def test_an_option_that_came_later_leaves_the_hash_alone() -> None:
    registry = builtin_registry()

    def resolved(*layers: Any) -> dict[str, Any]:
        found: dict[str, Any] = zoo.load_spec(
            spec([*layers, "global_average_pool", {"linear": 10}]), registry=registry
        ).to_data()
        return found

    plain = resolved({"conv": 4}, {"upsample": 2})
    assert plain == resolved(
        {"conv": {"channels": 4, "padding_mode": "zeros"}}, {"upsample": {"factor": 2, "size": None}}
    )
    assert "auxiliary" not in plain["task"]["classify"]
    assert "padding_mode" not in str(plain) and "align_corners" not in str(plain)
    assert "'padding_mode': 'reflect'" in str(resolved({"conv": {"channels": 4, "padding_mode": "reflect"}}))
