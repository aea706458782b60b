"""`zoo sample` and `zoo interpolate`, end to end on tiny generators."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cli_support import TINY, Outcome, Zoo
from PIL import Image
from support import builtin_registry

from zoo.builder import Builder
from zoo.evaluation.trained import Trained
from zoo.generation.interpolation import between
from zoo.generation.pictures import cells
from zoo.spec.load import load_spec
from zoo.training.loop import train
from zoo.training.run import Run

torch.set_num_threads(1)

GAN = """\
zoo: 1
name: tiny-gan
task: {gan: {latent_size: 4}}
data: {shapes: {train_images: 120, test_images: 100}}
networks:
  generator:
    architecture: {dcgan_generator: {widths: [6, 4]}}
    init: orthogonal
    optimizer: {adam: {lr: 0.01}}
  discriminator:
    architecture: {dcgan_discriminator: {widths: [4, 4]}}
train: {steps: 3, batch_size: 8, device: cpu, sample_every: 1, test_at_end: false}
"""
CONDITIONAL = (
    GAN.replace("latent_size: 4", "latent_size: 4, conditioning: both")
    .replace("dcgan_generator: {widths: [6, 4]}", "conditional_generator: {widths: [6, 4], embedding: 3}")
    .replace("dcgan_discriminator", "projection_discriminator")
    .replace("tiny-gan", "tiny-cgan")
)
CELL = (32 + 2) * 2  # pixels from one image to the next in a picture
HEAD = 18  # pixels of a line of text


def size(columns: int, rows: int) -> tuple[int, int]:
    """Return the size of a picture of 32x32 images without text."""
    return columns * CELL + 4, rows * CELL + 4


@pytest.fixture(scope="module")
def builder() -> Builder:
    return Builder(builtin_registry())


@pytest.fixture(scope="module")
def finished(builder: Builder, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of finished runs by what they are."""
    above = tmp_path_factory.mktemp("runs")
    found = {}
    for name, text in {"gan": GAN, "cgan": CONDITIONAL, "classifier": TINY}.items():
        path = above / f"{name}.yaml"
        path.write_text(text)
        found[name] = train(load_spec(path, registry=builder.registry), builder, above / name).folder
    return found


@pytest.fixture
def take(here: Path, finished: dict[str, Path]) -> Callable[[str], Path]:
    """Put a finished run into the working folder as `run`."""

    def copied(name: str) -> Path:
        shutil.copytree(finished[name], here / "run")
        return Path("run")

    return copied


@pytest.fixture
def gan(take: Callable[[str], Path]) -> Path:
    return take("gan")


@pytest.fixture
def cgan(take: Callable[[str], Path]) -> Path:
    return take("cgan")


@pytest.fixture
def trained(builder: Builder) -> Callable[..., Trained]:
    """Load the run in the working folder."""
    return lambda *overrides: Trained.load(Run.open(Path("run")), builder, overrides)


def pictured(path: str | Path, count: int, columns: int | None = None, top: int = 0, left: bool = False) -> np.ndarray:
    """Return the first images of a picture with `columns`, the text above them and on one side cut off."""
    whole = np.asarray(Image.open(path).convert("RGB"))[top:]
    if columns is not None:
        width, _ = size(columns, 1)
        whole = whole[:, :width] if left else whole[:, -width:]
    return cells(Image.fromarray(whole), count, 32, 32)


def pixels(images: torch.Tensor) -> np.ndarray:
    return images.permute(0, 2, 3, 1).numpy()


def files(folder: Path) -> np.ndarray:
    return np.stack([np.asarray(Image.open(path)) for path in sorted(folder.iterdir())])


# One picture


def test_a_sample_is_one_picture_whose_path_is_printed(zoo_command: Zoo, gan: Path) -> None:
    assert zoo_command("sample", gan) == (0, "run/samples/seed-0.png\n", "")
    assert Image.open("run/samples/seed-0.png").size == size(8, 8)


