"""`zoo publish`, `zoo predict`, and the shelf from the command line."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_support import TINY, Zoo
from PIL import Image
from support import builtin_registry

import zoo
from zoo.builder import Builder
from zoo.spec.load import load_spec
from zoo.training.loop import train

torch.set_num_threads(1)

GAN = """\
zoo: 1
name: tiny-gan
task: {gan: {latent_size: 4}}
data: {shapes: {train_images: 120, test_images: 100}}
networks:
  generator: {architecture: {dcgan_generator: {widths: [6, 4]}}}
  discriminator: {architecture: {dcgan_discriminator: {widths: [4, 4]}}}
train: {steps: 1, batch_size: 8, device: cpu, test_at_end: false}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs of a classifier, `one` and `two`, and one of a generator, `gan`."""
    above = tmp_path_factory.mktemp("runs")
    builder = Builder(builtin_registry())
    for name, text, seed in (("one", TINY, 1), ("two", TINY, 2), ("gan", GAN, 0)):
        path = above / f"{name}.yaml"
        path.write_text(text)
        train(load_spec(path, overrides=[f"train.seed={seed}"], registry=builder.registry), builder, above / name)
    return above


@pytest.fixture
def runs(finished: Path, here: Path) -> None:
    """The finished runs in the working folder."""
    for name in ("one", "two", "gan"):
        shutil.copytree(finished / name, here / name)


@pytest.fixture
def shelf(runs: None, zoo_command: Zoo) -> None:
    """The entries `tiny` and `tiny-gan` on the shelf of the working folder."""
    assert zoo_command("publish", "two", "one").code == 0
    assert zoo_command("publish", "gan").code == 0


def test_publishing_says_what_is_published(zoo_command: Zoo, runs: None) -> None:
    code, out, err = zoo_command("publish", "two", "one")
    assert (code, err) == (0, "")
    assert out.startswith("tiny: published, n = 2 (seeds 1, 2)\n\nimages      figure")
    assert re.search(r"^test        top1 +0\.\d{4} +0\.\d{4}  2$", out, re.MULTILINE)
    assert re.search(r"^weights: [\d,]+ bytes, those of seed 1$", out, re.MULTILINE)
    assert out.endswith("entry:   shelf/tiny\nnext:    zoo evaluate tiny\n")


def test_publishing_as_json_gives_the_certificate(zoo_command: Zoo, runs: None) -> None:
    found = json.loads(zoo_command("publish", "one", "--name", "other", "--to", "mine", "--json").out)
    assert (found["entry"], found["folder"]) == ("other", "mine/other")
    assert found["certificate"] == json.loads(Path("mine/other/certificate.json").read_text())


def test_a_name_that_is_taken_exits_8(zoo_command: Zoo, shelf: None) -> None:
    code, out, err = zoo_command("publish", "one")
    assert (code, out) == (8, "")
    assert err.startswith("error: shelf/tiny: there is an entry of this name")


def test_a_run_that_is_not_finished_exits_6(zoo_command: Zoo, runs: None) -> None:
    Path("one/result.json").unlink()
    assert zoo_command("publish", "one").code == 6
    assert not Path("shelf/tiny").exists()


def test_the_shelf_is_listed(zoo_command: Zoo, shelf: None) -> None:
    lines = zoo_command("list", "shelf").out.splitlines()
    assert lines[0].startswith("shelf: trained networks")
    assert lines[1].split() == ["name", "from", "summary"]
    assert [line.split() for line in lines[2:] if " you" in line] == [["tiny", "you"], ["tiny-gan", "you"]]
    found = json.loads(zoo_command("list", "shelf", "--json").out)
    assert [(one["kind"], one["name"]) for one in found][-1] == ("published", "tiny-gan")
    assert "\nshelf: " in zoo_command("list").out


def test_the_spec_of_an_entry_is_checked_by_its_name(zoo_command: Zoo, shelf: None) -> None:
    code, out, _ = zoo_command("check", "tiny")
    assert code == 0 and out.startswith("tiny: keeps 2 limits\n")
    assert [one["spec"] for one in json.loads(zoo_command("check", "shelf/tiny", "--json").out)] == [
        "shelf/tiny/spec.yaml"
    ]


def test_a_spec_to_be_trained_comes_before_an_entry_of_its_name(zoo_command: Zoo, runs: None) -> None:
    zoo_command("publish", "one", "--name", "quickstart")
    assert json.loads(zoo_command("check", "quickstart", "--json").out)[0]["name"] == "quickstart"
    assert json.loads(zoo_command("check", "shelf/quickstart", "--json").out)[0]["name"] == "tiny"


def test_an_entry_is_evaluated_as_its_run(zoo_command: Zoo, shelf: None) -> None:
    code, out, err = zoo_command("evaluate", "tiny", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "evaluating shelf/tiny/weights.safetensors\n")
    assert (found["run"], found["checkpoint"]) == ("tiny", "shelf/tiny/weights.safetensors")
    assert found["figures"]["test"] == json.loads(Path("one/result.json").read_text())["test"]
    assert found["test_looks"] == {"train": 2, "publish": 1}


def test_evaluating_an_entry_writes_nothing(zoo_command: Zoo, shelf: None) -> None:
    before = sorted(Path("shelf").rglob("*"))
    zoo_command("evaluate", "tiny")
    assert sorted(Path("shelf").rglob("*")) == before


def test_an_entry_draws_into_a_folder_of_the_users(zoo_command: Zoo, shelf: None) -> None:
    assert zoo_command("sample", "tiny-gan", "--count", 4) == (0, "samples/tiny-gan/seed-0.png\n", "")
    assert zoo_command("interpolate", "tiny-gan", "--rows", 1).out == "samples/tiny-gan/interpolation-0.png\n"
    assert Path("samples/tiny-gan/interpolation-0.png").is_file()


def test_an_entry_is_loaded_by_its_name_in_python(shelf: None) -> None:
    trained = zoo.load("tiny", registry=builtin_registry())
    assert sum(one.numel() for one in trained.networks["classifier"].parameters()) == 2_264
    assert trained.source.label == "tiny"


# Predicting


def picture(path: str, mode: str = "RGB", size: tuple[int, int] = (32, 32)) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return Path(path)


def test_predicting_names_five_classes_of_each_image(zoo_command: Zoo, shelf: None) -> None:
    picture("a.png")
    picture("b.png", size=(64, 40))
    code, out, err = zoo_command("predict", "tiny", "a.png", "b.png")
    assert (code, err) == (0, "")
    first, second = out.split("\n\n")
    lines = first.splitlines()
    assert lines[0] == "a.png" and lines[1].split() == ["class", "probability"] and len(lines) == 7
    assert re.fullmatch(r"\w+ +\d+\.\d%", lines[2])
    assert second.splitlines()[0] == "b.png (cut and scaled from 64x40 to 32x32)"


def test_predictions_are_those_of_the_network(zoo_command: Zoo, shelf: None) -> None:
    path = picture("a.png")
    found = json.loads(zoo_command("predict", "tiny", path, "--top", 3, "--json").out)
    trained = zoo.load("tiny", registry=builtin_registry())
    images = torch.from_numpy(np.asarray(Image.open(path)).transpose(2, 0, 1).copy())[None]
    shares = trained.probabilities(images)[0]
    assert shares.sum() == pytest.approx(1)
    best = shares.topk(3)
    (one,) = found["images"]
    assert (found["name"], one["image"], one["size"], one["resized"]) == ("tiny", "a.png", [32, 32], False)
    assert [each["class"] for each in one["classes"]] == [trained.class_names[index] for index in best.indices]
    assert [each["probability"] for each in one["classes"]] == pytest.approx(best.values.tolist())


@pytest.mark.parametrize(("name", "mode"), [("a.png", "RGBA"), ("a.png", "L"), ("a.png", "P"), ("a.jpg", "CMYK")])
def test_images_of_any_mode_are_taken(name: str, mode: str, zoo_command: Zoo, shelf: None) -> None:
    assert zoo_command("predict", "tiny", picture(name, mode, (50, 20))).code == 0


def test_a_folder_is_no_image(zoo_command: Zoo, here: Path) -> None:
    (here / "images").mkdir()
    assert zoo_command("predict", "cifar100-resnet-silu", "images") == (
        5,
        "",
        "error: images: it is a folder, not a file; wanted an image file\n",
    )


def test_a_run_predicts_too(zoo_command: Zoo, shelf: None) -> None:
    path = picture("a.png")
    one, other = (json.loads(zoo_command("predict", name, path, "--json").out) for name in ("tiny", "one"))
    assert one["images"] == other["images"]


def test_what_is_no_image_is_refused(zoo_command: Zoo, shelf: None) -> None:
    Path("a.png").write_text("no picture")
    assert zoo_command("predict", "tiny", "a.png") == (
        5,
        "",
        "error: a.png: no image that can be read; wanted PNG, JPEG, WebP or another kind of image\n",
    )


def test_a_file_that_is_not_there_is_refused(zoo_command: Zoo, shelf: None) -> None:
    code, out, err = zoo_command("predict", "tiny", "none.png")
    assert (code, out) == (5, "")
    assert err == "error: none.png: it cannot be read (No such file or directory); wanted an image file\n"


def test_a_generator_names_no_classes(zoo_command: Zoo, shelf: None) -> None:
    assert zoo_command("predict", "tiny-gan", picture("a.png")) == (
        6,
        "",
        "error: tiny-gan: its task, gan, makes images and names none; wanted a classifier, or `zoo sample` for this "
        "one\n",
    )
