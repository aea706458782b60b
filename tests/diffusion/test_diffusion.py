"""Flow matching: its loss, its way from noise to images, and the U-Net."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from support import builtin_registry
from torch import Tensor, nn

from zoo.api import Batch, Condition, DataInfo, Turn
from zoo.builder import Builder
from zoo.errors import ShapeError
from zoo.network.measure import measure
from zoo_diffusion.task import Diffuse

INFO = DataInfo(image=(3, 8, 8), classes=4, train_images=8, test_images=8, mean=(0.5,) * 3, std=(0.25,) * 3)
TIME, LABEL = Condition("time"), Condition("label", 5)


def unet(*conditions: Condition, **options: Any) -> nn.Module:
    builder = Builder(builtin_registry())
    architecture = builder.resolver.component_from(("architecture",), {"unet": options})
    return builder.network(architecture, (3, 8, 8), (3, 8, 8), conditions).module((3, 8, 8))


class Toward(nn.Module):
    """The exact velocity of the straight paths to one image."""

    def __init__(self, target: Tensor) -> None:
        super().__init__()
        self.target = target

    def forward(self, images: Tensor, time: Tensor, labels: Tensor | None = None) -> Tensor:
        return (self.target - images) / (1 - time).view(-1, 1, 1, 1)


class Growth(nn.Module):
    """A velocity equal to the image: after time 1 it is e times as large."""

    def forward(self, images: Tensor, time: Tensor, labels: Tensor | None = None) -> Tensor:
        return images


class ByLabel(nn.Module):
    """A constant velocity: the label itself, and 10 for none."""

    def forward(self, images: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        value = torch.where(labels == INFO.classes, 10.0, labels.float())
        return value.view(-1, 1, 1, 1).expand_as(images)


def draw(task: Diffuse, network: nn.Module, latents: Tensor, labels: Tensor | None = None) -> Tensor:
    return task.generate({"denoiser": network}, latents, labels, INFO) * 2 - 1


def test_the_loss_is_the_squared_distance_from_image_minus_noise() -> None:
    images, noise = torch.full((2, 3, 8, 8), 0.75), torch.full((2, 3, 8, 8), -0.5)
    seen: list[Tensor] = []

    class Half(nn.Module):
        def forward(self, images: Tensor, time: Tensor) -> Tensor:
            seen.append(images)
            return torch.zeros_like(images)

    time = torch.tensor([0.0, 0.25])
    loss = Diffuse(labels=False).loss(Half(), images, torch.zeros(2), noise, time)
    assert loss.tolist() == [1.0, 1.0]  # (0.5 - -0.5) squared
    assert [float(one.mean()) for one in seen[0]] == [-0.5, -0.25]


@pytest.mark.parametrize("steps", [1, 3, 20])
@pytest.mark.parametrize("solver", ["euler", "heun"])
def test_the_exact_velocity_leads_to_the_image(solver: Any, steps: int) -> None:
    target = torch.rand(3, 8, 8) * 2 - 1
    task = Diffuse(labels=False, solver=solver, sampling_steps=steps)
    assert torch.allclose(draw(task, Toward(target), torch.randn(2, 3, 8, 8)), target, atol=1e-4)


def test_heun_errs_less_than_euler_at_the_same_number_of_steps() -> None:
    start = torch.ones(1, 3, 8, 8)
    errors = {
        solver: abs(
            float(draw(Diffuse(labels=False, solver=solver, sampling_steps=10), Growth(), start)[0, 0, 0, 0])
            - 2.718281828
        )
        for solver in ("euler", "heun")
    }
    assert errors["heun"] < errors["euler"] / 4


@pytest.mark.parametrize(("guidance", "expected"), [(1.0, 2.0), (0.0, 10.0), (2.0, -6.0)])
def test_guidance_goes_from_no_label_to_the_label_and_beyond(guidance: float, expected: float) -> None:
    task = Diffuse(guidance=guidance, sampling_steps=4)
    found = draw(task, ByLabel(), torch.zeros(1, 3, 8, 8), torch.tensor([2]))
    assert torch.allclose(found, torch.full_like(found, expected))


def test_times_lie_within_0_and_1_and_logit_normal_ones_in_the_middle() -> None:
    drawn = torch.randn(20_000, generator=torch.Generator().manual_seed(0))
    uniform, middle = (Diffuse(time=one)._times(drawn) for one in ("uniform", "logit_normal"))
    assert float(uniform.min()) >= 0 and float(uniform.max()) <= 1
    assert float(uniform.std()) == pytest.approx(12**-0.5, abs=0.01)
    assert float(middle.std()) < float(uniform.std())


def network(**options: Any) -> nn.Module:
    torch.manual_seed(0)
    made = unet(TIME, LABEL, **{"widths": [8, 16], "blocks": 1, **options})
    for parameter in made.parameters():  # those that begin at zero hide what is before them
        nn.init.normal_(parameter, std=0.2)
    return made


def test_a_step_updates_once_and_drops_labels_by_their_share() -> None:
    seen: list[Tensor] = []

    class Watch(ByLabel):
        def forward(self, images: Tensor, time: Tensor, labels: Tensor) -> Tensor:
            seen.append(labels)
            return super().forward(images, time, labels)

    roles: list[str] = []

    def update(role: str, loss: Tensor) -> Tensor:
        roles.append(role)
        return torch.tensor(1.0)

    batch = Batch(torch.rand(2000, 3, 8, 8), torch.zeros(2000, dtype=torch.int64))
    turn = Turn({"denoiser": Watch()}, batch, INFO, update, torch.Generator().manual_seed(0), 0, 1)
    figures = Diffuse(label_dropout=0.3).step(turn)
    assert roles == ["denoiser"]
    assert set(figures) == {"loss", "gradient_norm"}
    assert float((seen[0] == INFO.classes).float().mean()) == pytest.approx(0.3, abs=0.04)


def test_the_same_evaluation_gives_the_same_loss() -> None:
    batches = [Batch(torch.rand(5, 3, 8, 8), torch.arange(5) % 4)]
    found = [Diffuse().evaluate({"denoiser": network()}, batches, INFO) for _ in range(2)]
    assert found[0] == found[1]
    assert found[0]["images"] == 5


def test_time_and_label_change_what_the_network_gives() -> None:
    made, images = network(), torch.randn(1, 3, 8, 8)
    found = [
        made(images, torch.tensor([time]), torch.tensor([label])) for time, label in ((0.1, 0), (0.9, 0), (0.1, 1))
    ]
    assert not torch.allclose(found[0], found[1])
    assert not torch.allclose(found[0], found[2])


def test_an_image_does_not_depend_on_the_others_of_its_batch() -> None:
    made, images = network().eval(), torch.randn(3, 3, 8, 8)
    times, labels = torch.rand(3), torch.arange(3)
    alone = made(images[1:2], times[1:2], labels[1:2])
    assert torch.allclose(made(images, times, labels)[1:2], alone, atol=1e-5)


def test_a_new_network_gives_no_velocity() -> None:
    made = unet(TIME, widths=[8], blocks=1)
    found = made(torch.randn(2, 3, 8, 8), torch.rand(2))
    assert float((found - made.get_parameter("last.bias").view(1, -1, 1, 1)).abs().max()) == 0


@pytest.mark.parametrize("options", [{}, {"attention_heads": 0}, {"widths": [8], "expansion": 1}, {"kernel": 3}])
def test_the_count_on_the_meta_device_is_true(options: dict[str, Any]) -> None:
    made = network(**options)
    trainable = sum(one.numel() for one in made.parameters())
    shape, cost = measure(copy.deepcopy(made), (3, 8, 8), (TIME, LABEL))
    assert (shape, cost.parameters) == ((3, 8, 8), trainable)
    made(torch.randn(2, 3, 8, 8), torch.rand(2), torch.arange(2)).sum().backward()
    assert [name for name, one in made.named_parameters() if one.grad is None] == []


@pytest.mark.parametrize(
    ("options", "conditions", "message"),
    [
        ({}, (), "unet is called with a time, and a label or not, but this task gives it nothing"),
        ({"widths": [8, 8, 8, 8, 8]}, (TIME,), "unet: 8x8 pixels cannot be halved 4 times; wanted fewer widths"),
        ({"kernel": 4}, (TIME,), "unet: found kernel 4; wanted an odd one, which keeps the size"),
        ({"widths": [12]}, (TIME,), "unet: 8 groups do not divide the width 12"),
        ({"widths": [8], "attention_heads": 3}, (TIME,), "unet: 3 attention heads do not divide the width 8"),
    ],
)
def test_options_that_cannot_be_are_named(
    options: dict[str, Any], conditions: Any, message: str, builder: Builder
) -> None:
    spec = builder.resolver.component_from(("architecture",), {"unet": options})
    with pytest.raises(ShapeError, match=message):
        builder.network(spec, (3, 8, 8), (3, 8, 8), conditions)
