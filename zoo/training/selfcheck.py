"""Whether this machine computes rightly: outputs and gradients of every operation, as placed, against float64.

The work is done by processes of their own, for a library that computes wrongly may take its process with it. Each
says which operation it begins, so that one that kills it is known, and the next process goes on behind it.
"""

from __future__ import annotations

import contextlib
import copy
import multiprocessing
import os
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.network.layer import Layer, Shape

if TYPE_CHECKING:
    from torch import Tensor, nn

    from zoo.builder import Builder
    from zoo.registry import Registry

TOLERANCE = 1e-3  # of the norm; float32 stays below 1e-5, and a wrong gradient is above 0.01
SECONDS = 300.0  # without a word, after which a process hangs; on a busy machine torch alone takes a minute to load
BATCH = 3
#: Threads that wait for each other sleep: on a busy machine those that spin take minutes for what takes a second.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
SHAPES: tuple[Shape, ...] = ((8, 6, 6), (5, 5, 7))

#: The kinds of convolutions that libraries have kernels of their own for: (input, layer).
CONVOLUTIONS: tuple[tuple[Shape, dict[str, Any]], ...] = tuple(
    (shape, {kind: {"channels": channels, **options}})
    for kind, shape, channels, options in (
        ("conv", (3, 8, 8), 8, {}),
        ("conv", (5, 7, 9), 3, {"bias": False}),
        ("conv", (1, 9, 7), 4, {"kernel": 5, "stride": 2}),
        ("conv", (6, 8, 8), 6, {"groups": "depthwise"}),
        ("conv", (16, 8, 8), 16, {"groups": "depthwise", "stride": 2}),
        ("conv", (12, 8, 8), 8, {"groups": 2, "kernel": 1}),
        ("conv", (12, 8, 8), 8, {"groups": 2, "kernel": 1, "stride": 2}),
        ("conv", (6, 9, 9), 7, {"dilation": 2}),
        ("conv", (6, 8, 8), 8, {"kernel": [1, 3]}),
        ("conv", (6, 8, 8), 8, {"kernel": 1}),
        ("conv", (1, 8, 8), 8, {"kernel": 1, "stride": 2}),
        ("conv", (3, 7, 9), 8, {"kernel": 1, "stride": 3}),
        ("conv", (6, 8, 8), 8, {"kernel": 1, "stride": 2}),
        ("conv", (7, 8, 8), 16, {"kernel": 1, "stride": [1, 2]}),
        ("conv", (9, 8, 8), 8, {"kernel": 1, "stride": 2}),
        ("conv", (24, 8, 8), 8, {"kernel": 1, "stride": 2}),
        ("conv_transpose", (6, 4, 4), 5, {}),
        ("conv_transpose", (16, 4, 4), 8, {"kernel": 4, "stride": 2, "padding": 1}),
        ("conv_transpose", (8, 4, 4), 6, {"kernel": 1, "stride": 2}),
        ("conv_transpose", (8, 4, 4), 6, {"kernel": 1, "stride": 2, "output_padding": 1}),
    )
)
#: What else needs options that only a user can choose.
OTHERS: tuple[tuple[Shape, Any], ...] = (
    ((15,), {"linear": 3}),
    ((8, 6, 6), {"channels": {"count": 3}}),
    ((8, 6, 6), {"branches": ["relu", {"conv": 8}]}),
    ((6, 8, 8), {"repeat": {"times": 2, "layers": [{"conv": 6}]}}),
    ((6, 8, 8), {"residual": [{"conv": 6}]}),
    ((6, 8, 8), {"sequence": [{"conv": 5}, "relu"]}),
    ((6, 8, 8), {"formula": "x * sigmoid(x)"}),
    ((6, 8, 8), {"reshape": [384]}),
    ((6, 8, 8), {"shortcut_pad": {"channels": 9, "stride": 2}}),
    ((6, 8, 8), {"spectral_norm": {"layer": {"conv": {"channels": 8, "kernel": 1, "stride": 2}}}}),
    ((6, 8, 8), {"squeeze_excitation": {"hidden": 3}}),
    ((6, 8, 8), {"zero_pad": [1, 0, 2, 1]}),
    ((6, 8, 8), {"zero_init": {"layer": {"conv": 6}}}),
    ((12, 6, 6), {"qkv_attention": {"heads": 2}}),
    ((), {"embedding": {"features": 5, "classes": 4}}),
    ((), "sinusoids"),
    ((5, 9), {"conv": {"channels": 6, "stride": 2}}),
    ((3, 4, 6, 5), {"conv": {"channels": 6, "kernel": 1, "stride": 2}}),
    ((5, 9), {"rnn": 6}),
    ((5, 9), {"lstm": 6}),
    ((5, 9), {"gru": {"hidden": 6, "bidirectional": True}}),
    ((5, 9), "class_token"),
    ((5, 9), {"permute": ["length", "channels"]}),
    ((6, 8, 8), {"sequence": [{"windows": 4}, {"merge_windows": 4}]}),
    ((6, 8, 8), {"scope": [{"name": "a"}, {"conv": 6}, {"multiply": "a"}, {"subtract": "a"}, {"concat": "a"}]}),
    ((6, 8, 8), {"scope": [{"weights": {"name": "w", "layer": {"conv": 6}}}, "relu", {"weights": "w"}]}),
    (
        (6, 8, 8),
        {
            "scope": [
                {"name": "a"},
                "global_average_pool",
                {"linear": 12},
                {"name": "b"},
                {"from": "a"},
                {"modulate": "b"},
            ]
        },
    ),
)
#: How often: memory that is written past its end is not always anybody's.
OFTEN = 20
#: Of those, what the library computes wrongly on some machines unless it is placed as Zoo does.
AVOIDED = tuple(
    (shape, {kind: {"channels": channels, "kernel": 1, "stride": 2, **more}})
    for kind, shape, channels, more in (
        ("conv", (6, 16, 16), 8, {}),
        ("conv_transpose", (8, 8, 8), 6, {"output_padding": 1}),
    )
)


