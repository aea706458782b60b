"""Data that changed behind their name: what refuses to go on, what needs no data, and how to go on on purpose."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from cli_support import Zoo
from fruit import CHALLENGE, GREEN, RED, SPEC, bring_first, bring_other, edit, picture
from support import builtin_registry

from zoo.builder import Builder
from zoo.data import store
from zoo.options import Options
from zoo.publishing.publish import publish
from zoo.registry import Registry
from zoo.spec.load import load_spec
from zoo.training.loop import train

torch.set_num_threads(1)
REFUSED = "it was trained on other data than images: {name: fruit} is here now; classes: now apple and no longer lime"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a finished run, one of two seeds, and a shelf with the first as an entry."""
    above = tmp_path_factory.mktemp("trained")
    builder = Builder(builtin_registry())
    (above / "fruit.yaml").write_text(SPEC)
    (above / "challenge.yaml").write_text(CHALLENGE)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ZOO_DATA", str(above / "data"))
        bring_first()
        for name, seeds in (("run", 1), ("seeds", 2)):
            spec = load_spec(above / "fruit.yaml", overrides=[f"train.seeds={seeds}"], registry=builder.registry)
            train(spec, builder, above / name)
        publish([above / "run"], builder, name="berries", to=above / "shelf")
        yield above


@pytest.fixture
def fruit(trained: Path, here: Path) -> Path:
    """A copy of it as the working folder, on a machine whose set `fruit` is now another one."""
    shutil.copytree(trained, here, dirs_exist_ok=True)
    bring_other()
    return here


def unfinish(run: Path) -> None:
    """Make a run one that was stopped halfway."""
    (run / "result.json").unlink()
    (run / "checkpoints" / "step-00000020.safetensors").unlink()


def forget(fruit: Path) -> None:
    """Make the run and the entry those of a version that kept a single hash."""
    edit(fruit / "run" / "run.json", "dataset", ...)
    edit(fruit / "shelf" / "berries" / "certificate.json", "data.info", ...)
    edit(fruit / "shelf" / "berries" / "certificate.json", "data.parts", ...)


def refused(zoo_command: Zoo, *words: Any) -> str:
    code, out, err = zoo_command(*words)
    assert (code, out) == (5, "")
    return err


@pytest.mark.parametrize("name", ["run", "seeds", "berries"])
def test_other_images_are_measured_on_purpose_alone(name: str, zoo_command: Zoo, fruit: Path) -> None:
    assert REFUSED in refused(zoo_command, "evaluate", name)
    assert "--other-data" in refused(zoo_command, "evaluate", name)
    code, out, _ = zoo_command("evaluate", name, "--split", "test", "--other-data")
    assert code == 0
    assert "top1" in out


def test_nothing_of_other_images_is_written_down(zoo_command: Zoo, fruit: Path) -> None:
    bring_first()
    assert zoo_command("evaluate", "run").code == 0
    before = (fruit / "run" / "evaluation.json").read_text()
    bring_other()
    assert zoo_command("evaluate", "run", "--other-data").code == 0
    assert (fruit / "run" / "evaluation.json").read_text() == before
    assert not (store.data_folder() / "measured").exists()


@pytest.mark.parametrize("name", ["run", "berries"])
@pytest.mark.parametrize("here_now", ["another", "nothing"])
def test_a_network_names_its_own_classes(name: str, here_now: str, zoo_command: Zoo, fruit: Path) -> None:
    images = [picture(fruit / "red.png", RED), picture(fruit / "green.png", GREEN)]
    if here_now == "nothing":
        store.remove("fruit")
    code, out, _ = zoo_command("predict", name, *images, "--json")
    assert code == 0
    assert [one["classes"][0]["class"] for one in json.loads(out)["images"]] == ["cherry", "lime"]


@pytest.mark.parametrize("name", ["run", "berries"])
def test_mean_and_deviation_are_those_of_the_training(name: str, fruit: Path) -> None:
    import zoo

    info = zoo.load(name, registry=builtin_registry()).info
    assert info == json_info(fruit) != store.read_info("fruit")


def json_info(fruit: Path) -> Any:
    from zoo.training.run import Run

    data = Run(fruit / "run").data
    assert data is not None
    return data.info


def test_a_training_does_not_go_on_over_other_images(zoo_command: Zoo, fruit: Path) -> None:
    unfinish(fruit / "run")
    assert REFUSED in refused(zoo_command, "train", "fruit.yaml", "--run", "run")
    assert zoo_command("train", "fruit.yaml", "--run", "run", "--other-data").code == 0
    # Its data are now those; the record of the first ones stays, and it is of no one data set.
    assert zoo_command("evaluate", "run").code == 0
    code, _, err = zoo_command("publish", "run", "--name", "mixed")
    assert code == 6
    assert "it went on with other data than it was begun on" in err


