"""A program as torch.export sees it, with a free batch; and what is said where a tracer or a target gives up."""

from __future__ import annotations

import re
import warnings

import torch
from torch.export import ExportedProgram

from zoo.delivery.program import Program
from zoo.errors import DeliveryError

MOST = 300  # letters of a message that is not Zoo's own
_NODE = re.compile(r"translating node %(\w+) : .*?call_function\[target=([\w.]+)\]")


def trace(program: Program) -> ExportedProgram:
    """Return the program with a free batch. Raises DeliveryError when torch cannot trace it."""
    examples = tuple(program.examples().values())
    free = {0: torch.export.Dim("N", min=1)}
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            exported = torch.export.export(program.module, examples, dynamic_shapes=tuple(free for _ in examples))
    except Exception as error:  # torch raises whatever the traced code or its own passes do
        raise DeliveryError(
            f"{program.trained.source.label}: torch.export cannot trace it with a free batch: {said(error)}; a branch "
            "on values or a batch that is counted in Python (len of a tensor) is what usually stands in the way"
        ) from error
    _forget_places(exported)
    return exported


def lacking(program: Program, exported: ExportedProgram, error: Exception, target: str) -> DeliveryError:
    """Return what is said where a target lacks an operation: which, of which layer, and where that was written."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__) is not None:
        causes.append(cause)
    for one in causes:
        if (found := _NODE.search(str(one))) is None:
            continue
        name, called = found.groups()
        nodes = [node for node in exported.graph.nodes if node.op == "call_function"]
        alike = [node for node in nodes if node.name == name] or [node for node in nodes if str(node.target) in called]
        path = [*alike[0].meta.get("nn_module_stack", {}).values()][-1][0] if alike else ""
        return DeliveryError(
            f"{program.trained.source.label}: {target} lacks the operation {called.removeprefix('torch.ops.')} "
            f"({program.layer_at(path)}); wanted another layer there, or another target (pt2 takes all of torch)"
        )
    return DeliveryError(f"{program.trained.source.label}: {target} cannot say it: {said(causes[-1])}")


def said(error: BaseException) -> str:
    """Return the first line of an error that is not Zoo's own."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return text if len(text) <= MOST else f"{text[:MOST]}..."


def _forget_places(exported: ExportedProgram) -> None:
    """Take out where in Python each operation was called: paths of this machine are nobody else's business."""
    for module in exported.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)