@dataclass(frozen=True)
class Operation:
    """A layer on images of one shape. `times`: how often it is computed."""

    name: str
    layer: Layer
    input: Shape
    times: int = 1


@dataclass(frozen=True)
class Fault:
    """What an operation does wrong on this machine. `avoided`: not as Zoo places it."""

    operation: str
    text: str
    avoided: bool = False


@dataclass(frozen=True)
class Examined:
    """What came of all operations: how many were computed, with which numbers of threads, and what was wrong."""

    operations: int
    threads: tuple[int, ...]
    faults: tuple[Fault, ...]


def examine() -> Examined:
    """Compute all operations in processes of their own, with one thread and with all."""
    processes = _processes()
    # As the library has them: one process, which may end with the first that is wrong.
    raw = _Process(processes, "raw", 0)
    threads = tuple(sorted({1, _cores()}))
    names: set[str] = set()
    faults = []
    for name, text in _results(processes, "placed"):
        names.add(name)
        faults += [Fault(name, text)] if text else []
    faults += [Fault(name, text, avoided=True) for name, text in _results_of(raw) if text]
    return Examined(len(names), threads, tuple(faults))


def _processes() -> BaseContext:
    """Return how processes begin: with torch as this one loads it, since loading takes longer than all else.

    That is only for a program that has not computed yet. Threads that torch has begun are not there in a fork, which
    waits for them for ever.
    """
    if not sys.platform.startswith("linux") or "torch" in sys.modules:
        return multiprocessing.get_context("spawn")
    with _environment(WAITING):
        import torch  # noqa: F401
    return multiprocessing.get_context("fork")


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def environment() -> dict[str, str]:
    """Return the variables of a process that imports what this one does and has as many threads as there are cores."""
    path = os.pathsep.join(one for one in sys.path if one)
    return os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": str(_cores())} | WAITING


class _Process:
    """A process that computes from operation `first` on, and what it says: operation, its name, and what is wrong."""

    def __init__(self, processes: BaseContext, kind: str, first: int) -> None:
        self.said, saying = processes.Pipe(duplex=False)
        self.process: BaseProcess = processes.Process(target=main, args=(saying, kind, first))  # type: ignore[attr-defined]
        with _environment(environment()):
            self.process.start()
        saying.close()

    def words(self) -> Iterator[tuple[int, str, str | None]]:
        """Yield all that it says; at last, if it dies, with the name `""` how."""
        try:
            while self.said.poll(SECONDS):
                yield self.said.recv()
            self.process.kill()
            yield -1, "", f"hangs (nothing came in {SECONDS:.0f} seconds)"
        except EOFError:
            self.process.join()
            if end := _death(self.process.exitcode or 0):
                yield -1, "", end


def _results(processes: BaseContext, kind: str) -> Iterator[tuple[str, str]]:
    """Yield each operation with what is wrong; where a process dies, another goes on behind it."""
    first: int | None = 0
    while first is not None:
        process = _Process(processes, kind, first)
        first = yield from _results_of(process)


def _results_of(process: _Process) -> Generator[tuple[str, str], None, int | None]:
    """Yield each operation of a process with what is wrong; return the one behind its death, if it died in one."""
    index, begun = 0, ""
    for at, name, text in process.words():
        if text is None:
            index, begun = at, name
        else:
            yield name or begun or "the beginning", text
            if not name:
                return index + 1 if begun else None
            begun = ""
    return None


