"""One document from many: `extends`, `--set`, `let`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import SpecError
from zoo.spec.compose import compose, content_hash
from zoo.spec.document import Node
from zoo.spec.variables import substitute

Write = Callable[..., None]

BASE: dict[str, Any] = {
    "name": "base",
    "networks": {
        "classifier": {
            "architecture": {"resnet": {"stem": 32, "widths": [32, 64], "activation": {"leaky_relu": {"slope": 0.1}}}},
            "optimizer": "adam",
            "schedule": {"step": {"every": 10}},
        }
    },
    "augment": ["horizontal_flip", {"crop": {"padding": 4}}],
    "train": {"steps": 10, "batch_size": 64},
    "budget": {"parameters": 100},
}


def build(source: Any, *overrides: str, find: Any = lambda name: None, names: Any = None) -> Any:
    return substitute(compose(source, overrides=overrides, find=find, names=names)).data()


def refusal(source: Any, *overrides: str, **options: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        build(source, *overrides, **options)
    return [str(problem) for problem in caught.value.problems]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write files of specs into the working folder: write(base="a: 1") makes base.yaml."""
    monkeypatch.chdir(tmp_path)

    def write(folder: str = ".", **files: str) -> None:
        Path(folder).mkdir(exist_ok=True)
        for name, text in files.items():
            Path(folder, f"{name}.yaml").write_text(text)

    return write


# Sources


def test_a_path_is_read(write: Write) -> None:
    write(a="name: a")
    assert build("a.yaml") == build(Path("a.yaml")) == build("./a.yaml") == {"name": "a"}


def test_a_shipped_name_is_found(write: Write) -> None:
    write("shipped", resnet="name: resnet")
    assert build("resnet", find=lambda name: Path("shipped", f"{name}.yaml")) == {"name": "resnet"}


def test_a_mapping_from_python_has_its_own_place() -> None:
    assert str(compose({"a": 1}, find=lambda name: None).value["a"].at) == "<python>"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    message = "found the unknown spec 'resnt'; wanted a file or a shipped spec\n    did you mean 'resnet'?"
    assert refusal("resnt", names=lambda: ["resnet", "dcgan"]) == [message]


def test_a_spec_is_a_mapping(write: Write) -> None:
    write(a="- 1")
    assert refusal("a.yaml") == ["a.yaml:1:1: found a list; wanted a mapping: the keys of a spec"]


# Extends


def test_the_file_is_laid_over_what_it_extends(write: Write) -> None:
    write(base="a: 1\nb: {c: 1, d: 2}\ne: [1, 2]", own="extends: base.yaml\nb: {d: 3}\ne: [4]")
    assert build("own.yaml") == {"a": 1, "b": {"c": 1, "d": 3}, "e": [4]}


def test_null_removes_a_key(write: Write) -> None:
    write(base="a: 1\nb: {c: 1, d: 2}", own="extends: base.yaml\na: null\nb: {c: null}")
    assert build("own.yaml") == {"b": {"d": 2}}


def test_of_several_the_later_wins(write: Write) -> None:
    write(a="x: 1\ny: 1\nz: 1", b="y: 2\nz: 2", own="extends: [a.yaml, b.yaml]\nz: 3")
    assert build("own.yaml") == {"x": 1, "y": 2, "z": 3}


def test_a_file_is_sought_beside_the_one_that_extends_it(write: Write) -> None:
    write("folder", base="a: 1", middle="extends: base.yaml\nb: 2")
    write(own="extends: folder/middle.yaml\nc: 3")
    assert build("own.yaml") == {"a": 1, "b": 2, "c": 3}


def test_a_shipped_spec_and_python_data_can_extend_and_be_extended(write: Write) -> None:
    write("shipped", base="a: 1\nb: 1")
    assert build({"extends": "base", "b": 2}, find=lambda name: Path("shipped", f"{name}.yaml")) == {
        "a": 1,
        "b": 2,
    }


def test_values_keep_the_places_where_they_were_written(write: Write) -> None:
    write(base="a: 1\nb: {c: 1}", own="extends: base.yaml\nb: {d: 2}")
    document = compose("own.yaml", find=lambda name: None)
    assert str(document.value["a"].at) == "base.yaml:1:4"
    assert str(document.value["b"].value["d"].key_at) == "own.yaml:2:5"


