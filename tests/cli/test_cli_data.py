"""`zoo data`: sets in, shown, out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from cli_support import TINY, Zoo
from PIL import Image

from zoo.data import store
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
        "1 file was left out, not in the folder of a class: notes.txt\n"
        "1 corrupt image was left out, no image that can be read: train/cat/torn.png\n"
    )


def test_what_was_left_out_is_in_the_json(zoo_command: Zoo, pictures: Path) -> None:
    (pictures / "train" / "cat" / "film.mp4").write_text("")
    found = json.loads(zoo_command("data", "add", "pets", "--from", pictures, "--json").out)
    assert found["left_out"] == [{"name": "train/cat/film.mp4", "reason": "no image by the name (.mp4)"}]
    assert (found["name"], found["info"]["train_images"]) == ("pets", 8)


def test_the_images_of_each_class_are_shown(zoo_command: Zoo, pictures: Path) -> None:
    assert (
        "images of a class  4 + 2 (training + test) in each\n"
        in zoo_command("data", "add", "a", "--from", pictures).out
    )
    (pictures / "train" / "cat" / "0.png").unlink()
    zoo_command("data", "add", "b", "--from", pictures)
    assert "images of a class  cat 3 + 2, dog 4 + 2 (training + test)\n" in zoo_command("data", "show", "b").out
    facts = json.loads(zoo_command("data", "show", "b", "--json").out)
    assert facts["class_counts"] == {"cat": {"train": 3, "test": 2}, "dog": {"train": 4, "test": 2}}


def test_the_ground_is_said_and_shown(zoo_command: Zoo, pictures: Path) -> None:
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(pictures / "train" / "cat" / "0.png")
    shown = zoo_command("data", "add", "a", "--from", pictures, "--ground", "teal").out
    assert "ground             #008080, under 1 transparent images\n" in shown
    assert store.load("a").train.images[0, :, 0, 0].tolist() == [0, 128, 128]
    code, _, err = zoo_command("data", "add", "b", "--from", pictures, "--ground", "whit")
    assert (code, err) == (
        5,
        "error: found the ground 'whit'; wanted an opaque colour, such as white, black or '#ff8000'\n",
    )


def test_what_is_done_to_images_is_shown(zoo_command: Zoo, pictures: Path) -> None:
    shown = zoo_command("data", "add", "a", "--from", pictures, "--size", 4, "--range", 0, 1000).out
    assert "the largest square in the middle, scaled to 4x4\n" in shown
    assert "greys of more than 8 bits from 0 (black) to 1000 (white)\n" in shown
    assert "Cut the largest square out of each image's middle" in " ".join(
        zoo_command("data", "add", "--help").out.split()
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_predict_refuses_what_does_not_end_before_it_loads_a_network(zoo_command: Zoo, here: Path) -> None:
    os.mkfifo(here / "pipe.png")
    for path, kind in (("pipe.png", "a pipe"), ("/dev/zero", "a device"), (".", "a folder")):
        assert zoo_command("predict", "no-such-network", path) == (
            5,
            "",
            f"error: {path}: it is {kind}, not a file; wanted an image file\n",
        )


def test_options_for_files_need_files(zoo_command: Zoo) -> None:
    code, _, err = zoo_command("data", "add", "cifar100", "--ground", "black")
    assert code == 2
    assert err.startswith("error: --size, --ground, --range, --skip-corrupt and --test-fraction are for --from PATH")


def test_a_stored_set_with_labels_out_of_range_is_named_and_can_be_brought_in_again(
    zoo_command: Zoo, pictures: Path
) -> None:
    zoo_command("data", "add", "pets", "--from", pictures)
    path = data_folder() / "pets.safetensors"
    content = bytearray(path.read_bytes())
    header = int.from_bytes(content[:8], "little")
    start = json.loads(content[8 : 8 + header])["train_labels"]["data_offsets"][0] + 8 + header
    content[start : start + 8] = (7).to_bytes(8, "little")
    path.write_bytes(content)
    code, _, err = zoo_command("data", "show", "pets")
    assert (code, err) == (
        5,
        f"error: {path}: the data set 'pets': its training labels hold 7; wanted 0 to 1, the indices of its 2 class "
        "names; bring it in again with `zoo data add pets --from PATH`\n",
    )
    assert zoo_command("data", "add", "pets", "--from", pictures).code == 0
    assert zoo_command("data", "show", "pets").code == 0


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


@pytest.mark.parametrize("command", ["show", "verify"])
def test_a_public_set_that_is_not_here_is_brought_in_by_its_name_alone(zoo_command: Zoo, command: str) -> None:
    code, out, err = zoo_command("data", command, "cifar10")
    assert code == 5
    assert "the data set 'cifar10' is not on this machine; bring it in with `zoo data add cifar10`\n" in out + err
