"""torch's vocabulary: names and defaults are torch's, schedules are torch's schedules, optimizers step."""

from __future__ import annotations

import inspect
from typing import Any, Literal

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from zoo.builder import Builder
from zoo.errors import SpecError, ZooError
from zoo.options import Options
from zoo.registry import Registry
from zoo.spec.resolve import Resolver

TORCH_LAYERS = {
    "conv": nn.Conv2d,
    "conv_transpose": nn.ConvTranspose2d,
    "linear": nn.Linear,
    "average_pool": nn.AvgPool2d,
    "batch_norm": nn.BatchNorm2d,
    "group_norm": nn.GroupNorm,
    "instance_norm": nn.InstanceNorm2d,
    "layer_norm": nn.LayerNorm,
    "rms_norm": nn.RMSNorm,
    "self_attention": nn.MultiheadAttention,
}
#: Where the default is not that of torch: a convolution keeps the size of the image; RMSNorm has the eps of all norms.
DIFFERENT = {("conv", "padding"), ("rms_norm", "eps")}
OPTIMIZERS = {
    "adadelta": "Adadelta", "adafactor": "Adafactor", "adagrad": "Adagrad", "adam": "Adam", "adamax": "Adamax",
    "adamw": "AdamW", "muon": "Muon", "nadam": "NAdam", "radam": "RAdam", "rmsprop": "RMSprop", "rprop": "Rprop",
    "sgd": "SGD",
}  # fmt: skip


def bind(registry: Registry, kind: str, data: Any) -> Any:
    return Builder(registry).bind(Resolver(registry).component_from((kind,), data))


def defaults(target: Any) -> dict[str, Any]:
    return {
        name: parameter.default
        for name, parameter in inspect.signature(target).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }


def test_every_optimizer_of_torch_that_steps_on_its_own_is_here(registry: Registry) -> None:
    ours = {*OPTIMIZERS.values()}
    theirs = {
        name
        for name, one in vars(torch.optim).items()
        if isinstance(one, type) and issubclass(one, torch.optim.Optimizer)
    }
    # LBFGS needs a closure, SparseAdam sparse gradients; ASGD averages, which `ema` does for every optimizer.
    assert theirs - ours == {"Optimizer", "LBFGS", "SparseAdam", "ASGD"}


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_an_optimizer_has_the_defaults_of_torch(name: str, registry: Registry) -> None:
    theirs = defaults(getattr(torch.optim, OPTIMIZERS[name]))
    for option in Options(registry.get("optimizer", name).load()):
        assert option.name in theirs
        assert option.default == theirs[option.name], option.name


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_an_optimizer_lowers_a_loss(name: str, registry: Registry) -> None:
    torch.manual_seed(0)
    network = nn.Linear(4, 4, bias=False)
    inputs, wanted = torch.randn(32, 4), torch.randn(32, 4)
    optimizer = bind(registry, "optimizer", name)(list(network.named_parameters()))
    losses = []
    for _ in range(20):
        loss = nn.functional.mse_loss(network(inputs), wanted)
        losses.append(float(loss))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0]


def test_muon_says_what_it_cannot_take(registry: Registry) -> None:
    with pytest.raises(ZooError) as caught:
        bind(registry, "optimizer", "muon")(list(nn.Conv2d(3, 4, 3).named_parameters()))
    assert str(caught.value) == (
        "muon updates matrices only, but bias (and 0 more) are none; write by_group: {matrices: muon, rest: adamw}"
    )


def test_two_optimizers_share_a_network(registry: Registry) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(4, 2))
    made = bind(registry, "optimizer", {"by_group": {"matrices": "muon", "rest": "adamw"}})(
        list(network.named_parameters())
    )
    names = [[name for group in one.param_groups for name in group["param_names"]] for one in made]
    assert [type(one).__name__ for one in made] == ["Muon", "AdamW"]
    assert names == [["0.weight", "1.weight"], ["0.bias", "1.bias"]]


def test_an_empty_group_gets_no_optimizer(registry: Registry) -> None:
    network = nn.Linear(4, 2, bias=False)
    made = bind(registry, "optimizer", {"by_group": {"matrices": "muon", "rest": "adamw"}})(
        list(network.named_parameters())
    )
    assert [type(one).__name__ for one in made] == ["Muon"]


def test_every_norm_says_that_it_is_one(registry: Registry) -> None:
    norms = {name: registry.get("norm", name).load() for name in registry.names("norm")}
    assert {name for name, one in norms.items() if not one.normalizes} == {"none"}


@pytest.mark.parametrize("name", sorted(TORCH_LAYERS))
def test_a_layer_has_the_defaults_of_torch(name: str, registry: Registry) -> None:
    component = registry.find(("layer", "norm"), name)
    assert component is not None
    theirs = defaults(TORCH_LAYERS[name])
    for option in Options(component.load()):
        if option.name in theirs and not option.required and (name, option.name) not in DIFFERENT:
            assert option.default == theirs[option.name], option.name


def test_every_activation_has_the_defaults_of_torch(registry: Registry) -> None:
    for name in registry.names("activation"):
        if name == "formula":  # which torch has not
            continue
        target = registry.get("activation", name).load()
        theirs = defaults(getattr(nn, target.torch))
        for option in Options(target):
            if option.name in theirs:
                assert option.default == theirs[option.name], (name, option.name)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"hardtanh": {"min_val": 1.0}}, "hardtanh: found min_val 1, which is not below max_val 1"),
        ({"rrelu": {"lower": 0.5}}, "rrelu: found lower 0.5 above upper 0.333333"),
    ],
)
def test_an_activation_refuses_bounds_in_the_wrong_order(data: Any, message: str, builder: Builder) -> None:
    with pytest.raises(SpecError) as caught:
        builder.layer(data)
    assert str(caught.value) == f"<default>: {message}"


