"""Weights that were trained before: taken over by name, kept still, or trained at a rate of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from zoo.builder import Builder
from zoo.checking import check
from zoo.errors import RunError, SpecError
from zoo.evaluation.trained import Trained
from zoo.spec.schema import Spec
from zoo.training.loop import Training
from zoo.training.reporter import Reporter
from zoo.training.run import Run
from zoo.training.trainee import make_networks

LAYERS = [{"conv": 6}, "batch_norm", "relu", {"dropout": 0.5}, {"conv": 6}, "relu", "global_average_pool"]
PLAIN: dict[str, Any] = {
    "architecture": {"layers": [*LAYERS, {"linear": 100}]},
    "optimizer": {"sgd": {"lr": 0.1}},
    "schedule": "constant",
}
FEWER = {"shapes": {"train_images": 300, "test_images": 100, "seed": 1}}


def section(**options: Any) -> dict[str, Any]:
    return {**PLAIN, **options}


def state(run: Run, builder: Builder) -> dict[str, torch.Tensor]:
    return Trained.load(run, builder).networks["classifier"].state_dict()


@pytest.fixture
def before(run: Callable[..., Run]) -> Run:
    return run("before", networks__classifier=PLAIN)


def taken(source: Run, **options: Any) -> dict[str, Any]:
    return {"trained": {"source": str(source.folder), **options}}


def test_weights_begin_as_they_ended(
    before: Run, builder: Builder, spec: Callable[..., Spec], run: Callable[..., Run]
) -> None:
    chosen = spec(networks__classifier=section(init=taken(before, without=["7"])))
    begun = make_networks(chosen, check(chosen, builder), builder)["classifier"].state_dict()
    ended = state(before, builder)
    same = {name for name in ended if torch.equal(ended[name], begun[name])}
    assert same == {name for name in ended if not name.startswith("7.")}


def test_where_weights_came_from_stands_in_the_run(before: Run, builder: Builder, run: Callable[..., Run]) -> None:
    after = run("after", networks__classifier=section(init=taken(before)), data=FEWER)
    last = run("last", networks__classifier=section(init=taken(after, without=["7"])))
    origin = last.facts()["began_from"]["classifier"]
    assert origin["sha256"] == Trained.load(after, builder).sha256
    assert (origin["source"], origin["role"], origin["left"], origin["taken"]) == ("tiny", "classifier", ["7"], 9)
    assert origin["data"] == after.spec(builder.registry).data.written()
    assert origin["began_from"]["sha256"] == Trained.load(before, builder).sha256


def test_a_network_is_evaluated_without_those_that_it_began_from(
    before: Run, builder: Builder, run: Callable[..., Run]
) -> None:
    after = run("after", networks__classifier=section(init=taken(before)))
    before.folder.rename(before.folder.with_name("gone"))
    assert state(after, builder)


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ([*LAYERS, {"linear": 100}, "softmax"], ""),
        (
            [*LAYERS[:-1], {"conv": 7}, "global_average_pool", {"linear": 100}],
            r"7.weight is \(100, 6\) in the classifier of .* and none in this network; .* without: \[7\]",
        ),
        ([{"conv": 8}, *LAYERS[1:], {"linear": 100}], r"0.weight is \(6, 3, 3, 3\) in the classifier of"),
    ],
)
def test_what_does_not_fit_is_told_by_name(
    layers: list[Any], told: str, before: Run, builder: Builder, spec: Callable[..., Spec]
) -> None:
    chosen = spec(networks__classifier=section(architecture={"layers": layers}, init=taken(before)))
    report = check(chosen, builder)
    if not told:
        assert make_networks(chosen, report, builder)
        return
    with pytest.raises(RunError, match=told):
        make_networks(chosen, report, builder)


def test_a_role_that_the_source_lacks_is_told(before: Run, builder: Builder, spec: Callable[..., Spec]) -> None:
    chosen = spec(networks__classifier=section(init=taken(before, role="generator")))
    with pytest.raises(RunError, match="has the networks classifier; wanted one of them as role"):
        make_networks(chosen, check(chosen, builder), builder)


@pytest.mark.parametrize("ema", [None, 0.9])
def test_what_is_frozen_stays_to_the_bit_with_its_statistics(
    ema: float | None, before: Run, builder: Builder, run: Callable[..., Run]
) -> None:
    frozen = ["0", "1", "4.bias"]
    after = run(
        "after", networks__classifier=section(init=taken(before), freeze=frozen, ema=ema), train__norm_batches=2
    )
    ended, now = state(before, builder), state(after, builder)
    same = {name for name in ended if torch.equal(ended[name], now[name])}
    assert same == {name for name in ended if name.startswith(("0.", "1.")) or name == "4.bias"}


def test_a_frozen_part_computes_as_in_evaluation(builder: Builder, spec: Callable[..., Spec], tmp_path: Path) -> None:
    chosen = spec(networks__classifier=section(freeze=["0", "1"]))
    run = Run.prepare(tmp_path / "run", chosen)
    training = Training(chosen, check(chosen, builder), builder, run, Reporter())
    module = training.trainees["classifier"].module
    module.train()
    assert [one.training for one in module] == [False, False, *[True] * 6]
    assert [one.requires_grad for one in module.parameters()] == [*[False] * 4, *[True] * 4]


def test_rates_are_factors_on_each_update(builder: Builder, run: Callable[..., Run]) -> None:
    """Of plain gradient descent: an update is proportional to the rate."""
    short = {"train__steps": 1, "train__log_every": 1, "augment": []}
    begun = run("begun", networks__classifier=section(rates={"7": 1e-30, "0": 1e-30, "1": 1e-30, "4": 1e-30}), **short)
    one = run("one", networks__classifier=section(), **short)
    many = run("many", networks__classifier=section(rates={"4": 0.5, "7": 0.1, "7.bias": 3.0}), **short)
    start, plain, scaled = (state(one, builder) for one in (begun, one, many))
    for name, factor in {"0.weight": 1, "4.weight": 0.5, "4.bias": 0.5, "7.weight": 0.1, "7.bias": 3}.items():
        wanted = factor * (plain[name] - start[name])
        torch.testing.assert_close(scaled[name] - start[name], wanted, rtol=1e-3, atol=1e-7)
    assert many.metrics()[0]["lr"] == {"classifier": 0.1}


def test_rates_of_their_own_go_on_bit_for_bit(
    builder: Builder, spec: Callable[..., Spec], run: Callable[..., Run], tmp_path: Path
) -> None:
    parts = {"networks__classifier__rates": {"0": 0.1}, "networks__classifier__freeze": ["1"]}
    whole = run("whole", **parts)
    chosen = spec(**parts)
    report = check(chosen, builder)
    halves = Run.prepare(tmp_path / "halves", chosen)
    first = Training(chosen, report, builder, halves, Reporter())
    first.restore()
    while first.step < 6:
        first.advance()
    first.save()
    Training(chosen, report, builder, Run.prepare(halves.folder, chosen), Reporter()).go(lambda: "")
    ended, again = state(whole, builder), state(halves, builder)
    assert all(torch.equal(ended[name], again[name]) for name in ended)


@pytest.mark.parametrize("key", ["freeze", "rates"])
def test_a_part_that_there_is_not_is_told_before_training(
    key: str, builder: Builder, spec: Callable[..., Spec]
) -> None:
    told = {"freeze": ["7.weigth"], "rates": {"7.weigth": 2.0}}[key]
    chosen = spec(networks__classifier=section(**{key: told}))
    with pytest.raises(SpecError) as caught:
        check(chosen, builder)
    (problem,) = caught.value.problems
    assert problem.path == f"networks.classifier.{key}"
    assert (problem.found, problem.hint) == ("found no part '7.weigth'", "did you mean '7.weight'?")


def test_all_of_a_network_cannot_be_frozen(builder: Builder, spec: Callable[..., Spec]) -> None:
    with pytest.raises(SpecError, match="found all of it; wanted something to train"):
        check(spec(networks__classifier=section(freeze=["0", "1", "4", "7"])), builder)


def test_specs_without_them_have_the_hash_that_they_had(spec: Callable[..., Spec]) -> None:
    chosen = spec(networks__classifier=section())
    assert chosen.hash == spec(networks__classifier=section(freeze=[], rates={})).hash
    assert chosen.hash != spec(networks__classifier=section(freeze=["0"])).hash
