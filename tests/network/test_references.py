"""The networks that everyone knows, written as layers: their counts, and their outputs beside the originals'."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision
from support import builtin_registry
from torch import Tensor, nn

from zoo.builder import Builder
from zoo.checking import Report, check
from zoo.spec.load import load_spec
from zoo.spec.shipped import names

torch.set_num_threads(1)

#: Parameters of each network of the classifiers, as their originals have them.
COUNTS = {
    "alexnet": 61_100_840,
    "densenet-bc-100-12": 800_032,
    "densenet121": 7_978_856,
    "efficientnet-lite0": 4_652_008,
    "googlenet": 6_624_904,
    "lenet5": 69_656,
    "mnasnet-0.5": 2_218_512,
    "mobilenet-v2": 3_504_872,
    "paper-classifier": 99_364,
    "preact-resnet18": 11_217_316,
    "resnet18": 11_689_512,
    "resnet20": 269_722,
    "resnet20-projection": 278_324,
    "resnet50": 25_557_032,
    "resnext50": 25_028_904,
    "vgg16-bn": 138_365_992,
    "wrn-28-10": 36_536_884,
}
GANS = {"dcgan64": (3_576_704, 2_765_568), "paper-dcgan": (884_992, 44_480)}
models = torchvision.models
ORIGINALS: dict[str, Callable[[], nn.Module]] = {
    "alexnet": models.alexnet,
    "densenet121": models.densenet121,
    "googlenet": lambda: models.googlenet(aux_logits=False, init_weights=False),
    "mnasnet-0.5": models.mnasnet0_5,
    "mobilenet-v2": models.mobilenet_v2,
    "resnet18": models.resnet18,
    "resnet50": models.resnet50,
    "resnext50": models.resnext50_32x4d,
    "vgg16-bn": models.vgg16_bn,
}


def report(name: str) -> Report:
    registry = builtin_registry()
    return check(load_spec(name, registry=registry), Builder(registry))


def test_every_reference_is_tested() -> None:
    shipped = {name for name, path in names().items() if path.parent.name == "reference"}
    assert shipped == COUNTS.keys() | GANS.keys()


@pytest.mark.parametrize("name", COUNTS)
def test_a_classifier_has_the_parameters_of_its_original(name: str) -> None:
    assert report(name).total.parameters == COUNTS[name]
    assert report(name).kept


@pytest.mark.parametrize("name", GANS)
def test_a_gan_has_the_parameters_of_its_original(name: str) -> None:
    found = report(name)
    assert tuple(one.figures.parameters for one in found.networks.values()) == GANS[name]
    assert found.kept


@pytest.mark.parametrize("name", [*COUNTS, *GANS])
def test_a_reference_is_written_as_layers_alone(name: str) -> None:
    spec = load_spec(name, registry=builtin_registry())
    assert {one.architecture.name for one in spec.networks.values()} == {"layers"}


def test_the_wide_network_costs_what_is_known_of_it() -> None:
    assert 2 * report("wrn-28-10").total.macs == pytest.approx(10.487e9, rel=1e-4)


def emptied(make: Callable[[], nn.Module]) -> nn.Module:
    """Make a module without drawing its weights, which are filled in by the test."""
    with torch.device("meta"):
        module = make()
    return module.to_empty(device="cpu").eval()


def fill(tensors: list[Tensor], names: list[str]) -> None:
    """Give a network weights under which its values neither die out nor explode."""
    random = torch.Generator().manual_seed(0)
    for name, tensor in zip(names, tensors, strict=True):
        if not tensor.is_floating_point():
            tensor.zero_()
        elif tensor.dim() > 1:
            tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5, generator=random)
        elif name.endswith(("running_var", "weight")):
            tensor.uniform_(0.5, 1.5, generator=random)
        else:
            tensor.normal_(0, 0.1, generator=random)


@pytest.mark.parametrize("name", ORIGINALS)
def test_with_the_weights_of_torchvision_it_gives_the_same(name: str) -> None:
    theirs = emptied(ORIGINALS[name])
    network = report(name).networks["classifier"]
    ours = emptied(lambda: network.network.module(network.input))
    their_state = theirs.state_dict()
    fill(list(their_state.values()), list(their_state))
    our_state = ours.state_dict()
    assert [tuple(one.shape) for one in our_state.values()] == [tuple(one.shape) for one in their_state.values()]
    for own, other in zip(our_state.values(), their_state.values(), strict=True):
        own.copy_(other)
    images = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found, expected = ours(images), theirs(images)
    assert float((found - expected).abs().max()) <= 1e-5 * max(1.0, float(expected.abs().max()))


@pytest.mark.parametrize(
    ("name", "named"), [("paper-classifier", "cifar100-resnet-silu"), ("paper-dcgan", "cifar100-dcgan")]
)
def test_the_networks_of_the_paper_are_the_named_ones(name: str, named: str) -> None:
    for role, one in report(name).networks.items():
        other = report(named).networks[role]
        assert (one.cost, one.input, one.output) == (other.cost, other.input, other.output)
        torch.manual_seed(0)
        modules = [one.network.module(one.input), other.network.module(other.input)]
        states: list[dict[str, Any]] = [module.state_dict() for module in modules]
        for own, wanted in zip(states[0].values(), states[1].values(), strict=True):
            own.copy_(wanted)
        inputs = torch.rand(2, *one.input)
        assert torch.allclose(modules[0].eval()(inputs), modules[1].eval()(inputs), atol=1e-6)