@pytest.mark.parametrize(
    ("parent", "child", "result"),
    [
        ("{adam: {lr: 1, decay: 2}}", "{adam: {lr: 3}}", {"adam": {"lr": 3, "decay": 2}}),
        ("{adam: {lr: 1}}", "{sgd: {momentum: 2}}", {"sgd": {"momentum": 2}}),
        ("{adam: {lr: 1}}", "adam", {"adam": {"lr": 1}}),
        ("{adam: {lr: 1}}", "sgd", "sgd"),
        ("adam", "{adam: {lr: 1}}", {"adam": {"lr": 1}}),
        ("{adam: }", "{adam: {lr: 1}}", {"adam": {"lr": 1}}),
        ("{adam: {lr: 1}}", "{adam: {lr: null}}", {"adam": {"lr": None}}),
        ("{adam: {groups: {a: 1}}}", "{adam: {groups: {b: 2}}}", {"adam": {"groups": {"b": 2}}}),
        ("{adam: 1}", "{adam: 2}", {"adam": 2}),
    ],
)
def test_components_merge_option_by_option(write: Write, parent: str, child: str, result: Any) -> None:
    write(base=f"networks: {{a: {{optimizer: {parent}}}}}")
    write(own=f"extends: base.yaml\nnetworks: {{a: {{optimizer: {child}}}}}")
    assert build("own.yaml") == {"networks": {"a": {"optimizer": result}}}


@pytest.mark.parametrize("key", ["task", "data", "loss"])
def test_components_at_the_top_merge_too(write: Write, key: str) -> None:
    write(base=f"{key}: {{one: {{a: 1}}}}", own=f"extends: base.yaml\n{key}: {{two: {{b: 1}}}}")
    assert build("own.yaml") == {key: {"two": {"b": 1}}}


def test_a_circle_of_files_is_refused(write: Write) -> None:
    write(a="extends: b.yaml", b="extends: c.yaml", c="extends: b.yaml")
    message = "c.yaml:1:10: extends: found a spec that extends itself: b.yaml extends c.yaml extends b.yaml"
    assert refusal("a.yaml") == [message]


def test_a_long_chain_of_files_is_refused(write: Write) -> None:
    write(**{f"s{index}": f"extends: s{index + 1}.yaml" for index in range(17)}, s17="a: 1")
    message = "s16.yaml:1:10: extends: found more than 16 specs that extend each other; wanted fewer"
    assert refusal("s0.yaml") == [message]


def test_a_file_that_many_extend_is_read_once(write: Write) -> None:
    write(**{f"s{index}": f"extends: [{f's{index + 1}.yaml, ' * 10}]" for index in range(15)}, s15="a: 1")
    assert build("s0.yaml") == {"a": 1}


def test_every_bad_parent_is_reported(write: Write) -> None:
    write(base="a: 1", own="extends: [bse.yaml, resnt, 3]")
    assert refusal("own.yaml", names=lambda: ["resnet"]) == [
        "own.yaml:1:11: extends.0: found no file 'bse.yaml'; wanted a file or a shipped spec\n"
        "    did you mean 'base.yaml'?",
        "own.yaml:1:21: extends.1: found the unknown spec 'resnt'; wanted a file or a shipped spec\n"
        "    did you mean 'resnet'?",
        "own.yaml:1:28: extends.2: found 3; wanted a file or a shipped spec",
    ]


# Overrides


def changed(*overrides: str) -> dict[str, Any]:
    """Return the entries of BASE that differ after the overrides, by dotted path."""

    def flat(data: Any, path: str) -> dict[str, Any]:
        parts = list(data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ())
        entries = {path: data} if not parts else {}
        for key, item in parts:
            entries |= flat(item, f"{path}.{key}" if path else str(key))
        return entries

    before, after = flat(BASE, ""), flat(build(BASE, *overrides), "")
    return {
        path: after.get(path, "gone") for path in before | after if before.get(path, "new") != after.get(path, "gone")
    }


NETWORK = "networks.classifier"


