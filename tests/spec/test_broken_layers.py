"""A spec in layers that was broken at random works or is refused, each problem in its place; nothing else happens."""

from __future__ import annotations

import contextlib
import copy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from layers_strategy import Draw, specs
from support import builtin_registry

import zoo
from zoo.checking import rows
from zoo.errors import SpecError
from zoo.linting import lint
from zoo.spec.writer import write_yaml

REGISTRY = builtin_registry()
PHASES = tuple(set(Phase) - {Phase.explain})  # a failure is shown small, without minutes of looking for its cause
MOST_CALLS = 2_000_000  # ten times what the largest of the random specs takes

JUNK: list[Any] = [
    *(None, [], {}, "", "spam", "relu", "${relu}", True, [[]], ["relu"], [3, 3], [1, 2, 3, 4, 5]),
    *(0, -1, -(10**9), 10**9, 2**31, 2**63, 10**40, 1.5, 1e-9, 1e300),
    *({"conv": 8}, {"conv": {}}, {"conv": None}, {"conv": 8, "relu": {}}, {"relu": {"slope": 1}}, {"layers": 3}),
    *("${nothing}", "${width + nothing}", "${width.__class__}", "${open('x')}", "${8 // 0}", "${9**9**9}", "${"),
    *("${[1, 2]}", "${'conv'}", "${body}", "${1.5}", "${-3}", "${null}", "$${width}", "${(lambda: 1)()}", "${}"),
]
WRONG: list[Any] = [
    "flatten",
    {"linear": 3},
    {"conv": 8},
    {"conv": {"channels": 7, "groups": 2}},
    {"conv": {"channels": 8, "kernel": 3, "padding": 0, "stride": 4}},
    {"residual": [{"conv": 999}]},
    {"residual": {"layers": ["flatten"], "shortcut": [{"conv": 4}]}},
    {"branches": []},
    {"branches": {"branches": [{"conv": 3}, {"conv": 5}, "global_average_pool"]}},
    {"branches": {"branches": ["flatten", "relu"], "join": "concat"}},
    {"repeat": {"times": 10**9, "layers": ["relu"]}},
    {"repeat": {"times": 0, "layers": ["relu"]}},
    {"repeat": {"times": 10_000, "layers": [{"repeat": {"times": 10_000, "layers": ["relu", {"conv": 8}]}}]}},
    {"repeat": {"times": 2, "layers": []}},
    {"sequence": []},
    {"spectral_norm": "relu"},
    {"spectral_norm": {"layer": {"sequence": [{"conv": 3}]}}},
    {"resnet": {"widths": [4], "depths": [1, 2]}},
    {"dcgan_generator": {"widths": [4]}},
    {"unet": {}},
    {"rrelu": {"lower": 0.5}},
    {"hardtanh": {"min_val": 4}},
    {"block_0": {}},
    {"block_0": 3},
    {"ring_a": {}},
    "upsample",
    ["relu"],
]
RING: dict[str, Any] = {"ring_a": ["relu", "ring_b"], "ring_b": [{"sequence": [{"ring_a": {}}]}]}
LISTS = ("layers", "sequence", "residual", "branches", "shortcut")  # what holds layers


class Endless(BaseException):
    """More functions were called than the test allows."""


@contextlib.contextmanager
def calls(most: int) -> Iterator[None]:
    """Raise Endless when more than `most` functions are called: a bound on work that needs no clock."""
    made = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal made
        made += event == "call"
        if made > most:
            sys.setprofile(None)
            raise Endless

    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(None)


