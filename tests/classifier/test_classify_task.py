"""The classifier's figures on numbers that can be checked by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import zoo
from zoo.api import Batch, Builder, DataInfo, SpecError, load_spec
from zoo.checking import check
from zoo.registry import Registry
from zoo.spec.resolve import Resolver
from zoo.training.task import Task, Turn

LOSSES: list[Any] = [
    "cross_entropy",
    {"cross_entropy": {"label_smoothing": 0.1}},
    "multi_margin",
    {"multi_margin": {"p": 2, "margin": 0.5}},
]
INFO = DataInfo(image=(6, 1, 1), classes=6, train_images=8, test_images=8, mean=(0.5,) * 6, std=(0.25,) * 6)


class Echo(nn.Module):
    """Gives its input back as logits, so that a test chooses them."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)


def task(registry: Registry, **options: Any) -> Task:
    spec = Resolver(registry).component_from(("task",), {"classify": {"normalize": False, **options}})
    bound: Task = Builder(registry).bind(spec)
    return bound


def batches(logits: list[list[float]], labels: list[int], size: int) -> list[Batch]:
    images, targets = torch.tensor(logits)[:, :, None, None], torch.tensor(labels)
    return [Batch(*pair) for pair in zip(images.split(size), targets.split(size), strict=True)]


def test_top1_and_top5_count_over_the_whole_set(registry: Registry) -> None:
    falling = [5.0, 4.0, 3.0, 2.0, 1.0, 0.0]
    figures = task(registry).evaluate({"classifier": Echo()}, batches([falling] * 6, list(range(6)), 4), INFO)
    assert figures["images"] == 6
    assert figures["top1"] == pytest.approx(1 / 6)
    assert figures["top5"] == pytest.approx(5 / 6)
    assert figures["per_class"] == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_the_loss_is_the_mean_over_images_not_over_batches(registry: Registry) -> None:
    logits = [[3.0, 0, 0, 0, 0, 0], [0.0, 0, 0, 0, 0, 0], [0.0, 2, 0, 0, 0, 0]]
    figures = task(registry).evaluate({"classifier": Echo()}, batches(logits, [0, 1, 1], 2), INFO)
    expected = nn.functional.cross_entropy(torch.tensor(logits), torch.tensor([0, 1, 1]))
    assert figures["loss"] == pytest.approx(float(expected))


def test_the_loss_is_measured_without_label_smoothing(registry: Registry) -> None:
    logits, labels = [[3.0, 0, 0, 0, 0, 0], [0.0, 0, 2, 0, 0, 0]], [0, 1]
    smooth = task(registry, loss={"cross_entropy": {"label_smoothing": 0.1}})
    figures = smooth.evaluate({"classifier": Echo()}, batches(logits, labels, 1), INFO)
    plain = task(registry).evaluate({"classifier": Echo()}, batches(logits, labels, 2), INFO)
    expected = nn.CrossEntropyLoss(label_smoothing=0.1)(torch.tensor(logits), torch.tensor(labels))
    assert figures["loss"] == pytest.approx(plain["loss"])
    assert figures["loss_as_trained"] == pytest.approx(float(expected))
    assert "loss_as_trained" not in plain


def test_the_headline_says_what_is_not_known(registry: Registry) -> None:
    figures = {"loss": None, "accuracy_mean": 0.5, "accuracy_std": 0.1}
    assert task(registry).headline("test", figures) == "test loss: not finite, test acc: 0.500±0.100"


def test_the_spread_is_that_of_batches_of_64(registry: Registry) -> None:
    right, wrong = [1.0, 0, 0, 0, 0, 0], [0.0, 1, 0, 0, 0, 0]
    logits = [right] * 64 + [wrong] * 32 + [right] * 32
    figures = task(registry).evaluate({"classifier": Echo()}, batches(logits, [0] * 128, 50), INFO)
    assert (figures["accuracy_mean"], figures["accuracy_std"]) == (0.75, 0.25)


def test_a_class_without_images_has_no_accuracy(registry: Registry) -> None:
    figures = task(registry).evaluate({"classifier": Echo()}, batches([[1.0, 0, 0, 0, 0, 0]], [0], 1), INFO)
    assert figures["per_class"][1:] == [None] * 5


def test_the_headline_has_the_form_of_the_paper(registry: Registry) -> None:
    figures = {"loss": 1.8119, "accuracy_mean": 0.5209, "accuracy_std": 0.0649}
    assert task(registry).headline("train", figures) == "train loss: 1.812, train acc: 0.521±0.065"


