"""Muon: torch's own on matrices, the same on kernels of convolutions, and fit for captured and stopped trainings."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoo.builder import Builder
from zoo.registry import Registry
from zoo.spec.resolve import Resolver
from zoo_torch.muon import orthogonal

torch.set_num_threads(1)


def bind(registry: Registry, data: Any) -> Any:
    return Builder(registry).bind(Resolver(registry).component_from(("optimizer",), data))


def parameters(*shapes: tuple[int, ...]) -> list[tuple[str, nn.Parameter]]:
    random = torch.Generator().manual_seed(0)
    return [(str(index), nn.Parameter(torch.randn(shape, generator=random))) for index, shape in enumerate(shapes)]


def step(optimizer: torch.optim.Optimizer, weights: list[tuple[str, nn.Parameter]], seed: int) -> None:
    """Take a step with gradients that follow from the seed and the order of the weights alone."""
    random = torch.Generator().manual_seed(seed)
    for _, one in weights:
        drawn = torch.randn(one.shape, generator=random)
        one.grad = drawn.contiguous(memory_format=torch.channels_last) if drawn.ndim == 4 else drawn
    optimizer.step()


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("shape", [(32, 64), (64, 32), (100, 7), (16, 16)])
def test_on_matrices_it_does_what_torch_does(shape: tuple[int, int], nesterov: bool, registry: Registry) -> None:
    options = {"lr": 0.02, "weight_decay": 0.1, "momentum": 0.9, "nesterov": nesterov, "ns_steps": 4}
    ours, theirs = parameters(shape, shape, (8, 8)), parameters(shape, shape, (8, 8))
    began = [one.detach().clone() for _, one in ours]
    own, other = bind(registry, {"muon": options})(ours), torch.optim.Muon(theirs, **options)
    for seed in range(3):
        step(own, ours, seed)
        step(other, theirs, seed)
    for (_, one), (_, wanted), start in zip(ours, theirs, began, strict=True):
        # Both iterate in bf16, of which two roundings may differ.
        assert float((one - wanted).detach().norm()) < 0.02 * float((wanted - start).detach().norm())
        assert torch.allclose(own.state[one]["momentum_buffer"], other.state[wanted]["momentum_buffer"], atol=1e-6)


def test_a_kernel_is_a_matrix_with_a_row_for_each_channel_that_comes_out(registry: Registry) -> None:
    (kernel,), (matrix,) = parameters((16, 8, 3, 3)), parameters((16, 72))
    kernel[1].data = kernel[1].data.contiguous(memory_format=torch.channels_last)
    assert torch.equal(kernel[1].flatten(1), matrix[1])
    optimizers = [bind(registry, {"muon": {"lr": 0.02}})([one]) for one in (kernel, matrix)]
    for seed in range(3):
        step(optimizers[0], [kernel], seed)
        step(optimizers[1], [matrix], seed)
    assert torch.equal(kernel[1].flatten(1), matrix[1])


@pytest.mark.parametrize(("shape", "scale"), [((64, 16), 2.0), ((16, 64), 1.0), ((64, 4, 2, 2), 2.0)])
def test_a_step_is_as_long_as_its_shape_says(shape: tuple[int, ...], scale: float, registry: Registry) -> None:
    weights = parameters(shape)
    before = weights[0][1].detach().clone()
    step(bind(registry, {"muon": {"lr": 0.1, "weight_decay": 0.0}})(weights), weights, 0)
    values = torch.linalg.svdvals((before - weights[0][1].detach()).flatten(1))
    assert 0.1 * scale * 0.6 < float(values.min()) <= float(values.max()) < 0.1 * scale * 1.3


@pytest.mark.parametrize("shape", [(3, 8, 20), (3, 20, 8), (1, 1, 9)])
def test_singular_values_come_near_1_and_vectors_stay(shape: tuple[int, ...]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    made = orthogonal(matrices, 5)
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    inner = left.mT @ made @ right.mT
    values = inner.diagonal(dim1=1, dim2=2)
    assert 0.6 < float(values.min()) <= float(values.max()) < 1.3
    assert float((inner - torch.diag_embed(values)).abs().max()) < 0.05


def test_no_gradient_is_no_step_and_a_gradient_of_zeros_is_finite(registry: Registry) -> None:
    weights = parameters((4, 8), (4, 8))
    before = [one.detach().clone() for _, one in weights]
    optimizer = bind(registry, {"muon": {"weight_decay": 0.0}})(weights)
    weights[1][1].grad = torch.zeros(4, 8)
    optimizer.step()
    assert torch.equal(weights[0][1], before[0])
    assert torch.equal(weights[1][1], before[1])


def test_a_rate_in_a_tensor_gives_the_same_step(registry: Registry) -> None:
    ours, others = parameters((8, 4), (8, 4, 3, 3)), parameters((8, 4), (8, 4, 3, 3))
    plain, captured = (bind(registry, {"muon": {"lr": 0.02}})(one) for one in (ours, others))
    for group in captured.param_groups:
        assert group["capturable"]
        group["lr"] = torch.tensor(0.02)
    for seed in range(2):
        step(plain, ours, seed)
        step(captured, others, seed)
    for (_, one), (_, other) in zip(ours, others, strict=True):
        assert torch.allclose(one, other, atol=1e-7)


def test_loaded_state_goes_on_bit_for_bit(registry: Registry) -> None:
    straight, resumed = parameters((8, 4), (8, 4, 3, 3)), parameters((8, 4), (8, 4, 3, 3))
    one = bind(registry, {"muon": {"lr": 0.02}})(straight)
    step(one, straight, 0)
    other = bind(registry, {"muon": {"lr": 0.02}})(resumed)
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    for (_, weight), (_, wanted) in zip(resumed, straight, strict=True):
        weight.data.copy_(wanted)
    step(one, straight, 1)
    step(other, resumed, 1)
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(straight, resumed, strict=True))


def groups(registry: Registry, network: nn.Module, **options: Any) -> list[list[str]]:
    spec = {"by_group": {"matrices": "muon", "rest": "adamw", **options}}
    made = bind(registry, spec)(list(network.named_parameters()))
    return [[name for group in one.param_groups for name in group["param_names"]] for one in made]


def test_kernels_are_matrices_but_filters_of_single_channels_are_not(registry: Registry) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, groups=4), nn.BatchNorm2d(4), nn.Linear(4, 2))
    assert groups(registry, network) == [
        ["0.weight", "3.weight"],
        ["0.bias", "1.weight", "1.bias", "2.weight", "2.bias", "3.bias"],
    ]


def test_the_last_matrix_can_go_with_the_rest(registry: Registry) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.Linear(4, 2))
    assert groups(registry, network, last="rest") == [["0.weight"], ["1.weight", "1.bias"]]


def test_it_trains_a_convolutional_network(registry: Registry) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8), nn.Flatten(), nn.Linear(128, 4)
    )
    made = bind(registry, {"by_group": {"matrices": {"muon": {"lr": 0.1}}, "rest": "adamw"}})(
        list(network.named_parameters())
    )
    images, labels = torch.randn(32, 3, 8, 8), torch.randint(4, (32,))
    losses: list[Tensor] = []
    for _ in range(15):
        losses.append(nn.functional.cross_entropy(network(images), labels))
        losses[-1].backward()
        for one in made:
            one.step()
            one.zero_grad()
    assert losses[-1].item() < 0.5 * losses[0].item()