def _death(code: int) -> str:
    if code == 0:
        return ""
    return f"kills the process (signal {-code})" if code < 0 else f"ends the process (exit code {code})"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def operations(registry: Registry, builder: Builder) -> Iterator[Operation]:
    """Yield every registered layer, activation and norm that its defaults make, and what the tables name."""
    tried: list[tuple[Shape, Any]] = [
        (shape, one.name) for one in registry if one.kind in ("layer", "activation", "norm") for shape in SHAPES
    ]
    for shape, item in (*tried, *CONVOLUTIONS, *AVOIDED, *OTHERS):
        try:
            layer = builder.layer(item)
            layer.shape(shape)
        except ZooError:
            continue  # it needs options, or does not take this shape
        name = f"{_words(item)} on {'x'.join(map(str, shape)) or 'a number'}"
        yield Operation(name, layer, shape, OFTEN if (shape, item) in AVOIDED else 1)


def _words(item: Any) -> str:
    """Name an operation as a spec writes it, in a line."""
    if isinstance(item, dict):
        return ", ".join(
            f"{key}: {_words(value)}" if isinstance(value, dict) else f"{key} {value}" for key, value in item.items()
        )
    return str(item)


def error_of(operation: Operation, *, placed: bool = True, batch: int = BATCH) -> str:
    """Return which of an operation's outputs and gradients are wrong in float32; nothing where all are right.

    placed: as Zoo places it; else in channels-last as it is.
    """
    import torch

    from zoo.training import devices

    torch.manual_seed(0)
    module = operation.layer.module(operation.input)
    reference = copy.deepcopy(module).double()
    module = devices.place(module, torch.device("cpu")) if placed else devices.lay_out(module)
    # An embedding looks labels up.
    labels = isinstance(module, torch.nn.Embedding)
    images = torch.arange(batch) if labels else torch.randn(batch, *operation.input)
    exact = images if labels else images.double()
    if _random(reference, exact):
        module.eval()
        reference.eval()
    right = _computed(reference, exact, channels_last=False)
    found = _computed(module, images, channels_last=True)
    wrong = []
    for name, value in right.items():
        scale = max(float(value.norm()), 1e-3 * value.numel() ** 0.5)
        error = float((found[name].double() - value).norm()) / scale
        if not error < TOLERANCE:
            wrong.append(f"{name} is off by {error:.2g}")
    return ", ".join(wrong)


def _computed(module: nn.Module, images: Tensor, *, channels_last: bool) -> dict[str, Tensor]:
    """Return the output of `module` and the gradients of a fixed mixture of it."""
    import torch

    from zoo.training.devices import laid_out

    given = (laid_out(images) if channels_last else images).detach()
    given.requires_grad_(given.is_floating_point())
    output = module(given)
    mixture = torch.randn(output.shape, generator=torch.Generator().manual_seed(1)).to(output.dtype)
    mixture = laid_out(mixture) if channels_last else mixture
    # A sum, since `backward` with a gradient of its own imports sympy, which takes longer than all that is computed.
    (output * mixture).sum().backward()
    found = {"the output": output.detach(), "the gradient of the input": given.grad}
    found |= {f"the gradient of {name}": one.grad for name, one in module.named_parameters()}
    return {name: value for name, value in found.items() if value is not None}


def _random(module: nn.Module, images: Tensor) -> bool:
    """Return whether the module draws while it trains, as dropout does."""
    import torch

    with torch.no_grad():
        first, second = (copy.deepcopy(module)(images) for _ in range(2))
    return not torch.equal(first, second)


def main(saying: Connection, kind: str, first: int) -> None:
    """Compute from operation `first` on; say (index, name, None) before each and (index, name, fault) after it."""
    import torch

    from zoo.builder import Builder
    from zoo.plugins import installed

    # What a library says while it dies is no word to the user.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    registry = installed().registry
    builder = Builder(registry)
    if kind == "raw":
        torch.set_num_threads(1)
        for index, (shape, item) in enumerate(AVOIDED):
            _report(saying, index, Operation(_words(item), builder.layer(item), shape, OFTEN), placed=False)
        return
    made = list(operations(registry, builder))
    work = [(count, one) for count in sorted({1, _cores()}) for one in made]
    for index, (threads, operation) in enumerate(work):
        if index >= first:
            torch.set_num_threads(threads)
            _report(saying, index, operation)


def _report(saying: Connection, index: int, operation: Operation, *, placed: bool = True) -> None:
    import torch

    saying.send((index, operation.name, None))
    threads = torch.get_num_threads()
    try:
        error = next(filter(None, (error_of(operation, placed=placed) for _ in range(operation.times))), "")
    except Exception as failure:
        error = f"it fails: {type(failure).__name__}: {str(failure).splitlines()[0] if str(failure) else ''}"
    saying.send((index, operation.name, f"{error} ({threads} thread{'s' if threads > 1 else ''})" if error else ""))
