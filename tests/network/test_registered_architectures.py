"""Every registered architecture: it runs, it is finite, every parameter learns, and its stated count is true."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from zoo.api import Condition, Terminals
from zoo.builder import Builder
from zoo.network.measure import measure
from zoo.registry import Registry
from zoo.spec.resolve import Resolver

IMAGE, CLASSES, LATENT = (3, 32, 32), 10, (12,)
LABEL = Condition("label", CLASSES)
#: Between what each architecture stands; from an image to classes unless it is here.
TERMINALS = {
    "conditional_generator": Terminals(LATENT, IMAGE, (LABEL,)),
    "dcgan_discriminator": Terminals(IMAGE, (1,)),
    "dcgan_generator": Terminals(LATENT, IMAGE),
    "projection_discriminator": Terminals(IMAGE, (1,), (LABEL,)),
    "unet": Terminals(IMAGE, IMAGE, (Condition("time"), LABEL)),
}
#: Options without which an architecture has nothing to build, and more than one form of those that have several.
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "conditional_generator": [
        {"widths": [8, 6, 4, 4]},
        {"widths": [8, 4], "label": "latent", "spectral_norm": True},
        {"widths": [8, 4], "label": "norm", "embedding": 3},
    ],
    "dcgan_discriminator": [
        {"widths": [4, 6]},
        {"widths": [4, 6, 8], "stem": 3, "extra": [1], "norm": "none", "bias": True, "spectral_norm": True},
    ],
    "dcgan_generator": [
        {"widths": [8, 6, 4]},
        {"widths": [8, 4], "extra": [0, 2], "upsampling": "nearest", "spectral_norm": True, "bias": True},
        {"widths": [8], "upsampling": "bilinear", "activation": "silu", "output_bias": True},
    ],
    "trained": [],  # what stands elsewhere already, and has to be there
    "unet": [{"widths": [8, 16], "blocks": 1}, {"widths": [8], "attention_heads": 0}],
    "projection_discriminator": [{"widths": [4, 6]}, {"widths": [4], "stem": 2, "spectral_norm": False}],
    "layers": [{"layers": [{"conv": 8}, "relu", "global_average_pool", {"linear": CLASSES}]}],
    "resnet": [
        {},
        {"block": "bottleneck", "activation": "silu"},
        {"shortcut": "pad", "stem": 8, "widths": [8, 16], "depths": [1, 2]},
        {"stem_pool": True, "stem_kernel": 7, "stem_stride": 2, "dropout": 0.1},
        {"norm": {"group_norm": {"groups": 4}}, "activation": {"leaky_relu": {"negative_slope": 0.2}}},
        {"activation": "prelu", "widths": [12], "depths": [1], "reduction": 3, "block": "bottleneck"},
    ],
}


def cases(registry: Registry) -> list[tuple[str, dict[str, Any]]]:
    return [(name, options) for name in registry.names("architecture") for options in OPTIONS.get(name, [{}])]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        from support import builtin_registry

        metafunc.parametrize("case", cases(builtin_registry()), ids=lambda case: f"{case[0]}-{len(str(case[1]))}")


def test_an_architecture_does_what_it_says(case: tuple[str, dict[str, Any]], builder: Builder) -> None:
    name, options = case
    spec = Resolver(builder.registry).component_from(("architecture",), {name: options})
    terminals = TERMINALS.get(name, Terminals(IMAGE, (CLASSES,)))
    network = builder.network(spec, *terminals)
    torch.manual_seed(0)
    module = network.module(terminals.input)
    beside = [torch.arange(4) if one.classes else torch.rand(4) for one in terminals.conditions]
    output = module(torch.rand(4, *terminals.input), *beside)
    assert output.shape == (4, *terminals.output)
    assert torch.isfinite(output).all()
    (output * torch.randn_like(output)).sum().backward()
    assert [one for one, parameter in module.named_parameters() if parameter.grad is None] == []
    trainable = sum(one.numel() for one in module.parameters() if one.requires_grad)
    assert network.cost(terminals.input).parameters == trainable
    assert measure(module, terminals.input, terminals.conditions) == (terminals.output, network.cost(terminals.input))


ACTIVATIONS = [
    "celu", "elu", "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "logsigmoid", "mish", "prelu", "relu",
    "relu6", "rrelu", "selu", "sigmoid", "silu", "softplus", "softsign", "tanh", "tanhshrink",
]  # fmt: skip


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_one_word_in_the_paper_spec(activation: str, registry: Registry) -> None:
    import zoo

    path = "networks.classifier.architecture.resnet.activation"
    report = zoo.check(
        "cifar100-resnet-silu", overrides=[f"{path}={activation}", "budget.parameters=200000"], registry=registry
    )
    extra = 37 if activation == "prelu" else 0
    assert report.total.parameters == 99_364 + extra
