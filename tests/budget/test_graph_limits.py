"""A limit may look at the networks themselves: a receptive field is no sum of costs."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from support import builtin_registry

from zoo import api
from zoo.api import Component, Field, Figures, Graph, Verdict, operations
from zoo.registry import Provider, Registry


def field_of(graph: Graph) -> int:
    """Return over how many pixels of a row a value before the pooling depends, in a chain of convolutions and pools."""
    field, jump = 1, 1
    for one in operations(graph)[0]:
        kernel, stride = getattr(one.layer, "kernel", 1), getattr(one.layer, "stride", 1)
        field += (kernel - 1) * getattr(one.layer, "dilation", 1) * jump
        jump *= stride or kernel
    return field


def receptive_field(figures: Figures, /, *, least: Annotated[int, Field(ge=1)]) -> Verdict:
    """Pixels of a row that a network sees at once."""
    found = min(map(field_of, figures.graphs()))
    return Verdict("receptive_field", found, f">={least}", found >= least, abs(found - least), unit="px")


@pytest.fixture
def known() -> Registry:
    registry, builtin = Registry(), builtin_registry()
    for component in builtin:
        registry.add(component, builtin.provider(component))
    registry.add(Component("limit", "receptive_field", f"{__name__}:receptive_field"), Provider("strangers"))
    return registry


def spec(layers: list[Any], **budget: Any) -> dict[str, Any]:
    network = {"architecture": {"layers": [*layers, "global_average_pool", {"linear": 5}]}}
    return {
        "zoo": 1,
        "name": "seen",
        "task": "classify",
        "data": {"noise": {"image": [3, 32, 32], "classes": 5}},
        "networks": {"classifier": network},
        "train": {"steps": 1},
        "budget": budget,
    }


@pytest.mark.parametrize(
    ("layers", "pixels"),
    [
        ([{"conv": {"channels": 4, "kernel": 3}}], 3),
        ([{"conv": {"channels": 4, "kernel": 3, "stride": 2}}, "relu", {"conv": {"channels": 4, "kernel": 5}}], 11),
        ([{"conv": {"channels": 4, "kernel": 3}}, {"max_pool": 2}, {"conv": {"channels": 4, "dilation": 2}}], 12),
    ],
)
def test_a_limit_sees_the_graph(layers: list[Any], pixels: int, known: Registry) -> None:
    kept = api.check(spec(layers, receptive_field={"least": pixels}), registry=known)
    assert kept.kept and kept.verdicts[0].figure == pixels
    broken = api.check(spec(layers, receptive_field={"least": pixels + 1}), registry=known)
    assert not broken.kept and "1 too few" in broken.broken()
