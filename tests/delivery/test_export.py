"""One file from pixels to answers, which is run before it is kept."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import entries
import numpy as np
import pytest
import torch
from delivery_support import SPECS, needs_onnx
from support import builtin_registry, changed
from torch import nn

import zoo
from zoo.api import Cost, Layer, Shape
from zoo.delivery import onnx_file, pt2_file
from zoo.delivery.export import Delivery, beside, delivery
from zoo.errors import DataError, DeliveryError
from zoo.evaluation.trained import Trained
from zoo.registry import Component, Provider, Registry

torch.set_num_threads(1)

Load = Callable[[str], Trained]


@pytest.fixture(scope="module")
def classifier(trained: Load) -> Delivery:
    return delivery(trained("classifier"))


def images(count: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, 3, 32, 32)).astype(np.uint8)


def test_an_onnx_file_gives_the_probabilities_that_zoo_gives(classifier: Delivery, tmp_path: Path) -> None:
    needs_onnx()
    runtime = pytest.importorskip("onnxruntime")
    made = classifier.write("onnx", tmp_path / "tiny.onnx")
    session = runtime.InferenceSession(made.path)
    given = images(5)
    (found,) = session.run(["probabilities"], {"images": given})
    expected = classifier.program.trained.probabilities(torch.from_numpy(given)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert session.get_inputs()[0].shape == ["N", 3, 32, 32] and session.get_outputs()[0].shape[0] == "N"


def test_a_file_knows_what_it_is(classifier: Delivery, tmp_path: Path) -> None:
    needs_onnx()
    runtime = pytest.importorskip("onnxruntime")
    made = classifier.write("onnx", tmp_path / "tiny.onnx")
    known = runtime.InferenceSession(made.path).get_modelmeta().custom_metadata_map
    trained = classifier.program.trained
    assert known["spec_hash"] == trained.spec.hash and known["weights_sha256"] == trained.sha256
    assert json.loads(known["classes"]) == list(trained.class_names)
    assert json.loads(known["figures"]) == {"test": {"top1": 0.25}}
    assert known["summary"] == "Tells shapes apart."


def test_its_nodes_are_called_as_the_layers(classifier: Delivery) -> None:
    needs_onnx()
    names = [node.name for node in classifier.onnx()[0].graph.node]
    assert len(set(names)) == len(names)
    assert sum(name.startswith("classifier.") and name.endswith("/Conv") for name in names) > 3


@pytest.mark.parametrize("to", ["onnx", "pt2"])
def test_a_file_says_nothing_of_this_machine(classifier: Delivery, tmp_path: Path, to: str) -> None:
    if to == "onnx":
        needs_onnx()
    content = classifier.write(to, tmp_path / "tiny").path.read_bytes()
    for told in (str(Path(zoo.__file__).parent), str(Path(torch.__file__).parent), str(tmp_path)):
        assert told.encode() not in content


def test_a_pt2_file_needs_torch_alone(classifier: Delivery, tmp_path: Path) -> None:
    made = classifier.write("pt2", tmp_path / "tiny.pt2")
    extra = {pt2_file.FACTS: ""}
    module = torch.export.load(made.path, extra_files=extra).module()
    given = torch.from_numpy(images(5))
    torch.testing.assert_close(module(given), classifier.program.trained.probabilities(given))
    assert json.loads(extra[pt2_file.FACTS])["spec_hash"] == classifier.program.trained.spec.hash


def test_what_was_found_stands_beside_the_file(classifier: Delivery, tmp_path: Path) -> None:
    made = classifier.write("pt2", tmp_path / "tiny.pt2")
    facts = json.loads(beside(made.path).read_text())
    test = classifier.data[0].test  # type: ignore[union-attr]
    right = classifier.program.trained.probabilities(torch.from_numpy(np.array(test.images))).argmax(1).numpy()
    assert facts["test"]["top1"] == float((right == test.labels).mean()) == facts["test"]["top1_eager"]
    assert facts["test"]["images"] == 100 and facts["agreement"]["batches"] == [1, 7]
    assert facts["agreement"]["on"] == "test images" and facts["bytes"] == made.path.stat().st_size


def test_logits_of_floats_can_be_asked_for(trained: Load, tmp_path: Path) -> None:
    made = delivery(trained("classifier"), outputs="logits", pixels="float").write("pt2", tmp_path / "tiny.pt2")
    given = torch.from_numpy(images(2))
    found = torch.export.load(made.path).module()(given.float() / 255)
    torch.testing.assert_close(found.softmax(1), trained("classifier").probabilities(given))


@pytest.mark.parametrize("kind", ["gan", "cgan", "diffusion"])
@pytest.mark.parametrize("to", ["onnx", "pt2"])
def test_a_generator_makes_the_images_that_zoo_makes(trained: Load, tmp_path: Path, kind: str, to: str) -> None:
    if to == "onnx":
        needs_onnx()
    source = trained(kind)
    made = delivery(source).write(to, tmp_path / "tiny")
    run = onnx_file.Onnx(made.path) if to == "onnx" else pt2_file.Pt2(made.path)
    latents, labels = source.latents(range(10, 15)), [1, 0, 3, 2, 1]
    given = {"latents": latents} | ({"labels": torch.tensor(labels)} if kind != "gan" else {})
    found = run(given)
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - source.generate(latents, labels).numpy().astype(int)).max() <= 1
    assert made.facts["agreement"]["on"] == "drawn latents"


def test_a_class_can_be_settled(trained: Load, tmp_path: Path) -> None:
    source = trained("cgan")
    made = delivery(source, label=3).write("pt2", tmp_path / "tiny.pt2")
    latents = source.latents(range(4))
    np.testing.assert_array_equal(pt2_file.Pt2(made.path)({"latents": latents}), source.generate(latents, [3] * 4))
    assert made.facts["metadata"]["classes"] == [source.class_names[3]]


def test_what_is_not_called_does_not_travel(trained: Load) -> None:
    program = delivery(trained("cgan")).program
    assert [*program.module.networks] == ["generator"]  # type: ignore[misc]
    assert not any("parametrizations" in name for name in program.module.state_dict())


def test_a_file_that_does_not_agree_is_not_kept(
    classifier: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = pt2_file.Pt2.__call__
    monkeypatch.setattr(pt2_file.Pt2, "__call__", lambda self, given: right(self, given) + np.float32(0.01))
    with pytest.raises(DeliveryError, match="the file was not kept: it differs by 0.01 from what Zoo computes"):
        classifier.write("pt2", tmp_path / "tiny.pt2")
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_a_batch_that_is_not_free_is_not_kept(
    classifier: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = pt2_file.Pt2.__call__

    def stuck(self: pt2_file.Pt2, given: dict[str, torch.Tensor]) -> np.ndarray:
        if len(given["images"]) != 1:
            raise RuntimeError("Guard failed: images.size()[0] == 1")
        return right(self, given)

    monkeypatch.setattr(pt2_file.Pt2, "__call__", stuck)
    with pytest.raises(DeliveryError, match="not kept: it does not run with a batch of 7: Guard failed"):
        classifier.write("pt2", tmp_path / "tiny.pt2")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_what_was_there(
    classifier: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tiny.pt2"
    path.write_text("old")

    def full(self: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        classifier.write("pt2", path)
    assert caught.value.filename == str(path) and path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["tiny.pt2"]


def test_without_the_data_it_is_tried_on_drawn_images_and_says_so(
    trained: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(self: Trained) -> Any:
        raise DataError("shapes is not here")

    monkeypatch.setattr(Trained, "dataset", missing)
    facts = delivery(trained("classifier")).write("pt2", tmp_path / "tiny.pt2").facts
    assert facts["agreement"]["on"] == "drawn images" and "test" not in facts
    assert facts["not_measured"] == "shapes is not here"


def test_an_unknown_target_names_the_known(classifier: Delivery, tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="found the target 'onx'; did you mean 'onnx'"):
        classifier.write("onx", tmp_path / "tiny")


def test_what_a_task_does_not_give_is_refused(trained: Load) -> None:
    with pytest.raises(DeliveryError, match="classify gives no images; wanted --outputs probabilities or logits"):
        delivery(trained("classifier"), outputs="images")
    with pytest.raises(DeliveryError, match="asked for no class"):
        delivery(trained("gan"), label=1)


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named_with_its_extra(
    classifier: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    if package != "onnx":
        needs_onnx()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DeliveryError, match=rf"needs the package {package}.*pip install 'speczoo\[export\]'"):
        classifier.write("onnx", tmp_path / "tiny.onnx")
    assert list(tmp_path.iterdir()) == []


def test_an_opset_that_is_too_old_is_refused(classifier: Delivery, tmp_path: Path) -> None:
    needs_onnx()
    with pytest.raises(DeliveryError, match="found the opset 11; torch writes 18 and newer"):
        classifier.write("onnx", tmp_path / "tiny.onnx", opset=11)
    assert classifier.write("onnx", tmp_path / "tiny.onnx", opset=18).facts["opset"] == 18


@dataclass(frozen=True, kw_only=True)
class Orthogonal(Layer):
    """A stranger's layer, of an operation that torch has and ONNX has not."""

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, input)

    def module(self, input: Shape, /) -> nn.Module:
        return Q()


