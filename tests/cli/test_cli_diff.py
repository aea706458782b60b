"""`zoo diff`: what changed, in the specs' own terms, and what that costs."""

from __future__ import annotations

import json

import pytest
from cli_support import Zoo
from hypothesis import given
from hypothesis import strategies as st

from zoo.spec.difference import MISSING, Change, differences

WIDTH = "networks.classifier.architecture.resnet.stem=40"


def test_a_changed_option_is_named_with_its_cost(zoo_command: Zoo) -> None:
    code, out, _ = zoo_command("diff", "cifar100-resnet-silu", "cifar100-resnet-silu", "--set", WIDTH)
    lines = [line.split() for line in out.splitlines()]
    assert code == 0
    assert lines[1] == ["networks.classifier.architecture.resnet.stem", "32", "40"]
    assert lines[4][0] == "parameters"
    assert (lines[4][1], lines[4][3][0]) == ("99,364", "+")


def test_two_ways_to_write_the_same_differ_in_nothing(zoo_command: Zoo) -> None:
    same = zoo_command("diff", "quickstart", "quickstart", "--set", "train.accumulate=1")
    assert same == (0, "they say the same\n", "")


def test_the_difference_as_json(zoo_command: Zoo) -> None:
    found = json.loads(zoo_command("diff", "cifar100-cgan", "cifar100-acgan", "--json").out)
    paths = [one["path"] for one in found["changes"]]
    assert "task.gan.conditioning" in paths
    before, after, change = found["total"]["parameters"]
    assert change == after - before
    assert set(found["networks"]) == {"generator", "discriminator"}


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 1.0}, [Change("a", 1, 1.0)]),
        ({"a": {"x": 1, "y": 2}}, {"a": {"x": 1, "y": 3}}, [Change("a.y", 2, 3)]),
        ({"a": {"relu": {}}}, {"a": {"silu": {}}}, [Change("a", {"relu": {}}, {"silu": {}})]),
        ({"a": [1, 2, 3]}, {"a": [1, 9, 2, 3]}, [Change("a.1", MISSING, 9)]),
        ({"a": [1, 2, 3]}, {"a": [1, 3]}, [Change("a.1", 2, MISSING)]),
        ({"a": 1}, {"a": 1, "b": 2}, [Change("b", MISSING, 2)]),
    ],
)
def test_changes_are_as_deep_as_the_values_are_alike(before: object, after: object, changes: list[Change]) -> None:
    assert list(differences(before, after)) == changes


plain = st.recursive(
    st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=8,
)


@given(one=plain, other=plain)
def test_equal_values_and_they_alone_have_no_changes(one: object, other: object) -> None:
    assert list(differences(one, one)) == []
    assert (list(differences(one, other)) == []) == (one == other)