def test_images_are_normalised_by_the_training_statistics(registry: Registry) -> None:
    seen: list[Tensor] = []

    class Watch(Echo):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(images)
            return super().forward(images)

    task(registry, normalize=True).evaluate({"classifier": Watch()}, batches([[1.0, 0, 0.5, 0, 0, 0]], [0], 1), INFO)
    assert seen[0].flatten().tolist() == [2.0, -2.0, 0.0, -2.0, -2.0, -2.0]


def test_a_step_updates_once_with_the_mean_loss(registry: Registry) -> None:
    losses: list[tuple[str, float]] = []
    batch = batches([[3.0, 0, 0, 0, 0, 0], [0.0, 5, 0, 0, 0, 0]], [0, 0], 2)[0]

    def update(role: str, loss: Tensor) -> Tensor:
        losses.append((role, float(loss)))
        return torch.tensor(2.0)

    figures = task(registry).step(Turn({"classifier": Echo()}, batch, INFO, update, torch.Generator(), 0, 1))
    expected = float(nn.functional.cross_entropy(batch.images.flatten(1), batch.labels))
    assert losses == [("classifier", pytest.approx(expected))]
    assert (float(figures["accuracy"]), float(figures["gradient_norm"])) == (0.5, 2.0)


def test_a_step_on_mixed_labels_counts_the_largest_share(registry: Registry) -> None:
    losses: list[Tensor] = []
    batch = batches([[3.0, 0, 0, 0, 0, 0], [0.0, 5, 0, 0, 0, 0], [0.0, 5, 0, 0, 0, 0]], [0, 0, 0], 3)[0]
    shares = torch.tensor([[0.6, 0.4, 0, 0, 0, 0], [0.6, 0.4, 0, 0, 0, 0], [0.0, 1, 0, 0, 0, 0]])

    def update(role: str, loss: Tensor) -> Tensor:
        losses.append(loss)
        return torch.tensor(1.0)

    turn = Turn({"classifier": Echo()}, Batch(batch.images, shares), INFO, update, torch.Generator(), 0, 1)
    figures = task(registry).step(turn)
    expected = -(shares * batch.images.flatten(1).log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(losses[0], expected)
    assert float(figures["accuracy"]) == pytest.approx(2 / 3)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_takes_shares_of_classes(loss: Any, registry: Registry) -> None:
    """Of one class it is the loss of that label; of several it is the mean of theirs."""
    found: Any = task(registry, loss=loss)
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(8, 6, generator=random, requires_grad=True)
    one, other = torch.randint(6, (2, 8), generator=random)
    whole = nn.functional.one_hot(one, 6).float()
    torch.testing.assert_close(found.loss(logits, whole), found.loss(logits, one))
    mixed = 0.3 * whole + 0.7 * nn.functional.one_hot(other, 6)
    torch.testing.assert_close(
        found.loss(logits, mixed), 0.3 * found.loss(logits, one) + 0.7 * found.loss(logits, other)
    )
    (slope,) = torch.autograd.grad(found.loss(logits, mixed), logits)
    assert slope.any()


def test_every_loss_is_tried_with_shares(registry: Registry) -> None:
    tried = {one if isinstance(one, str) else next(iter(one)) for one in LOSSES}
    known = {name: Resolver(registry).component_from(("loss",), name) for name in registry.names("loss")}
    about = {name: Builder(registry).resolver.options(one.component).target.about for name, one in known.items()}
    assert tried == {name for name, each in about.items() if "class" in each}


def test_flips_add_the_logits_of_the_mirror_image(registry: Registry) -> None:
    class Columns(nn.Module):
        """Takes the columns of an image for logits."""

        def forward(self, images: Tensor) -> Tensor:
            return images[:, 0, 0]

    info = DataInfo(image=(1, 1, 6), classes=6, train_images=8, test_images=8, mean=(0.5,), std=(0.25,))
    # Plain, the first column wins; with its mirror image, the third and fourth do.
    image = torch.tensor([5.0, 0.0, 4.0, 2.0, 0.0, 0.0]).view(1, 1, 1, 6)
    batch = [Batch(image, torch.tensor([2]))]
    plain = task(registry).evaluate({"classifier": Columns()}, batch, info)
    flipped = task(registry, test_flip=True).evaluate({"classifier": Columns()}, batch, info)
    assert flipped == plain | {"top1_flip": 1.0, "top5_flip": 1.0}
    assert plain["top1"] == 0.0


class TwoHeads(Echo):
    """Gives its input back, and twice that as an auxiliary output."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return images.flatten(1), 2 * images.flatten(1)


def test_the_loss_of_an_auxiliary_output_is_added_while_training_alone(registry: Registry) -> None:
    (batch,) = batches([[3.0, 0, 0, 0, 0, 0], [0.0, 2, 0, 0, 0, 0]], [0, 2], 2)
    losses: list[Tensor] = []

    def update(role: str, loss: Tensor) -> Tensor:
        losses.append(loss)
        return loss

    two = task(registry, auxiliary=0.3)
    figures = two.step(Turn({"classifier": TwoHeads()}, batch, INFO, update, torch.Generator(), 0, 1))
    logits = batch.images.flatten(1)
    main, beside = (nn.functional.cross_entropy(one, batch.labels) for one in (logits, 2 * logits))
    assert float(figures["loss"]) == pytest.approx(float(main + 0.3 * beside))
    assert float(figures["accuracy"]) == 0.5
    measured = two.evaluate({"classifier": TwoHeads()}, [batch], INFO)
    assert measured["loss"] == pytest.approx(float(main))


def test_an_auxiliary_loss_needs_an_output_of_that_name(registry: Registry) -> None:
    layers: list[Any] = ["global_average_pool", {"linear": 10}]
    spec: dict[str, Any] = {
        "zoo": 1,
        "name": "two-heads",
        "task": {"classify": {"auxiliary": 0.3}},
        "data": {"noise": {"image": [3, 8, 8], "classes": 10}},
        "networks": {"classifier": {"architecture": {"layers": layers}}},
        "train": {"steps": 10},
    }
    with pytest.raises(SpecError) as caught:
        zoo.check(spec, registry=registry)
    told = "task.classify.auxiliary: found no output of the name `auxiliary`; wanted outputs `logits` and `auxiliary`"
    assert told in str(caught.value)
    layers[1:] = [
        {"name": "means"},
        {"linear": 10},
        {"output": "auxiliary"},
        {"from": "means"},
        {"linear": 10},
        {"output": "logits"},
    ]
    assert zoo.check(spec, registry=registry).total.parameters == 80


GROUPED = DataInfo(**{**vars(INFO), "superclass_of": (0, 0, 1, 1, 1, 2)})


@pytest.mark.parametrize("shares", [False, True])
def test_the_loss_of_superclasses_is_that_of_summed_probabilities(shares: bool) -> None:
    from zoo_classifier.task import _membership, superclass_loss

    logits = torch.randn(5, 6, generator=torch.Generator().manual_seed(0)).mul(30).requires_grad_()
    labels: Tensor = torch.tensor([0, 3, 5, 2, 1])
    if shares:
        labels = torch.rand(5, 6, generator=torch.Generator().manual_seed(1)).softmax(1)
    member = _membership(GROUPED.superclass_of, logits.device)
    sums = logits.double().softmax(1).mul(1).matmul(member.double())
    wanted = labels.double() @ member.double() if shares else member[labels].double()
    expected = -(sums.log() * wanted).sum(1).mean()
    found = superclass_loss(logits, labels, member)
    torch.testing.assert_close(found.double(), expected)
    gradients = [torch.autograd.grad(one, logits, retain_graph=True)[0] for one in (found, expected)]
    torch.testing.assert_close(*gradients)


def test_superclasses_count_in_training_alone(registry: Registry) -> None:
    images, losses = torch.randn(4, 6, 1, 1, generator=torch.Generator().manual_seed(0)).requires_grad_(), {}
    for weight in (0.0, 0.5):
        one = task(registry, superclass_weight=weight)

        def update(role: str, loss: Tensor) -> Tensor:
            return loss.detach()

        turn = Turn({"classifier": Echo()}, Batch(images, torch.arange(4)), GROUPED, update, torch.Generator(), 0, 1)
        losses[weight] = float(one.step(turn)["loss"])
        measured = one.evaluate({"classifier": Echo()}, [Batch(images.detach(), torch.arange(4))], GROUPED)
        assert measured["loss"] == pytest.approx(losses[0.0])
    assert losses[0.5] > losses[0.0]


def test_superclasses_of_data_without_are_refused(builder: Builder) -> None:
    weight, known = "task.classify.superclass_weight=0.3", builder.registry
    with pytest.raises(SpecError) as caught:
        check(
            load_spec("quickstart", overrides=[weight, "data={noise: {image: [3, 32, 32]}}"], registry=known), builder
        )
    assert "has no superclasses" in str(caught.value)
    check(load_spec("quickstart", overrides=[weight], registry=known), builder)
