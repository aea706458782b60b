"""`zoo check --lint`: waste, with the exact number of parameters that each fix frees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from zoo import api
from zoo.api import Component
from zoo.linting import Advice, lint
from zoo.registry import Provider, Registry

HEAD = ["global_average_pool", {"linear": {"features": 10, "bias": False}}]


def spec(layers: list[Any], **keys: Any) -> dict[str, Any]:
    return {
        "zoo": 1,
        "name": "waste",
        "task": "classify",
        "data": {"noise": {"image": [3, 8, 8], "classes": 10}},
        "networks": {"classifier": {"architecture": {"layers": layers}}},
        "train": {"steps": 10},
        **keys,
    }


@pytest.fixture
def advice(registry: Registry) -> Callable[..., list[Advice]]:
    return lambda layers, **keys: lint(api.check(spec(layers, **keys), registry=registry))


def parameters(layers: list[Any], registry: Registry, **keys: Any) -> int:
    return api.check(spec(layers, **keys), registry=registry).total.parameters


def conv(channels: int = 64, **options: Any) -> dict[str, Any]:
    return {"conv": {"channels": channels, **options}}


@pytest.mark.parametrize("norm", ["batch_norm", "instance_norm", {"group_norm": 64}])
def test_a_bias_before_a_norm_frees_its_channels(
    norm: Any, advice: Callable[..., list[Advice]], registry: Registry
) -> None:
    (one,) = advice([conv(), norm, "relu", conv(64), *HEAD])
    assert (one.rule, one.frees, one.fix) == ("bias_before_norm", 64, "bias: false")
    wasteful = parameters([conv(), norm, "relu", conv(64), *HEAD], registry)
    assert wasteful - parameters([conv(bias=False), norm, "relu", conv(64), *HEAD], registry) == one.frees


@pytest.mark.parametrize("norm", ["layer_norm", {"group_norm": 8}])
def test_a_norm_over_several_channels_leaves_a_bias_its_use(norm: Any, advice: Callable[..., list[Advice]]) -> None:
    assert advice([conv(), norm, conv(), *HEAD]) == []


def test_what_stands_in_a_repeat_is_told_once(advice: Callable[..., list[Advice]]) -> None:
    (one,) = advice([conv(bias=False), {"repeat": {"times": 5, "layers": [conv(), "batch_norm", "relu"]}}, *HEAD])
    assert (one.frees, one.times) == (5 * 64, 5)
    assert str(one).endswith("takes away (5 times); bias: false frees 320 parameters")


def test_a_bias_that_ends_a_branch_is_of_use(advice: Callable[..., list[Advice]]) -> None:
    assert advice([conv(16, bias=False), {"residual": {"layers": [conv(16)]}}, "batch_norm", *HEAD]) == []


def test_a_bias_inside_a_branch_is_found(advice: Callable[..., list[Advice]]) -> None:
    (one,) = advice([conv(16), {"residual": {"layers": [conv(16), "batch_norm"]}}, *HEAD])
    assert (one.layer, one.frees) == ("1.layers.0", 16)


@pytest.mark.parametrize(
    "layer",
    [
        "identity",
        {"dropout": 0},
        {"upsample": 1},
        {"max_pool": 1},
        {"average_pool": 1},
        {"adaptive_average_pool": 8},
        {"channel_shuffle": 1},
        {"pixel_shuffle": 1},
        {"channels": 16},
        {"zero_pad": {"padding": [0, 0, 0, 0]}},
        {"reshape": {"to": [16, 8, 8]}},
        {"shortcut_pad": 16},
    ],
)
def test_a_layer_that_changes_nothing_is_found(layer: Any, advice: Callable[..., list[Advice]]) -> None:
    (one,) = advice([conv(16, bias=False), "batch_norm", layer, "relu", conv(16), *HEAD])
    assert (one.rule, one.layer, one.frees) == ("idle_layer", "2", 0)
    assert one.found.endswith("changes nothing here")


def test_the_same_rectifier_twice_is_once_too_often(advice: Callable[..., list[Advice]]) -> None:
    (one,) = advice([conv(16), "relu", "relu", conv(16), *HEAD])
    assert (one.rule, one.layer) == ("idle_layer", "2")
    assert advice([conv(16), "silu", "silu", conv(16), *HEAD]) == []


def test_a_norm_that_was_asked_not_to_be_is_no_waste(advice: Callable[..., list[Advice]]) -> None:
    resnet = {"resnet": {"stem": 8, "widths": [8], "depths": [1], "norm": "none"}}
    networks = {"classifier": {"architecture": resnet}}
    assert advice([], networks=networks) == []


def test_an_identity_among_branches_is_no_waste(advice: Callable[..., list[Advice]]) -> None:
    branches = {"branches": {"join": "concat", "branches": [{"sequence": []}, conv(16)]}}
    assert advice([conv(16), branches, *HEAD]) == []


def test_a_shortcut_with_weights_is_needless_where_the_shape_stays(
    advice: Callable[..., list[Advice]], registry: Registry
) -> None:
    def layers(shortcut: list[Any]) -> list[Any]:
        return [conv(16), {"residual": {"layers": [conv(16)], "shortcut": shortcut}}, *HEAD]

    (one,) = advice(layers([conv(16, kernel=1)]))
    assert (one.rule, one.frees) == ("needless_shortcut", 16 * 16 + 16)
    assert parameters(layers([conv(16, kernel=1)]), registry) - parameters(layers([]), registry) == one.frees


def test_a_flattened_image_costs_a_weight_for_each_pixel(
    advice: Callable[..., list[Advice]], registry: Registry
) -> None:
    flat = [conv(64), conv(64), "flatten", {"dropout": 0.5}, {"linear": 10}]
    found = {one.rule: one for one in advice(flat)}
    pooled = [conv(64), conv(64), "global_average_pool", {"dropout": 0.5}, {"linear": 10}]
    assert found["flattened_image"].frees == parameters(flat, registry) - parameters(pooled, registry) == 63 * 640


def test_a_large_head_is_told_with_its_share(advice: Callable[..., list[Advice]]) -> None:
    (one,) = advice([conv(400, kernel=1), "global_average_pool", {"linear": 10}])
    total = 4 * 400 + 4010
    assert one.rule == "large_head"
    assert one.frees == 4010 - 2010
    assert f"takes {4010 / total:.0%} of" in one.found
    assert advice([conv(40), conv(40), "global_average_pool", {"linear": 10}]) == []


def test_a_block_that_nobody_uses_is_found(advice: Callable[..., list[Advice]]) -> None:
    blocks = {"used": ["relu"], "inner": [conv(16)], "outer": ["inner"], "lost": ["silu"]}
    (one,) = advice([conv(16), "used", "outer", *HEAD], blocks=blocks)
    assert (one.rule, one.found) == ("unused_block", "the block lost is never used")


def test_weights_of_a_module_that_no_pass_reads_are_found(registry: Registry) -> None:
    own = Registry()
    for one in registry:
        own.add(one, registry.provider(one))
    own.add(Component("architecture", "careless", f"{__name__}:Careless"), Provider("here"))
    source = spec([], networks={"classifier": {"architecture": "careless"}})
    (one,) = lint(api.check(source, registry=own))
    assert (one.rule, one.found, one.frees) == (
        "unused_weights",
        "forgotten.weight is never used in a forward pass",
        640,
    )


def Careless(input: Any, output: Any, /) -> Any:
    """Return a network that holds a matrix which it does not use."""
    from torch import Tensor, nn

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used = nn.Linear(3 * 8 * 8, 10)
            self.forgotten = nn.Linear(64, 10, bias=False)

        def forward(self, images: Tensor) -> Tensor:
            used: Tensor = self.used(images.flatten(1))
            return used

    return Network()


def test_what_frees_most_comes_first(advice: Callable[..., list[Advice]]) -> None:
    found = advice([conv(8), "batch_norm", conv(64), "batch_norm", conv(64), "flatten", {"linear": 10}])
    assert [one.frees for one in found] == sorted((one.frees for one in found), reverse=True)
    assert len(found) > 3


def test_advice_points_into_the_file(tmp_path: Any, registry: Registry) -> None:
    path = tmp_path / "waste.yaml"
    path.write_text(
        "extends: quickstart\nnetworks:\n  classifier:\n    architecture:\n      layers:\n"
        "        - conv: 16\n        - batch_norm\n        - global_average_pool\n        - linear: 100\n"
    )
    found = [one for one in lint(api.check(path, registry=registry)) if one.rule == "bias_before_norm"]
    assert [str(one) for one in found] == [
        f"{path}:6:11: networks.classifier: layer 0: conv has a bias, which the batch_norm after it takes away; "
        "bias: false frees 16 parameters"
    ]


@pytest.mark.parametrize("name", ["cifar100-resnet-silu", "cifar100-dcgan", "cifar100-cgan", "quickstart"])
def test_what_ships_wastes_nothing(name: str, registry: Registry) -> None:
    assert lint(api.check(name, registry=registry)) == []


def test_weights_that_bear_a_name_are_advised_on_for_all_their_uses(advice: Callable[..., list[Advice]]) -> None:
    norm = {"weights": {"name": "norm", "layer": "batch_norm"}}
    # One norm for two convolutions keeps one mean for both, which takes away neither's bias.
    assert advice([conv(16), norm, "relu", conv(16), {"weights": "norm"}, *HEAD]) == []
    before, shared = conv(16, bias=False), {"weights": {"name": "shared", "layer": conv(16)}}
    (one,) = advice([before, shared, "batch_norm", "relu", {"weights": "shared"}, "batch_norm", *HEAD])
    assert (one.rule, one.times, one.frees) == ("bias_before_norm", 2, 16)
    assert advice([before, shared, "batch_norm", "relu", {"weights": "shared"}, "relu", *HEAD]) == []


def test_what_is_read_twice_keeps_its_bias_and_a_branch_its_layer(advice: Callable[..., list[Advice]]) -> None:
    told = advice([conv(32), {"name": "before"}, "batch_norm", {"add": "before"}, *HEAD])
    assert [one.rule for one in told] == ["large_head"]
    assert advice([conv(32, bias=False), "relu", {"branches": {"branches": ["relu", conv(32)]}}, *HEAD]) == []