class Q(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.linalg.qr(images).Q


def test_an_operation_that_onnx_lacks_is_named_with_its_layer_and_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_onnx()
    registry = Registry()
    builtin = builtin_registry()
    for one in builtin:
        registry.add(one, builtin.provider(one))
    registry.add(Component("layer", "orthogonal", f"{__name__}:Orthogonal"), Provider("strangers"))
    monkeypatch.setattr(entries, "builtin_registry", lambda: registry)
    layers = {"layers": [{"conv": 4}, ["silu", "orthogonal"], "global_average_pool", {"linear": 100}]}
    spec = changed(SPECS["classifier"], networks__classifier__architecture=layers)
    entry = entries.publish(tmp_path / "shelf" / "lacking", spec, {"top1": {0: 0.25}})
    line = next(n for n, text in enumerate((entry / "spec.yaml").read_text().splitlines(), 1) if "orthogonal" in text)
    with pytest.raises(DeliveryError) as caught:
        zoo.export(entry, tmp_path / "lacking.onnx", registry=registry)
    assert "ONNX lacks the operation aten.linalg_qr" in str(caught.value)
    assert f"(classifier, layer 1.1: orthogonal ({entry / 'spec.yaml'}:{line}:" in str(caught.value)
    assert not (tmp_path / "lacking.onnx").exists()


def test_an_evaluation_of_other_weights_is_not_told(trained: Load) -> None:
    other = replace(trained("classifier"), sha256="0" * 64)
    assert delivery(other).metadata["weights_sha256"] == "0" * 64