def test_several_seeds_do_not_go_on_over_other_images(zoo_command: Zoo, fruit: Path) -> None:
    (fruit / "seeds" / "result.json").unlink()
    unfinish(fruit / "seeds" / "seed-1")
    words = ("train", "fruit.yaml", "--set", "train.seeds=2", "--run", "seeds")
    assert REFUSED in refused(zoo_command, *words)
    assert zoo_command(*words, "--other-data").code == 0


def test_a_training_goes_on_over_the_same_images(zoo_command: Zoo, fruit: Path) -> None:
    unfinish(fruit / "run")
    bring_first()
    assert zoo_command("train", "fruit.yaml", "--run", "run").code == 0


def test_nothing_is_published_where_other_images_are(zoo_command: Zoo, fruit: Path) -> None:
    err = refused(zoo_command, "publish", "run", "--name", "again")
    assert REFUSED in err
    assert "publish it where its data are" in err
    assert not (fruit / "shelf" / "again").exists()


def test_figures_of_other_images_are_not_published(zoo_command: Zoo, fruit: Path) -> None:
    bring_first()
    zoo_command("evaluate", "run")
    edit(fruit / "run" / "evaluation.json", "data", "0" * 64)
    code, _, err = zoo_command("publish", "run", "--name", "again")
    assert code == 6
    assert "other data" in err


def test_an_entry_is_not_reproduced_on_other_images(zoo_command: Zoo, fruit: Path) -> None:
    words = ("reproduce", "berries", "--challenge", "challenge.yaml", "--run", "again")
    assert REFUSED in refused(zoo_command, *words)
    assert not (fruit / "again").exists()
    assert zoo_command(*words, "--other-data").code in (0, 17)


def test_a_run_that_is_there_is_not_taken_for_one_on_the_entry_s_images(zoo_command: Zoo, fruit: Path) -> None:
    words = ("reproduce", "berries", "--challenge", "challenge.yaml", "--run", "again")
    zoo_command(*words, "--other-data")
    bring_first()
    code, _, err = zoo_command(*words)
    assert code == 6
    assert "again: it was trained on other data than berries" in err


def test_an_extractor_of_other_images_is_taken_on_purpose_alone(zoo_command: Zoo, fruit: Path) -> None:
    metric = "kernel_distance: {extractor: {zoo: berries}, samples: 24, subset_size: 8, subsets: 2}"
    words = ("calibrate", metric, "--data", "images: fruit", "--images", "24")
    assert REFUSED in refused(zoo_command, *words)
    assert zoo_command(*words, "--other-data").code == 0


def test_what_a_command_allows_is_not_in_a_spec_and_its_hash(registry: Registry) -> None:
    """An option that came later with a default would make what was begun before a run of another spec."""
    assert set(Options(registry.get("extractor", "zoo").load()).by_name) == {"of"}


@pytest.mark.parametrize("words", [("evaluate",), ("predict", "red.png")])
@pytest.mark.parametrize("name", ["run", "berries"])
def test_what_an_earlier_version_left_refuses_too(
    words: tuple[str, ...], name: str, zoo_command: Zoo, fruit: Path
) -> None:
    forget(fruit)
    picture(fruit / "red.png", RED)
    command, *more = words
    assert "it was trained on other data" in refused(zoo_command, command, name, *more)
    assert zoo_command(command, name, *more, "--other-data").code == 0
    bring_first()
    assert zoo_command(command, name, *more).code == 0


def test_a_run_of_an_earlier_version_goes_on(zoo_command: Zoo, fruit: Path) -> None:
    forget(fruit)
    unfinish(fruit / "run")
    assert "cannot be told" in refused(zoo_command, "train", "fruit.yaml", "--run", "run")
    bring_first()
    assert zoo_command("train", "fruit.yaml", "--run", "run").code == 0


def test_data_that_fit_no_network_of_it_are_refused(zoo_command: Zoo, fruit: Path) -> None:
    from fruit import bring

    bring({"apple": GREEN, "cherry": RED, "lime": GREEN})
    err = refused(zoo_command, "evaluate", "run", "--other-data")
    assert "has classes 3 here; its networks take 2" in err or "it does not fit" in err


def test_a_stored_set_is_verified(zoo_command: Zoo, fruit: Path) -> None:
    mark = store.read_facts("fruit")["fingerprint"]
    assert zoo_command("data", "verify", "fruit") == (0, f"fruit: as its fingerprint says, {mark[:16]}\n", "")
    path = store.path_of("fruit")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    code, out, _ = zoo_command("data", "verify")
    assert code == 5
    assert out.startswith("fruit: images, labels or names have the fingerprint ")
    code, out, _ = zoo_command("data", "verify", "--json")
    (found,) = json.loads(out)
    assert (code, found["name"], found["fingerprint"] == mark) == (5, "fruit", False)
    assert len(found["problems"]) == 3  # the mean and the deviation are others too


def test_a_set_that_is_not_here_is_not_verified(zoo_command: Zoo, here: Path) -> None:
    assert zoo_command("data", "verify") == (0, "no data set is stored on this machine\n", "")
    assert zoo_command("data", "verify", "pets").code == 5
