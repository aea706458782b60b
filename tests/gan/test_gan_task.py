"""The task `gan`: who is updated when, by what, and what is said when the game goes wrong."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from gan_support import SCRIPT
from safetensors.torch import load_file
from support import needs_bf16
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from zoo.api import Augmentation, Batch, DataInfo, Turn
from zoo.builder import Builder
from zoo.checking import check
from zoo.errors import Interrupted, SpecError, TrainingError
from zoo.evaluation.trained import Trained
from zoo.spec.schema import Spec
from zoo.training import checkpoint
from zoo.training.loop import Training
from zoo.training.reporter import Reporter
from zoo.training.run import Run
from zoo.training.trainee import Trainee, make_networks
from zoo_gan.losses import BCE, LeastSquares, Relativistic, Wasserstein
from zoo_gan.task import Gan
from zoo_gan.watching import describe, diversity

INFO = DataInfo(image=(3, 4, 4), classes=5, train_images=8, test_images=8, mean=(0.5,) * 3, std=(0.25,) * 3)
PIXELS = 3 * 4 * 4
STEPPED: dict[str, Any] = {"task__gan": {"latent_size": 4, "discriminator_steps": 3}}
FINE = {"accuracy_on_real": 0.7, "accuracy_on_fake": 0.7, "diversity": 1.0}


class Linear(nn.Module):
    """A discriminator whose logits are inner products of the image with fixed weights: its slope is known."""

    def __init__(self, logits: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(logits, PIXELS, generator=torch.Generator().manual_seed(1)) / 4)
        self.seen: list[Tensor] = []
        self.labels: list[Tensor] = []

    def forward(self, images: Tensor, *labels: Tensor) -> Tensor:
        self.seen.append(images)
        self.labels += labels
        return images.flatten(1) @ self.weight.T


class Maker(nn.Module):
    """A generator with one weight for each pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(PIXELS, generator=torch.Generator().manual_seed(2)))
        self.labels: list[Tensor] = []
        self.made: list[Tensor] = []

    def forward(self, latents: Tensor, *labels: Tensor) -> Tensor:
        self.labels += labels
        self.made.append((latents.mean(1, keepdim=True) * self.weight).unflatten(1, INFO.image).tanh())
        return self.made[-1]


