"""Attention, positions, factors and the norms of each pixel: torch's formulas, beginnings and layout of memory."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoo.builder import Builder
from zoo.errors import SpecError
from zoo.registry import Registry
from zoo.spec.resolve import Resolver

IMAGE = (8, 3, 5)
BY_PIXEL: list[Any] = [{"layer_norm": {"over": "channels"}}, "rms_norm", {"self_attention": {"heads": 2}}]


def made(builder: Builder, data: Any, shape: tuple[int, ...] = IMAGE) -> nn.Module:
    torch.manual_seed(0)
    return builder.layer(data).module(shape).eval()


def images(*shape: int) -> Tensor:
    return torch.randn(2, *(shape or IMAGE), generator=torch.Generator().manual_seed(1))


def copy(source: nn.Module, target: nn.Module) -> None:
    """Draw the weights of one module, and copy them in order to the other."""
    with torch.no_grad():
        for one, other in zip(source.parameters(), target.parameters(), strict=True):
            other.copy_(one.normal_())


def tokens(images: Tensor) -> Tensor:
    return images.flatten(2).transpose(1, 2)


@pytest.mark.parametrize("heads", [1, 2, 8])
@pytest.mark.parametrize("bias", [True, False])
def test_self_attention_is_that_of_torch(heads: int, bias: bool, builder: Builder) -> None:
    ours = made(builder, {"self_attention": {"heads": heads, "bias": bias, "qkv_bias": bias}})
    theirs = nn.MultiheadAttention(8, heads, bias=bias, batch_first=True).eval()
    copy(theirs, ours)
    given = images()
    wanted, _ = theirs(tokens(given), tokens(given), tokens(given), need_weights=False)
    assert [one.shape for one in ours.parameters()] == [one.shape for one in theirs.parameters()]
    assert torch.allclose(tokens(ours(given)), wanted, rtol=1e-5, atol=1e-5)


def test_each_bias_of_self_attention_is_left_out_alone(builder: Builder) -> None:
    assert "in_proj.bias" not in made(builder, {"self_attention": {"qkv_bias": False}}).state_dict()
    assert "out_proj.bias" not in made(builder, {"self_attention": {"bias": False}}).state_dict()


def test_self_attention_begins_as_that_of_torch(builder: Builder) -> None:
    ours = made(builder, {"self_attention": {"heads": 2}}, (64, 2, 2)).state_dict()
    theirs = nn.MultiheadAttention(64, 2).state_dict()
    for own, other in zip(ours.values(), theirs.values(), strict=True):
        assert float(own.std()) == pytest.approx(float(other.std()), rel=0.05)


def test_self_attention_learns(builder: Builder) -> None:
    attention = made(builder, {"self_attention": {"heads": 2}}).train()
    attention(images()).square().sum().backward()
    assert all(bool(one.grad is not None and one.grad.isfinite().all()) for one in attention.parameters())
    assert float(attention.in_proj.weight.grad.abs().sum()) > 0  # type: ignore[union-attr,operator]


@pytest.mark.parametrize("shape", [(8, 3, 5), (8,)])
@pytest.mark.parametrize("affine", [True, False])
def test_a_layer_norm_over_the_channels_is_that_of_torch(
    affine: bool, shape: tuple[int, ...], builder: Builder
) -> None:
    ours = made(builder, {"layer_norm": {"over": "channels", "eps": 1e-3, "affine": affine}}, shape)
    theirs = nn.LayerNorm(8, 1e-3, affine)
    copy(theirs, ours)
    given = images(*shape)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert [one.shape for one in ours.parameters()] == [one.shape for one in theirs.parameters()]
    wanted = theirs(given.movedim(1, -1)).movedim(-1, 1)
    assert torch.allclose(ours(given), wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(8, 3, 5), (8,)])
@pytest.mark.parametrize("affine", [True, False])
def test_an_rms_norm_is_that_of_torch(affine: bool, shape: tuple[int, ...], builder: Builder) -> None:
    ours = made(builder, {"rms_norm": {"eps": 1e-3, "affine": affine}}, shape)
    theirs = nn.RMSNorm(8, 1e-3, affine)
    copy(theirs, ours)
    given = images(*shape)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    wanted = theirs(given.movedim(1, -1)).movedim(-1, 1)
    assert torch.allclose(ours(given), wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("data", BY_PIXEL, ids=str)
def test_what_works_on_each_pixel_keeps_the_layout_of_its_input(data: Any, builder: Builder) -> None:
    module, given = made(builder, data), images()
    other = given.contiguous(memory_format=torch.channels_last)
    plain, last = module(given), module(other)
    assert plain.is_contiguous()
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(plain, last, rtol=0, atol=1e-6)


@pytest.mark.parametrize("data", [*BY_PIXEL, "position", {"scale": 0.5}], ids=str)
def test_a_module_can_be_made_anew_from_what_it_keeps(data: Any, builder: Builder) -> None:
    module = made(builder, data)
    kept = {name: getattr(module, name) for name in inspect.signature(type(module)).parameters}
    again = type(module)(**kept)
    assert repr(again) == repr(module)
    assert [one.shape for one in again.parameters()] == [one.shape for one in module.parameters()]


@pytest.mark.parametrize("shape", [(30, 20, 10), (6000,)])
def test_a_position_adds_what_it_learns_and_begins_near_zero(shape: tuple[int, ...], builder: Builder) -> None:
    module, given = made(builder, {"position": 0.5}, shape), images(*shape)
    (learned,) = module.parameters()
    assert learned.shape == shape
    assert float(learned.detach().std()) == pytest.approx(0.5, rel=0.05)
    assert torch.equal(module(given), given + learned)


@pytest.mark.parametrize("shape", [(8, 3, 5), (8,)])
def test_a_scale_has_a_factor_for_each_channel(shape: tuple[int, ...], builder: Builder) -> None:
    module, given = made(builder, {"scale": 1e-6}, shape), images(*shape)
    (learned,) = module.parameters()
    assert learned.numel() == 8
    assert torch.allclose(module(given), given * 1e-6)
    with torch.no_grad():
        learned.copy_(torch.arange(8.0).view_as(learned))
    assert torch.equal(module(given)[:, 3], given[:, 3] * 3)


def test_a_scale_for_all_from_zero_begins_as_nothing(builder: Builder) -> None:
    module = made(builder, {"residual": ["relu", {"scale": {"initial": 0, "per_channel": False}}]})
    assert sum(one.numel() for one in module.parameters()) == 1
    assert torch.equal(module(images()), images())


@pytest.mark.parametrize("initializer", ["normal", "orthogonal"])
def test_an_initializer_reaches_projections_and_leaves_positions_and_factors(
    initializer: str, builder: Builder
) -> None:
    network = made(builder, ["self_attention", "position", {"scale": 0.25}])
    before = {name: one.clone() for name, one in network.state_dict().items()}
    spec = Resolver(builder.registry).component_from(("initializer",), initializer)
    builder.bind(spec)(network)
    changed = {name for name, one in network.state_dict().items() if not torch.equal(one, before[name])}
    assert changed == {"0.in_proj.weight", "0.out_proj.weight"}


REFUSED = [
    ("layer", {"self_attention": 0}, "self_attention.heads: found 0; wanted a whole number from 1 to 2,147,483,648"),
    ("layer", {"position": -1}, "position.std: found -1; wanted a number from 0 to 10"),
    ("layer", {"scale": "x"}, "scale.initial: found 'x'; wanted a number from -1000 to 1000"),
    ("norm", {"rms_norm": 0}, "rms_norm.eps: found 0; wanted a number > 0"),
    ("norm", {"layer_norm": {"over": "pixels"}}, "layer_norm.over: found 'pixels'; wanted one of all, channels"),
    ("schedule", {"one_cycle": 2}, "one_cycle.rise: found 2; wanted a number from 0 to 1"),
    ("schedule", {"one_cycle": {"anneal": "cos"}}, "one_cycle.anneal: found 'cos'; wanted one of cosine, linear"),
]


@pytest.mark.parametrize(("kind", "data", "message"), REFUSED)
def test_an_option_out_of_range_is_refused(kind: str, data: Any, message: str, registry: Registry) -> None:
    with pytest.raises(SpecError) as caught:
        Resolver(registry).component_from((kind,), data)
    assert str(caught.value).removeprefix("<default>: ").splitlines()[0] == message


@pytest.mark.parametrize("name", ["self_attention", "position", "scale", "rms_norm", "layer_norm", "one_cycle"])
def test_every_option_is_described(name: str, registry: Registry) -> None:
    component = registry.find(("layer", "norm", "schedule"), name)
    assert component is not None
    assert [one.name for one in Resolver(registry).options(component) if not one.description] == []
