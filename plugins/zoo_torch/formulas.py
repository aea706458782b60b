"""Activations and schedules that a spec writes as formulas."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from zoo.api import Cost, Field, Formula, Layer, Shape, elements

if TYPE_CHECKING:
    from torch import nn

Text = Annotated[
    str, Field(min_length=1, description="Such as x * sigmoid(x): + - * / // % **, conditions, functions.")
]
Weights = dict[str, float]
#: Where an activation is looked at before it is trained.
PLACES = (0.0, *(sign * size for size in (1e-3, 0.1, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0) for sign in (1, -1)))
#: What torch calls the functions of formulas, where that is another name.
TORCH = {"softplus": "nn.functional.softplus"}
RESERVED = ("weight", "bias")  # what initializers take for those of layers


class Operation(NamedTuple):
    """One operation of torch: which values it reads, by their numbers, and what it writes a value for each of."""

    reads: tuple[int, ...]
    extent: int


ONE, CHANNEL, VALUE = 0, 1, 2  # extents: a single value, one for each channel, one for each value of the input


@dataclass(frozen=True, kw_only=True)
class FormulaActivation(Layer):
    """A function of each value x that a formula gives, with trainable values where they are named."""

    formula: Annotated[Text, Field(description="Of x: x * sigmoid(x). Functions, conditions and pi are known.")]
    trainable: Annotated[Weights, Field(description="Names of trainable values, with what they begin with.")] = field(
        default_factory=dict
    )
    per_channel: Annotated[Weights, Field(description="The same, with one value for each channel.")] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        names = [*self.trainable, *self.per_channel]
        for name in names:
            if not name.isidentifier() or name in (*RESERVED, "x", "pi") or names.count(name) > 1:
                raise ValueError(f"found the name {name!r}; wanted another for a trainable value, each once")
        begins = {**self.trainable, **self.per_channel}
        parsed = Formula(self.formula, ("x", *names))
        for place in PLACES:
            parsed.with_values({"x": place, **begins})
        unused = [name for name in names if name not in parsed.used]
        if unused or "x" not in parsed.used:
            raise ValueError(f"found no {(unused or ['x'])[0]!r} in {self.formula!r}; wanted a formula of it")

    @cached_property
    def parsed(self) -> Formula:
        return Formula(self.formula, ("x", *self.trainable, *self.per_channel))

    def curve(self, x: float) -> float:
        """Return the value at `x` before training."""
        return self.parsed.with_values({"x": x, **self.trainable, **self.per_channel})

    def cost(self, input: Shape, /) -> Cost:
        weights = len(self.trainable) + input[0] * len(self.per_channel)
        cost = Cost.operation(input, input, parameters=weights, tensors=len(self.trainable) + len(self.per_channel))
        written = list(operations(self.parsed, {**dict.fromkeys(self.per_channel, CHANNEL), "x": VALUE}))
        sizes = [elements(input), *((1, input[0], elements(input))[one.extent] for one in written)]
        peak, held_peak = _peaks(written, sizes)
        return cost._replace(peak=peak, held_peak=held_peak, alias=not written)

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules.formulas import Formula as Module

        sizes = (input[0], *(1 for _ in input[1:]))
        return Module(Function(self.parsed), dict(self.trainable), dict(self.per_channel), sizes)


def formula_schedule(
    steps: int, /, *, formula: Annotated[Text, Field(description="Of step, from 0, and steps.")]
) -> Callable[[int], float]:
    """Return the factor that a formula of the step and of all steps gives."""
    parsed = Formula(formula, ("step", "steps"))
    return lambda step: parsed.with_values({"step": step, "steps": steps})


def _peaks(written: list[Operation], sizes: list[int]) -> tuple[int, int]:
    """Return the most values held at one time, when the input may be freed and when it must stay."""
    end = len(written)
    last = {0: 0, **{number: index for index, one in enumerate(written) for number in one.reads}, end: end}
    peaks = []
    for input_stays in (False, True):
        live = [
            sum(sizes[number] for number in range(index + 2)
                if last.get(number, -1) >= index or (input_stays and not number))
            for index in range(end)
        ]  # fmt: skip
        peaks.append(max(live, default=sizes[0]))
    return peaks[0], peaks[1]


def operations(formula: Formula, extents: dict[str, int]) -> Iterator[Operation]:
    """Yield torch's operations in the order in which they run; value 0 is x, value n what the n-th operation gives.

    `extents` are those of names; others are single values.
    """
    count = 0

    def visit(node: ast.expr) -> Iterator[Operation]:
        nonlocal count
        reads: list[int] = []
        extent = ONE
        for part in _operands(node):
            if isinstance(part, ast.Name):
                extent = max(extent, extents.get(part.id, ONE))
                reads += [0] if part.id == "x" else []
            elif not isinstance(part, ast.Constant):
                for one in visit(part):
                    yield one
                extent = max(extent, one.extent)
                reads.append(count)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.where":
            for _ in (part for part in node.args if isinstance(part, ast.Constant)):
                count += 1  # torch makes a tensor of a number here
                reads.append(count)
                yield Operation((), ONE)
        count += 1
        yield Operation(tuple(reads), extent)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and isinstance(node.left, ast.Constant):
            count += 1  # torch multiplies with what 1 / x is
            yield Operation((count - 1,), extent)

    tree = torch_tree(formula.tree)
    if not isinstance(tree, ast.Name):
        yield from visit(tree)


def _operands(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.UnaryOp):
        return [node.operand]
    assert isinstance(node, ast.Call)
    return [*node.args, *(one.value for one in node.keywords)]


def torch_tree(node: ast.expr) -> ast.expr:
    """Return a formula's tree as an expression of torch: of operators, and of calls of torch's functions."""
    if isinstance(node, (ast.Name, ast.Constant)):
        return node
    if isinstance(node, ast.UnaryOp):
        is_not = isinstance(node.op, ast.Not)
        return ast.UnaryOp(ast.Invert() if is_not else node.op, torch_tree(node.operand))
    if isinstance(node, ast.BinOp):
        return ast.BinOp(torch_tree(node.left), node.op, torch_tree(node.right))
    if isinstance(node, ast.Compare):
        ends = [torch_tree(one) for one in (node.left, *node.comparators)]
        parts: list[ast.expr] = [
            ast.Compare(left, [sign], [right]) for left, sign, right in zip(ends, node.ops, ends[1:], strict=False)
        ]
        return _joined(parts, ast.BitAnd())
    if isinstance(node, ast.BoolOp):
        return _joined(
            [torch_tree(one) for one in node.values], ast.BitAnd() if isinstance(node.op, ast.And) else ast.BitOr()
        )
    assert isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    name, values = node.func.id, [torch_tree(one) for one in node.args]
    if name in ("min", "max"):
        found = values[0]
        for one in values[1:]:
            found = _bounded(name, found, one)
        return found
    if name == "clamp" and all(isinstance(one, ast.Constant) for one in values[1:]):
        bounds = [ast.keyword(bound, one) for bound, one in zip(("min", "max"), values[1:], strict=True)]
        return ast.Call(_attribute("torch.clamp"), values[:1], bounds)
    if name == "clamp":
        return _bounded("min", _bounded("max", values[0], values[1]), values[2])
    return ast.Call(_attribute(TORCH.get(name, f"torch.{name}")), values, [])


def _joined(parts: list[ast.expr], sign: ast.operator) -> ast.expr:
    found = parts[0]
    for one in parts[1:]:
        found = ast.BinOp(found, sign, one)
    return found


def _bounded(name: str, one: ast.expr, other: ast.expr) -> ast.expr:
    """Return the larger or the smaller of two, one of which may be a number."""
    if isinstance(one, ast.Constant):
        one, other = other, one
    if isinstance(other, ast.Constant):
        bound = ast.keyword("min" if name == "max" else "max", other)
        return ast.Call(_attribute("torch.clamp"), [one], [bound])
    return ast.Call(_attribute("torch.maximum" if name == "max" else "torch.minimum"), [one, other], [])


def _attribute(path: str) -> ast.expr:
    first, *rest = path.split(".")
    found: ast.expr = ast.Name(first)
    for part in rest:
        found = ast.Attribute(found, part)
    return found


class Function:
    """A formula as a function of tensors: x, then the trainable values. Its text is a lambda that does the same."""

    def __init__(self, formula: Formula) -> None:
        self._formula = formula
        tree = torch_tree(formula.tree)
        self._run = _closure(tree, {name: index for index, name in enumerate(formula.names)})
        self._text = f"lambda {', '.join(formula.names)}: {ast.unparse(tree)}"

    def __call__(self, *tensors: Any) -> Any:
        return self._run(tensors)

    def __repr__(self) -> str:
        return self._text


Run = Callable[[tuple[Any, ...]], Any]


def _closure(node: ast.expr, places: dict[str, int]) -> Run:
    """Return what computes a part from the values of all names: one Python call for each operation of torch."""
    from zoo_torch.modules.formulas import OPERATORS, torch_function

    if isinstance(node, ast.Constant):
        value = node.value
        return lambda values: value
    if isinstance(node, ast.Name):
        place = places[node.id]
        return lambda values: values[place]
    parts = [_closure(one, places) for one in _operands(node)]
    if isinstance(node, ast.Call):
        bounds = {str(one.arg): one.value.value for one in node.keywords if isinstance(one.value, ast.Constant)}
        called = partial(torch_function(ast.unparse(node.func)), **bounds)
        parts = parts[: len(node.args)]
        if len(parts) == 1:
            only = parts[0]
            return lambda values: called(only(values))
        return lambda values: called(*[part(values) for part in parts])
    sign = node.ops[0] if isinstance(node, ast.Compare) else node.op  # type: ignore[attr-defined]
    operate = OPERATORS[type(sign).__name__]
    if len(parts) == 1:
        only = parts[0]
        return lambda values: operate(only(values))
    left, right = parts
    return lambda values: operate(left(values), right(values))
