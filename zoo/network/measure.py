"""The cost of a module that gives no formula, measured on the meta device: nothing is computed or allocated.

It is also the oracle that the closed forms are tested against.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten
from torch.utils.flop_counter import flop_registry

from zoo.errors import ShapeError
from zoo.network.layer import Condition, Cost, Shape


def measure(
    module: nn.Module, input: Shape, conditions: tuple[Condition, ...] = (), *, tokens: bool = False
) -> tuple[Shape, Cost]:
    """Return the output's shape and the cost of `module` for one input of shape `input` (both without batch), of whole
    numbers where it is of `tokens`.

    `module` is moved to the meta device and left there. Raises ShapeError when it cannot take the input.
    """
    output, uses, image = traced_on_meta(module, input, conditions, torch.int64 if tokens else torch.float32)
    if not isinstance(output, Tensor):
        raise ShapeError(f"{type(module).__name__} returns {type(output).__name__}; a network returns one tensor")
    peak, held_peak = uses.ledger.peaks(uses.key(output))
    parameters = {parameter: parameter.numel() for parameter in module.parameters() if parameter.requires_grad}
    saved = {id(tensor) for tensor in module.state_dict(keep_vars=True).values()}
    return tuple(output.shape[1:]), Cost(
        parameters=sum(parameters.values()),
        buffers=sum(tensor.numel() for tensor in dict(module.named_buffers()).values()),
        tensors=len(saved),
        macs=uses.flops // 2,
        peak=peak,
        held_peak=held_peak,
        alias=uses.key(output) == uses.key(image),
    )


def weights(make: Callable[[], nn.Module]) -> dict[str, Shape]:
    """Return the shapes of the trainable weights of a module, which is made for this alone."""
    with torch.device("meta"):
        module = make()
    return {name: tuple(one.shape) for name, one in module.named_parameters() if one.requires_grad}


def refusal(module: nn.Module, input: Shape, conditions: tuple[Condition, ...], batch: int) -> str:
    """Return why `module` cannot be trained on a batch of inputs, by its own words; "" where it can."""
    before = module.training
    images = torch.empty((batch, *input), device="meta")
    kinds = [torch.int64 if one.classes else torch.float32 for one in conditions]
    try:
        module.to("meta").train()(images, *(torch.zeros(batch, dtype=kind, device="meta") for kind in kinds))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        return str(error).splitlines()[0]
    finally:
        module.train(before)
    return ""


def unread(module: nn.Module, input: Shape, conditions: tuple[Condition, ...] = ()) -> dict[str, int]:
    """Return the sizes of the trainable weights, by name, that no operation of a forward pass reads."""
    _, uses, _ = traced_on_meta(module, input, conditions)
    return {
        name: parameter.numel()
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and uses.key(parameter) not in uses.read
    }


def traced_on_meta(
    module: nn.Module, input: Shape, conditions: tuple[Condition, ...], kind: torch.dtype = torch.float32
) -> tuple[Any, _Uses, Tensor]:
    """Run `module` on the meta device; return its output, what its operations used, and the input."""
    module = module.to("meta").eval()
    image = torch.empty((1, *input), dtype=kind, device="meta")
    beside = [torch.zeros(1, dtype=torch.int64 if one.classes else torch.float32, device="meta") for one in conditions]
    uses = _Uses(image)
    try:
        with torch.no_grad(), uses:
            output = module(image, *beside)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise ShapeError(f"{type(module).__name__} cannot take {tuple(input)}: {reason}") from error
    return output, uses, image


class _Uses(TorchDispatchMode):
    """Writes each operation into a ledger; storages go by the order in which they were met.

    `flops` are what torch's FlopCounterMode counts; that itself would load the compiler.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Else torch loads its compiler at the first operation, to keep it away from this mode.
        return False

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.flops = 0
        self.read: set[int] = set()  # weights included
        self._storages: list[Any] = []
        self._names: dict[int, int] = {}
        self.ledger = Ledger(self.key(image), image.numel())

    def key(self, tensor: Tensor) -> int:
        storage = tensor.untyped_storage()
        self._storages.append(storage)  # keeps the storage alive, so that no other takes its address
        return self._names.setdefault(storage._cdata, len(self._names))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if func._overloadpacket in flop_registry:
            self.flops += flop_registry[func._overloadpacket](*args, **kwargs, out_val=result)
        reads = {self.key(one) for one in tree_flatten((args, kwargs))[0] if isinstance(one, Tensor)}
        self.read |= reads
        self.ledger.add(
            reads, {self.key(one): one.numel() for one in tree_flatten(result)[0] if isinstance(one, Tensor)}
        )
        return result


class Ledger:
    """Which storages each operation reads and writes; from that follows what must be held, and when.

    A storage goes by a number of the caller's; `input` is that of the network's input, and holds `size` values.
    """

    def __init__(self, input: int, size: int) -> None:
        self._input = input
        self._sizes = {input: size}
        self._operations: list[set[int]] = []

    def add(self, reads: Iterable[int], writes: Mapping[int, int]) -> None:
        """Add the next operation: the storages that it reads, and those that it writes with their sizes."""
        reads = set(reads)
        for storage, size in writes.items():
            if storage not in reads:
                self._sizes[storage] = max(self._sizes.get(storage, 0), size)
        # Weights are read too, but they are no activations: only what an operation wrote has a size here.
        self._operations.append({storage for storage in reads | writes.keys() if storage in self._sizes})

    def peaks(self, *outputs: int) -> tuple[int, int]:
        """Return the most values held at one time, when the input may be freed and when it must stay.

        What an operation writes and nothing reads, as the statistics of a norm in inference, is not held at all.
        """
        end = len(self._operations)
        first: dict[int, int] = {self._input: 0}
        last: dict[int, int] = {self._input: 0}
        for index, storages in enumerate(self._operations):
            for storage in storages:
                first.setdefault(storage, index)
                last[storage] = index
        last.update(dict.fromkeys(outputs, end))
        held = {storage for storage in last if last[storage] > first[storage]} | {self._input}
        return self._peak(held, first, last), self._peak(held, first, last | {self._input: end})

    def _peak(self, held: set[int], first: dict[int, int], last: dict[int, int]) -> int:
        # Sums of sizes by prefix: what comes into being at an operation, less what was last used before it.
        change = [0] * (len(self._operations) + 2)
        for storage in held:
            change[first[storage]] += self._sizes[storage]
            change[last[storage] + 1] -= self._sizes[storage]
        live, peak = 0, self._sizes[self._input]
        for difference in change[: len(self._operations)]:
            live += difference
            peak = max(peak, live)
        return peak