def test_the_factors_of_rprop_stand_on_either_side_of_one(registry: Registry) -> None:
    with pytest.raises(SpecError) as caught:
        bind(registry, "optimizer", {"rprop": {"etas": [0.5, 0.9]}})
    assert str(caught.value) == (
        "<default>: rprop.etas.1: found 0.9; wanted two numbers, the first between 0 and 1, the second above 1"
    )


SCHEDULES: list[tuple[Any, Any]] = [
    ("constant", lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
    ({"step": {"every": 7, "factor": 0.5}}, lambda o: lr_scheduler.StepLR(o, 7, 0.5)),
    ({"multi_step": {"milestones": [10, 5, 30]}}, lambda o: lr_scheduler.MultiStepLR(o, [5, 10, 30], 0.1)),
    ({"exponential": 0.97}, lambda o: lr_scheduler.ExponentialLR(o, 0.97)),
    ("linear", lambda o: lr_scheduler.PolynomialLR(o, 50, 1.0)),
    ({"polynomial": 2.0}, lambda o: lr_scheduler.PolynomialLR(o, 50, 2.0)),
    ("cosine", lambda o: lr_scheduler.CosineAnnealingLR(o, 50)),
    ({"cosine": 0.1}, lambda o: lr_scheduler.CosineAnnealingLR(o, 50, 0.1)),
    ({"cosine_restarts": {"period": 10}}, lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 10)),
    ({"warmup": {"over": 10}}, lambda o: lr_scheduler.LinearLR(o, 0.1, 1.0, 9)),
    ("one_cycle", lambda o: lr_scheduler.OneCycleLR(o, 1.0, 50)),
    (
        {"one_cycle": {"rise": 0.5, "anneal": "linear", "div_factor": 10, "final_div_factor": 2.5}},
        lambda o: lr_scheduler.OneCycleLR(o, 1.0, 50, None, None, 0.5, "linear", div_factor=10, final_div_factor=2.5),
    ),
]


@pytest.mark.parametrize(("data", "theirs"), SCHEDULES, ids=[str(data) for data, _ in SCHEDULES])
def test_a_schedule_is_that_of_torch(data: Any, theirs: Any, registry: Registry) -> None:
    factor = bind(registry, "schedule", data)(50)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = theirs(optimizer)
    for step in range(50):
        assert factor(step) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9), step
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("steps", [2, 3, 7, 100, 1001])
@pytest.mark.parametrize("rise", [0.0, 0.3, 0.77, 1.0])
@pytest.mark.parametrize(("anneal", "theirs"), [("cosine", "cos"), ("linear", "linear")])
def test_one_cycle_is_that_of_torch_at_every_length(
    steps: int, rise: float, anneal: str, theirs: Literal["cos", "linear"], registry: Registry
) -> None:
    factor = bind(registry, "schedule", {"one_cycle": {"rise": rise, "anneal": anneal}})(steps)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = lr_scheduler.OneCycleLR(optimizer, 0.4, steps, pct_start=rise, anneal_strategy=theirs)
    for step in range(steps):
        assert 0.4 * factor(step) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12), step
        if step + 1 < steps:
            optimizer.step()
            scheduler.step()


def test_one_cycle_stays_where_it_ends_and_can_begin_at_its_peak(registry: Registry) -> None:
    factor = bind(registry, "schedule", {"one_cycle": 0.1})(10)  # where torch divides by zero
    assert factor(0) == 1
    assert factor(9) == factor(10) == factor(1000) == pytest.approx(1 / 25e4)


def test_a_warm_up_leads_into_another_schedule(registry: Registry) -> None:
    factor = bind(registry, "schedule", {"warmup": {"over": 10, "then": "linear"}})(110)
    assert [factor(step) for step in (0, 9, 10, 60)] == pytest.approx([0.1, 1.0, 1.0, 0.5])


def test_losses_are_those_of_torch(registry: Registry) -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(8, 5), torch.arange(8) % 5
    smooth = bind(registry, "loss", {"cross_entropy": 0.1})
    margin = bind(registry, "loss", {"multi_margin": {"p": 2}})
    assert torch.equal(smooth(logits, labels), nn.CrossEntropyLoss(label_smoothing=0.1)(logits, labels))
    assert torch.equal(margin(logits, labels), nn.MultiMarginLoss(p=2)(logits, labels))


@pytest.mark.parametrize("pool", ["global_average_pool", "adaptive_average_pool"])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_means_hand_back_a_gradient_with_channels_together(
    pool: str, layout: torch.memory_format, builder: Builder
) -> None:
    images = torch.randn(2, 8, 6, 4).contiguous(memory_format=layout).requires_grad_()
    middle = images * 2
    layouts: list[bool] = []
    middle.register_hook(lambda gradient: layouts.append(gradient.is_contiguous(memory_format=torch.channels_last)))
    means = builder.layer(pool).module((8, 6, 4))(middle)
    means.square().sum().backward()
    assert torch.equal(means.flatten(1), middle.mean((2, 3)))
    torch.testing.assert_close(images.grad, (2 * 2 / 24 * middle.mean((2, 3), keepdim=True)).expand_as(images))
    assert layouts == [True]
