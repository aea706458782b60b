"""From a graph to a torch module: `nn.Sequential` where one layer follows another, else `Wired`."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from zoo.network.graph import Graph
from zoo.network.operations import Operator


class Wired(nn.Module):
    """Modules wired by steps such as "y = layers(x)", "x = add(y, x)" and, at the end, "return x".

    What a step calls is a module by its name, or else one of the functions below. Each value is freed after its last
    use.
    """

    def __init__(self, modules: Mapping[str, nn.Module], steps: Sequence[str], inputs: Sequence[str] = ("x",)) -> None:
        super().__init__()
        for path, module in modules.items():
            # Not by add_module: a layer may bear a name that torch uses, such as `half`.
            *holders, name = path.split(".")
            place = self._modules
            for holder in holders:
                place = place.setdefault(holder, nn.Module())._modules  # type: ignore[union-attr]
            place[name] = module
        self._steps, self._inputs = list(steps), list(inputs)
        calls = [_parsed(step) for step in steps[:-1]]
        self._returns = tuple(steps[-1].removeprefix("return ").split(", "))
        kept = set(self._returns)
        self._calls: list[
            tuple[str, tuple[str, ...], Callable[..., Tensor] | None, tuple[str, ...], dict[str, int], tuple[str, ...]]
        ] = []
        for target, called, operands, options in reversed(calls):
            kept.discard(target)
            ends = tuple(dict.fromkeys(one for one in operands if one not in kept and one != target))
            kept.update(operands)
            way = tuple(called.split(".")) if called in modules else ()
            function = None if way else FUNCTIONS[called]
            self._calls.insert(0, (target, way, function, operands, options, ends))

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        values = dict(zip(self._inputs, inputs, strict=True))
        for target, path, function, operands, options, ends in self._calls:
            given = [values[one] for one in operands]
            for one in ends:
                del values[one]
            if function is None:
                module: nn.Module = self
                for name in path:
                    module = module._modules[name]  # type: ignore[assignment]
                values[target] = module(*given)
            else:
                values[target] = function(*given, **options)
        returned = tuple(values[one] for one in self._returns)
        return returned if len(returned) > 1 else returned[0]

    def extra_repr(self) -> str:
        return "\n".join(self._steps)


def _parsed(step: str) -> tuple[str, str, tuple[str, ...], dict[str, int]]:
    """Return what a step writes, calls, reads, and tells the function beside."""
    target, _, call = step.partition(" = ")
    called, _, rest = call.removesuffix(")").partition("(")
    given = rest.split(", ")
    options = dict(one.split("=") for one in given if "=" in one)
    operands = tuple(one for one in given if "=" not in one)
    return target, called, operands, {name: int(value) for name, value in options.items()}


def add(one: Tensor, other: Tensor) -> Tensor:
    return one + other


def subtract(one: Tensor, other: Tensor) -> Tensor:
    return one - other


def multiply(one: Tensor, other: Tensor) -> Tensor:
    return one * other


def concat(*values: Tensor, dim: int) -> Tensor:
    return torch.cat(values, dim)


def part(values: Tensor, start: int, count: int) -> Tensor:
    return values.narrow(1, start, count)


def one_plus(values: Tensor) -> Tensor:
    return 1 + values


def scale_shift(images: Tensor, factor: Tensor, shift: Tensor) -> Tensor:
    """(N, C, ...) times (N, C), plus (N, C)."""
    after = (1,) * (images.dim() - 2)
    return torch.addcmul(shift.view(*shift.shape, *after), images, factor.view(*factor.shape, *after))


FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "add": add,
    "subtract": subtract,
    "multiply": multiply,
    "concat": concat,
    "part": part,
    "one_plus": one_plus,
    "scale_shift": scale_shift,
}


class Rounds(nn.Sequential):
    """Runs the same layers round after round; the rounds share all modules but those named in `own`."""

    def __init__(self, own: Collection[str], *rounds: nn.Module) -> None:
        super().__init__(*rounds)
        self.own = own
        for later in rounds[1:]:
            self._share(rounds[0], later)

    def _share(self, first: nn.Module, later: nn.Module, path: str = "") -> None:
        for name, module in first.named_children():
            inside = f"{path}{name}"
            if any(one.startswith(f"{inside}.") for one in self.own):
                self._share(module, later.get_submodule(name), f"{inside}.")
            elif inside not in self.own:
                later.register_module(name, module)

    def extra_repr(self) -> str:
        return f"own={self.own}"


def tied(network: nn.Module, ties: Mapping[str, str]) -> nn.Module:
    """Return the network with the modules under some paths in place of those under others: one module, one weight."""
    for path, source in ties.items():
        holder, _, name = path.rpartition(".")
        network.get_submodule(holder).add_module(name, network.get_submodule(source))
    return network


def build(graph: Graph, around: Mapping[str, nn.Module] | None = None) -> nn.Module:
    """Return the module of a graph; `around` holds the named weights of what it stands in."""
    named = dict(around or {})
    modules: dict[str, nn.Module] = {}
    for step in graph.steps:
        if isinstance(step.layer, Operator) or step.name in modules:
            continue
        if step.again in modules or (step.again in named and step.again == step.name):
            modules[step.name] = modules.get(step.again) or named[step.again]
            continue
        if step.part is not None:
            module = build(step.part, named)
        else:
            module = step.layer.module(*map(graph.shape_of, step.inputs))
        modules[step.name] = named[step.name] = module
    kind = kind_of(graph)
    if kind is Rounds:
        return Rounds(list(graph.own or ()), *modules.values())
    if kind is nn.Sequential:
        return nn.Sequential(*modules.values())
    return Wired(modules, *wiring(graph)) if kind is Wired else modules[""]


def kind_of(graph: Graph) -> type[nn.Module] | None:
    """Return what the module of a graph is: None where it is that of its one step, which has no name of its own."""
    names = [step.name for step in graph.steps if not isinstance(step.layer, Operator)]
    if names and not any(names):
        return None
    if graph.own is not None:
        return Rounds
    numbered = graph.is_chain and len(graph.inputs) == 1 and names == [str(one) for one in range(len(graph.steps))]
    return nn.Sequential if numbered else Wired


def wiring(graph: Graph) -> tuple[list[str], list[str]]:
    """Return the steps of a graph as Wired takes them, and the names of its inputs.

    A value bears the spec's name, else x; where that still holds another value, it has a number too.
    """
    last = dict.fromkeys(range(-len(graph.inputs), len(graph.steps)), -1)
    for index, step in enumerate(graph.steps):
        last.update(dict.fromkeys(step.inputs, index))
    last.update(dict.fromkeys(graph.outputs, len(graph.steps)))
    held: dict[str, int] = {}
    called: dict[int, str] = {}

    def free(wanted: str) -> Iterator[str]:
        yield wanted
        number = 1
        while True:
            number += 1
            yield f"{wanted}_{number}"

    def take(value: int, wanted: str) -> str:
        wanted = wanted if wanted.isidentifier() and not keyword.iskeyword(wanted) else "x"
        called[value] = next(name for name in free(wanted) if name not in held)
        held[called[value]] = value
        return called[value]

    inputs = [
        take(~index, graph.names.get(~index, one.name if index else "x")) for index, one in enumerate(graph.inputs)
    ]
    lines = []
    for index, step in enumerate(graph.steps):
        read = [called[value] for value in step.inputs]
        for name, value in list(held.items()):
            if last[value] <= index:
                del held[name]
        call, told = step.name, ""
        if isinstance(step.layer, Operator):
            call, told = step.layer.call(*map(graph.shape_of, step.inputs))
        lines.append(
            f"{take(index, graph.names.get(index, 'x'))} = {call}({', '.join([*read, *([told] if told else [])])})"
        )
    return [*lines, f"return {', '.join(called[value] for value in graph.outputs)}"], inputs
