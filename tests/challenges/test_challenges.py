"""Challenges: what a file can say, and what becomes of submissions."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from entries import CHALLENGE, GENERATOR_CHALLENGE, GENERATOR_DATA, SPEC_DATA, publish
from support import changed

import zoo
from zoo.challenges.load import load_challenge
from zoo.challenges.schema import Challenge
from zoo.errors import RunError, SpecError, listing
from zoo.registry import Registry
from zoo.spec import shipped


@pytest.fixture
def challenge(tmp_path: Path) -> Path:
    path = tmp_path / "tiny-shapes.yaml"
    path.write_text(CHALLENGE)
    return path


def rulings(challenge: Path, submission: object, registry: Registry) -> dict[str, tuple[str, str, str]]:
    found = zoo.judge_submission(challenge, str(submission), registry=registry)
    return {one.rule: (one.state, one.found, one.remark) for one in found.rulings if one.rule != "declaration"}


def written(folder: Path, **parts: Any) -> Path:
    path = folder / "spec.json"
    path.write_text(json.dumps(changed(SPEC_DATA, **parts)))
    return path


@pytest.mark.parametrize("name", shipped.challenges())
def test_every_shipped_challenge_can_be_read(name: str, registry: Registry) -> None:
    challenge = load_challenge(name, registry=registry)
    assert challenge.name == name
    assert {"parameters", "steps"} <= challenge.budget.keys() == challenge.units.keys()
    assert all(one.source for one in challenge.references.values())


def test_the_papers_models_keep_the_rules_of_its_two_tasks(registry: Registry) -> None:
    for challenge, spec, parameters in (
        ("cifar100-classify-100k", "cifar100-resnet-silu", 99_364),
        ("cifar100-generate-1m", "cifar100-dcgan", 929_472),
    ):
        found = zoo.judge_submission(challenge, spec, registry=registry)
        assert (found.kept, found.submission.report.total.parameters) == (True, parameters)
        assert found.challenge.references["paper"].parameters == parameters


def test_a_challenge_is_no_spec(registry: Registry, challenge: Path) -> None:
    with pytest.raises(SpecError) as error:
        zoo.load_spec(challenge, registry=registry)
    assert str(error.value) == (
        f"{challenge}:1:1: found a challenge; wanted a spec\n"
        "    `zoo check --challenge FILE SUBMISSION` judges a submission by it"
    )
    assert set(shipped.challenges()) & set(shipped.names()) == set()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("challenge: 1", "challenge: 2", "1:12: challenge: found 2; wanted 1"),
        ("[classify]", "[clasify]", "5:9: tasks.0: found the unknown task 'clasify'; wanted one of {tasks}\n    did you mean 'classify'?"),
        ("[classify]", "[]", "5:8: tasks: found an empty list; wanted a list of 1 or more, each text"),
        ("budget: {parameters: 3000,", "budget: {paramters: 3000,", "7:10: budget: found the unknown limit 'paramters'; wanted one of {limits}\n    did you mean 'parameters'?"),
        ("{steps: updates", "{macs: updates", "8:9: units.macs: found the unknown limit 'macs'; wanted one of parameters, steps"),
        ("better: higher", "better: larger", "9:54: metric.better: found 'larger'; wanted one of higher, lower"),
        ("augmentation/mixup", "augmentation/mixpu", "10:13: forbidden.0: found the unknown augmentation 'mixpu'; wanted one of {augmentations}\n    did you mean 'mixup'?"),
        ("augmentation/mixup", "mixup", "10:13: forbidden.0: found 'mixup'; wanted kind/name, such as augmentation/mixup"),
        ("source: Nobody 2030, remark", "remark", "13:10: references.paper: found no 'source'; wanted text"),
        ("title: Shapes", "titel: Shapes", "3:1: found the unknown key 'titel'; wanted one of {keys}\n    did you mean 'title'?"),
    ],
)  # fmt: skip
def test_a_wrong_challenge_says_where(registry: Registry, challenge: Path, old: str, new: str, message: str) -> None:
    challenge.write_text(CHALLENGE.replace(old, new, 1))
    with pytest.raises(SpecError) as error:
        load_challenge(challenge, registry=registry)
    wanted = {f"{kind}s": listing(registry.names(kind)) for kind in ("task", "limit", "augmentation")}
    wanted["keys"] = ", ".join(Challenge.__dataclass_fields__)
    assert f"{challenge}:{message.format(**wanted)}" in str(error.value).replace("\n/", "\n\n/").split("\n\n")


def test_a_challenge_can_extend_another(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "harder.yaml"
    path.write_text("extends: cifar100-classify-100k\nname: harder\nbudget: {parameters: 50000}\n")
    challenge = load_challenge(path, registry=registry)
    assert challenge.budget["parameters"].options == {"bound": 50000}
    assert challenge.budget["steps"].options == {"bound": 10000}


def test_challenges_of_plugins_are_known_by_name(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "specs"
    (folder / "challenges").mkdir(parents=True)
    (folder / "challenges" / "tiny-shapes.yaml").write_text(CHALLENGE)
    assert (
        load_challenge("tiny-shapes", registry=registry, folders=[folder]).title == "Shapes, at most 3,000 parameters"
    )
    assert "tiny-shapes" not in shipped.names([folder])
    assert list(shipped.spec_files(folder)) == []


def test_a_spec_is_judged_by_what_it_says(registry: Registry, challenge: Path, tmp_path: Path) -> None:
    spec = written(tmp_path, augment=["horizontal_flip"])
    assert rulings(challenge, spec, registry) == {
        "task": ("kept", "classify", ""),
        "data": ("kept", "shapes: {seed: 0, train_images: 200, test_images: 100}", ""),
        "parameters": ("kept", "2,264", "736 to spare"),
        "steps": ("kept", "6", "94 to spare"),
        "forbidden": ("broken", "networks.classifier: conv", ""),
        "test accuracy": ("not checked", "a spec has no figures", ""),
    }


@pytest.mark.parametrize(
    ("parts", "rule", "found", "code"),
    [
        ({"data": "shapes"}, "data", "shapes: {seed: 0, train_images: 20000, test_images: 4000}", 16),
        ({"train__steps": 101, "budget": {}}, "steps", "101", 13),
        ({"networks__classifier__architecture__resnet__stem": 64}, "parameters", "6,428", 10),
        ({"augment": ["horizontal_flip", "mixup"]}, "forbidden", "augment.1: mixup", 16),
    ],
)
def test_each_broken_rule_is_named(
    registry: Registry, challenge: Path, tmp_path: Path, parts: dict[str, Any], rule: str, found: str, code: int
) -> None:
    challenge.write_text(CHALLENGE.replace(", layer/conv", ""))
    judgement = zoo.judge_submission(challenge, written(tmp_path, **parts), registry=registry)
    assert [(one.rule, one.found) for one in judgement.rulings if one.state == "broken"] == [(rule, found)]
    assert (judgement.kept, judgement.exit_code) == (False, code)


def test_another_task_is_refused(registry: Registry, challenge: Path, tmp_path: Path) -> None:
    path = tmp_path / "gan.json"
    path.write_text(json.dumps(GENERATOR_DATA))
    assert rulings(challenge, path, registry)["task"] == ("broken", "gan", "")


def test_limits_count_every_trained_network(registry: Registry, tmp_path: Path) -> None:
    path, challenge = tmp_path / "gan.json", tmp_path / "noise.yaml"
    path.write_text(json.dumps(GENERATOR_DATA))
    challenge.write_text(GENERATOR_CHALLENGE)
    # 4 * 768 + 768 and 768 + 1
    assert rulings(challenge, path, registry)["parameters"] == ("kept", "4,609", "5,391 to spare")


def test_a_run_is_judged_with_its_figures(registry: Registry, challenge: Path, tmp_path: Path) -> None:
    run = zoo.train(SPEC_DATA, run=tmp_path / "run", registry=registry)
    found = rulings(challenge, run.folder, registry)
    assert found["training"] == ("kept", "6 steps", "")
    assert found["spec"][0] == "kept"
    top1 = (run.result() or {})["test"]["top1"]
    assert found["test accuracy"] == ("kept", f"{top1:.2%} (n = 1)".replace("%", " %"), "")
    with pytest.raises(RunError, match="it holds what was trained already; --set is for specs"):
        zoo.judge_submission(challenge, run.folder, overrides=["train.steps=1"], registry=registry)


def test_a_run_whose_spec_was_changed_is_found_out(registry: Registry, challenge: Path, tmp_path: Path) -> None:
    run = zoo.train(SPEC_DATA, run=tmp_path / "run", registry=registry)
    text = run.spec_path.read_text()
    run.spec_path.write_text(text.replace("steps: 6", "steps: 5"))
    found = rulings(challenge, run.folder, registry)
    assert found["spec"][0] == "broken"
    assert found["training"] == ("broken", "6 steps", "")


def test_an_unfinished_run_is_no_result(registry: Registry, challenge: Path, tmp_path: Path) -> None:
    run = zoo.train(SPEC_DATA, run=tmp_path / "run", registry=registry)
    (run.folder / "result.json").unlink()
    found = rulings(challenge, run.folder, registry)
    assert found["training"] == ("not checked", "not finished", "")
    assert found["test accuracy"] == ("not checked", "no top1", "")


def test_figures_of_fewer_images_do_not_count(registry: Registry, challenge: Path, tmp_path: Path) -> None:
    run = zoo.train(SPEC_DATA, run=tmp_path / "run", registry=registry)
    result = run.result() or {}
    result["test"] |= {"images": 90, "top1": 0.5}
    run.write_result(result)
    assert rulings(challenge, run.folder, registry)["test accuracy"] == ("broken", "50.00 % (n = 1), images: 90", "")


def test_a_published_entry_is_verified(registry: Registry, challenge: Path, tmp_path: Path) -> None:
    entry = publish(tmp_path / "shelf" / "tiny", SPEC_DATA, {"top1": {0: 0.25, 1: 0.5}})
    found = rulings(challenge, entry, registry)
    assert found["entry"] == ("kept", "as its certificate says", "")
    assert found["test accuracy"] == ("kept", "37.50 ± 17.68 % (n = 2)", "")


def test_an_entry_is_known_by_its_name(
    registry: Registry, challenge: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    publish(Path("shelf") / "quickstart", SPEC_DATA, {"top1": {0: 0.25}})
    assert zoo.judge_submission(challenge, "quickstart", registry=registry).submission.kind == "entry"
    changed = zoo.judge_submission(challenge, "quickstart", overrides=["train.steps=5"], registry=registry)
    assert changed.submission.kind == "spec"


def test_an_entry_with_other_weights_is_found_out(registry: Registry, challenge: Path, tmp_path: Path) -> None:
    entry = publish(tmp_path / "shelf" / "tiny", SPEC_DATA, {"top1": {0: 0.25}})
    weights = entry / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    judgement = zoo.judge_submission(challenge, entry, registry=registry)
    (broken,) = [one for one in judgement.rulings if one.state == "broken" and one.rule != "forbidden"]
    assert broken.found.startswith("weights.safetensors has the SHA-256 ")
    assert judgement.exit_code == 16


def test_a_distance_in_other_features_is_no_fid(registry: Registry, tmp_path: Path) -> None:
    challenge = tmp_path / "noise.yaml"
    challenge.write_text(GENERATOR_CHALLENGE)
    about = {"split": "test", "generated_images": 50, "reference_images": 100}
    name = "frechet_distance[zoo:judge@12345678]"
    measured = [{"name": name, "mean": 3.0, "standard_deviation": None, "values": [3.0], "seeds": [0], **about}]
    entry = publish(tmp_path / "one", GENERATOR_DATA, {name: {0: 3.0}}, measurements=measured)
    assert rulings(challenge, entry, registry)["FID"] == ("not checked", f"no fid, but {name}", "")
    about |= {"extractor": "inception", "generated_images": 40}
    measured = [{"name": "fid", "mean": 80.0, "standard_deviation": None, "values": [80.0], "seeds": [0], **about}]
    entry = publish(tmp_path / "two", GENERATOR_DATA, {"fid": {0: 80.0}}, measurements=measured)
    assert rulings(challenge, entry, registry)["FID"] == ("broken", "80.00 (n = 1), images: 40", "")
    shutil.rmtree(entry)
    measured[0]["generated_images"] = 50
    entry = publish(tmp_path / "two", GENERATOR_DATA, {"fid": {0: 80.0}}, measurements=measured)
    assert rulings(challenge, entry, registry)["FID"] == ("kept", "80.00 (n = 1)", "")
