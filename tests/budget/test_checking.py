"""`check`: figures of known networks, limits, and problems between parts of a spec."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

import zoo
from zoo.budget import Verdict, judge
from zoo.errors import SpecError
from zoo.registry import Registry
from zoo.training.trainee import state

SPEC: dict[str, Any] = {
    "zoo": 1,
    "name": "small",
    "task": "classify",
    "data": "shapes",
    "networks": {"classifier": {"architecture": {"layers": [{"conv": 8}, "global_average_pool", {"linear": 100}]}}},
    "train": {"steps": 10},
}


def small(**parts: Any) -> dict[str, Any]:
    return {**copy.deepcopy(SPEC), **parts}


def test_the_paper_classifier_has_its_stated_figures(registry: Registry) -> None:
    report = zoo.check("cifar100-resnet-silu", registry=registry)
    assert report.total.parameters == 99_364
    assert report.total.macs == 15_839_744
    assert report.total.steps == 10_000
    assert report.kept


def test_the_paper_classifier_matches_its_layer_table(registry: Registry) -> None:
    network = zoo.build("cifar100-resnet-silu", registry=registry)["classifier"]
    parts = [sum(one.numel() for one in child.parameters()) for child in network]
    assert parts[0] + parts[1] == 928
    assert parts[3:6] == [5_920, 19_840, 59_776]
    assert parts[-1] == 12_900


def test_ten_billion_parameters_are_counted_without_memory(registry: Registry) -> None:
    wide = [{"linear": 100_000}, {"linear": 100_000}, {"linear": 100}]
    layers = {"layers": ["flatten", *wide]}
    report = zoo.check(small(networks={"classifier": {"architecture": layers}}), registry=registry)
    assert report.total.parameters > 10_000_000_000


def test_the_stated_file_size_holds_the_saved_weights(registry: Registry, tmp_path: Any) -> None:
    report = zoo.check("cifar100-resnet-silu", registry=registry)
    weights = {
        name: one.contiguous()
        for name, one in state(zoo.build("cifar100-resnet-silu", registry=registry)["classifier"]).items()
    }
    save_file(weights, tmp_path / "weights.safetensors")
    true = (tmp_path / "weights.safetensors").stat().st_size
    assert 0.9 * report.total.file_size < true <= report.total.file_size


def test_building_begins_from_the_seed(registry: Registry) -> None:
    one, same = (zoo.build(small(), registry=registry)["classifier"] for _ in range(2))
    other = zoo.build(small(train={"steps": 10, "seed": 1}), registry=registry)["classifier"]
    assert torch.equal(one[0].weight, same[0].weight)
    assert not torch.equal(one[0].weight, other[0].weight)


@pytest.mark.parametrize(
    ("figure", "bound", "kept", "spare"),
    [
        (100, 100, True, 0),
        (101, 100, False, -1),
        (99, "<100", True, 0),
        (100, "<100", False, -1),
        (100, "<=100", True, 0),
        (100, "=100", True, 0),
        (99, "=100", False, 1),
        (1024, "1 KiB", True, 0),
        (1_500_000, "1.5M", True, 0),
        (20_000, "20k", True, 0),
        (1001, "1.001k", True, 0),
        (1126, "1.1 KiB", True, 0),
        (1000, "1000.5", True, 0),
        (1000, "<1000.5", True, 0),
        (1001, "<1.0005k", False, -1),
        (100_000, "<=1e5", True, 0),
        (1500, "1.5e-3M", True, 0),
        (100_000, 1e5, True, 0),
    ],
)
def test_a_bound_is_inclusive_unless_it_says_otherwise(figure: int, bound: float | str, kept: bool, spare: int) -> None:
    verdict = judge("parameters", figure, bound)
    assert (verdict.kept, verdict.spare) == (kept, spare)


@settings(deadline=None)
@given(
    thousandths=st.integers(0, 10**9),
    unit=st.sampled_from(["k", "M", "G", "KiB", "MiB", "GiB"]),
    sign=st.sampled_from(["", "<=", "<", "="]),
    off=st.integers(-2, 2),
)
def test_a_bound_of_three_decimals_is_exact(thousandths: int, unit: str, sign: str, off: int) -> None:
    size = {"k": 10**3, "M": 10**6, "G": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}[unit]
    figure = max(0, thousandths * size // 1000 + off)
    bound = f"{sign}{thousandths // 1000}.{thousandths % 1000:03} {unit}"
    if sign == "=" and thousandths * size % 1000:
        with pytest.raises(ValueError, match="no whole number"):
            judge("macs", figure, bound)
        return
    # In whole numbers: figure <= thousandths * size / 1000.
    left = thousandths * size - figure * 1000
    assert judge("macs", figure, bound).kept == {"": left >= 0, "<=": left >= 0, "<": left > 0, "=": left == 0}[sign]


def test_a_bound_that_nothing_can_equal_is_refused_where_it_stands(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "half.yaml"
    path.write_text('extends: quickstart\nbudget: {parameters: "=1.0005k"}\n')
    with pytest.raises(SpecError) as caught:
        zoo.check(path, registry=registry)
    assert str(caught.value) == (
        f"{path}:2:10: parameters: found '=1.0005k', which is no whole number; wanted one, since figures are whole"
    )


@pytest.mark.parametrize(
    ("limit", "code"), [("parameters", 10), ("macs", 11), ("memory", 12), ("steps", 13), ("file_size", 14)]
)
def test_each_broken_limit_has_its_exit_code(limit: str, code: int, registry: Registry) -> None:
    report = zoo.check(small(budget={limit: 1}), registry=registry)
    assert (report.kept, report.exit_code) == (False, code)


def test_of_several_broken_limits_the_lowest_code_counts(registry: Registry) -> None:
    assert zoo.check(small(budget={"steps": 1, "macs": 1}), registry=registry).exit_code == 11


def test_a_network_can_have_limits_of_its_own(registry: Registry) -> None:
    spec = small()
    spec["networks"]["classifier"]["budget"] = {"parameters": 10}
    (verdict,) = zoo.check(spec, registry=registry).verdicts
    assert str(verdict) == "classifier parameters: 1,124 of 10, 1,114 too many"


def test_a_verdict_says_what_is_left() -> None:
    assert str(judge("memory", 1000, "4 KiB", unit="B")) == "memory: 1,000 B of 4,096 B, 3,096 to spare"
    assert str(judge("memory", 5000, "<4 KiB", unit="B")) == "memory: 5,000 B of <4,096 B, 905 too many"
    assert str(judge("parameters", 99, "=100")) == "parameters: 99 of =100, 1 too few"
    assert isinstance(judge("x", 1, 1), Verdict)


def test_problems_between_parts_come_together(registry: Registry) -> None:
    spec = small(train={"steps": 10, "validation": 50_000, "accumulate": 65})
    spec["networks"]["generator"] = spec["networks"].pop("classifier")
    with pytest.raises(SpecError) as caught:
        zoo.check(spec, registry=registry)
    assert [str(problem) for problem in caught.value.problems] == [
        "<python>: networks: found the unknown role 'generator'; wanted the networks of classify: classifier",
        "<python>: networks: found no 'classifier'; wanted the networks of classify: classifier",
        "<python>: train.accumulate: found 65; wanted at most the batch size, 64",
        "<python>: train.validation: found 50000; wanted fewer than the 20000 training images of shapes",
    ]


def test_labels_are_mixed_only_for_a_task_that_takes_shares(
    registry: Registry, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixing = ["cutmix", {"mixup": 0.4}, "trivial_augment"]
    assert zoo.check(small(augment=mixing), registry=registry).kept
    monkeypatch.chdir(tmp_path)
    (tmp_path / "diffusion.yaml").write_text(
        "extends: cifar100-diffusion\naugment:\n  - horizontal_flip\n  - mixup: 0.4\n"
    )
    (tmp_path / "gan.yaml").write_text(
        "extends: cifar100-rgan\naugment: [cutmix]\ntask:\n  gan:\n    augment: [random_crop, mixup]\n"
    )
    with pytest.raises(SpecError) as caught:
        zoo.check("diffusion.yaml", registry=registry)
    assert str(caught.value) == (
        "diffusion.yaml:4:5: augment.1: found mixup, which mixes the labels of images; "
        "wanted augmentations that leave labels alone, since diffuse takes one class for each image"
    )
    with pytest.raises(SpecError) as caught:
        zoo.check("gan.yaml", registry=registry)
    assert [str(problem).partition(",")[0] for problem in caught.value.problems] == [
        "gan.yaml:2:11: augment.0: found cutmix",
        "gan.yaml:5:28: task.gan.augment.1: found mixup",
    ]


def test_a_network_that_ends_in_a_wrong_shape_is_a_problem(registry: Registry) -> None:
    spec = small()
    spec["networks"]["classifier"]["architecture"]["layers"][-1] = {"linear": 10}
    with pytest.raises(SpecError, match=r"the network turns \(3, 32, 32\) into \(10,\); this task wants \(100,\)"):
        zoo.check(spec, registry=registry)


def test_a_layer_that_cannot_take_its_input_is_named(registry: Registry) -> None:
    spec = small()
    spec["networks"]["classifier"]["architecture"]["layers"] = [
        {"residual": {"layers": [{"conv": {"channels": 8, "stride": 2}}]}},
        "global_average_pool",
        {"linear": 100},
    ]
    with pytest.raises(SpecError) as caught:
        zoo.check(spec, registry=registry)
    assert str(caught.value) == (
        "<python>: networks.classifier.architecture: layer 0: residual: layers give (8, 16, 16), shortcut gives (3, 32, 32); "
        "add a projection to the shortcut or match the shapes"
    )


def test_weights_on_a_device_are_a_byte_a_value_with_scales_and_whole_vectors(registry: Registry) -> None:
    layers = [
        {"conv": {"channels": 8, "kernel": 3, "bias": True}},
        "batch_norm",
        "global_average_pool",
        {"linear": 100},
    ]
    networks = {"classifier": {"architecture": {"layers": layers}}}
    report = zoo.check(small(networks=networks, budget={"weights": 0, "arena": 0}), registry=registry)
    kernel, matrix, vectors = 8 * 3 * 9 + 4 * 8, 100 * 8 + 4 * 100, 4 * (8 + 2 * 8 + 100)
    assert report.total.weight_bytes("int8") == kernel + matrix + vectors
    assert report.total.weight_bytes("fp32") == 4 * report.total.parameters
    verdicts = {one.limit: one for one in report.verdicts}
    assert verdicts["weights"].figure == kernel + matrix + vectors
    assert verdicts["arena"].figure == report.total.memory // 4
    assert report.exit_code == 18
