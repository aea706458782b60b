"""Strided 1x1 convolutions of few channels: rewritten on a CPU, exactly, and whatever the module is wrapped in."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable

import pytest
import torch
from support import builtin_plugins
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from zoo.training.average import Average
from zoo.training.devices import laid_out, place
from zoo.training.strided import OWN, without_strides

CPU = torch.device("cpu")
MODULES: dict[str, tuple[int, Callable[[], nn.Module]]] = {
    "plain": (6, lambda: nn.Conv2d(6, 8, 1, 2)),
    "one channel": (1, lambda: nn.Conv2d(1, 3, 1, 3, bias=False)),
    "one direction": (7, lambda: nn.Conv2d(7, 8, 1, (1, 2))),
    "padded": (3, lambda: nn.Conv2d(3, 8, 1, (2, 3), (1, 2))),
    "reflected": (3, lambda: nn.Conv2d(3, 8, 1, 2, (1, 0), padding_mode="reflect")),
    "valid": (3, lambda: nn.Conv2d(3, 8, 1, 2, "valid")),
    "groups": (12, lambda: nn.Conv2d(12, 6, 1, 2, groups=3)),
    "dilated": (6, lambda: nn.Conv2d(6, 8, 1, 2, dilation=2)),
    "transposed": (8, lambda: nn.ConvTranspose2d(8, 6, 1, 2)),
    "transposed, padded": (8, lambda: nn.ConvTranspose2d(8, 6, 1, (2, 3), (1, 0), (1, 2))),
    "transposed groups": (6, lambda: nn.ConvTranspose2d(6, 4, 1, 2, 0, 1, groups=2)),
    "spectral norm": (6, lambda: spectral_norm(nn.Conv2d(6, 8, 1, 2)).eval()),
    "inside": (6, lambda: nn.Sequential(nn.ReLU(), nn.Conv2d(6, 8, 1, 2, bias=False), nn.BatchNorm2d(8))),
}


def gradients(module: nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
    images = images.detach().requires_grad_()
    output = module(images)
    mixture = torch.randn(output.shape, generator=torch.Generator().manual_seed(1)).to(output.dtype)
    output.backward(mixture)
    assert images.grad is not None
    return [output.detach(), images.grad, *(one.grad for one in module.parameters() if one.grad is not None)]


def assert_right(module: nn.Module, reference: nn.Module, channels: int) -> None:
    for size in ((7, 9), (8, 8), (3, 3)):
        images = torch.randn(4, channels, *size, generator=torch.Generator().manual_seed(0))
        for one in (module, reference):
            one.zero_grad(set_to_none=True)
        wanted = gradients(reference, images.double())
        for given in (images, laid_out(images)):
            module.zero_grad(set_to_none=True)
            for value, right in zip(gradients(module, given), wanted, strict=True):
                torch.testing.assert_close(value.double(), right, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODULES)
def test_a_placed_convolution_computes_what_it_did(name: str) -> None:
    channels, make = MODULES[name]
    torch.manual_seed(0)
    module = make()
    reference, names = copy.deepcopy(module).double(), list(module.state_dict())
    placed = place(place(module, CPU), CPU)
    assert placed is module
    assert list(module.state_dict()) == names
    assert not any(max(one.stride) > 1 for one in module.modules() if isinstance(one, nn.Conv2d | nn.ConvTranspose2d))
    assert_right(module, reference, channels)
    assert_right(copy.deepcopy(module), reference, channels)


def test_subclasses_that_compute_by_themselves_are_reached() -> None:
    class Standardised(nn.Conv2d):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            weight = self.weight - self.weight.mean()
            return nn.functional.conv2d(input, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    torch.manual_seed(0)
    module = Standardised(6, 8, 1, 2)
    reference = copy.deepcopy(module).double()
    assert_right(place(module, CPU), reference, 6)


class Functions(nn.Module):
    """What a stranger writes: convolutions that are no modules."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.ParameterList(torch.randn(8, 6, 1, 1) for _ in range(4))
        self.convolution = nn.Conv2d(6, 8, 1, 2)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        first, second, third, fourth = self.weights
        input = nn.functional.conv2d(input, first, None, 2, padding=(1, 0))
        input = nn.functional.conv_transpose2d(input, second, stride=(2, 1), output_padding=(1, 0))
        input = torch.convolution(input, third, None, [2, 2], [0, 0], [1, 1], False, [0, 0], 1)
        input = torch.convolution(input, fourth, None, [2, 2], [0, 0], [1, 1], True, [1, 1], 1)
        return self.convolution(input)  # type: ignore[no-any-return]


def strides_of(module: nn.Module, images: torch.Tensor) -> list[object]:
    """Return the strides of the convolutions that come to the library in a backward pass."""
    with torch.profiler.profile(record_shapes=True) as seen:
        module(images).sum().backward()
    return [one.concrete_inputs[4] for one in seen.events() if one.name == "aten::convolution_backward"]


def test_functions_that_a_strangers_module_calls_are_rewritten() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(Functions())
    reference, names = copy.deepcopy(module).double(), list(module.state_dict())
    place(place(module, CPU), CPU)
    assert list(module.state_dict()) == names
    assert_right(module, reference, 6)
    assert_right(copy.deepcopy(module), reference, 6)
    assert strides_of(module, torch.randn(2, 6, 8, 8)) == [[1, 1]] * 5
    kept = io.BytesIO()
    torch.save(module, kept)
    kept.seek(0)
    assert_right(torch.load(kept, weights_only=False), reference, 6)
    compiled: nn.Module = torch.compile(module, backend="aot_eager", fullgraph=True)  # type: ignore[assignment]
    assert_right(compiled, reference, 6)


def test_networks_of_known_modules_run_as_they_are() -> None:
    module = nn.Sequential(nn.Conv2d(6, 8, 1, 2), nn.BatchNorm2d(8), nn.ReLU())
    place(module, CPU)
    assert not any("forward" in vars(one) for one in module.modules())


def test_all_plugins_that_ship_are_known() -> None:
    assert set(OWN) == {"torch", "zoo", *builtin_plugins().values()}


def test_averages_functional_calls_and_saved_modules_are_rewritten_too() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(6, 8, 1, 2))
    reference = copy.deepcopy(module).double()
    place(module, CPU)
    images = torch.randn(2, 6, 8, 8)
    wanted = reference(images.double()).float()
    kept = io.BytesIO()
    torch.save(module, kept)
    kept.seek(0)
    for found in (
        Average(module, 0.9).module(images),
        torch.func.functional_call(module, dict(module.named_parameters()), images),
        torch.load(kept, weights_only=False)(images),
        torch.compile(module, backend="aot_eager")(images),
    ):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(
    "convolution",
    [nn.Conv2d(8, 8, 1, 2), nn.Conv2d(6, 8, 3, 2), nn.Conv2d(6, 8, 1), nn.ConvTranspose2d(6, 8, 1, 2)],
    ids=["many channels", "a larger kernel", "no stride", "transposed to many channels"],
)
def test_what_the_library_computes_rightly_is_left_to_it(convolution: nn.Module) -> None:
    stride = convolution.stride
    without_strides(convolution)
    assert convolution.stride == stride
    assert not convolution._forward_pre_hooks
