"""Eight bits, calibrated on training images, and what that costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from delivery_support import needs_onnx

from zoo.data.dataset import Dataset
from zoo.delivery import onnx_file, verify
from zoo.delivery.export import Delivered, Delivery, delivery
from zoo.errors import DataError, DeliveryError
from zoo.evaluation.trained import Trained

Load = Callable[[str], Trained]


@pytest.fixture(scope="module")
def made(trained: Load) -> Delivery:
    needs_onnx()
    return delivery(trained("classifier"))


@pytest.fixture(scope="module")
def written(made: Delivery, tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    return made.write("onnx", tmp_path_factory.mktemp("int8") / "tiny-int8.onnx", int8=True)


def test_its_weights_are_bytes_and_as_many_as_check_predicts(made: Delivery, written: Delivered) -> None:
    onnx = pytest.importorskip("onnx")
    proto = onnx.load(written.path)
    kinds = {one.data_type for one in proto.graph.initializer}
    assert onnx.TensorProto.INT8 in kinds
    predicted = made.program.report.total.weight_bytes("int8")
    # onnxruntime keeps a scale, a zero and a bias of 4 bytes for each channel, and some for each value that passes.
    channels = sum(shape[0] for shape in made.program.report.total.shapes() if len(shape) > 1)
    assert predicted <= written.facts["int8"]["weight_bytes"] <= predicted + 12 * channels + 1024


def test_what_stayed_in_float_is_named(written: Delivered) -> None:
    told = written.facts["int8"]
    assert told["quantized_layers"] > 5 and told["calibration_images"] == 200
    assert not any(name.endswith("/Conv") for name in told["float_layers"])


def test_accuracy_before_and_after_stand_beside_it(written: Delivered) -> None:
    test = written.facts["test"]
    assert test["images"] == 100 and abs(test["top1"] - test["top1_eager"]) <= verify.MOST_LOST


def test_it_runs_with_any_batch(made: Delivery, written: Delivered) -> None:
    run = onnx_file.Onnx(written.path)
    for count in (1, 5):
        shares = run(made.program.examples(count))
        assert shares.shape == (count, 100)
        np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)


def test_a_file_that_lost_its_accuracy_is_not_kept(
    made: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "MOST_LOST", -1.0)
    with pytest.raises(DeliveryError, match="not kept: in int8 it gets .* right, in float"):
        made.write("onnx", tmp_path / "tiny.onnx", int8=True)
    assert list(tmp_path.iterdir()) == []


def test_without_training_images_it_is_refused(trained: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_onnx()

    def missing(self: Trained) -> Any:
        raise DataError("shapes is not here")

    monkeypatch.setattr(Trained, "dataset", missing)
    with pytest.raises(DeliveryError, match="calibrated on training images, which are not here: shapes is not here"):
        delivery(trained("classifier")).write("onnx", tmp_path / "tiny.onnx", int8=True)


def test_calibration_images_of_another_shape_are_refused(made: Delivery) -> None:
    from zoo.delivery.int8 import quantize

    whole = made.data[0]
    assert whole is not None
    small: Dataset = replace(whole, train=replace(whole.train, images=np.zeros((4, 3, 16, 16), np.uint8)))
    with pytest.raises(DeliveryError, match=r"of shape \(3, 16, 16\) to calibrate with; wanted \(3, 32, 32\)"):
        quantize(None, made.program, (small, ""))


def test_int8_is_for_classifiers_as_onnx(made: Delivery, trained: Load, tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="int8 is for classifiers as ONNX; found classify as pt2"):
        made.write("pt2", tmp_path / "tiny.pt2", int8=True)
    with pytest.raises(DeliveryError, match="found gan as onnx"):
        delivery(trained("gan")).write("onnx", tmp_path / "tiny.onnx", int8=True)
