"""A forward pass on a tape costs what its module is measured to cost, whatever its options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import builtin_registry
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from zoo.api import Builder, Condition, Cost, FromModule, Handle, Shape, ShapeError, Tape
from zoo.network.measure import measure

BUILDER = Builder(builtin_registry())
LABELS = st.integers(1, 6).map(lambda classes: Condition("label", classes))
TIME = Condition("time")
a_few = settings(max_examples=40, deadline=None)


def agrees(name: str, input: Shape, output: Shape, conditions: tuple[Condition, ...], **options: Any) -> None:
    architecture = BUILDER.resolver.component_from(("architecture",), {name: options})
    network = BUILDER.network(architecture, input, output, conditions)
    assert measure(network.module(input), input, conditions) == (network.shape(input), network.cost(input))


@a_few
@given(
    latent=st.integers(1, 20),
    channels=st.integers(1, 4),
    side=st.integers(1, 4),
    label=LABELS,
    widths=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    embedding=st.integers(1, 40),
    enters=st.sampled_from(["latent", "norm", "both"]),
    norm=st.booleans(),
)
def test_conditional_generators_cost_what_is_measured(
    latent: int,
    channels: int,
    side: int,
    label: Condition,
    widths: list[int],
    embedding: int,
    enters: str,
    norm: bool,
) -> None:
    size = side * 2 ** (len(widths) - 1)
    options = {"widths": widths, "embedding": embedding, "label": enters, "spectral_norm": norm}
    agrees("conditional_generator", (latent,), (channels, size, size), (label,), **options)


@a_few
@given(
    channels=st.integers(1, 4),
    side=st.integers(1, 4),
    label=LABELS,
    widths=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    stem=st.integers(1, 9),
    norm=st.booleans(),
)
def test_projection_discriminators_cost_what_is_measured(
    channels: int, side: int, label: Condition, widths: list[int], stem: int, norm: bool
) -> None:
    size = side * 2 ** len(widths)
    options = {"widths": widths, "stem": stem, "spectral_norm": norm}
    agrees("projection_discriminator", (channels, size, size), (1,), (label,), **options)


@a_few
@given(
    channels=st.integers(1, 4),
    sides=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    label=st.none() | LABELS,
    groups=st.integers(1, 3),
    times=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    blocks=st.integers(1, 2),
    expansion=st.integers(1, 3),
    kernel=st.sampled_from([1, 3, 5]),
    embedding=st.integers(2, 40),
    heads=st.integers(0, 6),
)
def test_unets_cost_what_is_measured(
    channels: int,
    sides: tuple[int, int],
    label: Condition | None,
    groups: int,
    times: list[int],
    blocks: int,
    expansion: int,
    kernel: int,
    embedding: int,
    heads: int,
) -> None:
    widths = [groups * time for time in times]
    least = sides[0] * sides[1]
    if least == 1:
        widths = [2 * width for width in widths]  # a group of one value has no norm
    image = (channels, *(side * 2 ** (len(widths) - 1) for side in sides))
    options = {"widths": widths, "blocks": blocks, "expansion": expansion, "kernel": kernel, "groups": groups}
    options |= {"embedding": embedding, "attention_heads": heads if heads and widths[-1] % heads == 0 else 0}
    agrees("unet", image, image, (TIME, label) if label else (TIME,), **options)


#: Shape of the input, a module, and its forward pass.
METHODS: dict[str, tuple[Shape, Callable[[], nn.Module], Callable[[Tape, Handle], Handle]]] = {
    "linear": ((5,), lambda: nn.Linear(5, 7, bias=False), lambda tape, x: tape.linear(x, 7, bias=False)),
    "conv": (
        (4, 9, 7),
        lambda: nn.Conv2d(4, 6, 3, 2, 1, groups=2, bias=False),
        lambda tape, x: tape.conv(x, 6, 3, stride=2, padding=1, groups=2, bias=False),
    ),
    "conv_transpose": (
        (4, 5, 3),
        lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, bias=False),
        lambda tape, x: tape.conv_transpose(x, 6, 3, stride=2, padding=1, bias=False),
    ),
    # Of one pixel, so that finding the largest singular value takes the most memory.
    "conv_transpose, normed": (
        (40, 1, 1),
        lambda: spectral_norm(nn.ConvTranspose2d(40, 50, 2)),
        lambda tape, x: tape.conv_transpose(x, 50, 2, spectral_norm=True),
    ),
    "conv_transpose of one pixel, normed": (
        (40, 1, 1),
        lambda: spectral_norm(nn.ConvTranspose2d(40, 50, 1)),
        lambda tape, x: tape.conv_transpose(x, 50, 1, spectral_norm=True),
    ),
    "conv, normed": (
        (4, 1, 1),
        lambda: spectral_norm(nn.Conv2d(4, 5, 3, padding=1)),
        lambda tape, x: tape.conv(x, 5, 3, padding=1, spectral_norm=True),
    ),
    "batch_norm": ((6, 2, 3), lambda: nn.BatchNorm2d(6), lambda tape, x: tape.batch_norm(x)),
    "group_norm": (
        (6, 2, 3),
        lambda: nn.GroupNorm(3, 6, affine=False),
        lambda tape, x: tape.group_norm(x, 3, affine=False),
    ),
    "pointwise": ((4, 2, 2), nn.SiLU, lambda tape, x: tape.pointwise(x)),
    "operation": ((4, 6, 6), lambda: nn.AvgPool2d(3), lambda tape, x: tape.operation((4, 2, 2), x)),
    "view": ((4, 2, 2), nn.Flatten, lambda tape, x: tape.view(x, (16,))),
    "cat": ((4, 2, 2), lambda: Doubled(), lambda tape, x: tape.cat(x, tape.pointwise(x))),
}


class Doubled(nn.Module):
    """Images and what is positive in them, as twice the channels."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([images, images.relu()], 1)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_costs_what_its_module_is_measured_to_cost(method: str) -> None:
    input, make, forward = METHODS[method]
    layer = FromModule(make, forward)
    assert measure(layer.module(input), input) == (layer.shape(input), layer.cost(input))