@pytest.mark.parametrize(
    ("override", "result"),
    [
        ("name=other", {"name": "other"}),
        ("train.steps=1e3", {"train.steps": 1000.0}),
        ("train.ema.decay=0.9", {"train.ema.decay": 0.9}),
        ("train={steps: 5}", {"train.steps": 5}),
        ("budget.parameters=null", {"budget.parameters": "gone", "budget": {}}),
        ("summary=", {}),
        ("summary='#1'", {"summary": "#1"}),
        ("augment=[]", {"augment.0": "gone", "augment.1.crop.padding": "gone", "augment": []}),
        ("augment.0=vertical_flip", {"augment.0": "vertical_flip"}),
        ("augment.0.horizontal_flip.chance=1", {"augment.0": "gone", "augment.0.horizontal_flip.chance": 1}),
        ("augment.1.crop.padding=2", {"augment.1.crop.padding": 2}),
        (
            f"{NETWORK}.optimizer.adam.lr=0.1",
            {f"{NETWORK}.optimizer": "gone", f"{NETWORK}.optimizer.adam.lr": 0.1},
        ),
        (
            f"{NETWORK}.optimizer.sgd.lr=0.1",
            {f"{NETWORK}.optimizer": "gone", f"{NETWORK}.optimizer.sgd.lr": 0.1},
        ),
        (f"{NETWORK}.optimizer=sgd", {f"{NETWORK}.optimizer": "sgd"}),
        (f"{NETWORK}.schedule.step.gamma=0.5", {f"{NETWORK}.schedule.step.gamma": 0.5}),
        (f"{NETWORK}.schedule.step.every=null", {f"{NETWORK}.schedule.step.every": None}),
        (f"{NETWORK}.schedule=step", {}),
        (f"{NETWORK}.schedule={{step: {{gamma: 1}}}}", {f"{NETWORK}.schedule.step.gamma": 1}),
        (
            f"{NETWORK}.schedule.cosine.warmup=5",
            {f"{NETWORK}.schedule.step.every": "gone", f"{NETWORK}.schedule.cosine.warmup": 5},
        ),
        (f"{NETWORK}.architecture.resnet.widths.1=128", {f"{NETWORK}.architecture.resnet.widths.1": 128}),
        (
            f"{NETWORK}.architecture.resnet.activation.leaky_relu.slope=0.2",
            {f"{NETWORK}.architecture.resnet.activation.leaky_relu.slope": 0.2},
        ),
    ],
)
def test_set_changes_one_value(override: str, result: dict[str, Any]) -> None:
    assert changed(override) == result


def test_a_bare_name_gains_options_where_a_component_stands() -> None:
    optimizer = build(BASE, f"{NETWORK}.optimizer.adam.lr=0.1")["networks"]["classifier"]["optimizer"]
    assert optimizer == {"adam": {"lr": 0.1}}


def test_a_value_that_was_set_says_so_as_its_place() -> None:
    document = compose(BASE, overrides=["train.steps=5"], find=lambda name: None)
    assert str(document.value["train"].value["steps"].at) == "--set train.steps=5"
    assert str(document.value["train"].at) == "<python>"


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("train.steps", "found no '='; wanted a.b.c=value"),
        ("=5", "found no name before '='; wanted a.b.c=value"),
        ("train..steps=5", "train..steps: found an empty name; wanted a.b.c=value"),
        ("extends=a.yaml", "extends: found 'extends', which is read before --set; wanted another key"),
        (
            "train.steps.more=5",
            "train.steps.more: found 10 in train.steps; wanted a mapping or a list to step into",
        ),
        ("augment.2=flip", "augment.2: found no item '2' among the 2 of augment; wanted a number from 0 on"),
        (
            "augment.-1=flip",
            "augment.-1: found no item '-1' among the 2 of augment; wanted a number from 0 on",
        ),
        (
            "train.steps=[1",
            "train.steps: found a list '[' that is not closed; wanted ',' or ']' after each value",
        ),
        ("train.steps=1_000", "train.steps: found '1_000'; wanted a number without underscores: 1000"),
        ("name=a #b", "name: found '#', which begins a comment; wanted quotes around the value"),
        ("name=#b", "name: found '#', which begins a comment; wanted quotes around the value"),
    ],
)
def test_an_override_that_cannot_be_applied_is_refused(override: str, problem: str) -> None:
    assert refusal(BASE, override) == [f"--set {override}: {problem}"]


def test_all_bad_overrides_are_reported() -> None:
    assert len(refusal(BASE, "a", "train.steps=2", "augment.x=1")) == 2


