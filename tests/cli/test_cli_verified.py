"""Whether published weights give the figures of their certificate: measured once, remembered, and said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from cli_support import Zoo
from fruit import CHALLENGE, SPEC, bring_first, bring_other, edit
from PIL import Image
from support import builtin_registry

from zoo.builder import Builder
from zoo.data import store
from zoo.publishing.publish import publish
from zoo.spec.load import load_spec
from zoo.training.loop import train

torch.set_num_threads(1)
BOARD = ("leaderboard", "--challenge", "challenge.yaml")
FORGED = "differs: test top1 is 1.0000 here; the certificate says 0.5000"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a shelf of two entries: `one` of a single seed, `two` of two."""
    above = tmp_path_factory.mktemp("published")
    builder = Builder(builtin_registry())
    (above / "fruit.yaml").write_text(SPEC)
    (above / "challenge.yaml").write_text(CHALLENGE)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ZOO_DATA", str(above / "data"))
        bring_first()
        for seed in (0, 1):
            spec = load_spec(above / "fruit.yaml", overrides=[f"train.seed={seed}"], registry=builder.registry)
            train(spec, builder, above / f"seed-{seed}")
        publish([above / "seed-0"], builder, name="one", to=above / "shelf")
        publish([above / "seed-1", above / "seed-0"], builder, name="two", to=above / "shelf")
    yield above


@pytest.fixture
def shelf(published: Path, here: Path) -> Path:
    """A shelf of the test's own, on a machine that has the data and has measured nothing."""
    shutil.copytree(published, here, dirs_exist_ok=True)
    bring_first()
    return here / "shelf"


def forge(entry: Path, value: float = 0.5) -> None:
    """State another test accuracy, with all arithmetic right."""
    certificate = json.loads((entry / "certificate.json").read_text())
    values = dict.fromkeys(certificate["figures"]["test"]["top1"]["values"], value)
    spread = 0.0 if len(values) > 1 else None
    forged = {"mean": value, "std": spread, "n": len(values), "values": values}
    edit(entry / "certificate.json", "figures.test.top1", forged)
    edit(entry / "certificate.json", "per_class", {"cherry": value, "lime": value})


def rows(zoo_command: Zoo, *more: str) -> dict[str, dict[str, Any]]:
    (ranking,) = json.loads(zoo_command(*BOARD, "--json", *more).out)["rankings"]
    return {row["name"]: row for row in ranking["rows"]}


def test_what_was_not_measured_is_not_called_verified(zoo_command: Zoo, shelf: Path) -> None:
    assert {row["verified"] for row in rows(zoo_command).values()} == {"not measured here"}


def test_evaluating_an_entry_measures_it(zoo_command: Zoo, shelf: Path) -> None:
    for name in ("one", "two"):
        assert zoo_command("evaluate", name).code == 0
    found = rows(zoo_command)
    assert (found["one"]["verified"], found["two"]["verified"]) == ("measured here", "measured here, 1 of 2")


