"""`zoo data`: sets in, shown, out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cli_support import TINY, Zoo
from PIL import Image

from zoo.data.store import data_folder


@pytest.fixture
def pictures(here: Path) -> Path:
    """Two classes of four training and two test images of 8x8 pixels."""
    generator = np.random.default_rng(0)
    for split, number in (("train", 4), ("test", 2)):
        for label in ("cat", "dog"):
            folder = here / "pictures" / split / label
            folder.mkdir(parents=True)
            for index in range(number):
                pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
    return Path("pictures")


def test_own_images_come_in_are_shown_and_go(zoo_command: Zoo, pictures: Path) -> None:
    code, out, err = zoo_command("data", "add", "pets", "--from", pictures)
    assert (code, err) == (0, "")
    assert out == zoo_command("data", "show", "pets").out
    lines = [line.split(maxsplit=1) for line in out.splitlines()]
    assert ["name", "pets"] in lines
    assert ["image", "3x8x8"] in lines
    assert ["names", "cat, dog"] in lines
    assert zoo_command("data", "list").out.count("pets") == 2
    assert zoo_command("data", "remove", "pets", "--yes") == (0, f"deleted {data_folder() / 'pets.safetensors'}\n", "")
    assert zoo_command("data", "show", "pets").code == 5


def test_own_images_can_be_named_by_a_spec(zoo_command: Zoo, pictures: Path, here: Path) -> None:
    zoo_command("data", "add", "pets", "--from", pictures)
    (here / "pets.yaml").write_text(
        TINY.replace("{shapes: {train_images: 200, test_images: 100}}", "{images: pets}").replace(
            "validation: 100, ", ""
        )
    )
    assert "classifier, input 3x8x8, limit 10000 parameters\n" in zoo_command("check", "pets.yaml", "--layers").out


def test_a_set_that_is_here_is_not_replaced(zoo_command: Zoo, pictures: Path) -> None:
    zoo_command("data", "add", "pets", "--from", pictures)
    code, out, err = zoo_command("data", "add", "pets", "--from", pictures)
    assert (code, out) == (2, "")
    assert err.startswith("error: the data set 'pets' is here already; `zoo data remove pets` makes room for it")


def test_what_was_left_out_is_told(zoo_command: Zoo, pictures: Path) -> None:
    (pictures / "notes.txt").write_text("")
    (pictures / "train" / "cat" / "torn.png").write_text("")
    assert zoo_command("data", "add", "pets", "--from", pictures).code == 5
    assert zoo_command("data", "add", "pets", "--from", pictures, "--skip-corrupt").err == (
        "1 file was passed over: no image under train/<class>/ or test/<class>/\n"
        "1 corrupt image was left out: train/cat/torn.png\n"
    )


def test_what_cannot_be_downloaded_must_come_from_somewhere(zoo_command: Zoo) -> None:
    code, _, err = zoo_command("data", "add", "cifar1000")
    assert code == 5
    assert err == (
        "error: cifar1000: nothing says where to download it; name a folder or zip with --from PATH; "
        "did you mean 'cifar100'?\n"
    )


def test_a_set_that_draws_itself_cannot_be_added(zoo_command: Zoo, pictures: Path) -> None:
    code, _, err = zoo_command("data", "add", "shapes", "--from", pictures)
    assert (code, err) == (
        5,
        "error: shapes makes its images itself, so that nothing is to be added; choose another name\n",
    )


def test_images_of_another_set_are_not_taken_for_a_public_one(zoo_command: Zoo, pictures: Path) -> None:
    code, _, err = zoo_command("data", "add", "cifar100", "--from", pictures)
    assert code == 5
    assert err.startswith("error: this is not cifar100: it has image (3, 8, 8)")


def test_a_name_that_no_set_can_have_is_refused(zoo_command: Zoo, pictures: Path) -> None:
    assert zoo_command("data", "add", "../pets", "--from", pictures).code == 5


def test_nothing_is_deleted_unasked(zoo_command: Zoo, pictures: Path) -> None:
    zoo_command("data", "add", "pets", "--from", pictures)
    code, out, err = zoo_command("data", "remove", "pets")
    assert (code, out) == (2, "")
    assert err.startswith("error: nothing was deleted; say --yes to delete without being asked")
    assert zoo_command("data", "show", "pets").code == 0


def test_the_list_says_what_is_here_and_how_to_bring_in_the_rest(zoo_command: Zoo) -> None:
    found = {one["name"]: one for one in json.loads(zoo_command("data", "list", "--json").out)}
    assert found["shapes"]["info"]["classes"] == 100
    assert (found["cifar100"]["info"], found["cifar100"]["problem"]) == (None, "`zoo data add cifar100`")


def test_the_folder(zoo_command: Zoo) -> None:
    assert zoo_command("data", "path").out == f"{data_folder()}\n"
