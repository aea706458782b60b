"""`zoo fit`, `zoo check --lint` and the pictures of `zoo show`."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from cli_support import Zoo

from zoo import fitting

FREE = """\
extends: quickstart
name: open
let: {width: {free: {from: 8, to: 24, step: 8}}, wide: "${width * 2}"}
networks: {classifier: {architecture: {resnet: {stem: "${width}", widths: ["${width}", "${wide}"], depths: [1, 1]}}}}
budget: {parameters: 30000, macs: 100M}
"""


@pytest.fixture
def free(here: Path) -> Path:
    (here / "open.yaml").write_text(FREE)
    return Path("open.yaml")


def test_the_best_comes_first_with_the_command_that_uses_it(zoo_command: Zoo, free: Path) -> None:
    code, out, err = zoo_command("fit", free)
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0] == "2 of them keep the limits"
    assert lines[1].startswith("counted 3 of 3 candidates in ")
    assert (
        " ".join(lines[3].split())
        == "rank width parameters macs steps parameters to spare macs to spare steps to spare"
    )
    assert [line.split()[:2] for line in lines[4:6]] == [["1", "16"], ["2", "8"]]
    assert lines[-1] == "the first: zoo check open.yaml --set let.width=16"
    words = lines[-1].removeprefix("the first: zoo ").split()
    assert f"{lines[4].split()[2]}" in zoo_command(*words).out


def test_the_best_is_written_as_a_spec(zoo_command: Zoo, free: Path, here: Path) -> None:
    out = zoo_command("fit", free, "--set", "train.seed=3", "--out", "fitted.yaml").out
    assert out.endswith("the first is in fitted.yaml\n")
    found = json.loads(zoo_command("check", "fitted.yaml", "--json").out)[0]
    same = json.loads(zoo_command("check", free, "--set", "let.width=16", "--set", "train.seed=3", "--json").out)[0]
    assert found["hash"] == same["hash"]
    assert "width: 16" in (here / "fitted.yaml").read_text()


def test_a_file_that_is_there_is_not_written_over(zoo_command: Zoo, free: Path) -> None:
    code, out, err = zoo_command("fit", free, "--out", free)
    assert (code, out) == (2, "")
    assert err == "error: --out open.yaml is there already; choose another name, or remove it; see `zoo fit --help`\n"
    assert free.read_text() == FREE


def test_no_candidate_keeps_the_limits(zoo_command: Zoo, free: Path, here: Path) -> None:
    code, out, _ = zoo_command("fit", free, "--set", "budget.parameters=10", "--out", "none.yaml")
    assert code == 10
    assert out.startswith("none keeps the limits\n")
    assert out.endswith("these come nearest; widen a range of the free variables, or a limit\n")
    assert not (here / "none.yaml").exists()


def test_what_was_found_as_json(zoo_command: Zoo, free: Path) -> None:
    found = json.loads(zoo_command("fit", free, "--json", "--top", "1").out)
    assert (found["tried"], found["possible"], found["kept"], len(found["best"])) == (3, 3, 2, 1)
    assert found["best"][0]["values"] == {"width": 16}
    assert found["best"][0]["limits"][0]["limit"] == "parameters"


def test_without_a_free_variable_there_is_nothing_to_do(zoo_command: Zoo) -> None:
    code, out, err = zoo_command("fit", "quickstart")
    assert (code, out) == (3, "")
    assert "let: found no free variable; wanted at least one\n    for instance let: {width: {free:" in err


def test_advice_stands_under_the_verdict(zoo_command: Zoo, here: Path) -> None:
    (here / "flat.yaml").write_text(
        "extends: quickstart\nname: flat\nnetworks:\n  classifier:\n    architecture:\n      layers:\n"
        "        - conv: 4\n        - batch_norm\n        - flatten\n        - linear: 100\n"
    )
    code, out, _ = zoo_command("check", "flat.yaml", "--lint", "--set", "budget.parameters=1000000")
    assert code == 0
    assert out.partition("\n\n")[2].endswith(
        "\n\nflat.yaml:10:11: networks.classifier: layer 3: linear takes every pixel of 32x32 apart; "
        "global_average_pool in place of flatten frees 409,200 parameters, and makes it another network\n"
        "flat.yaml:10:11: networks.classifier: layer 3: the head, linear, takes 100% of the network's parameters; "
        "half of the 4096 features before it frees 204,800 parameters, and makes it another network\n"
        "flat.yaml:7:11: networks.classifier: layer 0: conv has a bias, which the batch_norm after it takes away; "
        "bias: false frees 4 parameters\n"
    )
    data = json.loads(zoo_command("check", "flat.yaml", "--lint", "--json").out)[0]
    assert [one["frees"] for one in data["advice"]] == [409_200, 204_800, 4]
    assert zoo_command("check", "quickstart", "--lint").out.endswith("\nnothing to save was found\n")


def test_a_spec_is_drawn(zoo_command: Zoo, here: Path) -> None:
    code, out, _ = zoo_command("show", "quickstart", "--svg", "q.svg", "--html", "pages/q.html")
    assert (code, out) == (0, "q.svg\npages/q.html\n")
    assert (here / "q.svg").read_text().startswith("<svg")
    assert (here / "pages" / "q.html").read_text().startswith("<!doctype html>")
    code, _, err = zoo_command("show", "relu", "--html", "q.html")
    assert (code, err) == (
        2,
        "error: --svg and --html draw one spec, and --svg one activation or schedule; found relu; see `zoo show --help`\n",
    )


def test_a_spec_is_ejected(zoo_command: Zoo, here: Path) -> None:
    printed = zoo_command("eject", "quickstart")
    assert (printed.code, printed.err) == (0, "")
    assert zoo_command("eject", "quickstart", "--out", "model.py") == (0, "model.py\n", "")
    assert (here / "model.py").read_text() == printed.out
    code, _, err = zoo_command("eject", "quickstart", "--out", "model.py")
    assert (code, err) == (
        2,
        "error: --out model.py is there already; choose another name, or remove it; see `zoo eject --help`\n",
    )


def test_a_stopped_search_shows_what_it_found_and_leaves_with_the_signals_code(
    zoo_command: Zoo, free: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = fitting.check

    def stop(*given: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return check(*given)

    monkeypatch.setattr(fitting, "check", stop)
    code, out, err = zoo_command("fit", free)
    assert code == 143 and "counted 1 of 3 candidates" in out and "the first: zoo check open.yaml" in out
    assert err == "stopped by SIGTERM; the above is of the candidates until then\n"
