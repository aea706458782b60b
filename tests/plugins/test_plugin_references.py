"""Options are handed over as copies: what a component does to a list of its own is no change of the spec."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import pytest

import zoo
from zoo.api import Field, Setting, requires
from zoo.builder import Builder
from zoo.registry import Component, Registry
from zoo.spec.load import load_spec

Widths = Annotated[list[int], Field(description="Channels.")]


def looked_at(setting: Setting, *, widths: list[int]) -> None:
    widths.append(99)


@requires(looked_at)
def growing(input: Any, output: Any, /, *, widths: Widths = [4]) -> Any:  # noqa: B006
    widths.append(output[0])
    return ["flatten", *({"linear": one} for one in widths)]


def by_groups(parameters: Any, /, *, rates: dict[str, list[float]]) -> Any:
    import torch

    rates["all"].append(1.0)
    return torch.optim.SGD([one for _, one in parameters], lr=rates["all"][0])


def shrinking(steps: int, /, *, at: list[float]) -> Any:
    at.pop()
    return lambda step: 1.0


@pytest.fixture
def own(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setitem(sys.modules, "references_own", sys.modules[__name__])
    kinds = {"architecture": growing, "optimizer": by_groups, "schedule": shrinking}
    made = [Component(kind, one.__name__, f"references_own:{one.__name__}") for kind, one in kinds.items()]
    return Registry.of([*registry, *made])


def test_who_appends_to_an_option_changes_no_spec(own: Registry) -> None:
    network = {
        "architecture": {"growing": {"widths": [8]}},
        "optimizer": {"by_groups": {"rates": {"all": [0.1]}}},
        "schedule": {"shrinking": {"at": [1.0]}},
    }
    data = {"noise": {"image": [3, 4, 4], "classes": 5, "train_images": 8, "test_images": 4}}
    written = {"zoo": 1, "name": "a", "task": "classify", "data": data, "train": {"steps": 2}}
    spec = load_spec(written | {"networks": {"classifier": network}}, registry=own)
    before = spec.hash
    assert zoo.check(spec, registry=own).total.parameters == (48 * 8 + 8) + (8 * 5 + 5)
    network_built = zoo.build(spec, registry=own)["classifier"]
    builder = Builder(own)
    section = spec.networks["classifier"]
    for _ in range(2):  # a call changes nothing for the next
        optimizer = builder.bind(section.optimizer)(list(network_built.named_parameters()))
        assert optimizer.param_groups[0]["lr"] == 0.1
        assert builder.bind(section.schedule)(2)(0) == 1.0
    assert spec.hash == before
    assert section.architecture.options == {"widths": [8]}


def test_a_default_is_nobodys_to_change(own: Registry) -> None:
    for _ in range(2):
        builder = Builder(own)
        found = builder.resolver.component_from(("architecture",), "growing")
        assert builder.network(found, (3, 4, 4), (5,)).cost((3, 4, 4)).parameters == (48 * 4 + 4) + (4 * 5 + 5)
