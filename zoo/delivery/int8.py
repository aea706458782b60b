"""Eight bits: an ONNX model whose layers take and give bytes, with ranges that were seen on training images.

onnxruntime's quantizer writes them as pairs of QuantizeLinear and DequantizeLinear around layers in float, which every
runtime of ONNX takes. Weights have 7 bits, one scale for each channel that comes out: where a CPU has neither VNNI nor
Arm's dot product, products of 8 by 8 bits are added up in 16 and overflow in silence.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.dataset import Dataset
from zoo.data.sampler import generator, stratified_split
from zoo.delivery.extras import need
from zoo.delivery.program import Program
from zoo.errors import DeliveryError

IMAGES, PART = 512, 64  # training images that ranges are taken from, and how many at once
#: What computes nothing, so that it is no matter in which type it stands.
MOVES = {"Cast", "Constant", "DequantizeLinear", "Flatten", "Identity", "QuantizeLinear", "Reshape", "Shape"}


def quantize(proto: Any, program: Program, data: tuple[Dataset | None, str]) -> tuple[Any, dict[str, Any]]:
    """Return an onnx.ModelProto in int8, and what was done: images that were seen, layers that stayed in float.

    Raises DeliveryError without training images of the network's shape, or where nothing can be quantized.
    """
    dataset, why = data
    label = program.trained.source.label
    if dataset is None:
        raise DeliveryError(f"{label}: int8 is calibrated on training images, which are not here: {why}")
    wanted, found = program.trained.info.image, tuple(dataset.train.images.shape[1:])
    if found != wanted:
        raise DeliveryError(f"{label}: found training images of shape {found} to calibrate with; wanted {wanted}")
    need("onnx", "int8")
    tools = need("onnxruntime.quantization", "int8")
    images = _chosen(dataset)
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)  # advice on how the model could have been prepared
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "int8.onnx"
            tools.quantize_static(
                proto,
                path,
                _reader(tools, program, images),
                quant_format=tools.QuantFormat.QDQ,
                activation_type=tools.QuantType.QUInt8,
                weight_type=tools.QuantType.QInt8,
                per_channel=True,
                reduce_range=True,
                # Probabilities in 256 levels would no longer add up to 1.
                nodes_to_exclude=[node.name for node in proto.graph.node if node.op_type == "Softmax"],
            )
            made = need("onnx", "int8").load(path)
    finally:
        logging.disable(level)
    _shorten(made)
    quantized, kept = _split(made)
    if not quantized:
        raise DeliveryError(f"{label}: none of its layers can be quantized; export it in float")
    told = {
        "calibration_images": len(images),
        "quantized_layers": len(quantized),
        "float_layers": kept,
        "weight_bytes": weight_bytes(made),
    }
    return made, told


def weight_bytes(proto: Any) -> int:
    """Return the bytes of all constants in a model: weights, biases, scales."""
    numpy_helper = need("onnx", "ONNX").numpy_helper
    return sum(numpy_helper.to_array(one).nbytes for one in proto.graph.initializer)


def _chosen(dataset: Dataset) -> np.ndarray:
    """Return training images of all classes, the same ones each time."""
    labels = dataset.train.labels
    if len(labels) <= IMAGES:
        return np.array(dataset.train.images)
    _, rows = stratified_split(labels, IMAGES, generator(0, "int8 calibration"))
    return np.array(dataset.train.images[np.sort(rows)])


def _reader(tools: Any, program: Program, images: np.ndarray) -> Any:
    class Reader(tools.CalibrationDataReader):
        def __init__(self) -> None:
            self.parts = self._parts()

        def _parts(self) -> Iterator[dict[str, np.ndarray]]:
            for start in range(0, len(images), PART):
                given = program.of_images(images[start : start + PART])
                yield {name: one.numpy() for name, one in given.items()}

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.parts, None)

    return Reader()


def _split(proto: Any) -> tuple[list[str], list[str]]:
    """Return the names of the nodes that compute with bytes, and of those that stayed in float."""
    made = {name: node.op_type for node in proto.graph.node for name in node.output}
    quantized: list[str] = []
    kept: list[str] = []
    for node in proto.graph.node:
        if node.op_type not in MOVES:
            reads = made.get(node.input[0]) == "DequantizeLinear"
            (quantized if reads else kept).append(node.name)
    return quantized, kept


def _shorten(proto: Any) -> None:
    """Give the values inside short names, and those of the quantizer's nodes none: else names are half of the file."""
    graph = proto.graph
    outer = {one.name for one in (*graph.input, *graph.output)}
    short: dict[str, str] = {"": ""}

    def renamed(name: str) -> str:
        return name if name in outer else short.setdefault(name, f"v{len(short)}")

    del graph.value_info[:]
    for one in graph.initializer:
        one.name = renamed(one.name)
    for node in graph.node:
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            node.name = ""
    proto.producer_name, proto.producer_version = "zoo", ""
