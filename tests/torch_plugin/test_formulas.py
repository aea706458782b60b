"""Activations and schedules as formulas: equal to those of torch, counted as they run, and refused where they fail."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support import builtin_registry

import zoo
from zoo.builder import Builder
from zoo.errors import SpecError
from zoo.network.measure import measure
from zoo.registry import Registry
from zoo.spec.formula import Formula
from zoo.spec.resolve import Resolver

REGISTRY = builtin_registry()
BUILDER = Builder(REGISTRY)
STEPS = 90


def activation(data: Any) -> Any:
    return BUILDER.layer({"formula": data})


def schedule(data: Any) -> Any:
    return BUILDER.bind(Resolver(REGISTRY).component_from(("schedule",), data))(STEPS)


def values_and_gradients(module: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x = x.clone().requires_grad_()
    found = module.double().eval()(x)
    found.sum().backward()
    assert x.grad is not None
    return found.detach(), x.grad


#: Off the corners, where a gradient is a matter of taste.
X = (torch.arange(-4000, 4000, 7, dtype=torch.float64) / 500 + 1e-4).view(1, 1, -1, 1)
ELEMENTWISE = [name for name in REGISTRY.names("activation") if name not in ("formula", "glu")]


@pytest.mark.parametrize(
    "data", [*ELEMENTWISE, {"gelu": "tanh"}, {"leaky_relu": 0.3}, {"celu": 2.0}, {"softplus": 2.0}], ids=str
)
def test_activations_of_torch_can_be_written_as_formulas(data: Any) -> None:
    layer: Any = BUILDER.layer(data)
    wanted = values_and_gradients(layer.module((1, X.shape[2], 1)), X)
    found = values_and_gradients(activation(layer.written().text).module((1, X.shape[2], 1)), X)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)
    assert [layer.curve(float(x)) for x in X.flatten()] == pytest.approx(wanted[0].flatten().tolist(), abs=1e-7)


def test_trainable_values_are_those_of_prelu() -> None:
    own = activation({"formula": "max(x, 0) + a * min(x, 0)", "per_channel": {"a": 0.25}})
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, 4)
    ours, theirs = own.module((3, 4, 4)), torch.nn.PReLU(3)
    for module in (ours, theirs):
        module(x).square().sum().backward()
    torch.testing.assert_close(ours(x), theirs(x))
    (weight,) = ours.parameters()
    assert theirs.weight.grad is not None and weight.grad is not None
    torch.testing.assert_close(weight.grad.flatten(), theirs.weight.grad)
    assert list(ours.state_dict()) == ["values.a"]
    assert own.cost((3, 4, 4)).parameters == 3


def test_a_formula_compiles_whole() -> None:
    module = activation({"formula": "where(x > 0, x, a * (exp(min(x, 0)) - 1))", "trainable": {"a": 0.5}}).module(
        (3, 4, 4)
    )
    x = torch.randn(2, 3, 4, 4)
    compiled: Any = torch.compile(module, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), module(x), rtol=0, atol=0)


SCHEDULES = [
    ("constant", "1"),
    ({"step": 20}, "0.1 ** (step // 20)"),
    ({"multi_step": [10, 40]}, "0.1 ** (where(step >= 10, 1, 0) + where(step >= 40, 1, 0))"),
    ({"exponential": 0.95}, "0.95 ** step"),
    ({"linear": 0.1}, "1 + (0.1 - 1) * min(step / steps, 1)"),
    ({"polynomial": 2.0}, "(1 - min(step, steps) / steps) ** 2"),
    ({"cosine": 0.1}, "0.1 + 0.9 * (1 + cos(pi * min(step / steps, 1))) / 2"),
    ({"cosine_restarts": 30}, "(1 + cos(pi * (step % 30) / 30)) / 2"),
    ({"warmup": {"over": 10, "then": "linear"}}, "(step + 1) / 10 if step < 10 else 1 - (step - 10) / (steps - 10)"),
]


@pytest.mark.parametrize(("data", "formula"), SCHEDULES, ids=str)
def test_schedules_can_be_written_as_formulas(data: Any, formula: str) -> None:
    own, built_in = schedule({"formula": formula}), schedule(data)
    assert [own(step) for step in range(STEPS)] == pytest.approx([built_in(step) for step in range(STEPS)])


PARTS = st.recursive(
    st.sampled_from(["x", "x", "a", "b", "0.5", "2", "pi"]),
    lambda inner: (
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda one: f"({' '.join(one)})")
        | inner.map(lambda one: f"({one}) / (1 + abs({one}))")
        | inner.map(lambda one: f"1 / (2 + sin({one}))")
        | st.tuples(st.sampled_from(["tanh", "sigmoid", "cos", "erf", "relu", "softplus", "abs"]), inner).map(
            lambda one: f"{one[0]}({one[1]})"
        )
        | st.tuples(inner, inner, inner).map(lambda one: f"({one[0]} if {one[1]} > 0.3 else {one[2]})")
        | st.tuples(inner, inner).map(lambda one: f"max({one[0]}, {one[1]}, -3)")
        | inner.map(lambda one: f"clamp({one}, -1, 1)")
    ),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None)
@given(PARTS)
def test_a_formula_costs_and_gives_what_it_says(text: str) -> None:
    text = f"x * 0 + {text}" if len(text) < 400 else "x"
    used = Formula(text, ("x", "a", "b")).used
    assume(used == set(re.findall(r"\b[xab]\b", text)))  # no condition decided them away
    data: dict[str, Any] = {"formula": text, "trainable": {"a": 0.5}, "per_channel": {"b": -0.25}}
    data |= {"trainable": {"a": 0.5} if "a" in used else {}, "per_channel": {"b": -0.25} if "b" in used else {}}
    layer, input = activation(data), (3, 4, 2)
    assert measure(layer.module(input), input) == (input, layer.cost(input))
    torch.manual_seed(0)
    x = torch.randn(1, *input)
    found = layer.module(input)(x)
    wanted = torch.tensor([layer.curve(float(one)) for one in x.flatten()]).view_as(x)
    torch.testing.assert_close(found.detach(), wanted, rtol=1e-4, atol=1e-4)


FUNCTIONS = "abs, ceil, clamp, cos, erf, exp, floor, log, log2, max, min, relu, round, sigmoid, sin, softplus, sqrt, tanh, where"
REFUSED = [
    ("x * sigmod(x)", f"found the function 'sigmod' in 'x * sigmod(x)'; wanted one of {FUNCTIONS}; did you mean 'sigmoid'?"),
    ("log(x)", "found no value of log(0.0) in 'log(x)', at x = 0"),
    ("1 / x", "found a division by zero in '1 / x', at x = 0"),
    ("sqrt(x)", "found no value of sqrt(-0.001) in 'sqrt(x)', at x = -0.001"),
    ("exp(x * x)", "found a value too large in 'exp(x * x)', at x = 50"),
    ("where(x > 0, log(x), 0)", "found no value of log(0.0) in 'where(x > 0, log(x), 0)', at x = 0; both sides of a condition are computed; keep the value of each in range"),
    ("y * x", "found the unknown name 'y' in 'y * x'; wanted one of x, pi"),
    ("x > 0", "found 'x > 0' in 'x > 0'; wanted a number"),
    ("x if x else 1", "found 'x' in 'x if x else 1'; wanted a condition, such as x > 0"),
    ("exp(x, 2)", "found exp with 2 values in 'exp(x, 2)'; wanted 1, without names"),
    ("[x]", "found '[x]' in '[x]'; wanted numbers, names, operators and functions"),
    ("x.real", "found 'x.real' in 'x.real'; wanted numbers, names, operators and functions"),
    ("len(x)", f"found the function 'len' in 'len(x)'; wanted one of {FUNCTIONS}"),
    ("3", "found no 'x' in '3'; wanted a formula of it"),
    ("9 ** 9 ** 9 * x", "found a value beyond 2**63 in '9 ** 9 ** 9 * x'"),
    ("x +", "found 'x +'; wanted an expression such as width * 2"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=range(len(REFUSED)))
def test_a_formula_that_fails_somewhere_is_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        activation(text)
    assert str(caught.value) == f"<default>: formula: {message}"


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("1 / (step - 5)", "found a division by zero in '1 / (step - 5)', at step = 5"),
        ("1 / abs(step - 5)", "found a division by zero in '1 / abs(step - 5)', at step = 5"),
        ("1 - step / 50", "found the factor -0.06 at step 53; wanted a number of 0 or more"),
        ("rate ** step", "found the unknown name 'rate' in 'rate ** step'; wanted one of step, steps, pi"),
    ],
)
def test_check_finds_steps_without_a_factor(formula: str, message: str, registry: Registry) -> None:
    source = {
        "zoo": 1,
        "name": "formula",
        "task": "classify",
        "data": "shapes",
        "networks": {"classifier": {"architecture": {"resnet": {}}, "schedule": {"formula": formula}}},
        "train": {"steps": 100},
    }
    with pytest.raises(SpecError) as caught:
        zoo.check(source, registry=registry)
    assert str(caught.value) == f"<python>: networks.classifier.schedule: {message}"