def test_the_picture_holds_what_the_run_draws(zoo_command: Zoo, gan: Path, trained: Callable[..., Trained]) -> None:
    zoo_command("sample", gan, "--count", 5, "--seed", 9, "--out", "five.png")
    assert Image.open("five.png").size == size(3, 2)
    assert np.array_equal(pictured("five.png", 5), pixels(trained().draw(range(5), seed=9)))


def test_another_seed_is_another_picture_beside_the_first(zoo_command: Zoo, gan: Path) -> None:
    paths = [zoo_command("sample", gan, "--count", 4, "--seed", seed).out.strip() for seed in (0, 1)]
    assert paths == ["run/samples/seed-0.png", "run/samples/seed-1.png"]
    assert not np.array_equal(pictured(paths[0], 4), pictured(paths[1], 4))


def test_a_sample_as_json(zoo_command: Zoo, gan: Path) -> None:
    code, out, err = zoo_command("sample", gan, "--count", 4, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "run": "run",
        "checkpoint": "run/checkpoints/step-00000003.safetensors",
        "step": 3,
        "count": 4,
        "seed": 0,
        "out": "run/samples/seed-0.png",
    }


def test_a_changed_spec_can_be_drawn_from_where_the_weights_still_fit(zoo_command: Zoo, gan: Path) -> None:
    assert zoo_command("sample", gan, "--count", 2, "--set", "train.device=auto").code == 0


# Files


def test_a_folder_gets_one_file_for_each_image(zoo_command: Zoo, gan: Path, trained: Callable[..., Trained]) -> None:
    assert zoo_command("sample", gan, "--count", 7, "--seed", 3, "--out", "many") == (0, "many\n", "")
    assert [path.name for path in sorted(Path("many").iterdir())] == [f"{index:06d}.png" for index in range(7)]
    assert np.array_equal(files(Path("many")), pixels(trained().draw(range(7), seed=3)))


def test_an_empty_folder_is_filled(zoo_command: Zoo, gan: Path) -> None:
    Path("many").mkdir()
    assert zoo_command("sample", gan, "--count", 2, "--out", "many").code == 0
    assert len(list(Path("many").iterdir())) == 2


def test_a_folder_that_is_not_empty_is_left_alone(zoo_command: Zoo, gan: Path) -> None:
    Path("many").mkdir()
    Path("many/thesis.txt").write_text("years")
    assert zoo_command("sample", gan, "--count", 2, "--out", "many") == (
        6,
        "",
        "error: many: it is there and not empty; name a new folder with --out\n",
    )
    assert [path.name for path in Path("many").iterdir()] == ["thesis.txt"]


def test_a_file_in_place_of_the_folder_is_left_alone(zoo_command: Zoo, gan: Path) -> None:
    Path("many").write_text("years")
    assert zoo_command("sample", gan, "--count", 2, "--out", "many").code == 6
    assert Path("many").read_text() == "years"


def test_a_place_that_cannot_be_written_is_named(zoo_command: Zoo, gan: Path) -> None:
    Path("file").write_text("")
    code, out, err = zoo_command("sample", gan, "--count", 2, "--out", "file/one.png")
    assert (code, out) == (6, "")
    assert re.fullmatch(r"error: file/one.png: it cannot be written \(.+\); name another place with --out\n", err)


# Classes


def test_without_labels_the_classes_come_in_turn(zoo_command: Zoo, cgan: Path, trained: Callable[..., Trained]) -> None:
    zoo_command("sample", cgan, "--count", 4, "--out", "many")
    assert np.array_equal(files(Path("many")), pixels(trained().draw(range(4), labels=[0, 1, 2, 3])))


@pytest.mark.parametrize("label", ["14", "square_pale"])
def test_a_class_is_named_by_number_or_name(
    label: str, zoo_command: Zoo, cgan: Path, trained: Callable[..., Trained]
) -> None:
    zoo_command("sample", cgan, "--count", 4, "--label", label, "--out", "one.png")
    assert Image.open("one.png").size == size(2, 2)
    assert np.array_equal(pictured("one.png", 4), pixels(trained().draw(range(4), labels=[14] * 4)))


