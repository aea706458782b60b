"""A network that comes from another training and is not trained again: a teacher, whom a student learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from support import builtin_registry, changed
from torch import Tensor

from zoo import api
from zoo.api import Component, DataInfo, Loss, PredictiveTask, Terminals, Turn
from zoo.builder import Builder
from zoo.errors import PluginError, RunError
from zoo.publishing.certificate import Certificate, verify
from zoo.publishing.publish import publish
from zoo.registry import Provider, Registry
from zoo.training.checkpoint import newest, read

torch.set_num_threads(1)

DATA = {"shapes": {"train_images": 120, "test_images": 100}}
TRAIN = {"steps": 2, "batch_size": 16, "device": "cpu", "precision": "fp32"}
LAYERS = [
    {"conv": {"channels": 4, "kernel": 3, "stride": 4}},
    "batch_norm",
    "silu",
    "global_average_pool",
    {"linear": 100},
]
TEACHER: dict[str, Any] = {
    "zoo": 1,
    "name": "teacher",
    "task": "classify",
    "data": DATA,
    "networks": {"classifier": {"architecture": {"layers": LAYERS}}},
    "train": TRAIN,
}


@dataclass(frozen=True, kw_only=True)
class Distill(PredictiveTask):
    """Learn what a teacher says of images.

    Source: Hinton et al. 2015, arXiv:1503.02531.
    """

    loss: Loss = "cross_entropy"
    normalize: bool = True

    roles: ClassVar[tuple[str, ...]] = ("student", "teacher")
    frozen: ClassVar[tuple[str, ...]] = ("teacher",)

    def terminals(self, role: str, info: DataInfo) -> Terminals:
        return Terminals(info.image, (info.classes,))

    def step(self, turn: Turn) -> dict[str, Tensor]:
        images = self.prepared(turn.batch.images, turn.info)
        taught = turn.networks["teacher"](images).softmax(1)
        loss = self.loss(turn.networks["student"](images), taught)
        return {"loss": loss.detach(), "gradient_norm": turn.update("student", loss)}

    def measure(self, info: DataInfo, *observed: Tensor) -> dict[str, Any]:
        logits, labels = observed
        return {"top1": float((logits.argmax(1) == labels).double().mean())}

    def figures(self) -> Mapping[str, Any]:
        return {"top1": "maximize"}


@dataclass(frozen=True, kw_only=True)
class TrainsTheTeacher(Distill):
    """Forget that a teacher is not trained."""

    def step(self, turn: Turn) -> dict[str, Tensor]:
        logits = turn.networks["student"](turn.batch.images)
        return {"loss": turn.update("teacher", self.loss(logits, turn.batch.labels))}


@pytest.fixture
def known() -> Registry:
    registry, builtin = Registry(), builtin_registry()
    for component in builtin:
        registry.add(component, builtin.provider(component))
    registry.add(Component("task", "distill", f"{__name__}:Distill"), Provider("strangers"))
    registry.add(Component("task", "wrong", f"{__name__}:TrainsTheTeacher"), Provider("strangers"))
    return registry


@pytest.fixture
def student(tmp_path: Path, known: Registry) -> dict[str, Any]:
    """A spec whose teacher is a run."""
    api.train(TEACHER, run=tmp_path / "teacher", registry=known)
    source = {"trained": {"source": str(tmp_path / "teacher")}}
    small = [{"conv": {"channels": 2, "kernel": 4, "stride": 4}}, "silu", "global_average_pool", {"linear": 100}]
    return {
        **TEACHER,
        "name": "student",
        "task": "distill",
        "networks": {
            "student": {"architecture": {"layers": small}},
            "teacher": {"architecture": source, "init": source},
        },
        "budget": {"parameters": 1000},
    }


def test_a_teacher_is_used_and_not_trained(student: dict[str, Any], tmp_path: Path, known: Registry) -> None:
    report = api.check(student, registry=known)
    assert report.networks["teacher"].frozen and report.total == report.networks["student"].figures
    assert report.networks["teacher"].cost.parameters > 500 and not report.warnings
    run = api.train(student, run=tmp_path / "run", registry=known)
    last = newest(run.checkpoints)
    assert last is not None and {name.partition(".")[0] for name in read(last)[1]} == {"student"}
    teacher = api.load(tmp_path / "teacher", registry=known).networks["classifier"].state_dict().values()
    used = api.load(run.folder, registry=known).networks["teacher"].state_dict().values()
    assert all(torch.equal(one, other) for one, other in zip(teacher, used, strict=True))
    builder = Builder(known)
    entry = publish([run.folder], builder, to=tmp_path / "shelf")
    certificate = Certificate.read(entry.folder)
    assert certificate.frozen["teacher"]["init"].startswith("trained: ")
    assert certificate.parameters["total"] == certificate.parameters["student"]
    assert verify(entry.folder, builder) == []
    assert "teacher is not trained and not counted" in (entry.folder / "README.md").read_text()


def test_another_teacher_is_told(student: dict[str, Any], tmp_path: Path, known: Registry) -> None:
    run = api.train(student, run=tmp_path / "run", registry=known)
    (tmp_path / "teacher").rename(tmp_path / "old")
    api.train(changed(TEACHER, train__seed=1), run=tmp_path / "teacher", registry=known)
    with pytest.raises(RunError, match="it was trained with other weights of teacher than trained: "):
        api.load(run.folder, registry=known)


def test_what_is_frozen_is_not_updated(student: dict[str, Any], tmp_path: Path, known: Registry) -> None:
    with pytest.raises(PluginError, match="asked for the role 'teacher'; wanted one of student"):
        api.train(changed(student, task="wrong"), run=tmp_path / "run", registry=known)


def test_a_teacher_whose_weights_are_drawn_is_a_warning(student: dict[str, Any], known: Registry) -> None:
    (warning,) = api.check(changed(student, networks__teacher__init="default"), registry=known).warnings
    assert warning.found == "found weights that are drawn, and distill does not train teacher"
