"""What a study is before any training, and what is told of one that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from zoo.builder import Builder
from zoo.errors import SpecError
from zoo.sweeps.pareto import front
from zoo.sweeps.plan import Plan


def test_names_are_the_ends_of_paths_that_no_other_has(plan: Callable[..., Plan]) -> None:
    found = plan(train__batch_size={"free": [8, 16]}).short
    lr = "networks.classifier.optimizer.adam.lr"
    assert found[lr] == "lr"
    assert found["width"] == "width"
    assert found["train.batch_size"] == "batch_size"
    assert "networks.classifier.architecture.layers.1" in found
    assert not found["networks.classifier.architecture.layers.1"].isdigit()


def test_a_point_is_a_concrete_spec(plan: Callable[..., Plan], builder: Builder) -> None:
    one = plan()
    values = dict(zip(one.domains, [8, "{leaky_relu: {negative_slope: 0.2}}", 0.01], strict=True))
    spec = one.spec(values, builder)
    layers = spec.networks["classifier"].architecture.options["layers"]
    assert layers[0].options["channels"] == 8
    assert layers[1].data() == {"leaky_relu": {"negative_slope": 0.2}}
    assert spec.networks["classifier"].optimizer.options["lr"] == 0.01
    assert "'free'" not in str(spec.to_data()) and "sweep" not in spec.to_data()


def test_a_trial_never_sees_the_test_images_and_a_confirmation_has_new_seeds(
    plan: Callable[..., Plan], builder: Builder
) -> None:
    one = plan(sweep__confirm={"top": 1, "seeds": 4}, train__seed=7)
    spec = one.spec(
        {name: getattr(known, "start", None) or known.values[0] for name, known in one.domains.items()}, builder
    )  # type: ignore[index]
    assert one.trial(spec).train.test_at_end is False
    confirmed = one.confirmation(spec).train
    assert (confirmed.seed, confirmed.seeds, confirmed.test_at_end) == (8, 4, True)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"sweep__figures": {"validation_los": "minimize"}},
            "<python>: sweep.figures: found the unknown figure 'validation_los'; wanted one that the task classify makes "
            "or `zoo check` counts: file_size, macs, memory, parameters, steps, validation_accuracy_mean, "
            "validation_loss, validation_top1, validation_top5\n    did you mean 'validation_loss'?",
        ),
        ({"sweep__figures": {"top1": "maximize"}}, "did you mean 'validation_top1'?"),
        ({"sweep__figures": {}}, "sweep.figures: found an empty mapping; wanted figures with their direction"),
        ({"sweep__figures": {"parameters": "smaller"}}, "sweep.figures.parameters: found 'smaller'"),
        ({"sweep__sampler": "magic"}, "sweep.sampler: found 'magic'; wanted one of tpe, random, grid, nsga2"),
        ({"sweep__confirm": {"seeds": 0}}, "sweep.confirm.seeds: found 0"),
        ({"sweep__tries": 4}, "found the unknown key 'tries'"),
        (
            {"train__validation": 0},
            "train.validation: found 0; wanted training images to judge by\n    the test images are for what was chosen; "
            "--set train.validation=1000 holds training images out",
        ),
        ({"train__seeds": 3}, "train.seeds: found 3; wanted 1\n    all trials have one seed; sweep.confirm repeats"),
        ({"sweep__sampler": "grid"}, "lr: found a range without a step in a grid; wanted a step, or a list"),
        ({"sweep__pruner": "median"}, "sweep.pruner: found median with 2 figures; wanted none"),
        (
            {"sweep__pruner": "median", "sweep__figures": {"parameters": "minimize"}},
            "found median by a figure that no training changes",
        ),
        (
            {"sweep__pruner": "median", "sweep__figures": {"validation_loss": "minimize"}, "train__evaluate_every": 0},
            "found median of trainings that never validate; wanted train.evaluate_every above 0",
        ),
        (
            {"networks__classifier__optimizer__adam__lr": {"free": {"from": 0, "to": 1.0, "log": True}}},
            "lr.free.from: found 0 with log: true; wanted more than 0",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_swept_is_told_before_any_training(
    parts: dict[str, Any], message: str, plan: Callable[..., Plan]
) -> None:
    with pytest.raises(SpecError) as caught:
        plan(**parts)
    assert message in str(caught.value)


def test_a_spec_without_a_study_or_without_a_space_is_no_sweep(builder: Builder) -> None:
    from zoo.spec.load import load_document

    with pytest.raises(SpecError, match="sweep: found no section 'sweep'; wanted one\n"):
        Plan.of(load_document("quickstart"), builder)
    sweep = {"figures": {"validation_top1": "maximize"}}
    with pytest.raises(SpecError, match="found nothing that is free; wanted at least one value\n"):
        Plan.of(load_document({"extends": "quickstart", "sweep": sweep}), builder)


def test_the_tasks_make_the_figures_that_they_name(builder: Builder) -> None:
    import torch

    from zoo import api
    from zoo.training.task import Batch

    for name in ("cifar100-resnet8", "cifar100-dcgan", "cifar100-diffusion"):
        spec = api.load_spec(name, registry=builder.registry)
        task, info = builder.bind(spec.task), builder.bind(spec.data).info()
        networks = api.build(spec, registry=builder.registry)
        batch = Batch(torch.rand(4, *info.image), torch.arange(4))
        for network in networks.values():
            network.eval()
        with torch.inference_mode():
            made = task.evaluate(networks, [batch], info)
        assert task.figures().keys() and task.figures().keys() <= made.keys(), name
        assert all(isinstance(made[one], float) for one in task.figures())


def test_the_front_is_what_no_other_beats() -> None:
    points = [[0.5, 10], [0.6, 20], [0.4, 20], [0.6, 20], [0.6, 30]]
    assert front(points, ["maximize", "minimize"]) == [True, True, False, True, False]