def parts(data: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each value in `data` as what holds it and its key or index."""
    for key, value in list(data.items() if isinstance(data, dict) else enumerate(data)):
        yield data, key
        if isinstance(value, (dict, list)):
            yield from parts(value)


def layer_lists(data: Any) -> list[list[Any]]:
    return [one[key] for one, key in parts(data) if key in LISTS and isinstance(one[key], list)]


def misspelt(draw: Draw, name: str) -> str:
    place = draw(st.integers(0, max(0, len(name) - 1)))
    return name[:place] + draw(st.sampled_from(["", "x", name[place : place + 1] * 2])) + name[place + 1 :]


def mutate(draw: Draw, spec: dict[str, Any]) -> None:
    """Break one part of the spec, or two."""
    mostly = [spec["networks"]] * 3 + [spec[key] for key in ("blocks", "blocks", "let") if key in spec]
    where = draw(st.sampled_from([spec, *mostly]))
    holder, key = draw(st.sampled_from(list(parts(where))))
    kind = draw(st.sampled_from(["junk", "junk", "rename", "drop", "wrap", "insert", "insert", "ring", "swap"]))
    if kind == "junk":
        holder[key] = copy.deepcopy(draw(st.sampled_from(JUNK)))
    elif kind == "rename" and isinstance(holder, dict):
        holder[misspelt(draw, key)] = holder.pop(key)
    elif kind == "rename" and isinstance(holder[key], str):
        holder[key] = misspelt(draw, holder[key])
    elif kind == "drop":
        del holder[key]
    elif kind == "wrap":
        holder[key] = draw(st.sampled_from([[holder[key]], {"x": holder[key]}, {"sequence": holder[key]}]))
    elif kind == "swap":
        other, at = draw(st.sampled_from(list(parts(spec["networks"]))))
        holder[key] = copy.deepcopy(other[at])
    elif lists := layer_lists(where):
        layers = draw(st.sampled_from(lists))
        layer = copy.deepcopy(draw(st.sampled_from(WRONG)))
        layers.insert(draw(st.integers(0, len(layers))), layer)
    if kind == "ring" and isinstance(spec.get("blocks", {}), dict):
        spec["blocks"] = {**spec.get("blocks", {}), **copy.deepcopy(RING)}


def scratched(draw: Draw, text: str) -> str:
    """Break the text: a line twice or not at all, a character more or less, an end too early."""
    lines = text.splitlines(keepends=True)
    line, place = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(text) - 1))
    kind = draw(st.sampled_from(["twice", "without", "more", "less", "cut"]))
    if kind == "twice":
        return "".join([*lines[: line + 1], *lines[line:]])
    if kind == "without":
        return "".join([*lines[:line], *lines[line + 1 :]])
    if kind == "more":
        return text[:place] + draw(st.sampled_from(":{}[],-'\"#&*!|>%@`?~ \t\n0é")) + text[place:]
    return text[:place] + (text[place + 1 :] if kind == "less" else "")


@st.composite
def broken(draw: Draw) -> str:
    """The text of a spec with one part broken, and now and then its text as well."""
    spec = copy.deepcopy(draw(specs()))
    how = draw(st.sampled_from(["data", "data", "data", "text", "both"]))
    if how != "text":
        mutate(draw, spec)
    text = write_yaml(spec)
    return text if how == "data" else scratched(draw, text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("specs")


def problems(path: Path, text: str) -> list[Any]:
    """Return what is wrong with a spec, after a bounded number of steps."""
    path.write_text(text)
    try:
        with calls(MOST_CALLS):
            zoo.check(path, registry=REGISTRY)
    except SpecError as error:
        assert error.problems, "an error says what is wrong"
        return list(error.problems)
    return []


@settings(
    max_examples=100,
    deadline=None,
    phases=PHASES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(broken())
def test_a_broken_spec_works_or_is_refused_in_its_place(folder: Path, text: str) -> None:
    path = folder / "broken.yaml"
    lines = [*text.split("\n"), ""]
    for one in problems(path, text):
        assert one.found and "\n" not in f"{one.path}{one.found}{one.wanted}{one.hint}"
        assert one.at.file == str(path)
        assert 1 <= one.at.line <= len(lines)
        assert 1 <= one.at.column <= len(lines[one.at.line - 1]) + 1


#: Layers that can stand nowhere, and the text at whose beginning that is told.
NOWHERE: list[tuple[Any, str]] = [
    ("no_such_layer", "no_such_layer"),
    ({"conv": {"channels": 777, "kernel": 4000, "padding": 0}}, "conv: {channels: 777"),
    ({"conv": {"channels": 3, "kernle": 777}}, "kernle"),
    ({"conv": {"kernel": 777}}, "conv: {kernel: 777}"),
    ({"conv": "${nothing}"}, "'${nothing}'"),
    ({"conv": "${777 // 0}"}, "'${777"),
    ({"channels": 77777}, "channels: 77777"),
    ({"reshape": [99991]}, "reshape: [99991]"),
    ({"dropout": "very much"}, "very much"),
    ({"repeat": {"times": 10**9, "layers": ["relu"]}}, "1000000000"),
    ({"repeat": {"times": 777, "layers": "such"}}, "such}"),
    ({"resnet": {"widths": [777], "depths": [1, 2]}}, "resnet: {widths: [777]"),
    ({"rrelu": {"lower": 7.75}}, "rrelu: {lower: 7.75"),
    ({"branches": [{"channels": 77777}]}, "channels: 77777"),
]


@settings(
    max_examples=30,
    deadline=None,
    phases=PHASES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(specs(), st.data())
def test_a_layer_that_can_stand_nowhere_is_refused_where_it_stands(folder: Path, spec: Any, data: Any) -> None:
    layer, place = data.draw(st.sampled_from(NOWHERE))
    layers = data.draw(st.sampled_from(layer_lists(spec["networks"])))
    layers.insert(data.draw(st.integers(0, len(layers))), layer)
    text = write_yaml(spec)
    (line,) = [index for index, one in enumerate(text.split("\n"), 1) if place in one]
    wanted = (line, text.split("\n")[line - 1].index(place) + 1)
    assert [(one.at.line, one.at.column) for one in problems(folder / "nowhere.yaml", text)] == [wanted]


def times(count: int, *layers: Any) -> dict[str, Any]:
    return {"repeat": {"times": count, "layers": list(layers)}}


def spec(layers: list[Any], blocks: dict[str, Any]) -> dict[str, Any]:
    return {
        "zoo": 1,
        "name": "large",
        "task": "classify",
        "data": {"noise": {"image": [3, 8, 8], "classes": 5}},
        "blocks": blocks,
        "networks": {"classifier": {"architecture": {"layers": [*layers, "global_average_pool", {"linear": 5}]}}},
        "train": {"steps": 10},
    }


def chain(length: int) -> dict[str, Any]:
    """Return blocks each of which holds the one before it."""
    return {"b0": ["relu"], **{f"b{level}": [f"b{level - 1}"] for level in range(1, length)}}


def doubling(length: int, use: Callable[[int], list[Any]]) -> dict[str, Any]:
    """Return blocks with a list of layers as their parameter, each made of the one before it."""
    first = {"parameters": {"body": []}, "layers": [{"sequence": "${body}"}]}
    more = {f"b{level}": {"parameters": {"body": []}, "layers": use(level)} for level in range(1, length + 1)}
    return {"b0": first, **more}


TWICE = [{"sequence": "${body}"}, {"sequence": "${body}"}]
LARGE: list[Any] = [
    pytest.param([times(10**9, "relu")], {}, id="a repeat of a billion"),
    pytest.param([times(10_000, times(10_000, times(10_000, "relu")))], {}, id="nested repeats"),
    pytest.param([times(10_000, times(10_000, times(10_000, {"conv": 8})))], {}, id="nested repeats of weights"),
    pytest.param(["b30"], {"b0": ["relu"], **{f"b{one}": [f"b{one - 1}"] * 2 for one in range(1, 31)}}, id="doubling"),
    pytest.param(
        [{"b30": {"body": ["relu"]}}],
        doubling(30, lambda level: [{f"b{level - 1}": {"body": "${body}"}}] * 2),
        id="doubling uses with layers in them",
    ),
    pytest.param(
        [{"b30": {"body": ["relu"]}}],
        doubling(30, lambda level: [{f"b{level - 1}": {"body": TWICE}}]),
        id="doubling parameters",
    ),
    pytest.param(
        [{"a": width} for width in range(1, 1001)],
        {"a": {"parameters": {"width": None}, "layers": [{"conv": {"channels": 3}}] * 500 + [{"conv": "${width}"}]}},
        id="many uses of a long block",
    ),
    pytest.param([times(10_000, {"zero_pad": [0, 0, 0, 1]})], {}, id="ten thousand shapes"),
    pytest.param([times(10_000, times(10_000, {"zero_pad": [0, 0, 0, 1]}))], {}, id="nested repeats of growth"),
    pytest.param(
        [times(10_000, {"zero_pad": [0, 0, 0, 1]})] * 30,
        {},
        id="many repeats of growth",
    ),
    pytest.param(["b89"], chain(90), id="ninety blocks inside each other"),
    pytest.param(["b299"], chain(300), id="300 blocks inside each other"),
    pytest.param([{"resnet": {"widths": [4] * 50, "depths": [10_000] * 50}}], {}, id="half a million residuals"),
    pytest.param([{"upsample": 2**31}] * 3, {}, id="a huge image"),
    pytest.param([{"conv": 2**31}, {"conv": 2**31}], {}, id="huge weights"),
    pytest.param(["relu", "silu"] * 10_000, {}, id="a long list"),
]


@pytest.mark.parametrize(("layers", "blocks"), LARGE)
def test_what_a_few_lines_ask_for_takes_few_steps(layers: list[Any], blocks: dict[str, Any]) -> None:
    with calls(MOST_CALLS), contextlib.suppress(SpecError):
        zoo.check(spec(layers, blocks), registry=REGISTRY)


def test_a_size_beyond_all_bounds_is_refused() -> None:
    large = spec([], {})
    large["networks"]["classifier"]["architecture"]["layers"] = [times(10_000, {"upsample": 4})]
    with pytest.raises(SpecError):
        zoo.check(large, registry=REGISTRY)


def test_rounds_that_are_alike_are_no_rounds_of_other_shapes() -> None:
    once = zoo.check(spec([times(400, times(300, {"conv": 8}))], {}), registry=REGISTRY)
    assert once.total.parameters == 3 * 8 * 9 + 8 + (400 * 300 - 1) * (8 * 8 * 9 + 8) + 8 * 5 + 5


@pytest.mark.parametrize(
    "layers", [[times(10_000, times(10_000, "relu"))], [times(10_000, times(10_000, {"conv": 8}))]]
)
def test_a_table_of_nested_repeats_is_short(layers: list[Any]) -> None:
    network = zoo.check(spec(layers, {}), registry=REGISTRY).networks["classifier"]
    with calls(MOST_CALLS):
        assert len(list(rows(network.network, network.input))) < 20


def test_lint_looks_once_at_layers_that_are_alike() -> None:
    report = zoo.check(spec([times(10_000, times(10_000, "relu"))], {}), registry=REGISTRY)
    with calls(MOST_CALLS):
        lint(report)
