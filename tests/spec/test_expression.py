"""The arithmetic inside `${...}`: what it can say, and that it can do nothing else."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.spec.expression import evaluate, interpolate_text, names_used
from zoo.spec.functions import ExpressionError
from zoo.spec.pending import Pending, reduced

VARIABLES: dict[str, Any] = {"width": 8, "depth": 3, "rate": 2.5, "name": "abc", "wide": True}
VARIABLES |= {"widths": (16, 32, 64), "table": (("a", 1), ("b", 2))}
NUMBERS = st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6)


def refusal(text: str) -> str:
    with pytest.raises(ExpressionError) as caught:
        evaluate(text, VARIABLES)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("width * 2", 16),
        ("width // 3", 2),
        ("width / 4", 2.0),
        ("width % 3", 2),
        ("2 ** 10", 1024),
        ("2 ** -1", 0.5),
        ("-width + 1", -7),
        ("not wide", False),
        ("width > 4 and depth", 3),
        ("0 or depth", 3),
        ("'big' if width > 4 else 'small'", "big"),
        ("1 < width < 10", True),
        ("1 < depth < 2", False),
        ("name == 'abc'", True),
        ('name != "a}b"', True),
        ("true", True),
        ("null", None),
        ("round_to(37, 8)", 40),
        ("round_to(36, 8)", 40),
        ("round_to(35, 8)", 32),
        ("round_to(1, 8)", 8),
        ("round_to(rate * 3, 4)", 8),
        ("round(2.567, 2)", 2.57),
        ("round(rate * 3)", 8),
        ("floor(rate)", 2),
        ("ceil(rate)", 3),
        ("min(3, 1, 2)", 1),
        ("max(width, rate)", 8),
        ("abs(-2)", 2),
        ("int(2.9)", 2),
        ("float(2)", 2.0),
        ("sqrt(9)", 3.0),
        ("log2(8)", 3.0),
        ("widths[0]", 16),
        ("widths[-1]", 64),
        ("table[1][0]", "b"),
        ("widths[1:]", (32, 64)),
        ("widths[:-1]", (16, 32)),
        ("len(widths)", 3),
        ("sum(widths)", 112),
        ("max(widths)", 64),
        ("[width, *widths[:1]]", (8, 16)),
        ("[1] + widths[2:]", (1, 64)),
        ("widths == [16, 32, 64]", True),
        ("range(3)", (0, 1, 2)),
        ("range(1, 3)", (1, 2)),
        ("int(width > 4)", 1),
        ("clamp(width, 0, 3)", 3),
        ("where(wide, 1, 2)", 1),
        ("relu(-2)", 0),
        ("sigmoid(0)", 0.5),
        ("cos(pi)", -1.0),
        ("exp(0) + log(1)", 1.0),
        ("softplus(-1000)", 0.0),
    ],
)
def test_expressions_have_values(text: str, value: Any) -> None:
    result = evaluate(text, VARIABLES)
    assert (result, type(result)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "widht",
            "found the unknown variable 'widht' in 'widht'; wanted one of depth, name, rate, table, wide, width, widths; "
            "did you mean 'width'?",
        ),
        (
            "rond(2)",
            "found the unknown function 'rond' in 'rond(2)'; wanted one of abs, ceil, clamp, cos, erf, exp, "
            "float, floor, int, len, log, log2 and 13 more; did you mean 'round'?",
        ),
        ("1 / 0", "found a division by zero in '1 / 0'"),
        ("width % 0", "found a division by zero in 'width % 0'"),
        ("0 ** -1", "found a division by zero in '0 ** -1'"),
        ("9**9**9", "found a value beyond 2**63 in '9**9**9'"),
        ("10 ** 30", "found a value beyond 2**63 in '10 ** 30'"),
        ("int(1e300)", "found a value beyond 2**63 in 'int(1e300)'"),
        ("10.0 ** 400", "found a value too large in '10.0 ** 400'"),
        ("1e308 * 10", "found a value that is not finite in '1e308 * 10'"),
        ("(-8) ** 0.5", "found a root of a negative number in '(-8) ** 0.5'"),
        ("sqrt(-1)", "found no value of sqrt(-1) in 'sqrt(-1)'"),
        ("sqrt(1, 2)", "found sqrt with 2 values in 'sqrt(1, 2)'; wanted 1, without names"),
        ("min()", "found min with 0 values in 'min()'; wanted 1 or more, without names"),
        ("round(1, 10**9)", "found round to 1000000000 digits in 'round(1, 10**9)'; wanted 0 to 15 digits"),
        ("round_to(1, 0)", "found round_to a multiple of 0 in 'round_to(1, 0)'; wanted a multiple above 0"),
        ("widths[3]", "found item 3 of a list of 3 in 'widths[3]'; wanted -3 to 2"),
        ("[][0]", "found item 0 of a list of 0 in '[][0]'; wanted a list with items"),
        ("widths[rate]", "found 2.5 as the place in a list in 'widths[rate]'; wanted a whole number"),
        ("widths[::2]", "found a part of a list with a step in 'widths[::2]'; wanted [from:to]"),
        ("name[0]", "found 'abc' as a value of '[]' in 'name[0]'; wanted a list"),
        ("widths * 2", "found a list as a value of '*' in 'widths * 2'; wanted a number"),
        ("len(3)", "found 3 as a value of 'len' in 'len(3)'; wanted a list"),
        ("range(10**9)", "found a list of 1,000,000,000 in 'range(10**9)'; wanted at most 10,000"),
        (
            "[range(9000), range(9000)]",
            "found a list of more than 10,000 values in '[range(9000), range(9000)]'; wanted fewer",
        ),
        ("max([])", "found no value of max in 'max([])'; wanted numbers, or one list of them"),
        ("log(0)", "found no value of log(0) in 'log(0)'"),
        ("exp(1000)", "found a value too large in 'exp(1000)'"),
        ("name * 1000", "found 'abc' as a value of '*' in 'name * 1000'; wanted a number"),
        ("name + name", "found 'abc' as a value of '+' in 'name + name'; wanted a number"),
        ("wide + 1", "found true as a value of '+' in 'wide + 1'; wanted a number"),
        ("name < 3", "found 'abc' as a value of '<' in 'name < 3'; wanted a number"),
        ("width in name", "found 'is' or 'in' in 'width in name'; wanted ==, !=, <, <=, > or >="),
        ("1 << 3", "found an operator on bits in '1 << 3'; wanted +, -, *, /, //, % or **"),
        ("width and", "found 'width and'; wanted an expression such as width * 2"),
        ("", "found ''; wanted an expression such as width * 2"),
        ("import os", "found 'import os'; wanted an expression such as width * 2"),
        ("1" * 501, "found an expression of 501 letters; wanted at most 500"),
        ("-" * 60 + "1", f"found more than 50 levels in '{'-' * 57}...'; wanted a simpler expression"),
    ],
)
def test_expressions_without_a_value_are_refused(text: str, message: str) -> None:
    assert refusal(text) == message


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("width.real", "an attribute"),
        ("().__class__.__bases__", "an attribute"),
        ("lambda: 1", "a lambda"),
        ("[a for a in name]", "a comprehension"),
        ("f'{name}'", "an f-string"),
        ("(1, 2)", "a tuple"),
        ("{1}", "a set"),
        ("{1: 2}", "a mapping"),
        ("(a := 1)", "an assignment"),
    ],
)
def test_what_is_no_arithmetic_is_refused_by_name(text: str, what: str) -> None:
    assert refusal(text) == f"found {what} in {text!r}; wanted numbers, variables, operators and functions"


@pytest.mark.parametrize("text", ["__import__('os')", "open('x')", "eval('1')", "sqrt.__call__(4)", "(lambda: 1)()"])
def test_no_other_function_can_be_called(text: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(text, {**VARIABLES, "open": 1})


@given(st.text("0123456789.+-*/%()<>=! abcxlogsqrtmin,'\"[]{}:_\n", max_size=60))
def test_any_text_has_a_small_value_or_is_refused(text: str) -> None:
    try:
        value = evaluate(text, {"a": 2, "b": 3.5, "c": "x"})
    except ExpressionError as error:
        assert "\n" not in str(error)
    else:
        assert is_small(value)


def is_small(value: Any) -> bool:
    if isinstance(value, tuple):
        return len(value) <= 10_000 and all(map(is_small, value))
    return value is None or isinstance(value, (bool, str)) or (math.isfinite(value) and abs(value) < 1e309)


@given(st.lists(st.integers(0, 9), max_size=5), st.integers(-7, 7), st.integers(-7, 7))
def test_places_in_lists_are_those_of_python(items: list[int], start: int, end: int) -> None:
    values = {"items": tuple(items), "start": start, "end": end}
    assert evaluate("items[start:end] + items[:start]", values) == tuple(items[start:end] + items[:start])
    if -len(items) <= start < len(items):
        assert evaluate("items[start]", values) == items[start]
    else:
        with pytest.raises(ExpressionError, match="of a list of"):
            evaluate("items[start]", values)


TREES = st.recursive(
    st.sampled_from(["a", "b", "c", "2", "3.5", "rows[0]", "rows[-1]"]),
    lambda inner: (
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "<", "=="]), inner).map(
            lambda parts: f"({' '.join(parts)})"
        )
        | st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]} if {parts[1]} else {parts[2]})")
        | inner.map(lambda part: f"abs({part})")
    ),
    max_leaves=12,
)


def outcome(text: Any, values: dict[str, Any]) -> Any:
    try:
        return interpolate_text(text, values) if isinstance(text, str) else text
    except ExpressionError as error:
        return type(error)


@given(TREES, st.sets(st.sampled_from("abc")))
def test_what_waits_has_the_value_that_it_would_have_had(tree: str, waiting: set[str]) -> None:
    values = {"a": 2, "b": 0, "c": -1.5, "rows": (7, 4)}
    known = {name: value for name, value in values.items() if name not in waiting}
    text = "${" + tree + "}"
    try:
        found = reduced(text, known, waiting)
    except ExpressionError:
        assert isinstance(outcome(text, values), type)
        return
    assert outcome(found, values) == outcome(text, values)
    assert not isinstance(found, Pending) or names_used(found) <= waiting


@given(NUMBERS, NUMBERS, st.sampled_from(["+", "-", "*"]))
def test_arithmetic_is_that_of_python(left: float, right: float, sign: str) -> None:
    assert evaluate(f"a {sign} b", {"a": left, "b": right}) == eval(f"a {sign} b", {"a": left, "b": right})


@given(st.integers(1, 10**6), st.integers(1, 1000))
def test_round_to_gives_the_nearest_multiple(value: int, multiple: int) -> None:
    result = evaluate("round_to(a, b)", {"a": value, "b": multiple})
    assert result % multiple == 0 and result >= multiple
    assert result == multiple or abs(result - value) * 2 <= multiple


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("${width}", 8),
        ("${ rate }", 2.5),
        ("${wide}", True),
        ("w${width}-d${depth}", "w8-d3"),
        ("${wide} ${null} ${rate}", "true null 2.5"),
        ("$${width}", "${width}"),
        ("$${a} ${width}", "${a} 8"),
        ("${'}'}", "}"),
        ("cost: $5", "cost: $5"),
        ("${width\n* 2}", 16),
    ],
)
def test_texts_are_interpolated(text: str, value: Any) -> None:
    result = interpolate_text(text, VARIABLES)
    assert (result, type(result)) == (value, type(value))


@pytest.mark.parametrize("text", ["${width", "a ${width b", "${it's}"])
def test_an_open_expression_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        interpolate_text(text, VARIABLES)
    assert str(caught.value) == f"found '${{' that is not closed in {text!r}; wanted '}}', or '$${{' for the characters"


def test_a_text_cannot_grow_without_bound() -> None:
    with pytest.raises(ExpressionError, match="found a text of 12,000 letters; wanted at most 10,000"):
        interpolate_text("${a}${a}", {"a": "x" * 6000})


def test_names_used_are_those_of_variables() -> None:
    assert names_used("${a + max(b, 2)} $${c} ${true} ${'d'}") == {"a", "b"}
