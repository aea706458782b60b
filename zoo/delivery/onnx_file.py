"""Programs as ONNX files: written by torch, cleaned, and run by onnxruntime."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.export import ExportedProgram

from zoo.delivery.extras import need
from zoo.delivery.program import Program
from zoo.delivery.tracing import lacking
from zoo.errors import DeliveryError
from zoo.files import json_text

OLDEST, USUAL = 18, 20  # opsets: what torch's exporter translates to, and what it takes by itself
PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime")
SCOPES = "pkg.torch.onnx.name_scopes"


def require(opset: int | None) -> None:
    """Raise DeliveryError where ONNX cannot be written here, or not with that opset."""
    onnx = need("onnx", "ONNX")
    need("onnxscript", "ONNX")
    need("onnxruntime", "to run an ONNX file")
    newest = onnx.defs.onnx_opset_version()
    if opset is not None and not OLDEST <= opset <= newest:
        raise DeliveryError(f"found the opset {opset}; torch writes {OLDEST} and newer, onnx here knows up to {newest}")


def model(program: Program, exported: ExportedProgram, opset: int | None = None) -> Any:
    """Return a traced program as an onnx.ModelProto whose nodes bear the names of the layers that they come from.

    Raises DeliveryError when ONNX lacks an operation, or one of that opset.
    """
    require(opset)
    examples = tuple(program.examples().values())
    try:
        with _quiet():
            made = torch.onnx.export(
                exported,
                examples,
                dynamo=True,
                opset_version=opset or USUAL,
                input_names=program.inputs,
                output_names=[program.output],
                verbose=False,
            )
            assert made is not None
            proto = made.model_proto
    except torch.onnx.OnnxExporterError as error:
        raise lacking(program, exported, error, "ONNX") from error
    _name_nodes(proto.graph.node)
    _clean(proto)
    written = next(one.version for one in proto.opset_import if not one.domain)
    if written != (opset or USUAL):
        raise DeliveryError(
            f"{program.trained.source.label}: it cannot be said in opset {opset}; the oldest that can is {written}"
        )
    return proto


def set_facts(proto: Any, facts: Mapping[str, Any]) -> None:
    """Write what is known of a program into its metadata, texts as they are and all else as JSON."""
    texts = {key: one if isinstance(one, str) else json_text(one, indent=None) for key, one in facts.items()}
    need("onnx", "ONNX").helper.set_model_props(proto, texts)


class Onnx:
    """An ONNX file, run by onnxruntime on the CPU. threads: of one operation; all cores unless given."""

    def __init__(self, source: Path | bytes, threads: int | None = None) -> None:
        runtime = need("onnxruntime", "to run an ONNX file")
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
        given = source if isinstance(source, bytes) else source.read_bytes()
        self.session = runtime.InferenceSession(given, options, providers=["CPUExecutionProvider"])

    def __call__(self, given: Mapping[str, Tensor]) -> np.ndarray:
        output: np.ndarray = self.session.run(None, {name: one.numpy() for name, one in given.items()})[0]
        return output


def versions() -> dict[str, str]:
    """Return the versions of what writes and runs files, as far as it is here."""
    found = {}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _name_nodes(nodes: Iterable[Any]) -> None:
    """Call each node by the module that it comes from and its operation: classifier.2.0/Conv."""
    met: Counter[str] = Counter()
    for node in nodes:
        scopes = [one for prop in node.metadata_props if prop.key == SCOPES for one in prop.value.split("'")]
        inside = [one for one in scopes if one.startswith("networks.")]
        name = f"{inside[-1].removeprefix('networks.')}/{node.op_type}" if inside else node.op_type
        met[name] += 1
        node.name = name if met[name] == 1 else f"{name}_{met[name]}"


def _clean(proto: Any) -> None:
    """Take out what the exporter says of how it worked, which holds paths of this machine, and call the batch N."""
    graph = proto.graph
    for one in (graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        del one.metadata_props[:]
        one.doc_string = ""
    (batch,) = {one.type.tensor_type.shape.dim[0].dim_param for one in graph.input}
    for one in (*graph.input, *graph.output, *graph.value_info):
        for side in one.type.tensor_type.shape.dim:
            if side.dim_param:
                side.dim_param = side.dim_param.replace(batch, "N")
    del proto.metadata_props[:]
    proto.producer_name, proto.producer_version, proto.doc_string = "zoo", "", ""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's own progress and advice away from stdout and stderr; errors are raised all the same."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
