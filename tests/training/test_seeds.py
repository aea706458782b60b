"""Several seeds in one process: each trains as it does alone, and all share what can be shared."""

from __future__ import annotations

import signal
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from zoo.builder import Builder
from zoo.checking import check
from zoo.errors import Interrupted, SpecError, TrainingError
from zoo.evaluation.run import evaluate_run
from zoo.spec.compose import content_hash
from zoo.spec.load import load_spec
from zoo.spec.schema import LATER_KEYS, Spec
from zoo.training import loop
from zoo.training.checkpoint import newest, read
from zoo.training.reporter import Reporter
from zoo.training.run import Run
from zoo.training.seeds import specs_of_seeds

ADAMW = {"adamw": {"lr": 0.01}}


def last(run: Run) -> dict[str, torch.Tensor]:
    path = newest(run.checkpoints)
    assert path is not None
    return read(path)[1]


def losses(run: Run) -> list[tuple[int, float]]:
    return [(line["step"], line["loss"]) for line in run.metrics()]


def assert_alike(one: Run, other: Run) -> None:
    """Both ended with the same bits, by way of the same losses."""
    first, second = last(one), last(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert losses(one) == losses(other)


def test_each_seed_trains_as_it_does_alone(run: Callable[..., Run]) -> None:
    several = run("several", train__seeds=2, train__seed=3, train__validation=60)
    assert list(several.seeds()) == [3, 4]
    for seed, one in several.seeds().items():
        alone = run(f"alone-{seed}", train__seed=seed, train__validation=60)
        assert_alike(one, alone)
        assert one.facts()["spec_hash"] == alone.facts()["spec_hash"]


def test_the_result_holds_mean_deviation_and_n(run: Callable[..., Run]) -> None:
    several = run(train__seeds=3)
    result = several.result()
    assert result is not None
    accuracies = [one.result()["test"]["top1"] for one in several.seeds().values()]  # type: ignore[index]
    assert result["n"] == 3
    assert result["mean"]["test"]["top1"] == pytest.approx(statistics.mean(accuracies))
    assert result["std"]["test"]["top1"] == pytest.approx(statistics.stdev(accuracies))
    assert [one["test"]["top1"] for one in result["seeds"].values()] == accuracies


def test_the_run_of_one_seed_is_a_run_of_its_own(run: Callable[..., Run], builder: Builder) -> None:
    several = run(train__seeds=2)
    one = several.of_seed(1)
    found = one.spec(builder.registry)
    assert (found.train.seed, found.train.seeds) == (1, 1)
    assert evaluate_run(one, builder, ["test"])["test"] == one.result()["test"]  # type: ignore[index]


@pytest.fixture(params=["one after another", "side by side"])
def way(request: pytest.FixtureRequest, captured: Callable[[], None]) -> str:
    """Both ways to train several seeds; captured steps, here by the stand-in, go side by side."""
    if request.param == "side by side":
        captured()
    return str(request.param)


class Stops(Reporter):
    """Sends Ctrl-C after so many steps of all trainings, and keeps what it was told."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.begun: list[str] = []
        self.records: list[dict[str, Any]] = []

    def begin(self, *, name: str, **facts: Any) -> None:
        self.begun.append(name)

    def step(self, step: int) -> None:
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)

    def metrics(self, record: dict[str, Any]) -> None:
        self.records.append(record)


def test_ctrl_c_saves_all_and_the_same_command_goes_on(way: str, run: Callable[..., Run]) -> None:
    parts = {"networks__classifier__optimizer": ADAMW, "train__seeds": 2}
    straight = run("straight", **parts)
    with pytest.raises(Interrupted) as caught:
        run("stopped", Stops(15), **parts)
    wanted = "at step 8 of 12 of 2 seeds; saved in" if way == "side by side" else "at step 3 of 12; saved as"
    assert str(caught.value).startswith(f"stopped by SIGINT {wanted}")
    assert str(caught.value).endswith("the same command goes on from there")
    resumed = run("stopped", **parts)
    for seed, one in straight.seeds().items():
        first, second = last(one), last(resumed.of_seed(seed))
        assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert straight.result()["mean"] == resumed.result()["mean"]  # type: ignore[index]


def test_ctrl_c_in_a_last_step_leaves_the_other_seeds_for_later(run: Callable[..., Run]) -> None:
    with pytest.raises(Interrupted, match="stopped by SIGINT when seed 0 was finished; the same command goes on with"):
        run(reporter=Stops(12), train__seeds=2)
    watcher = Stops(-1)
    assert run(reporter=watcher, train__seeds=2).result() is not None
    assert watcher.begun == ["tiny, seed 1 (2 of 2)"]


def test_side_by_side_each_seed_trains_as_it_does_alone(run: Callable[..., Run], captured: Callable[[], None]) -> None:
    captured()
    watcher = Stops(-1)
    several = run("several", watcher, networks__classifier__optimizer=ADAMW, train__seeds=3)
    assert watcher.begun == ["tiny, 3 seeds side by side"]
    for seed, one in several.seeds().items():
        assert_alike(one, run(f"alone-{seed}", networks__classifier__optimizer=ADAMW, train__seed=seed))
    ends = [losses(one)[-1][1] for one in several.seeds().values()]
    assert watcher.records[-1]["loss"] == pytest.approx(statistics.mean(ends))
    assert watcher.records[-1]["step"] == 12


def test_a_seed_that_fails_is_named_and_the_others_are_saved(
    run: Callable[..., Run], captured: Callable[[], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    captured()
    advance = loop.Training.advance

    def fail(training: loop.Training) -> None:
        if training.step == 2 and training.spec.train.seed == 1:
            raise TrainingError("no longer finite")
        advance(training)

    monkeypatch.setattr(loop.Training, "advance", fail)
    with pytest.raises(TrainingError, match=r"^seed 1: no longer finite$"):
        run(networks__classifier__optimizer=ADAMW, train__seeds=3)
    saved = {seed: newest(tmp_path / "run" / f"seed-{seed}" / "checkpoints") for seed in range(3)}
    assert {seed: path and path.name for seed, path in saved.items()} == {
        0: "step-00000003.safetensors",
        1: None,
        2: "step-00000002.safetensors",
    }


def test_seeds_that_fell_back_from_capturing_follow_one_another(
    run: Callable[..., Run], captured: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    captured()
    monkeypatch.setattr("zoo.training.seeds._side_by_side", lambda *_: pytest.fail("they went side by side"))
    found = run(networks__classifier__optimizer={"adagrad": {}}, train__seeds=2, train__steps=2)
    result = found.result()
    assert result is not None
    assert result["engine"] == "cpu, fp32, eager"
    assert result["seconds"] == pytest.approx(sum(one["seconds"] for one in result["seeds"].values()), abs=0.01)


def test_seeds_beyond_the_largest_are_refused(run: Callable[..., Run], tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="wanted at most 2, since a seed is below 4294967296"):
        run(train__seed=2**32 - 2, train__seeds=3)
    assert not (tmp_path / "run" / "spec.yaml").exists()


def test_the_images_are_loaded_once(run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    load = loop.Material.load
    monkeypatch.setattr(loop.Material, "load", lambda *given: loaded.append(load(*given)) or loaded[-1])
    run(train__seeds=3, train__validation=60)
    assert len(loaded) == 1


def test_one_compilation_serves_all_seeds(
    spec: Callable[..., Spec], builder: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch._dynamo.reset()
    counter = CompileCounter()
    monkeypatch.setattr("zoo.training.engine.Engine.compile", lambda _, module: torch.compile(module, backend=counter))
    made = spec(train__steps=3)
    counts = []
    for seed, one in specs_of_seeds(spec(train__steps=3, train__seeds=3)).items():
        training = loop.Training(one, check(made, builder), builder, Run.prepare(tmp_path / str(seed), one), Reporter())
        training.advance()
        training.advance()
        counts.append(counter.frame_count)
    assert counts[0] > 0
    assert counts == [counts[0]] * 3


def test_a_spec_that_says_nothing_new_keeps_the_hash_that_it_had(spec: Callable[..., Spec]) -> None:
    data = spec().to_data()
    for path, default in LATER_KEYS.items():
        *above, key = path.split(".")
        sections = [data]
        for part in above:
            sections = [one for each in sections for one in (each.values() if part == "*" else [each[part]])]
        for section in sections:
            found = section.pop(key)
            assert (tuple(found) if isinstance(found, list) else found) == default or found == default
    assert spec().hash == content_hash(data)
    assert spec(train__seeds=2).hash != spec().hash


def test_a_run_from_before_there_were_several_seeds_goes_on(run: Callable[..., Run], tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run(reporter=Stops(5))
    path = tmp_path / "run" / "spec.yaml"
    text = path.read_text()
    path.write_text(text.replace("  seeds: 1\n", ""))
    assert path.read_text() != text
    wanted, found = last(run("straight")), last(run())
    assert all(torch.equal(value, found[name]) for name, value in wanted.items())


def test_a_folder_whose_first_command_was_killed_early_is_used(run: Callable[..., Run], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").touch()
    assert run(train__steps=1).result() is not None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="streams need a CUDA device")
@pytest.mark.parametrize("name", ["cifar100-resnet-silu", "cifar100-dcgan"])
def test_lanes_of_a_gpu_train_as_one_alone_does(name: str, builder: Builder, tmp_path: Path) -> None:
    changes = ["data={shapes: {train_images: 2000, test_images: 100}}", "train.steps=60", "train.engine=graph",
               "train.test_at_end=false", "train.precision=fp32"]  # fmt: skip
    several = load_spec(name, overrides=[*changes, "train.seeds=4"], registry=builder.registry)
    whole = loop.train(several, builder, tmp_path / "several")
    for seed, one in specs_of_seeds(several).items():
        alone = loop.train(one, builder, tmp_path / f"alone-{seed}")
        for (step, loss), (_, other) in zip(losses(whole.of_seed(seed)), losses(alone), strict=True):
            assert loss == pytest.approx(other, rel=1e-2), f"seed {seed}, step {step}"