def test_several_classes_have_a_row_each_with_their_names(
    zoo_command: Zoo, cgan: Path, trained: Callable[..., Trained]
) -> None:
    zoo_command("sample", cgan, "--count", 6, "--label", "3", "--label", "square_pale", "--out", "rows.png")
    width, height = Image.open("rows.png").size
    assert height == size(3, 2)[1] and width > size(3, 2)[0]
    wanted = trained().draw(range(6), labels=[3, 3, 3, 14, 14, 14])
    assert np.array_equal(pictured("rows.png", 6, columns=3), pixels(wanted))


def test_a_class_that_is_named_twice_gets_no_others_name(
    zoo_command: Zoo, cgan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = captions(monkeypatch)
    zoo_command("sample", cgan, "--count", 6, "--label", "3", "--label", "4", "--label", "3")
    assert kept["rows"] in ([], ["circle_yellow", "circle_pale", "circle_yellow"])


def test_the_best_of_several_classes_get_no_others_name(
    zoo_command: Zoo, cgan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = torch.tensor([9.0, 7.0, 0.0, 0.0, 8.0, 6.0, 0.0, 0.0])
    monkeypatch.setattr(Trained, "judge", lambda *_: scores)
    kept = captions(monkeypatch)
    arguments = ("--count", 8, "--best", 4, "--label", "3", "--label", "14", "--json")
    assert json.loads(zoo_command("sample", cgan, *arguments).out)["chosen"] == [0, 4, 1, 5]
    assert kept["rows"] == []  # the rows hold an image of each class


def test_more_labels_than_images_are_refused(zoo_command: Zoo, cgan: Path) -> None:
    assert zoo_command("sample", cgan, "--count", 2, "--label", "1", "--label", "2", "--label", "3").code != 0


def captions(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what the last picture is told to write around its images."""
    from zoo.generation import pictures

    kept: dict[str, Any] = {}
    original = pictures.grid

    def grid(images: Any, columns: Any = None, **texts: Any) -> Any:
        kept.update({"title": "", "rows": [], "heads": []} | texts)
        return original(images, columns, **texts)

    monkeypatch.setattr(pictures, "grid", grid)
    return kept


# The best, the nearest, the film


def test_the_best_are_those_that_the_discriminator_likes(
    zoo_command: Zoo, gan: Path, trained: Callable[..., Trained]
) -> None:
    found = json.loads(zoo_command("sample", gan, "--count", 12, "--best", 4, "--json").out)
    images = trained().draw(range(12))
    order = trained().judge(images).argsort(descending=True)[:4].tolist()
    assert found["chosen"] == order
    assert found["out"] == "run/samples/best-0.png"
    assert np.array_equal(pictured(found["out"], 4, columns=2, top=HEAD, left=True), pixels(images[order]))


def test_the_best_say_that_they_are_chosen(zoo_command: Zoo, gan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = captions(monkeypatch)
    found = json.loads(zoo_command("sample", gan, "--count", 12, "--best", 4, "--json").out)
    title = "chosen: the 4 of 12 that the discriminator likes best"
    assert found["title"] == kept["title"] == title
    assert Image.open(found["out"]).size[1] == size(2, 2)[1] + HEAD


def test_the_best_as_files_are_in_the_order_of_their_places(
    zoo_command: Zoo, gan: Path, trained: Callable[..., Trained]
) -> None:
    found = json.loads(zoo_command("sample", gan, "--count", 9, "--best", 3, "--out", "best", "--json").out)
    assert np.array_equal(files(Path("best")), pixels(trained().draw(range(9))[found["chosen"]]))


def test_the_nearest_training_images_stand_beside_each_image(
    zoo_command: Zoo, gan: Path, trained: Callable[..., Trained]
) -> None:
    code, out, err = zoo_command("sample", gan, "--count", 3, "--nearest")
    assert (code, err) == (0, "")
    assert re.sub(r" +", " ", re.sub(r"\d+\.\d", "#", out)) == (
        "distance to the nearest training image: root mean squared difference of pixels in 0..255\n"
        " median least\nthese images # #\ntest images # #\nrun/samples/nearest-0.png\n"
    )
    picture = Image.open("run/samples/nearest-0.png")
    assert picture.size == (size(6, 3)[0], size(6, 3)[1] + HEAD)
    shown = pictured("run/samples/nearest-0.png", 18, top=HEAD)
    images, training = trained().draw(range(3)), trained().dataset().train.images.transpose(0, 2, 3, 1)
    assert np.array_equal(shown[::6], pixels(images))
    distances = ((training[None].astype(float) - shown[::6][:, None]) ** 2).mean((2, 3, 4))
    assert np.array_equal(shown[1::6], training[distances.argmin(1)])


def test_the_nearest_as_json_hold_the_distances_of_images_and_test_images(
    zoo_command: Zoo, gan: Path, trained: Callable[..., Trained]
) -> None:
    found = json.loads(zoo_command("sample", gan, "--count", 3, "--nearest", "--json").out)
    dataset, images = trained().dataset(), trained().draw(range(3)).numpy()
    for name, given in (("images", images), ("test_images", dataset.test.images)):
        squares = [((dataset.train.images.astype(float) - one) ** 2).mean((1, 2, 3)).min() for one in given]
        assert found["distances"][name]["least"] == pytest.approx(min(squares) ** 0.5, rel=1e-3)
    assert set(found["distances"]["images"]) == {"median", "least"}


def test_the_nearest_of_the_best_keep_their_title(zoo_command: Zoo, gan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = captions(monkeypatch)
    zoo_command("sample", gan, "--count", 6, "--best", 2, "--nearest")
    assert kept["title"] == "chosen: the 2 of 6 that the discriminator likes best"
    assert kept["heads"] == ["drawn", "1.", "2.", "3.", "4.", "5."]


def test_a_film_shows_the_training_step_by_step(zoo_command: Zoo, gan: Path) -> None:
    assert zoo_command("sample", gan, "--film") == (0, "run/samples/film.png\n", "")
    strip = Image.open("run/samples/film.png")
    assert strip.size == (size(3, 8)[0], size(3, 8)[1] + HEAD)
    columns = pictured("run/samples/film.png", 24, top=HEAD).reshape(8, 3, 32, 32, 3)
    for step in (1, 2, 3):
        assert np.array_equal(columns[:, step - 1], pictured(f"run/samples/step-{step:08d}.png", 8))


def test_the_last_frame_is_what_the_run_draws_now(zoo_command: Zoo, gan: Path, trained: Callable[..., Trained]) -> None:
    zoo_command("sample", gan, "--film", "--out", "film.png")
    columns = pictured("film.png", 24, top=HEAD).reshape(8, 3, 32, 32, 3)
    assert np.array_equal(columns[:, 2], pixels(trained().draw(range(8))))


def test_a_film_as_json(zoo_command: Zoo, gan: Path) -> None:
    found = json.loads(zoo_command("sample", gan, "--film", "--json").out)
    assert found == {
        "run": "run",
        "checkpoint": "run/checkpoints/step-00000003.safetensors",
        "step": 3,
        "out": "run/samples/film.png",
    }


def test_a_film_wants_pictures_of_the_training(zoo_command: Zoo, gan: Path) -> None:
    shutil.rmtree(gan / "samples")
    assert zoo_command("sample", gan, "--film") == (
        6,
        "",
        "error: run/samples: there are no pictures of the training; wanted a run with train.sample_every above 0\n",
    )


# Ways between images


def test_ways_are_drawn_in_a_line_and_along_the_arc(
    zoo_command: Zoo, gan: Path, trained: Callable[..., Trained]
) -> None:
    assert zoo_command("interpolate", gan, "--rows", 2, "--columns", 4, "--seed", 5) == (
        0,
        "run/samples/interpolation-5.png\n",
        "",
    )
    picture = Image.open("run/samples/interpolation-5.png")
    assert picture.size[1] == size(4, 4)[1] and picture.size[0] > size(4, 4)[0]
    ends = trained().latents(range(4), seed=5)
    ways = [between(ends[a], ends[a + 1], 4, way) for a in (0, 2) for way in ("linear", "spherical")]
    wanted = trained().generate(torch.cat(ways), [0] * 16)
    assert np.array_equal(pictured("run/samples/interpolation-5.png", 16, columns=4), pixels(wanted))


@pytest.mark.parametrize("way", ["linear", "spherical"])
def test_one_way_has_one_row_for_each_pair_of_ends(
    way: str, zoo_command: Zoo, gan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = captions(monkeypatch)
    zoo_command("interpolate", gan, "--rows", 3, "--columns", 2, "--way", way, "--out", "way.png")
    assert kept["rows"] == [way] * 3
    assert Image.open("way.png").size[1] == size(2, 3)[1]


def test_a_way_begins_and_ends_at_drawn_images(zoo_command: Zoo, gan: Path, trained: Callable[..., Trained]) -> None:
    zoo_command("interpolate", gan, "--rows", 1, "--columns", 3, "--way", "linear", "--out", "way.png")
    found = pictured("way.png", 3, columns=3)
    assert np.array_equal(found[[0, 2]], pixels(trained().draw(range(2))))


def test_a_way_keeps_its_class(zoo_command: Zoo, cgan: Path, trained: Callable[..., Trained]) -> None:
    arguments = ("--rows", 2, "--columns", 2, "--way", "linear", "--label", "7", "--label", "square_pale")
    zoo_command("interpolate", cgan, *arguments, "--out", "way.png")
    wanted = trained().draw(range(4), labels=[7, 7, 14, 14])
    assert np.array_equal(pictured("way.png", 4, columns=2), pixels(wanted))


def test_ways_as_json(zoo_command: Zoo, gan: Path) -> None:
    assert json.loads(zoo_command("interpolate", gan, "--rows", 1, "--columns", 2, "--json").out) == {
        "run": "run",
        "checkpoint": "run/checkpoints/step-00000003.safetensors",
        "seed": 0,
        "out": "run/samples/interpolation-0.png",
    }


# What is refused


NO_CLASSES = "error: run: its generator takes no classes; draw without --label\n"
NO_RUN = "it holds no spec.yaml; wanted the folder of a run, as `zoo train` names it at its end\n"
NOWHERE = "there is no such folder and no published entry; wanted the folder of a run, or a name of `zoo list shelf`\n"


@pytest.mark.parametrize("command", ["sample", "interpolate"])
@pytest.mark.parametrize(
    ("run", "arguments", "code", "message"),
    [
        ("gan", ["run", "--label", "3"], 6, NO_CLASSES),
        ("cgan", ["run", "--label", "100"], 6, "error: found the label 100; wanted 0 to 99\n"),
        ("gan", ["nowhere"], 6, f"error: nowhere: {NOWHERE}"),
        ("gan", ["run/samples"], 6, f"error: run/samples: {NO_RUN}"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    command: str, run: str, arguments: list[str], code: int, message: str, zoo_command: Zoo, take: Callable[[str], Path]
) -> None:
    take(run)
    assert zoo_command(command, *arguments) == (code, "", message)


def test_an_unknown_class_is_answered_with_the_closest(zoo_command: Zoo, cgan: Path) -> None:
    assert zoo_command("sample", cgan, "--label", "squar_pale") == (
        6,
        "",
        "error: found the label 'squar_pale'; wanted a class by number or name, such as 'square_pale'\n",
    )


def test_a_class_like_none_is_answered_with_one_that_is(zoo_command: Zoo, cgan: Path) -> None:
    assert zoo_command("sample", cgan, "--label", "xyzzy") == (
        6,
        "",
        "error: found the label 'xyzzy'; wanted a class by number or name, such as 'circle_red'\n",
    )


@pytest.mark.parametrize("arguments", [[], ["--label", "1"], ["--best", "2"]])
def test_a_classifier_makes_no_images(arguments: list[str], zoo_command: Zoo, take: Callable[[str], Path]) -> None:
    assert zoo_command("sample", take("classifier"), *arguments) == (
        6,
        "",
        "error: run: its task, classify, makes no images; wanted a run with a generator, such as one of the task gan\n",
    )


def test_a_classifier_has_no_ways_either(zoo_command: Zoo, take: Callable[[str], Path]) -> None:
    found = zoo_command("interpolate", take("classifier"))
    assert (found.code, found.out) == (6, "")
    assert found.err.startswith("error: run: its task, classify, makes no images; ")


def test_a_run_without_a_checkpoint_is_named(zoo_command: Zoo, gan: Path) -> None:
    shutil.rmtree(gan / "checkpoints")
    assert zoo_command("sample", gan) == (
        6,
        "",
        "error: run: it holds no checkpoint yet; train it first with `zoo train`\n",
    )


SEE = "; see `zoo sample --help`\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--count", "1025"], "1025 images are too many for one picture; name a folder with --out"),
        (["--count", "1025", "--out", "one.png"], "1025 images are too many for one picture; name a folder with --out"),
        (["--count", "4", "--best", "5"], "--best 5 of --count 4: there are not so many"),
        (["--nearest", "--out", "many"], "--nearest makes one picture; name a .png with --out"),
        (["--film", "--best", "2"], "--film goes without --best, --nearest and --label"),
        (["--film", "--nearest"], "--film goes without --best, --nearest and --label"),
        (["--count", "0"], "invalid value for '--count': 0 is not in the range 1<=x<=10000000"),
        (["--seed", "-1"], "invalid value for '--seed': -1 is not in the range 0<=x<=4294967295"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_before_anything_is_loaded(
    arguments: list[str], message: str, zoo_command: Zoo
) -> None:
    found = zoo_command("sample", "nowhere", *arguments)
    assert found == Outcome(2, "", f"error: {message}{SEE}")


def test_ways_are_one_picture(zoo_command: Zoo) -> None:
    assert zoo_command("interpolate", "nowhere", "--out", "folder") == (
        2,
        "",
        "error: --out folder: wanted the name of a .png; see `zoo interpolate --help`\n",
    )


def test_a_changed_network_that_the_checkpoint_does_not_fit_is_refused(zoo_command: Zoo, gan: Path) -> None:
    change = "networks.generator.architecture.dcgan_generator.widths=[6,5]"
    assert zoo_command("sample", gan, "--set", change) == (
        6,
        "",
        "error: run/checkpoints/step-00000003.safetensors: it does not fit the network 'generator': 4.weight has shape "
        "(6, 4, 4, 4); this network wants (6, 5, 4, 4)\n",
    )


def test_a_changed_network_with_weights_that_the_checkpoint_lacks_is_refused(zoo_command: Zoo, gan: Path) -> None:
    change = "networks.generator.architecture.dcgan_generator.output_bias=true"
    code, out, err = zoo_command("sample", gan, "--set", change)
    assert (code, out) == (6, "")
    start = "error: run/checkpoints/step-00000003.safetensors: it does not fit the network 'generator': "
    assert err.startswith(start)
    assert "7.bias" in err


def test_a_changed_network_without_weights_that_the_checkpoint_holds_is_refused(zoo_command: Zoo, gan: Path) -> None:
    change = "networks.discriminator.architecture.dcgan_discriminator.first_bias=false"
    assert zoo_command("sample", gan, "--set", change).code == 6
