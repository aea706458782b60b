"""Tasks of numbers, labels and codes go all the way: checked, trained, gone on with, measured, published, used."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support import changed

from zoo import api
from zoo.builder import Builder
from zoo.errors import Interrupted, SpecError
from zoo.evaluation.run import evaluate_run
from zoo.publishing.certificate import verify
from zoo.publishing.publish import publish
from zoo.publishing.shelf import Entry
from zoo.training.checkpoint import newest, read
from zoo.training.reporter import Reporter
from zoo.training.run import Run

torch.set_num_threads(1)

TRAIN = {"steps": 4, "batch_size": 16, "device": "cpu", "checkpoint_every": 2, "validation": 20, "evaluate_every": 2}
SMALL = {"shapes": {"train_images": 120, "test_images": 100}}
POOLED = [{"conv": {"channels": 4, "kernel": 3, "stride": 4}}, "silu", "global_average_pool"]


def spec(task: Any, data: Any, networks: dict[str, list[Any]], **more: Any) -> dict[str, Any]:
    made = {role: {"architecture": {"layers": layers}} for role, layers in networks.items()}
    return {"zoo": 1, "name": "tiny", "task": task, "data": data, "networks": made, "train": TRAIN, **more}


REGRESS = spec(
    "regress",
    {"friedman": {"train_items": 120, "test_items": 60}},
    {"regressor": [{"linear": 8}, "silu", {"linear": 1}]},
    metrics=["r2"],
)
MULTILABEL = spec(
    "multilabel", {"with_superclasses": {"of": SMALL}}, {"classifier": [*POOLED, {"linear": 110}]}, metrics=["macro_f1"]
)
DECODER = [{"linear": 3 * 32 * 32}, {"reshape": [3, 32, 32]}]
AUTOENCODE = spec(
    {"autoencode": {"latent": 3}},
    SMALL,
    {"encoder": [*POOLED, {"linear": 3}], "decoder": DECODER},
    metrics=["mean_absolute_error"],
)
VARIATIONAL = changed(AUTOENCODE, task__autoencode__kl_weight=0.5)
VARIATIONAL["networks"]["encoder"] = {"architecture": {"layers": [*POOLED, {"linear": 6}]}}
ALL = {"regress": REGRESS, "multilabel": MULTILABEL, "autoencode": AUTOENCODE, "variational": VARIATIONAL}
every = pytest.mark.parametrize("name", ALL)


class Stop(Reporter):
    def step(self, step: int) -> None:
        if step == 2:
            signal.raise_signal(signal.SIGINT)


def weights(run: Run) -> dict[str, torch.Tensor]:
    path = newest(run.checkpoints)
    assert path is not None
    return read(path)[1]


@every
def test_a_task_is_gone_on_with_bit_for_bit(name: str, tmp_path: Path, builder: Builder) -> None:
    known = builder.registry
    whole = api.train(ALL[name], run=tmp_path / "whole", registry=known)
    with pytest.raises(Interrupted):
        api.train(ALL[name], run=tmp_path / "parts", registry=known, reporter=Stop())
    parts = api.train(ALL[name], run=tmp_path / "parts", registry=known)
    first, second = weights(whole), weights(parts)
    assert first.keys() == second.keys() and all(torch.equal(one, second[key]) for key, one in first.items())


@every
def test_a_task_is_measured_published_and_used(name: str, tmp_path: Path, builder: Builder) -> None:
    known = builder.registry
    run = api.train(changed(ALL[name], train__seeds=2), run=tmp_path / "run", registry=known)
    found = evaluate_run(run, builder)
    assert found["n"] == 2
    task = builder.bind(api.load_spec(ALL[name], registry=known).task)
    assert task.figures().keys() <= found["mean"]["test"].keys()
    lines = [line for line in next(iter(run.seeds().values())).metrics() if "validation_loss" in line]
    assert [line["step"] for line in lines] == [2, 4]
    entry = publish([tmp_path / "run"], builder, to=tmp_path / "shelf")
    assert verify(entry.folder, builder) == []
    trained = api.load(entry.folder, registry=known)
    assert replace(trained.info, superclass_of=()) == replace(trained.dataset().info, superclass_of=())
    items = torch.from_numpy(trained.dataset().test.images[:5].copy())
    same = api.load(tmp_path / "run" / "seed-0", registry=known).answers(items)
    assert torch.equal(trained.answers(items), same)
    shown = Entry(entry.folder).certificate.figures["test"]
    assert shown["loss"].n == 2


def test_figures_of_a_regression_are_in_the_units_of_the_data(registry: Any) -> None:
    task = Builder(registry).bind(api.load_spec(REGRESS, registry=registry).task)
    info = api.DataInfo(
        image=(1,), classes=0, train_images=4, test_images=4, mean=(0.0,), std=(1.0,), values="numbers",
        target="numbers", target_shape=(1,), target_mean=(10.0,), target_std=(5.0,),
    )  # fmt: skip
    said, true = torch.tensor([[0.0], [1.0], [-1.0]]), torch.tensor([[10.0], [14.0], [8.0]])
    figures = task.evaluate({"regressor": torch.nn.Identity()}, [api.Batch(said, true)], info)
    assert figures["mean_absolute_error"] == pytest.approx((0 + 1 + 3) / 3)
    assert figures["root_mean_square_error"] == pytest.approx(((1 + 9) / 3) ** 0.5)
    assert figures["loss"] == pytest.approx((1 + 9) / 3 / 25)
    mean = 32 / 3
    assert figures["r2"] == pytest.approx(1 - 10 / sum((one - mean) ** 2 for one in (10, 14, 8)))


def test_labels_are_named_from_a_probability_on(registry: Any) -> None:
    task = Builder(registry).bind(api.load_spec(MULTILABEL, registry=registry).task)
    info = api.DataInfo(
        image=(3,), classes=3, train_images=2, test_images=2, mean=(0.0,) * 3, std=(1.0,) * 3, values="numbers",
        target="classes",
    )  # fmt: skip
    logits = torch.tensor([[4.0, -4.0, 4.0], [4.0, -4.0, -4.0]])
    true = torch.tensor([[True, False, True], [True, True, False]])
    figures = task.evaluate({"classifier": torch.nn.Identity()}, [api.Batch(logits, true)], info)
    assert (figures["exact_match"], figures["label_accuracy"]) == (0.5, pytest.approx(5 / 6))
    assert figures["per_class_f1"] == [1.0, 0.0, 1.0]
    assert figures["micro_f1"] == pytest.approx(2 * 3 / (3 + 4))


REFUSED = {
    "numbers to a classifier": (
        changed(REGRESS, task="classify", networks={"classifier": REGRESS["networks"]["regressor"]}, metrics=[]),
        "data: found friedman, whose targets are numbers of the shape (1,); wanted one class, which classify takes",
    ),
    "an augmentation of images": (
        changed(REGRESS, augment=["cutout"]),
        "augment.0: found cutout, which changes images; wanted augmentations of vectors, or none: the items of "
        "friedman are vectors of the shape (10,)",
    ),
    "a loss of classes": (
        changed(REGRESS, task={"regress": {"loss": "cross_entropy"}}),
        "task.regress.loss: found cross_entropy, which is about one class; wanted a loss about numbers, which regress "
        "predicts",
    ),
    "a metric of classes": (
        changed(REGRESS, metrics=["confusion"]),
        "metrics.0: found confusion, which is about one class; wanted a metric about numbers, which regress predicts",
    ),
    "data without groups": (
        changed(MULTILABEL, data={"with_superclasses": {"of": {"noise": {"image": [3, 32, 32], "classes": 110}}}}),
        "data.with_superclasses.of: found data whose classes form no groups; wanted such as cifar100 or shapes",
    ),
    "more classes than there are": (
        changed(
            REGRESS,
            task="classify",
            data={"noise": {"image": [10], "classes": 2}},
            networks={"classifier": {"architecture": {"layers": [{"linear": 2}]}}},
            metrics=["top_k"],
        ),
        "metrics.0.top_k.k: found 3; wanted at most 2, the number of classes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_before_training(name: str, registry: Any) -> None:
    data, told = REFUSED[name]
    with pytest.raises(SpecError) as caught:
        api.check(data, registry=registry)
    assert [f"{one.path}: {one.found}; wanted {one.wanted}" for one in caught.value.problems] == [told]


def test_a_convolution_of_vectors_is_refused(registry: Any) -> None:
    data = changed(REGRESS, networks__regressor__architecture__layers=[{"conv": 4}, {"linear": 1}])
    with pytest.raises(SpecError, match=r"conv takes a sequence .*, but the shape here is \(10,\)"):
        api.check(data, registry=registry)