@dataclass
class Table:
    """A game without a loop: it keeps the losses that a task asks to be updated by, and updates nothing."""

    task: Gan
    logits: int = 1
    networks: dict[str, Any] = field(init=False)
    losses: list[tuple[str, Tensor]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.networks = {"generator": Maker(), "discriminator": Linear(self.logits)}

    def step(self, number: int = 0, images: int = 6) -> dict[str, Tensor]:
        random = torch.Generator().manual_seed(7)
        batch = Batch(torch.rand(images, *INFO.image, generator=random), torch.arange(images) % INFO.classes)
        return self.task.step(Turn(self.networks, batch, INFO, self.update, random, number, 100))

    def update(self, role: str, loss: Tensor) -> Tensor:
        self.losses.append((role, loss))
        return torch.tensor(1.0)

    def loss(self, role: str) -> float:
        return next(float(loss.detach()) for one, loss in self.losses if one == role)


def discriminator_loss(task: Gan, step: int = 0, logits: int = 1) -> float:
    table = Table(task, logits)
    table.step(step)
    return table.loss("discriminator")


def parameters(run: Run, role: str) -> dict[str, Tensor]:
    path = checkpoint.newest(run.checkpoints)
    assert path is not None
    return {name: one for name, one in load_file(path).items() if name.startswith(f"{role}.network.")}


def initial(spec: Spec, builder: Builder, role: str) -> dict[str, Tensor]:
    network = make_networks(spec, check(spec, builder), builder)[role]
    return {f"{role}.network.{name}": one.detach() for name, one in network.named_parameters()}


# Who is updated, how often, with what


def test_a_step_updates_each_network_as_often_as_stated(run: Callable[..., Run]) -> None:
    found = run(**STEPPED)
    result = found.result() or {}
    assert result["updates"] == {"generator": 3, "discriminator": 9}
    assert result["images"] == 3 * 4 * 3


def test_metrics_count_updates_and_images_and_hold_the_figures_of_both(run: Callable[..., Run]) -> None:
    lines = run(**STEPPED).metrics()
    assert [line["updates"] for line in lines] == [{"generator": n, "discriminator": 3 * n} for n in (1, 2, 3)]
    assert [line["images"] for line in lines] == [12, 24, 36]
    assert set(lines[0]) - {"remarks"} == {
        "step", "lr", "updates", "images", "seconds",
        "generator_loss", "generator_gradient_norm", "discriminator_loss", "discriminator_gradient_norm",
        "accuracy_on_real", "accuracy_on_fake", "diversity",
    }  # fmt: skip


def test_a_check_states_the_updates_that_a_training_makes(spec: Callable[..., Spec], gan_builder: Builder) -> None:
    report = check(spec(**STEPPED), gan_builder)
    assert {role: one.figures.steps for role, one in report.networks.items()} == {"generator": 3, "discriminator": 9}


def test_the_discriminator_goes_first_and_sees_other_real_images_each_time() -> None:
    table = Table(Gan(latent_size=4, loss=BCE(), discriminator_steps=3))
    table.step(images=6)
    assert [role for role, _ in table.losses] == ["discriminator"] * 3 + ["generator"]
    real = table.networks["discriminator"].seen[:6:2]
    batch = torch.rand(6, *INFO.image, generator=torch.Generator().manual_seed(7))
    assert torch.equal(torch.cat(real), batch * 2 - 1)


def test_the_generator_is_judged_by_the_images_that_the_discriminator_has_just_seen() -> None:
    table = Table(Gan(latent_size=4, loss=BCE(), discriminator_steps=2))
    table.step()
    seen = table.networks["discriminator"].seen
    assert torch.equal(seen[-1], seen[-2])
    assert seen[-1].grad_fn is not None and seen[-2].grad_fn is None


def test_the_discriminators_loss_does_not_reach_the_generator() -> None:
    table = Table(Gan(latent_size=4, loss=BCE(), r1=1, r2=1, gradient_penalty=1))
    table.step()
    weight = table.networks["generator"].weight
    gradients = {role: torch.autograd.grad(loss, weight, allow_unused=True)[0] for role, loss in table.losses}
    assert gradients["discriminator"] is None
    assert gradients["generator"].abs().sum() > 0


@pytest.mark.parametrize(
    ("task", "trained", "kept"),
    [("only_discriminator", "discriminator", "generator"), ("only_generator", "generator", "discriminator")],
)
def test_an_update_of_one_network_leaves_the_weights_of_the_other(
    task: str, trained: str, kept: str, spec: Callable[..., Spec], gan_builder: Builder, tmp_path: Path
) -> None:
    chosen = spec(task={task: {"latent_size": 4}})
    run = Run.prepare(tmp_path / "run", chosen)
    training = Training(chosen, check(chosen, gan_builder), gan_builder, run, Reporter())
    for step in range(3):
        training.stepper.take(step)
    for role, same in ((kept, True), (trained, False)):
        now, before = training.trainees[role].module.state_dict(), initial(chosen, gan_builder, role)
        assert all(torch.equal(now[name.removeprefix(f"{role}.network.")], one) for name, one in before.items()) == same
    assert {role: one.updates for role, one in training.trainees.items()} == {trained: 3, kept: 0}


def test_a_network_that_is_never_updated_is_named(run: Callable[..., Run]) -> None:
    with pytest.raises(TrainingError) as caught:
        run(task={"only_discriminator": {"latent_size": 4}})
    assert str(caught.value) == (
        "step 1: the task only_discriminator has not updated generator once; "
        "wanted turn.update('generator', loss) in each step"
    )


def test_a_loss_that_compares_is_given_real_logits_without_a_graph() -> None:
    table = Table(Gan(latent_size=4, loss=Relativistic()))
    table.step()
    seen = table.networks["discriminator"].seen
    assert len(seen) == 4  # real and fake for the discriminator, then fake and real for the generator
    assert torch.equal(seen[3], seen[0])
    weight = table.networks["discriminator"].weight.detach()
    logits = [(one.detach().flatten(1) @ weight.T)[:, 0] for one in seen[2:]]
    assert table.loss("generator") == pytest.approx(float(functional.softplus(logits[1] - logits[0]).mean()))


def test_a_task_that_updates_more_often_than_it_states_is_stopped(run: Callable[..., Run]) -> None:
    with pytest.raises(TrainingError) as caught:
        run(task={"greedy": {"latent_size": 4}})
    assert str(caught.value) == (
        "step 1: the task greedy updates generator more often than the 1 times a step that it states, and that the "
        "budget was checked for"
    )
    assert caught.value.exit_code == 7


def test_a_batch_in_parts_is_refused_for_two_networks(spec: Callable[..., Spec], gan_builder: Builder) -> None:
    with pytest.raises(SpecError) as caught:
        check(spec(train__accumulate=2), gan_builder)
    assert str(caught.value) == (
        "<python>: train.accumulate: found 2; wanted 1: networks that are updated in turn cannot each wait for the "
        "last part of a batch"
    )


# Penalties


def test_r1_of_a_linear_discriminator_is_half_its_weight_times_the_squared_slope() -> None:
    squared = float(Linear().weight.detach().square().sum())
    for name in ("r1", "r2"):
        plain = discriminator_loss(Gan(latent_size=4, loss=BCE()))
        penalised = discriminator_loss(replace(Gan(latent_size=4, loss=BCE()), **{name: 3.0}))
        assert penalised - plain == pytest.approx(3.0 / 2 * squared, rel=1e-5), name


def test_r1_and_r2_add_up() -> None:
    plain, both = Gan(latent_size=4, loss=BCE()), Gan(latent_size=4, loss=BCE(), r1=1.0, r2=2.0)
    squared = float(Linear().weight.detach().square().sum())
    assert discriminator_loss(both) - discriminator_loss(plain) == pytest.approx(1.5 * squared, rel=1e-5)


def test_the_gradient_penalty_of_a_linear_discriminator_is_its_slopes_squared_distance_from_1() -> None:
    norm = float(Linear().weight.detach().norm())
    plain, penalised = (
        Gan(latent_size=4, loss=Wasserstein()),
        Gan(latent_size=4, loss=Wasserstein(), gradient_penalty=10),
    )
    assert discriminator_loss(penalised) - discriminator_loss(plain) == pytest.approx(10 * (norm - 1) ** 2, rel=1e-5)


def test_the_gradient_penalty_is_taken_on_lines_between_real_and_generated_images() -> None:
    table = Table(Gan(latent_size=4, loss=Wasserstein(), gradient_penalty=10))
    table.step()
    real, fake, between = table.networks["discriminator"].seen[:3]
    shares = ((between - fake) / (real - fake)).detach().flatten(1)
    assert (shares.amax(1) - shares.amin(1)).max() < 1e-3
    assert float(shares.min()) >= 0 and float(shares.max()) <= 1
    assert float(shares[0, 0]) != float(shares[1, 0])


def test_a_penalty_moves_the_discriminator() -> None:
    table = Table(Gan(latent_size=4, loss=LeastSquares(), r1=2.0))
    weight = table.networks["discriminator"].weight
    table.step()
    without = Table(Gan(latent_size=4, loss=LeastSquares()))
    without.step()
    slopes = [
        torch.autograd.grad(one.losses[0][1], one.networks["discriminator"].weight)[0] for one in (table, without)
    ]
    torch.testing.assert_close(slopes[0] - slopes[1], 2.0 * weight.detach())


def test_a_rarer_penalty_weighs_as_much_more() -> None:
    plain = Gan(latent_size=4, loss=BCE())
    rare, each = replace(plain, r1=0.5, penalty_every=4), replace(plain, r1=0.5)
    base = [discriminator_loss(plain, step) for step in range(9)]
    one = discriminator_loss(each) - base[0]
    found = [discriminator_loss(rare, step) - base[step] for step in range(9)]
    assert found == pytest.approx([4 * one, 0, 0, 0, 4 * one, 0, 0, 0, 4 * one], rel=1e-5, abs=1e-6)


# Augmentation of what the discriminator sees


@dataclass(frozen=True, kw_only=True)
class Darken(Augmentation):
    """Halve every value, and keep what came in."""

    seen: list[Tensor] = field(default_factory=list)

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        self.seen.append(images)
        return images / 2


def test_real_and_generated_images_are_augmented_alike_in_0_to_1() -> None:
    darken = Darken()
    table = Table(Gan(latent_size=4, loss=BCE(), augment=[darken]))
    table.step()
    assert len(darken.seen) == 3  # real and fake for the discriminator, fake for the generator
    assert all(float(one.detach().min()) >= 0 and float(one.detach().max()) <= 1 for one in darken.seen)
    for seen, before in zip(table.networks["discriminator"].seen, darken.seen, strict=True):
        torch.testing.assert_close(seen, before - 1)
    torch.testing.assert_close(darken.seen[1], (table.networks["generator"].made[0] + 1) / 2)


def test_the_generators_gradient_passes_through_the_augmentation() -> None:
    gradients = []
    for augment in ([], [Darken()]):
        table = Table(Gan(latent_size=4, loss=Wasserstein(), augment=augment))
        table.step()
        gradients.append(torch.autograd.grad(table.losses[-1][1], table.networks["generator"].weight)[0])
    torch.testing.assert_close(gradients[1], gradients[0] / 2)


def test_a_spec_names_augmentations_and_they_follow_from_the_seed(run: Callable[..., Run]) -> None:
    augmented = {"latent_size": 4, "augment": [{"random_crop": {"padding": 2}}, "horizontal_flip"]}
    options = {"one": augmented, "other": augmented, "plain": {"latent_size": 4}}
    one, other, plain = (
        torch.cat([tensor.flatten() for tensor in parameters(run(name, task__gan=given), "generator").values()])
        for name, given in options.items()
    )
    assert torch.equal(one, other)
    assert not torch.equal(one, plain)


def test_an_unknown_augmentation_is_refused(spec: Callable[..., Spec]) -> None:
    with pytest.raises(SpecError) as caught:
        spec(task__gan={"augment": ["horizontal_flop"]})
    text = str(caught.value)
    assert text.startswith(
        "<python>: task.gan.augment.0: found the unknown augmentation 'horizontal_flop'; wanted one of "
    )
    assert text.endswith("\n    did you mean 'horizontal_flip'?")


# Labels


@pytest.mark.parametrize(
    ("conditioning", "logits", "generator", "discriminator"),
    [("none", 1, 0, 0), ("both", 1, 1, 1), ("auxiliary", 6, 1, 0)],
)
def test_conditioning_says_who_is_given_a_label(
    conditioning: Any, logits: int, generator: int, discriminator: int
) -> None:
    task = Gan(latent_size=4, loss=BCE(), conditioning=conditioning)
    ends = {role: task.terminals(role, INFO) for role in task.roles}
    assert (ends["generator"].input, ends["generator"].output) == ((4,), INFO.image)
    assert (ends["discriminator"].input, ends["discriminator"].output) == (INFO.image, (logits,))
    assert [len(ends[role].conditions) for role in task.roles] == [generator, discriminator]
    assert all(one.classes == INFO.classes for end in ends.values() for one in end.conditions)
    assert task.conditional == (conditioning != "none")
    table = Table(task, logits)
    table.step()
    given = [len(table.networks[role].labels) > 0 for role in task.roles]
    assert given == [bool(generator), bool(discriminator)]


def test_both_networks_are_given_the_same_labels_of_generated_images() -> None:
    table = Table(Gan(latent_size=4, loss=BCE(), conditioning="both"))
    table.step()
    (asked,), (real, fake, again) = table.networks["generator"].labels, table.networks["discriminator"].labels
    assert real.tolist() == [0, 1, 2, 3, 4, 0]
    assert torch.equal(asked, fake) and torch.equal(fake, again)


def test_the_auxiliary_classification_enters_both_losses() -> None:
    losses = {}
    for weight in (0.0, 2.0):
        table = Table(Gan(latent_size=4, loss=BCE(), conditioning="auxiliary", classification=weight), logits=6)
        table.step()
        losses[weight] = {role: float(loss.detach()) for role, loss in table.losses}
    network, labels = table.networks["discriminator"], table.networks["generator"].labels[0]
    real, fake = (one.detach().flatten(1) @ network.weight.detach().T for one in network.seen[:2])
    by_fake = float(functional.cross_entropy(fake[:, 1:], labels))
    by_real = float(functional.cross_entropy(real[:, 1:], torch.arange(6) % 5))
    extra = {role: losses[2.0][role] - losses[0.0][role] for role in losses[0.0]}
    assert extra == pytest.approx({"discriminator": 2 * (by_real + by_fake), "generator": 2 * by_fake}, rel=1e-4)


def test_an_auxiliary_discriminator_trains_with_one_logit_more_for_each_class(run: Callable[..., Run]) -> None:
    found = run(
        task__gan={"latent_size": 4, "conditioning": "auxiliary"},
        networks__generator__architecture={"conditional_generator": {"widths": [6, 4], "embedding": 2}},
    )
    head = list(parameters(found, "discriminator").values())[-1]
    assert head.shape[0] == 101


def test_logged_losses_are_those_of_the_game_alone() -> None:
    table = Table(Gan(latent_size=4, loss=BCE(), conditioning="auxiliary", r1=5.0), logits=6)
    figures = table.step()
    weight = table.networks["discriminator"].weight.detach()
    real, fake = ((one.detach().flatten(1) @ weight.T)[:, 0] for one in table.networks["discriminator"].seen[:2])
    assert float(figures["discriminator_loss"]) == pytest.approx(float(BCE().discriminator(real, fake)), rel=1e-5)
    assert float(figures["generator_loss"]) == pytest.approx(float(BCE().generator(real, fake)), rel=1e-5)
    assert not any(one.requires_grad for one in figures.values())


def test_accuracies_are_the_shares_on_the_right_side_of_the_boundary() -> None:
    table = Table(Gan(latent_size=4, loss=LeastSquares()))
    figures = table.step()
    weight = table.networks["discriminator"].weight.detach()
    real, fake = ((one.detach().flatten(1) @ weight.T)[:, 0] for one in table.networks["discriminator"].seen[:2])
    assert float(figures["accuracy_on_real"]) == pytest.approx(float((real > 0.5).float().mean()))
    assert float(figures["accuracy_on_fake"]) == pytest.approx(float((fake < 0.5).float().mean()))


# What is watched


def test_diversity_is_the_root_mean_squared_distance_over_all_pairs() -> None:
    images = torch.rand(7, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    squares = torch.cdist(images.flatten(1), images.flatten(1)).square()
    assert float(diversity(images)) == pytest.approx(float((squares.sum() / (7 * 6)).sqrt()), rel=1e-5)


def test_equal_images_have_no_diversity() -> None:
    assert float(diversity(torch.ones(5, 3, 4, 4) * 0.3)) == pytest.approx(0, abs=1e-6)


def test_a_batch_of_one_image_can_be_trained_on(run: Callable[..., Run]) -> None:
    norm = {"widths": [6, 4], "norm": "none"}
    found = run(
        train__batch_size=1,
        networks__generator__architecture={"dcgan_generator": norm},
        networks__discriminator__architecture={"dcgan_discriminator": norm},
    )
    assert found.result() is not None


def test_a_fair_game_is_not_remarked_on() -> None:
    assert describe(FINE) == {}


@pytest.mark.parametrize(
    "figures",
    [
        {"accuracy_on_real": 0.98, "accuracy_on_fake": 1.0},
        {"accuracy_on_real": 1.0, "accuracy_on_fake": 0.98},
        {"accuracy_on_fake": 0.05},
        {"diversity": 0.4},
    ],
)
def test_the_limits_themselves_are_not_remarked_on(figures: dict[str, float]) -> None:
    assert describe(FINE | figures) == {}


def test_a_collapse_is_described() -> None:
    assert describe(FINE | {"diversity": 0.253}) == {
        "collapse": (
            "the generator is collapsing: its images differ from one another by 25% of what real ones do; try a "
            "smaller learning rate, spectral_norm in the discriminator, or labels"
        )
    }


def test_a_discriminator_that_has_won_is_described() -> None:
    assert describe(FINE | {"accuracy_on_real": 0.99, "accuracy_on_fake": 1.0}) == {
        "discriminator won": (
            "the discriminator has won: it is right about 99% of the real and 100% of the generated images; try a "
            "smaller one, a smaller learning rate for it, label smoothing, or augment"
        )
    }


def test_a_generator_that_has_won_is_described() -> None:
    assert describe(FINE | {"accuracy_on_fake": 0.02}) == {
        "generator won": (
            "the generator has won: 98% of its images pass for real; try a larger discriminator, or more "
            "discriminator_steps"
        )
    }


class Listener(Reporter):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


def said(run: Callable[..., Run], script: Sequence[dict[str, float]], **parts: Any) -> tuple[list[str], Run]:
    SCRIPT[:] = [FINE | one for one in script]
    listener = Listener()
    found = run(reporter=listener, task={"scripted": {"latent_size": 4}}, train__steps=len(script), **parts)
    return listener.messages, found


def test_a_remark_is_made_once_with_its_step_and_taken_back_when_it_no_longer_holds(run: Callable[..., Run]) -> None:
    collapsed = {"diversity": 0.1}
    messages, found = said(run, [{}, collapsed, collapsed, {}, {}, collapsed])
    remark = describe(FINE | collapsed)["collapse"]
    assert messages == [f"step 2: {remark}", "step 4: no longer: collapse", f"step 6: {remark}"]
    assert [line.get("remarks") for line in found.metrics()] == [
        None, {"collapse": remark}, {"collapse": remark}, None, None, {"collapse": remark},
    ]  # fmt: skip


def test_one_winner_is_followed_by_the_other(run: Callable[..., Run]) -> None:
    won, lost = {"accuracy_on_real": 1.0, "accuracy_on_fake": 1.0}, {"accuracy_on_fake": 0.0}
    messages, _ = said(run, [won, won, lost])
    assert messages == [
        f"step 1: {describe(FINE | won)['discriminator won']}",
        f"step 3: {describe(FINE | lost)['generator won']}",
        "step 3: no longer: discriminator won",
    ]


def test_a_remark_is_about_the_mean_since_the_last_line(run: Callable[..., Run]) -> None:
    messages, _ = said(run, [{"diversity": 0.1}, {"diversity": 1.1}], train__log_every=2)
    assert messages == []


# Going on where it was left


@dataclass
class SignalAt(Reporter):
    """Sends a signal to this process after a step, as a user or a scheduler would."""

    at: int

    def step(self, step: int) -> None:
        if step == self.at:
            os.kill(os.getpid(), signal.SIGINT)


@dataclass
class KilledAt(Reporter):
    """Ends the training without a word."""

    at: int

    def step(self, step: int) -> None:
        if step == self.at:
            raise MemoryError


WHOLE: dict[str, Any] = {
    "task__gan": {"latent_size": 4, "loss": "hinge", "discriminator_steps": 2, "r1": 0.1, "penalty_every": 3},
    "networks__generator": {
        "architecture": {"dcgan_generator": {"widths": [6, 4], "upsampling": "nearest", "spectral_norm": True}},
        "init": "orthogonal",
        "optimizer": {"adam": {"lr": 0.002, "betas": [0.5, 0.9]}},
        "schedule": "linear",
        "ema": 0.8,
    },
    "networks__discriminator": {
        "architecture": {"dcgan_discriminator": {"widths": [4, 4], "spectral_norm": True}},
        "init": "normal",
        "optimizer": {"sgd": {"lr": 0.05, "momentum": 0.9}},
        "ema": 0.5,
        "gradient_clip": 1.0,
    },
    "train__steps": 8,
    "train__checkpoint_every": 3,
    "train__test_at_end": True,
}


def assert_same_state(one: Run, other: Run) -> None:
    paths = [checkpoint.newest(run.checkpoints) for run in (one, other)]
    assert paths[0] is not None and paths[1] is not None
    first, second = load_file(paths[0]), load_file(paths[1])
    assert first.keys() == second.keys()
    assert [name for name, tensor in first.items() if not torch.equal(tensor, second[name])] == []
    results = [run.result() or {} for run in (one, other)]
    assert [one["updates"] for one in results] == [{"generator": 8, "discriminator": 16}] * 2
    assert results[0]["test"] == results[1]["test"]


def test_a_stopped_game_goes_on_bit_for_bit(run: Callable[..., Run]) -> None:
    straight = run("straight", **WHOLE)
    with pytest.raises(Interrupted, match="stopped by SIGINT at step 4 of 8"):
        run("stopped", SignalAt(4), **WHOLE)
    resumed = run("stopped", **WHOLE)
    assert_same_state(straight, resumed)
    names = set(load_file(str(checkpoint.newest(straight.checkpoints))))
    for wanted in ("parametrizations.weight.0._u", "optimizer.0.0.exp_avg", "optimizer.0.0.momentum_buffer"):
        assert any(name.endswith(wanted) for name in names), wanted
    lines = [[{**line, "seconds": 0} for line in one.metrics()] for one in (straight, resumed)]
    assert lines[0] == lines[1]


def test_a_killed_game_goes_on_from_its_checkpoint_bit_for_bit(run: Callable[..., Run]) -> None:
    straight = run("straight", **WHOLE)
    with pytest.raises(MemoryError):
        run("killed", KilledAt(5), **WHOLE)
    assert_same_state(straight, run("killed", **WHOLE))


def test_pictures_on_the_way_change_nothing(run: Callable[..., Run]) -> None:
    plain, watched = run("plain", **WHOLE), run("watched", **WHOLE, train__sample_every=1)
    assert len(list(watched.samples.glob("step-*.png"))) == 8
    assert_same_state(plain, watched)


def test_averaged_weights_under_spectral_norm_have_a_largest_singular_value_of_1(
    spec: Callable[..., Spec], gan_builder: Builder
) -> None:
    torch.manual_seed(0)
    layer = spectral_norm(nn.Linear(20, 30))
    nn.init.normal_(layer.parametrizations.weight.original)  # type: ignore[union-attr,operator,arg-type]
    trainee = Trainee(layer, spec(networks__generator__ema=0.98).networks["generator"], gan_builder, 60)
    for step in range(60):
        layer(torch.randn(4, 20)).square().sum().backward()
        trainee.set_rate(step)
        trainee.update()
    found = [torch.linalg.matrix_norm(one.eval().weight.detach(), ord=2) for one in (layer, trainee.best)]  # type: ignore[operator]
    assert [float(one) for one in found] == pytest.approx([1, 1], abs=0.05)


@needs_bf16
def test_in_bf16_the_generator_is_judged_by_the_discriminator_as_updated(run: Callable[..., Run]) -> None:
    """Autocast keeps copies of weights; those of before an update would give the loss of before it."""
    fast = {"sgd": {"lr": 1.0}}
    plain, low = (
        run(f"{precision}", networks__discriminator__optimizer=fast, train__precision=precision).metrics()[0]
        for precision in ("fp32", "bf16")
    )
    assert low["generator_loss"] == pytest.approx(plain["generator_loss"], rel=0.1)


def test_no_two_neighbouring_steps_see_the_same_noise(run: Callable[..., Run]) -> None:
    tiny = {"sgd": {"lr": 1e-12}}
    lines = run(networks__generator__optimizer=tiny, networks__discriminator__optimizer=tiny).metrics()
    assert all(one["generator_loss"] != other["generator_loss"] for one, other in pairwise(lines))


# What is left of it


def test_the_test_images_are_judged_by_the_discriminator(run: Callable[..., Run], gan_builder: Builder) -> None:
    found = run(train__test_at_end=True)
    test = json.loads((found.folder / "result.json").read_text())["test"]
    trained = Trained.load(found, gan_builder)
    images = torch.from_numpy(trained.dataset().test.images)
    assert test["images"] == 100
    assert test["discriminator_logit"] == pytest.approx(float(trained.judge(images).mean()), rel=1e-4)
