"""`zoo leaderboard` and `zoo reproduce`: what they print, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_support import Zoo
from entries import CHALLENGE, SPEC_DATA, publish


@pytest.fixture
def shelf(here: Path) -> Path:
    """A shelf of two entries, beside the challenge whose rules they keep."""
    (here / "shapes.yaml").write_text(CHALLENGE.replace(", layer/conv", ""))
    publish(here / "shelf" / "good", SPEC_DATA, {"top1": {0: 0.4, 3: 0.5}})
    publish(here / "shelf" / "poor", SPEC_DATA, {"top1": {0: 0.2}})
    return here / "shelf"


def test_the_board_as_a_table(zoo_command: Zoo, shelf: Path) -> None:
    assert zoo_command("leaderboard", "--challenge", "shapes.yaml") == (
        0,
        """\
tiny-shapes: Shapes, at most 3,000 parameters
test accuracy: 100 images of test, higher is better
rank  name    test accuracy  parameters     MACs  steps  n  seeds  verified
   1  good   45.00 ± 7.07 %       2,264  635,680      6  2  0, 3   not measured here
      paper         25.00 %       2,500
   2  poor          20.00 %       2,264  635,680      6  1  0      not measured here
paper: Nobody 2030. n = 1.
""",
        "",
    )


def test_an_entry_that_does_not_verify_exits_8(zoo_command: Zoo, shelf: Path) -> None:
    (shelf / "good" / "weights.safetensors").unlink()
    code, out, err = zoo_command("leaderboard", "--challenge", "shapes.yaml")
    assert (code, err) == (8, "")
    lines = out.splitlines()
    assert lines[4].startswith("   1  poor ")
    assert lines[5].startswith("      good ")
    assert lines[5].endswith("  no: there is no weights.safetensors")


def test_the_board_as_json(zoo_command: Zoo, shelf: Path) -> None:
    code, out, _ = zoo_command("leaderboard", "--challenge", "shapes.yaml", "--json")
    (ranking,) = json.loads(out)["rankings"]
    assert code == 0
    assert (ranking["challenge"], ranking["figure"], ranking["counts"]) == ("tiny-shapes", "top1", True)
    assert ranking["rows"][0] == {
        "rank": 1,
        "name": "good",
        "kind": "entry",
        "parameters": 2264,
        "macs": 635680,
        "steps": 6,
        "mean": 0.45,
        "standard_deviation": pytest.approx(0.0707, abs=1e-4),
        "n": 2,
        "seeds": [0, 3],
        "verified": "not measured here",
        "problems": [],
        "source": "",
        "remark": "",
    }
    assert (ranking["rows"][1]["kind"], ranking["rows"][1]["rank"]) == ("reference", None)


def test_the_board_as_a_page(zoo_command: Zoo, shelf: Path, here: Path) -> None:
    assert zoo_command("leaderboard", "--challenge", "shapes.yaml", "--html", "board.html") == (0, "board.html\n", "")
    text = (here / "board.html").read_text()
    assert text.startswith("<!doctype html>\n")
    assert "45.00 ± 7.07 %" in text


def test_the_shipped_challenges_are_shown_unless_others_are_named(zoo_command: Zoo, here: Path) -> None:
    out = zoo_command("leaderboard").out
    assert "cifar100-classify-100k: CIFAR-100, fewer than 100,000 parameters, 10,000 updates\n" in out
    assert "      best public" in out


def test_an_entry_is_reproduced(zoo_command: Zoo, shelf: Path) -> None:
    code, out, err = zoo_command("reproduce", "poor", "--challenge", "shapes.yaml", "--run", "again", "--seed", "0")
    top1 = json.loads(Path("again/result.json").read_text())["test"]["top1"]
    low, high = 0.2 - 1.959964 * 0.04 * 2**0.5, 0.2 + 1.959964 * 0.04 * 2**0.5
    within = low <= top1 <= high
    assert code == (0 if within else 17)
    assert out == (
        f"poor: {'came out again' if within else 'did not come out again'}, with seed 0\n\n"
        "figure  published  n   again          expected  verdict\n"
        f"top1       0.2000  1  {top1:.4f}  {low:.4f} to {high:.4f}  {'within' if within else 'outside'}\n\n"
        "top1: one published training has no spread; 95% binomial error of 100 images instead\n"
        "run:  again\n"
    )
    assert "tiny: keeps 2 limits" in err


def test_a_figure_that_did_not_come_out_again_exits_17(zoo_command: Zoo, shelf: Path) -> None:
    publish(shelf / "boasts", SPEC_DATA, {"top1": {0: 0.991, 1: 0.99, 2: 0.989}})
    code, out, _ = zoo_command("reproduce", "boasts", "--challenge", "shapes.yaml", "--seeds", "2", "--json")
    found = json.loads(out)
    assert (code, found["exit_code"], found["seeds"]) == (17, 17, [3, 4])
    assert (found["figures"][0]["figure"], found["figures"][0]["within"]) == ("top1", False)
    assert len(found["runs"]) == 2


def test_an_unknown_entry_exits_8(zoo_command: Zoo, here: Path) -> None:
    assert zoo_command("reproduce", "nothing-like-it") == (
        8,
        "",
        "error: no published entry is called 'nothing-like-it'; `zoo list shelf` lists them\n",
    )
