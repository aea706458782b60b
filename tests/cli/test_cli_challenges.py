"""`zoo check --challenge` and `zoo list challenges`: what they print, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_support import Zoo

CHALLENGE = """\
challenge: 1
name: tiny-shapes
title: Shapes, at most 3,000 parameters
summary: A task for an afternoon.
tasks: [classify]
data: {shapes: {train_images: 200, test_images: 100}}
budget: {parameters: 3000, steps: 100}
metric: {figure: top1, title: test accuracy, better: higher, images: 100}
forbidden: [augmentation/mixup]
declarations: [No teacher., Nothing was chosen by the test images.]
"""


@pytest.fixture
def challenge(here: Path) -> str:
    (here / "rules.yaml").write_text(CHALLENGE)
    return "rules.yaml"


def test_a_spec_that_keeps_the_rules(zoo_command: Zoo, tiny: Path, challenge: str) -> None:
    assert zoo_command("check", "--challenge", challenge, tiny) == (
        0,
        """\
tiny (spec) in tiny-shapes: keeps 5 rules, leaves open 3 rules

rule           found                                                   wanted                                                  verdict
task           classify                                                classify                                                kept
data           shapes: {seed: 0, train_images: 200, test_images: 100}  shapes: {seed: 0, train_images: 200, test_images: 100}  kept
parameters     2,264                                                   3000                                                    kept: 736 to spare
steps          6                                                       100                                                     kept: 94 to spare
forbidden      none                                                    no augmentation/mixup                                   kept
test accuracy  a spec has no figures                                   100 images of test, higher is better                    not checked

not checked, for a person to affirm:
- No teacher.
- Nothing was chosen by the test images.
""",
        "",
    )


def test_a_broken_limit_has_its_own_exit_code(zoo_command: Zoo, tiny: Path, challenge: str) -> None:
    code, out, err = zoo_command(
        "check", "--challenge", challenge, tiny, "--set", "train.steps=101", "--set", "budget={}"
    )
    assert (code, err) == (13, "")
    assert out.startswith("tiny (spec) in tiny-shapes: breaks 1 rule, keeps 4 rules, leaves open 3 rules\n")
    assert "steps          101 " in out
    assert "broken: 1 too many\n" in out


def test_another_broken_rule_exits_16(zoo_command: Zoo, tiny: Path, challenge: str) -> None:
    code, out, _ = zoo_command("check", "--challenge", challenge, tiny, "--set", "augment=[mixup]")
    assert code == 16
    assert "forbidden      augment.0: mixup " in out


def test_submissions_as_json(zoo_command: Zoo, tiny: Path, challenge: str) -> None:
    code, out, err = zoo_command("check", "--challenge", challenge, tiny, "nowhere.yaml", "--json")
    good, bad = json.loads(out)
    assert (code, err) == (3, "")
    assert (good["challenge"], good["kind"], good["kept"], good["exit_code"]) == ("tiny-shapes", "spec", True, 0)
    assert good["rules"][2] == {
        "rule": "parameters",
        "state": "kept",
        "found": "2,264",
        "wanted": "3000",
        "remark": "736 to spare",
        "exit_code": 10,
    }
    assert good["figure"] is None
    assert bad["problems"][0]["found"] == "found no such file"


def test_the_folder_of_a_run_is_one_submission(zoo_command: Zoo, tiny: Path, challenge: str) -> None:
    assert zoo_command("train", tiny, "--run", "run").code == 0
    code, out, _ = zoo_command("check", "--challenge", challenge, "run", "--json")
    (found,) = json.loads(out)
    assert (code, found["submission"], found["kind"]) == (0, "run", "run")
    assert found["figure"]["name"] == "top1"


def test_an_unknown_challenge_names_the_closest(zoo_command: Zoo, tiny: Path) -> None:
    assert zoo_command("check", "--challenge", "cifar100-clasify-100k", tiny) == (
        3,
        "",
        "error: found the unknown challenge 'cifar100-clasify-100k'; wanted a file or a shipped challenge\n"
        "    did you mean 'cifar100-classify-100k'?\n",
    )


def test_layers_have_no_place_in_a_judgement(zoo_command: Zoo, tiny: Path, challenge: str) -> None:
    assert zoo_command("check", "--challenge", challenge, tiny, "--layers") == (
        2,
        "",
        "error: --challenge judges by rules alone; leave --layers and --lint out; see `zoo check --help`\n",
    )


def test_shipped_challenges_are_listed(zoo_command: Zoo) -> None:
    code, out, _ = zoo_command("list", "challenges")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines() if line] == [
        "challenges:",
        "name",
        "cifar100-classify-100k",
        "cifar100-generate-1m",
    ]
    found = json.loads(zoo_command("list", "challenge", "--json").out)
    assert (found[0]["kind"], found[0]["name"]) == ("challenge", "cifar100-classify-100k")


def test_challenges_are_not_listed_as_specs(zoo_command: Zoo) -> None:
    assert "cifar100-classify-100k" not in zoo_command("list", "specs").out
