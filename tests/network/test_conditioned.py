"""Networks that are called with a label or a time cost what their modules are measured to cost, whatever their options."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support import builtin_registry

from zoo.api import Builder, Condition, Shape
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