def test_the_board_measures_what_was_not_measured_and_once(
    zoo_command: Zoo, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = zoo_command(*BOARD, "--measure")
    assert code == 0
    assert "measuring one\nmeasuring two\n" in err
    assert out.count("measured here") == 2

    def never(*given: Any, **more: Any) -> None:
        raise AssertionError("it was measured again")

    monkeypatch.setattr("zoo.evaluation.run.evaluate", never)
    assert zoo_command(*BOARD, "--measure").code == 0


def test_without_the_data_nothing_is_measured(zoo_command: Zoo, shelf: Path) -> None:
    store.remove("fruit")
    code, out, err = zoo_command(*BOARD, "--measure")
    assert (code, out.count("not measured here")) == (5, 0) or "cannot be measured here" in err


def test_other_data_measure_nothing(zoo_command: Zoo, shelf: Path) -> None:
    bring_other()
    code, out, err = zoo_command(*BOARD, "--measure")
    assert code == 0
    assert "one cannot be measured here: one: it was trained on other data" in err
    assert out.count("not measured here") == 2


def test_a_forged_figure_is_found_out(zoo_command: Zoo, shelf: Path) -> None:
    forge(shelf / "one")
    assert rows(zoo_command)["one"]["verified"] == "not measured here"
    code, out, _ = zoo_command("evaluate", "one", "--split", "test")
    assert code == 8
    assert "not as its certificate says: test top1 is 1.0000 here; the certificate says 0.5000" in out
    code, out, _ = zoo_command(*BOARD)
    assert code == 8
    assert FORGED in out
    assert rows(zoo_command)["one"]["rank"] is None
    code, out, _ = zoo_command("check", "--challenge", "challenge.yaml", "one")
    assert code == 16
    assert FORGED in out
    code, _, err = zoo_command("reproduce", "one", "--challenge", "challenge.yaml")
    assert code == 8
    assert FORGED in err


def test_evaluating_says_as_json_what_differs(zoo_command: Zoo, shelf: Path) -> None:
    assert json.loads(zoo_command("evaluate", "one", "--json").out)["certificate"] == {"problems": []}
    forge(shelf / "one")
    code, out, _ = zoo_command("evaluate", "one", "--json")
    assert code == 8
    assert FORGED.removeprefix("differs: ") in json.loads(out)["certificate"]["problems"]


def test_the_page_says_what_was_measured(zoo_command: Zoo, shelf: Path, here: Path) -> None:
    forge(shelf / "one")
    zoo_command(*BOARD, "--measure", "--html", "board.html")
    page = (here / "board.html").read_text()
    assert f"not verified: {FORGED}" in page
    assert "<td>measured here, 1 of 2</td>" in page


def test_a_figure_by_arithmetic_alone_is_no_difference(zoo_command: Zoo, shelf: Path) -> None:
    forge(shelf / "one", 0.9985)
    assert zoo_command("evaluate", "one").code == 0


def test_a_rule_that_was_not_measured_is_left_open(zoo_command: Zoo, shelf: Path) -> None:
    words = ("check", "--challenge", "challenge.yaml", "one", "--json")

    def ruling() -> str:
        (found,) = json.loads(zoo_command(*words).out)
        return next(one["state"] for one in found["rules"] if one["rule"] == "measured")

    assert ruling() == "not checked"
    zoo_command("evaluate", "one")
    assert ruling() == "kept"


def test_a_renamed_copy_is_not_verified(zoo_command: Zoo, shelf: Path) -> None:
    shutil.copytree(shelf / "one", shelf / "mine")
    code, out, _ = zoo_command(*BOARD)
    assert code == 8
    assert "its certificate is that of the entry 'one', of which this is a copy called 'mine'" in out
    assert rows(zoo_command)["mine"]["rank"] is None
    assert zoo_command("evaluate", "mine").code == 8


def test_the_weights_that_are_loaded_are_those_of_the_certificate(zoo_command: Zoo, shelf: Path) -> None:
    shutil.copyfile(shelf / "one" / "weights.safetensors", shelf / "one" / "other.safetensors")
    edit(shelf / "one" / "certificate.json", "weights.file", "other.safetensors")
    code, out, _ = zoo_command(*BOARD)
    assert code == 8
    assert "speaks of the weights 'other.safetensors'; those of an entry are loaded from weights.safetensors" in out
    assert zoo_command("evaluate", "one").code == 8


def test_figures_of_classes_agree_with_the_whole(zoo_command: Zoo, shelf: Path) -> None:
    edit(shelf / "two" / "certificate.json", "per_class", {"cherry": 0.1, "lime": 0.2})
    assert "test top1 is 1.0000, which lies beyond all of its classes" in zoo_command(*BOARD).out
    edit(shelf / "two" / "certificate.json", "per_class", {"cherry": 0.1, "lime": 1.0})
    code, out, _ = zoo_command(*BOARD, "--measure")
    assert code == 8
    assert "its classes are right in 0.5500 of the test images together; as a whole it says 1.0000" in out


@pytest.mark.parametrize("text", ["", "[]", '{"figures": {"test": {"top1": "all"}}, "classes": {}}'])
def test_a_damaged_memory_is_measured_again(text: str, zoo_command: Zoo, shelf: Path) -> None:
    zoo_command("evaluate", "one")
    for path in (store.data_folder() / "measured").iterdir():
        path.write_text(text)
    assert rows(zoo_command)["one"]["verified"] == "not measured here"
    zoo_command("evaluate", "one")
    assert rows(zoo_command)["one"]["verified"] == "measured here"


@pytest.mark.parametrize(
    ("where", "value"),
    [("seeds", "0"), ("figures.test.top1.mean", "much"), ("measurements", [{"name": 3}]), ("data.classes", [1, 2])],
)
def test_a_value_of_another_type_is_named(where: str, value: Any, zoo_command: Zoo, shelf: Path) -> None:
    edit(shelf / "one" / "certificate.json", where, value)
    Image.new("RGB", (8, 8)).save("x.png")
    code, _, err = zoo_command("predict", "one", "x.png")
    assert code == 8
    assert f"certificate.json: {where}" in err
    assert "bug" not in err
