"""The reader of specs: YAML and JSON give the same nodes; what cannot be read is refused at its place."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import Position, SpecError
from zoo.spec.document import Node
from zoo.spec.reader import read, read_data, read_text
from zoo.spec.writer import write_json, write_yaml

NUMBERS = st.integers(-(10**60), 10**60) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS
TRICKY = [
    "no",
    "on",
    "null",
    "~",
    "1e-3",
    "1_000",
    "0x1F",
    "2020-01-01",
    ".inf",
    "<<",
    "-",
    "- a",
    "a: b",
    ":",
    "#",
    "it's",
]
TRICKY += ["*a", "&a", "!a", "%a", "@a", "{a}", "[a]", "?", "|", ">", ",", "${a}", "\\"]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(TRICKY)
DATA = st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)

NO_BLANK = "found ':' without a blank after it; wanted a key, ':', a blank, and its value"


def yaml(text: str) -> Any:
    return read_text(text, "spec.yaml", "yaml").data()


def refusals(text: str, format: Any = "yaml") -> list[str]:
    """Return the problems that the reader finds, each without the file's name."""
    with pytest.raises(SpecError) as caught:
        read_text(text, "spec", format)
    return [str(problem).removeprefix("spec:") for problem in caught.value.problems]


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal and of the same types, -0.0 and 0.0 kept apart."""
    return repr(left) == repr(right)


@given(DATA)
def test_yaml_reads_back_what_was_written(data: Any) -> None:
    assert same(yaml(write_yaml(data)), data)


@given(DATA)
def test_json_reads_back_what_was_written(data: Any) -> None:
    assert same(read_text(write_json(data), "spec.json", "json").data(), data)


@given(DATA)
def test_yaml_to_json_to_yaml_is_the_identity(data: Any) -> None:
    text = write_yaml(data)
    assert write_yaml(read_text(write_json(yaml(text)), "spec.json", "json").data()) == text


@given(DATA)
def test_json_agrees_with_the_standard_library(data: Any) -> None:
    text = json.dumps(data, ensure_ascii=True, indent="\t")
    assert same(read_text(text, "spec.json", "json").data(), json.loads(text))


@given(st.text("ab:-[]{},#&*!|>'\"%@` \n\t01.~<?\\$", max_size=40), st.sampled_from(["yaml", "json"]))
def test_any_text_is_read_or_refused_in_one_line_for_each_problem(text: str, format: Any) -> None:
    try:
        read_text(text, "spec", format)
    except SpecError as error:
        assert error.problems
        for problem in error.problems:
            assert "\n" not in problem.found + problem.wanted + problem.hint
            assert problem.at is not None and problem.at.line >= 1 and problem.at.column >= 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-1", -1),
        ("+1", 1),
        ("007", 7),
        ("0x1F", 31),
        ("0o17", 15),
        ("0b1", "0b1"),
        ("12:30", "12:30"),
        ("nan", "nan"),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("null", None),
        ("~", None),
        ("true", True),
        ("False", False),
        ("'1'", "1"),
        ('"\\x41\\u00e9"', "Aé"),
        ("|\n a\n b\n", "a\nb\n"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    assert same(yaml(f"a: {text}"), {"a": value})


def test_an_empty_value_is_null_and_stands_at_its_key() -> None:
    node = read_text("a: 1\noptimizer:\n", "spec.yaml", "yaml").value["optimizer"]
    assert node == Node(None, Position("spec.yaml", 2, 1), Position("spec.yaml", 2, 1))


def test_yaml_nodes_know_their_places() -> None:
    node = read_text("train:\n  steps: 10\n  list: [1, {a: b}]\n", "spec.yaml", "yaml")
    train = node.value["train"]
    assert (train.at, train.key_at) == (Position("spec.yaml", 2, 3), Position("spec.yaml", 1, 1))
    assert train.value["steps"].at == Position("spec.yaml", 2, 10)
    inner = train.value["list"].value[1].value["a"]
    assert (inner.at, inner.key_at) == (Position("spec.yaml", 3, 17), Position("spec.yaml", 3, 14))


def test_json_nodes_know_their_places_after_tabs_and_any_line_break() -> None:
    node = read_text('{\r\n\t"a": [1,\r2,\n\t\t{"b": "\\ud83d\\ude00\\t"}]}', "spec.json", "json")
    items = node.value["a"]
    assert (items.at, items.key_at) == (Position("spec.json", 2, 7), Position("spec.json", 2, 2))
    assert items.value[1].at == Position("spec.json", 3, 1)
    assert items.value[2].value["b"] == Node("😀\t", Position("spec.json", 4, 9), Position("spec.json", 4, 4))


def test_an_alias_is_the_value_of_its_anchor() -> None:
    assert yaml("a: &x {b: 1}\nc: *x\nd: [*x, *x]\n") == {"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}] * 2}


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ["1:1: found an empty document; wanted a spec"]),
        ("# only a comment\n", ["1:1: found an empty document; wanted a spec"]),
        ("---\n...\n", ["1:1: found an empty document; wanted a spec"]),
        (
            "a: 1\na: 2\nb: {c: 1, c: 2}",
            [
                "2:1: a: found the key 'a' twice; wanted each key once\n    the first stands in line 1",
                "3:11: b.c: found the key 'c' twice; wanted each key once\n    the first stands in line 3",
            ],
        ),
        (
            "a: .nan\nb: -.INF\nc: 1e999",
            [
                "1:4: a: found '.nan'; wanted a finite number",
                "2:4: b: found '-.INF'; wanted a finite number",
                "3:4: c: found '1e999'; wanted a finite number",
            ],
        ),
        ("a: 1_000", ["1:4: a: found '1_000'; wanted a number without underscores: 1000"]),
        ("a: 0x_1F", ["1:4: a: found '0x_1F'; wanted a number without underscores: 0x1F"]),
        (
            "a: 2020-01-01\nb: 2020-01-01 10:00:00",
            [
                "1:4: a: found the date '2020-01-01'; wanted quotes around it",
                "2:4: b: found the date '2020-01-01 10:00:00'; wanted quotes around it",
            ],
        ),
        ("1: a", ["1:1: found 1 as a key; wanted quotes: '1'"]),
        ("true: a", ["1:1: found true as a key; wanted quotes: 'true'"]),
        ("~: a", ["1:1: found null as a key; wanted quotes: '~'"]),
        ("? [1, 2]\n: a", ["1:3: found a list as a key; wanted a name"]),
        (
            "<<: {a: 1}",
            ["1:1: found the merge key '<<'; wanted each key written out\n    use 'extends' to build on another spec"],
        ),
        (
            "a: !!str 5\nb: !torch.nn.ReLU {c: !!python/object:os.system d}",
            [
                "1:4: a: found the tag '!!str'; wanted plain data, without tags",
                "2:4: b: found the tag '!torch.nn.ReLU'; wanted plain data, without tags",
                "2:23: b.c: found the tag '!!python/object:os.system'; wanted plain data, without tags",
            ],
        ),
        (
            "a: &a [*a]",
            ["1:8: a.0: found the alias '*a' inside what it stands for; wanted an alias to another part"],
        ),
        ("a: *b", ["1:4: a: found the alias '*b'; wanted an anchor '&b' before it"]),
        ("a: 1\n---\nb: 2", ["2:1: found a second document; wanted one spec in each file"]),
        ("%YAML 1.1\n---\na: 1", ["1:1: found a %YAML directive for another version; wanted YAML 1.2"]),
        ("a:\n\t- b", ["2:1: found a tab in the indentation; wanted spaces"]),
        ("a:\n  b: 1\n\tc: 2", ["3:1: found a tab in the indentation; wanted spaces"]),
        (
            "a: b: c",
            ["1:5: found ':' where no key can stand; wanted quotes around the text, or another indentation"],
        ),
        (
            "a: 1\n  b: 2",
            ["2:4: found ':' where no key can stand; wanted quotes around the text, or another indentation"],
        ),
        ("a: [1, 2", ["1:4: found a list '[' that is not closed; wanted ',' or ']' after each value"]),
        (
            "a: {b: 1\nc: 2",
            ["1:4: found a mapping '{' that is not closed; wanted ',' or '}' after each value"],
        ),
        ("a: 'b\n", ["1:4: found a quote that is not closed; wanted the same quote at the end"]),
        ("a: 'it's'", ["1:8: found text after the end of a value; wanted quotes around the whole value"]),
        ("a: @b", ["1:4: found '@' at the start of a value; wanted quotes around the value"]),
        ("a: }", ["1:4: found '}'; wanted a value"]),
        ("a: - b", ["1:4: found an item '-' after its key; wanted a line for each item"]),
        (
            'a: "\\q"',
            ["1:6: found the unknown escape '\\q'; wanted single quotes, or '\\\\' for a backslash"],
        ),
        ('a: "\\ud83d"', ["1:4: a: found half of a surrogate pair; wanted the character itself"]),
        ('a: "\\UFFFFFFFF"', ["1:5: found the escape '\\UFFFFFFFF'; wanted a character up to U+10FFFF"]),
        ("a: \x01", ["1:4: found the character U+0001; wanted printable text"]),
        ("a: 1\nb\n", ["2:1: found a line without ':'; wanted a key with its value"]),
        ("a b\nc: 1\n", ["1:1: found a line without ':'; wanted a key with its value"]),
        ("a: 1\nb:2\nc: 3", [f"2:2: {NO_BLANK}"]),
        ("zoo:1\nname: a", [f"1:4: {NO_BLANK}"]),
        ("a:\n  b: 1\n  c:2\nd: 3", [f"3:4: {NO_BLANK}"]),
        ("a:\n  b:1\n  c: 2", [f"2:4: {NO_BLANK}"]),
        ("a:\n  - b:1\n    c: 2", [f"2:6: {NO_BLANK}"]),
        ("a: 1\nb:2", [f"2:2: {NO_BLANK}"]),
        ('a: 1\n"b":2\nc: 3', [f"2:4: {NO_BLANK}"]),
        ("a: 1\nb:\u00a02\nc: 3", ["2:3: found the blank U+00A0 after ':'; wanted a space"]),
        ("a:\u00a01\nb: 2", ["1:3: found the blank U+00A0 after ':'; wanted a space"]),
        ("a: 1\nb\uff1a 2\nc: 3", ["2:2: found a full-width colon (U+FF1A); wanted ':' and a blank"]),
        ("a:\n  -\tb: 1", ["2:4: found a tab in the indentation; wanted spaces"]),
        ("a:\n  -\t- 1", ["2:4: found a tab in the indentation; wanted spaces"]),
        ("a:\n \tb: 1", ["2:2: found a tab in the indentation; wanted spaces"]),
        ("a: b\n\tc", ["2:1: found a tab in the indentation; wanted spaces"]),
        ("a: |\n  b\n\tc", ["3:1: found a tab in the indentation; wanted spaces"]),
        ("- a\nb: c", ["2:1: found text that is in line with nothing above; wanted the next key or item"]),
        ("a: " + "1" * 101, ["1:4: a: found a number of 101 digits; wanted at most 100 digits"]),
    ],
)
def test_yaml_that_is_refused(text: str, problems: list[str]) -> None:
    assert refusals(text) == problems


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ["1:1: found an empty document; wanted a spec"]),
        (" \n", ["1:1: found an empty document; wanted a spec"]),
        (
            '{"a": 1, "a": {"b": 1, "b": 2}}',
            [
                "1:10: a: found the key 'a' twice; wanted each key once\n    the first stands in line 1",
                "1:24: a.b: found the key 'b' twice; wanted each key once\n    the first stands in line 1",
            ],
        ),
        (
            '{"a": NaN, "b": -Infinity, "c": 1e999}',
            [
                "1:7: a: found NaN; wanted a finite number",
                "1:17: b: found -Infinity; wanted a finite number",
                "1:33: c: found '1e999'; wanted a finite number",
            ],
        ),
        ('["\\ud800"]', ["1:2: 0: found half of a surrogate pair; wanted the character itself"]),
        ("[1,]", ["1:3: found ',' before ']'; wanted no comma after the last value"]),
        ('{"a": 1,}', ["1:8: found ',' before '}'; wanted no comma after the last value"]),
        ("[1 2]", ["1:4: found '2' after a value; wanted ',' or ']'"]),
        ("{a: 1}", ["1:2: found 'a'; wanted a key in double quotes"]),
        ("['a']", ['1:2: found "\'"; wanted a value: text stands in double quotes']),
        ("[1", ["1:1: found a list '[' that is not closed; wanted ',' or ']' after each value"]),
        ('{"a": 1', ["1:1: found a mapping '{' that is not closed; wanted ',' or '}' after each value"]),
        ('["a]', ["1:2: found a quote that is not closed; wanted the same quote at the end"]),
        ('["a\nb"]', ["1:4: found a control character in a text; wanted an escape such as \\n"]),
        ('["\\q"]', ["1:3: found an escape that JSON has not; wanted \\\\ for a backslash"]),
        ("[01]", ["1:2: found '01'; wanted a value: text stands in double quotes"]),
        ("[+1]", ["1:2: found '+1'; wanted a value: text stands in double quotes"]),
        ('{"a" 1}', ["1:6: found '1' after a key; wanted ':'"]),
        ('{"a":}', ["1:6: found '}'; wanted a value: text stands in double quotes"]),
        ("[tru]", ["1:2: found 'tru'; wanted a value: text stands in double quotes"]),
        ("[1] 2", ["1:5: found '2' after the end; wanted one spec in each file"]),
        (
            "[1, // one\n2]",
            ["1:5: found a comment, which JSON has not; wanted a value: text stands in double quotes"],
        ),
    ],
)
def test_json_that_is_refused(text: str, problems: list[str]) -> None:
    assert refusals(text, "json") == problems


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("a: b\t# c", {"a": "b"}),
        ("a:\t1\nb:\t2\t\n", {"a": 1, "b": 2}),
        ("a:\n  -\tb\n  - \tc", {"a": ["b", "c"]}),
        ("a: {\t'b'\t:\t1,\t\n\t\n  c: 2\t}\t\n", {"a": {"b": 1, "c": 2}}),
        ("\t# c\na: 1\n\t\n \t\n\t\t# d\nb: 2", {"a": 1, "b": 2}),
        ("a: b\tc", {"a": "b\tc"}),
        ("a:\n  b\n  \tc", {"a": "b c"}),
        ("a: b\t\n  c", {"a": "b c"}),
        ("a: |\t# c\n  b\n", {"a": "b\n"}),
        ("a: |-2\t\n    b\n", {"a": "  b"}),
        ("a: >+\t\n  b\n\n", {"a": "b\n\n"}),
        ("a:\t&x\t1\nb:\t*x\t", {"a": 1, "b": 1}),
        ("---\ta", "a"),
    ],
)
def test_tabs_separate_where_yaml_lets_them(text: str, data: object) -> None:
    assert read_text(text, "a.yaml", "yaml").data() == data


def test_a_pipe_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "pipe.yaml"
    os.mkfifo(path)
    with pytest.raises(SpecError, match="found a pipe or a device; wanted a spec file"):
        read(path)


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]" for old, new in pairwise("abcdefghi")]
    message = "found more than 20,000 values, counted through aliases; wanted a small spec"
    assert refusals("\n".join(lines)) == [f"5:8: {message}"]


def test_a_megabyte_of_values_is_read_no_further_than_a_spec_is_long() -> None:
    """Each takes some fifty microseconds."""
    message = "found more than 20,000 values, counted through aliases; wanted a small spec"
    assert refusals("a:\n" + "- 1\n" * 250_000) == [f"19999:3: {message}"]


def test_levels_are_counted_through_aliases() -> None:
    lines = ["a0: &a0 [x]", *(f"a{index + 1}: &a{index + 1} [*a{index}]" for index in range(200))]
    message = "127:14: found more than 128 levels, one inside the other; wanted fewer levels"
    assert refusals("\n".join(lines)) == [message]


@pytest.mark.parametrize("format", ["yaml", "json"])
def test_endless_brackets_are_refused(format: Any) -> None:
    message = "1:129: found more than 128 levels, one inside the other; wanted fewer levels"
    assert refusals("[" * 100_000, format) == [message]


def test_a_file_is_named_as_the_user_typed_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spec.yml").write_text("a: 1")
    monkeypatch.chdir(tmp_path)
    assert read(Path("spec.yml")).at == Position("spec.yml", 1, 1)
    assert read(Path("spec.yml"), name="shipped").at == Position("shipped", 1, 1)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read(path).data() == {"a": 1}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("spec.txt", b"a: 1", ": found the extension '.txt'; wanted a spec file (.yaml, .yml or .json)"),
        ("spec", b"a: 1", ": found a file without an extension; wanted a spec file (.yaml, .yml or .json)"),
        ("spec.yaml", b"a: 1\nb: \xff", ":2:4: found a byte that is not UTF-8 (0xff); wanted text in UTF-8"),
        ("spec.yaml", b"a: \xc3\xa9\0", ":1:5: found a NUL byte; wanted text in UTF-8"),
        ("spec.yaml", b"# " + b"x" * 2**20, ": found a file of more than 1 MiB; wanted a small spec"),
    ],
)
def test_a_file_that_is_no_spec_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        read(path)
    assert str(caught.value) == f"{path}{message}"


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    with path.open("wb") as file:
        file.truncate(50 * 2**20)
    with pytest.raises(SpecError, match="found a file of more than 1 MiB"):
        read(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        read(tmp_path)
    assert str(caught.value) == f"{tmp_path}: found a folder; wanted a spec file (.yaml, .yml or .json)"


def test_a_missing_file_is_answered_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "resnet.yaml").write_text("a: 1")
    path = tmp_path / "resnett.yml"
    with pytest.raises(SpecError) as caught:
        read(path)
    message = "found no such file; wanted a spec file (.yaml, .yml or .json)\n    did you mean 'resnet.yaml'?"
    assert str(caught.value) == f"{path}: {message}"


def test_a_file_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(SpecError, match=r"found a file that cannot be read \(Not a directory\)"):
        read(tmp_path / "a" / "spec.yaml")


def test_python_data_becomes_nodes() -> None:
    node = read_data({"a": (1, {"b": None})})
    assert node.data() == {"a": [1, {"b": None}]}
    assert str(node.value["a"].at) == "<python>"


def test_python_data_obeys_the_rules_of_files() -> None:
    with pytest.raises(SpecError) as caught:
        read_data({"a": math.nan, "b": {1: 2}, "c": [Path("x")], "d": "\ud800"})
    assert str(caught.value).splitlines() == [
        "<python>: a: found nan; wanted a finite number",
        "<python>: b: found 1 as a key; wanted a string",
        f"<python>: c.0: found a value of the type {type(Path('x')).__name__}; wanted plain data",
        "<python>: d: found half of a surrogate pair; wanted the character itself",
    ]


def test_python_data_that_holds_itself_is_refused() -> None:
    data: dict[str, Any] = {}
    data["a"] = data
    with pytest.raises(SpecError, match="found more than 128 levels, or data that holds itself"):
        read_data(data)


def test_yaml_is_written_for_readers() -> None:
    data = {
        "zoo": 1,
        "name": "cifar100-resnet-silu",
        "summary": 'ResNet with SiLU from "Efficient CIFAR-100 Modelling"; 99,364 parameters.',
        "augment": ["horizontal_flip", {"color_jitter": {"brightness": 0.1, "hue": 1e-05}}],
        "networks": {"classifier": {"architecture": {"resnet": {"widths": [32, 64], "activation": "silu"}}}},
        "answers": ["no", "1", "", "a\nb", "it's"],
        "nothing": [{}, [], None],
    }
    assert (
        write_yaml(data)
        == """\
zoo: 1
name: cifar100-resnet-silu
summary: 'ResNet with SiLU from "Efficient CIFAR-100 Modelling"; 99,364 parameters.'
augment:
  - horizontal_flip
  - color_jitter: {brightness: 0.1, hue: 1e-05}
networks:
  classifier:
    architecture:
      resnet: {widths: [32, 64], activation: silu}
answers: ['no', '1', '', "a\\nb", "it's"]
nothing: [{}, [], null]
"""
    )


@pytest.mark.parametrize("write", [write_yaml, write_json])
def test_a_number_that_cannot_be_read_is_not_written(write: Any) -> None:
    with pytest.raises(ValueError):
        write({"a": math.inf})


def test_importing_the_reader_imports_nothing_heavy() -> None:
    code = "import sys, zoo.spec.compose; print({'ruamel', 'torch', 'pydantic', 'numpy'} & sys.modules.keys())"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"
