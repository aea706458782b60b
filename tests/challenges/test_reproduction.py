"""`reproduce`: the interval that a figure is expected in, and entries trained again."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest
import scipy.stats
from entries import CHALLENGE, GENERATOR_CHALLENGE, GENERATOR_DATA, SPEC_DATA, publish

import zoo
from zoo.challenges.reproduction import NORMAL, interval, student, unused
from zoo.errors import ShelfError, ZooError
from zoo.registry import Registry


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shapes.yaml").write_text(CHALLENGE)
    (tmp_path / "noise.yaml").write_text(GENERATOR_CHALLENGE)
    return tmp_path


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 30, 500])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
def test_quantiles_of_student_are_those_of_scipy(freedom: int, confidence: float) -> None:
    assert student(freedom, confidence) == pytest.approx(scipy.stats.t.ppf((1 + confidence) / 2, freedom), rel=1e-8)


def test_many_values_have_a_prediction_interval() -> None:
    values = [0.5127, 0.5221, 0.5158]
    low, high, basis = interval(values, 2, 10_000)
    away = scipy.stats.t.ppf(0.975, 2) * statistics.stdev(values) * (1 / 3 + 1 / 2) ** 0.5
    assert (low, high) == (
        pytest.approx(statistics.mean(values) - away),
        pytest.approx(statistics.mean(values) + away),
    )
    assert basis == "95% prediction interval of 3 published trainings"


def test_the_interval_covers_as_often_as_it_says() -> None:
    random = scipy.stats.norm.rvs(size=(4000, 4), random_state=0)
    hits = sum(low <= row[3] <= high for row in random for low, high, _ in [interval(list(row[:3]), 1, None)])
    assert 0.94 < hits / 4000 < 0.96


def test_a_share_is_expected_between_none_and_all() -> None:
    low, high, _ = interval([0.2], 1, 10)
    assert (low, high) == (0.0, pytest.approx(0.5506, abs=1e-4))
    low, high, _ = interval([0.8], 1, 10)
    assert (low, high) == (pytest.approx(0.4494, abs=1e-4), 1.0)


def test_one_accuracy_has_its_binomial_error() -> None:
    low, high, basis = interval([0.5], 1, 10_000)
    assert (low, high) == (pytest.approx(0.5 - NORMAL * 0.005 * 2**0.5), pytest.approx(0.5 + NORMAL * 0.005 * 2**0.5))
    assert basis == "one published training has no spread; 95% binomial error of 10,000 images instead"


def test_one_distance_says_nothing_of_the_next() -> None:
    assert interval([3.0], 1, None) == (None, None, "one published training has no spread to hold it against")


def test_new_seeds_are_the_smallest_that_were_not_used() -> None:
    assert unused([0, 2, 7], 3) == [1, 3, 4]
    assert unused([], 1) == [0]


def again(registry: Registry, name: str, **options: Any) -> zoo.api.Reproduction:
    return zoo.reproduce(name, challenges=["shapes.yaml", "noise.yaml"], registry=registry, **options)


def test_an_entry_is_trained_again_with_a_new_seed(registry: Registry, here: Path) -> None:
    run = zoo.train(SPEC_DATA, run="first", overrides=["train.seed=1"], registry=registry)
    top1 = (run.result() or {})["test"]["top1"]
    publish(here / "shelf" / "tiny", SPEC_DATA, {"top1": {0: top1 - 0.01, 2: top1 + 0.01}, "top5": {0: 0.5, 2: 0.5}})
    found = again(registry, "tiny", run="again")
    (one,) = found.comparisons
    assert (found.seeds, found.runs, found.exit_code) == ((1,), (Path("again"),), 0)
    assert (one.figure, one.again, one.within) == ("top1", (top1,), True)
    assert (one.published, one.mean) == ((top1 - 0.01, top1 + 0.01), pytest.approx(top1))


def test_a_figure_outside_its_spread_is_said(registry: Registry, here: Path) -> None:
    publish(here / "shelf" / "tiny", SPEC_DATA, {"top1": {0: 0.991, 1: 0.99, 2: 0.989}})
    found = again(registry, "tiny", seeds=2, run="again")
    assert found.runs == (Path("again/seed-3"), Path("again/seed-4"))
    assert (found.comparisons[0].within, found.exit_code) == (False, 17)


def test_a_finished_run_is_taken_as_it_is(registry: Registry, here: Path) -> None:
    publish(here / "shelf" / "tiny", SPEC_DATA, {"top1": {0: 0.3}})
    first = again(registry, "tiny", run="again")
    trained = (here / "again" / "result.json").read_bytes()
    assert again(registry, "tiny", run="again") == first
    assert (here / "again" / "result.json").read_bytes() == trained


def test_a_seed_can_be_named(registry: Registry, here: Path) -> None:
    publish(here / "shelf" / "tiny", SPEC_DATA, {"top1": {0: 0.3}})
    found = again(registry, "tiny", seeds=[0])
    assert found.seeds == (0,)
    assert found.runs[0].parent == Path("runs")


def test_what_is_trained_cannot_be_changed(registry: Registry, here: Path) -> None:
    publish(here / "shelf" / "tiny", SPEC_DATA, {"top1": {0: 0.3}})
    with pytest.raises(ZooError) as error:
        again(registry, "tiny", overrides=["train.steps=7"])
    assert str(error.value) == (
        "--set train.steps=7: an entry is trained again as it was; wanted only metrics, trackers, train.device, train.engine, "
        "train.precision, train.checkpoint_every, train.log_every, or `zoo train`"
    )


def test_an_entry_that_does_not_verify_is_not_trained(registry: Registry, here: Path) -> None:
    weights = publish(here / "shelf" / "tiny", SPEC_DATA, {"top1": {0: 0.3}}) / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    with pytest.raises(
        ShelfError, match="^tiny: it is not as its certificate says: weights.safetensors has the SHA-256"
    ):
        again(registry, "tiny")
    assert not (here / "runs").exists()


def test_an_unknown_entry_names_the_closest(registry: Registry, here: Path) -> None:
    publish(here / "shelf" / "tiny", SPEC_DATA, {"top1": {0: 0.3}})
    with pytest.raises(ShelfError, match="no published entry is called 'tinny'; did you mean 'tiny'?"):
        again(registry, "tinny")


def test_an_entry_without_a_figure_that_counts_is_refused(registry: Registry, here: Path) -> None:
    publish(here / "shelf" / "tiny", SPEC_DATA, {"loss": {0: 0.3}})
    with pytest.raises(ShelfError, match="it states no figure that a challenge of its task ranks"):
        again(registry, "tiny")


def test_how_to_measure_a_generator_is_asked_before_it_is_trained(registry: Registry, here: Path) -> None:
    name = "frechet_distance[zoo:judge@12345678]"
    about = {"split": "test", "generated_images": 50, "reference_images": 100, "values": [3.0], "seeds": [0]}
    measured = [{"name": name, "mean": 3.0, "standard_deviation": None, **about}]
    publish(here / "shelf" / "paints", GENERATOR_DATA, {name: {0: 3.0}}, measurements=measured)
    with pytest.raises(ZooError) as error:
        again(registry, "paints")
    assert str(error.value) == (
        f"paints: its spec does not measure {name}; say with what, such as "
        "--set 'metrics=[{frechet_distance: {extractor: {zoo: RUN}}}]'"
    )
    assert not (here / "runs").exists()


def test_a_generator_is_measured_again_in_the_same_features(registry: Registry, here: Path) -> None:
    judge = {**SPEC_DATA, "data": GENERATOR_DATA["data"], "name": "judge"}
    zoo.train(judge, run="judge", registry=registry)
    metrics = "metrics=[{frechet_distance: {extractor: {zoo: judge}, samples: 50}}]"
    gan = zoo.train(GENERATOR_DATA, run="gan", registry=registry)
    zoo.evaluate(gan.folder, overrides=[metrics], registry=registry)
    evaluation = gan.evaluation() or {}
    (name,) = [name for name in evaluation["figures"]["test"] if name.startswith("frechet_distance[")]
    value = evaluation["figures"]["test"][name]
    publish(here / "shelf" / "paints", GENERATOR_DATA, {name: {0: value}}, measurements=evaluation["measurements"])
    found = again(registry, "paints", overrides=[metrics])
    (one,) = found.comparisons
    assert (one.figure, one.within, found.exit_code) == (name, None, 0)
    assert one.again[0] != value
    (same,) = again(registry, "paints", seeds=[0], overrides=[metrics]).comparisons
    assert same.again == (value,)
    with pytest.raises(zoo.RunError, match="was measured with generated images: 60; wanted 50, as the entry's was"):
        again(registry, "paints", seeds=[5], overrides=[metrics.replace("50", "60")])