def test_a_module_with_a_forward_pass_on_a_tape_is_not_made_to_be_counted() -> None:
    def make() -> nn.Module:
        raise AssertionError("made")

    layer = FromModule(make, lambda tape, x: tape.linear(x, 3))
    assert (layer.shape((4,)), layer.cost((4,))) == ((3,), Cost(15, 0, 2, 12, 7, 7))


def test_weights_that_a_forward_pass_does_not_read_are_found_in_the_module() -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.forgotten = nn.Linear(4, 3), nn.Linear(4, 2)

        def forward(self, values: Tensor, labels: Tensor) -> Tensor:
            return self.used(values)

    layer = FromModule(Forgetful, lambda tape, x: tape.linear(x, 3), conditions=(Condition("label", 2),))
    assert layer.unread((4,)) == {"forgotten.weight": 8, "forgotten.bias": 2}


@pytest.mark.parametrize(
    ("input", "forward", "message"),
    [
        ((4, 2, 2), lambda tape, x: tape.linear(x, 3), "linear takes a vector (features,), but the shape here is (4, 2, 2)"),
        ((4,), lambda tape, x: tape.conv(x, 3, 1), "conv takes an image (channels, height, width), but the shape here is (4,)"),
        ((4, 2, 2), lambda tape, x: tape.conv(x, 3, 3), "conv: a kernel of 3 does not fit in (4, 2, 2) with padding 0"),
        ((4, 2, 2), lambda tape, x: tape.conv(x, 4, 1, groups=3), "conv: groups 3 does not divide both 4 channels in and 4 out"),
        ((4, 1, 1), lambda tape, x: tape.conv_transpose(x, 3, 2, padding=1), "conv_transpose: padding 1 leaves nothing of (4, 1, 1)"),
        ((4, 2, 2), lambda tape, x: tape.group_norm(x, 3), "group_norm: groups 3 does not divide 4 channels"),
        ((4, 1, 1), lambda tape, x: tape.group_norm(x, 4), "group_norm: groups 4 leaves one value in each group of (4, 1, 1)"),
        ((4, 2, 2), lambda tape, x: tape.cat(x, tape.view(x, (16,))), "cat cannot join (4, 2, 2) and (16,)"),
        ((4, 2, 2), lambda tape, x: tape.pointwise(x, tape.view(x, (8, 2, 1))), "a function of each value cannot take (4, 2, 2) and (8, 2, 1) together"),
        ((4,), lambda tape, x: tape.pointwise(x, tape.view(x, (4, 1))), "a function of each value cannot take (4,) and (4, 1) together"),
    ],
)  # fmt: skip
def test_what_an_operation_cannot_take_is_said(input: Shape, forward: Any, message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        FromModule(nn.Identity, forward).shape(input)
    assert str(caught.value) == message