# Variables


def test_variables_are_evaluated_in_any_order(write: Write) -> None:
    write(a="let: {twice: '${width * 2}', width: '${base + 1}', base: 3}\nx: ['${twice}', 'w${width}', 1]")
    assert build("a.yaml") == {"x": [8, "w4", 1]}


def test_variables_can_be_set_and_extended(write: Write) -> None:
    write(base="let: {width: 1, depth: 1}\nx: '${width} ${depth}'", own="extends: base.yaml\nlet: {width: 2}")
    assert build("own.yaml", "let.depth=${width + 1}") == {"x": "2 3"}


def test_blocks_keep_their_expressions_and_come_with_the_variables_of_let(write: Write) -> None:
    write(
        a="""
let: {width: 8, stride: 9}
blocks:
  one:
    parameters: {channels: "${width}", stride: 1}
    layers: [{conv: {channels: "${channels // width}", stride: "${stride}"}}]
"""
    )
    layers = [{"conv": {"channels": "${channels // width}", "stride": "${stride}"}}]
    found = substitute(compose("a.yaml", find=lambda name: None)).value["blocks"]
    assert found.data() == {"one": {"parameters": {"channels": "${width}", "stride": 1}, "layers": layers}}
    assert found.variables == {"width": 8, "stride": 9}


def test_all_problems_with_expressions_are_reported_once(write: Write) -> None:
    write(
        a="""
let:
  Width: 1
  lambda: 2
  list: [1, {a: 1}]
  a: ${b}
  b: ${a + c}
  c: 1
  d: ${widht / 2}
  e: ${d}
  width: 4
x: ${e + d}
y: {z: ["${wdth}", "${1 / 0}"]}
"""
    )
    reserved = "wanted a name of lower-case letters, digits and '_' that is no reserved word"
    assert refusal("a.yaml") == [
        f"a.yaml:3:3: let.Width: found the variable 'Width'; {reserved}",
        f"a.yaml:4:3: let.lambda: found the variable 'lambda'; {reserved}",
        "a.yaml:5:13: let.list.1: found a mapping; wanted a number, a string, true, false, null, or a list of these",
        "a.yaml:6:6: let.a: found variables that need each other: a -> b -> a",
        "a.yaml:9:6: let.d: found the unknown variable 'widht' in 'widht / 2'; "
        "wanted one of Width, a, b, c, e, lambda, list, width\n    did you mean 'width'?",
        "a.yaml:13:9: y.z.0: found the unknown variable 'wdth' in 'wdth'; "
        "wanted one of Width, a, b, c, d, e, lambda, list, width\n    did you mean 'width'?",
        "a.yaml:13:20: y.z.1: found a division by zero in '1 / 0'",
    ]


def test_a_variable_that_needs_itself_is_refused() -> None:
    message = "<python>: let.a: found variables that need each other: a -> a"
    assert refusal({"let": {"a": "${a + 1}"}}) == [message]


def test_without_let_there_are_no_variables() -> None:
    message = "<python>: x: found the unknown variable 'a' in 'a'; wanted a variable that 'let' defines"
    assert refusal({"x": "${a}"}) == [message]


def test_a_long_chain_of_variables_is_no_problem() -> None:
    let = {"v0": 0, **{f"v{index}": f"${{v{index - 1} + 1}}" for index in range(1, 3000)}}
    assert build({"let": let, "x": "${v2999}"}) == {"x": 2999}


def test_let_is_a_mapping() -> None:
    assert refusal({"let": [1]}) == ["<python>: let: found a list; wanted a mapping of variables"]


# The hash


@given(st.dictionaries(st.text(), st.integers() | st.text()))
def test_the_order_of_keys_does_not_change_the_hash(data: dict[str, Any]) -> None:
    assert content_hash(data) == content_hash(dict(reversed(data.items())))


def test_the_hash_is_that_of_canonical_json() -> None:
    assert content_hash({"b": 1.0, "a": [None, "é"]}) == content_hash(
        Node.of({"a": [None, "é"], "b": 1.0}, None).data()
    )
    assert content_hash({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_an_integer_is_not_a_float_to_the_hash() -> None:
    assert content_hash({"a": 1}) != content_hash({"a": 1.0})
