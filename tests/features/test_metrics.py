"""Metrics: what they hold against each other, under which name, and what they refuse."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import torch
from support import builtin_registry
from torch import Tensor, nn

import zoo_features.extractors as extractors
from zoo.api import Builder, Evidence, Measurement, content_hash, load
from zoo.data import store
from zoo.errors import DataError, RunError, SpecError
from zoo.evaluation.calibration import calibrate
from zoo.evaluation.run import evaluate_run
from zoo.spec.load import load_spec
from zoo.spec.writer import write_yaml
from zoo.training.loop import train
from zoo.training.run import Run
from zoo_features.distances import frechet, moments

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _builtin_plugins_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `load`, which an extractor calls, see the registry of the tests."""
    monkeypatch.setattr("zoo.api._builder", lambda registry: Builder(builtin_registry()))


def bound(builder: Builder, kind: str, data: Any) -> Any:
    return builder.bind(builder.resolver.component_from((kind,), data))


def images(count: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, (count, 3, 32, 32), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def evidence(real: Tensor, fake: Tensor) -> Evidence:
    return Evidence("test", real, lambda count, seed: fake[:count], CPU)


def zoo(judge: Path) -> dict[str, Any]:
    return {"zoo": {"of": str(judge)}}


# Names


def test_a_distance_bears_the_name_and_hash_of_its_extractor_and_is_no_fid(builder: Builder, judge: Path) -> None:
    metric = bound(builder, "metric", {"frechet_distance": {"extractor": zoo(judge), "samples": 50}})
    (found,) = metric(evidence(images(60), images(50, 1)))
    digest = found.facts["extractor_sha256"]
    assert found.name == f"frechet_distance[zoo:judge@{digest[:8]}]"
    assert "fid" not in json.dumps(found.to_data())


@pytest.mark.parametrize("metric", ["kernel_distance", "neighbourhood"])
def test_every_metric_bears_its_extractor(metric: str, builder: Builder, judge: Path) -> None:
    made = bound(builder, "metric", {metric: {"extractor": zoo(judge), "samples": 50}})
    for one in made(evidence(images(60), images(50, 1))):
        assert one.name.endswith(f"[zoo:judge@{one.facts['extractor_sha256'][:8]}]")


def test_the_hash_is_that_of_the_weights(judge: Path) -> None:
    one, other = extractors.ZooExtractor(of=str(judge)), extractors.ZooExtractor(of=str(judge))
    with torch.no_grad():
        next(iter(other._network.parameters())).add_(1)
    assert one.sha256 != other.sha256


# Values


def test_the_distance_is_that_of_the_features_before_the_last_layer(builder: Builder, judge: Path) -> None:
    real, fake = images(60), images(50, 1)
    trained = load(judge)
    network = trained.networks["classifier"]
    body = nn.Sequential(*list(network.children())[:-1]).eval()
    mean, std = (torch.tensor(one).view(1, 3, 1, 1) for one in (trained.info.mean, trained.info.std))
    with torch.inference_mode():
        features = [body((one.float() / 255 - mean) / std) for one in (real, fake)]
    metric = bound(builder, "metric", {"frechet_distance": {"extractor": zoo(judge), "samples": 50}})
    (found,) = metric(evidence(real, fake))
    assert found.mean == pytest.approx(frechet(*map(moments, features)), rel=1e-4)


def test_the_same_images_have_no_distance(builder: Builder, judge: Path) -> None:
    metric = bound(builder, "metric", {"frechet_distance": {"extractor": zoo(judge), "samples": 60}})
    assert metric(evidence(images(60), images(60)))[0].mean == pytest.approx(0, abs=1e-6)


def test_several_seeds_have_mean_and_deviation(builder: Builder, judge: Path) -> None:
    metric = bound(builder, "metric", {"frechet_distance": {"extractor": zoo(judge), "samples": 40, "seeds": 3}})
    (found,) = metric(Evidence("test", images(60), lambda count, seed: images(count, seed + 1), CPU))
    assert (len(found.values), found.seeds) == (3, (0, 1, 2))
    assert found.mean == pytest.approx(sum(found.values) / 3)
    assert set(found.figures()) == {found.name, f"{found.name}_std"}


def test_one_seed_has_no_deviation() -> None:
    assert Measurement("x", (2.0,), (0,)).figures() == {"x": 2.0}


# Counts


def test_a_generator_that_makes_too_few_is_found_out() -> None:
    with pytest.raises(DataError, match="found 7 generated images; wanted exactly 50"):
        evidence(images(60), images(7)).generated(50, 0)


def test_fewer_images_than_the_covariance_needs_are_refused(builder: Builder, judge: Path) -> None:
    metric = bound(builder, "metric", {"frechet_distance": {"extractor": zoo(judge), "samples": 23}})
    with pytest.raises(
        DataError,
        match=r"found 23 generated images for features of 12 values; their covariance would be nonsense; wanted at least 24, or kernel_distance, which needs fewer",
    ):
        metric(evidence(images(60), images(23, 1)))


def test_images_of_another_size_are_refused(judge: Path) -> None:
    with pytest.raises(DataError, match=r"found images of shape \(3, 16, 16\); .* was trained on \(3, 32, 32\)"):
        extractors.ZooExtractor(of=str(judge)).features(torch.zeros(2, 3, 16, 16, dtype=torch.uint8), CPU)


def test_an_extractor_that_is_no_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="it holds no spec.yaml"):
        extractors.ZooExtractor(of=str(tmp_path)).features(images(2), CPU)


def test_a_spec_stands_for_the_run_that_it_trained(
    builder: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match=r"runs/quickstart-\w+: there is no such folder; wanted the folder of a run"):
        load("quickstart")
    small = [
        "data={shapes: {train_images: 100, test_images: 100}}",
        "train.steps=1",
        "train.validation=0",
        "train.device=cpu",
    ]
    spec = load_spec("quickstart", overrides=small, registry=builder.registry)
    (tmp_path / "small.yaml").write_text(write_yaml(spec.to_data()))
    train(spec, builder)
    extractor = extractors.ZooExtractor(of="small.yaml")
    assert extractor.name == "zoo:quickstart"
    assert extractor.features(images(2), CPU).shape[0] == 2


# The cache


def test_features_are_kept_by_content_and_extractor(judge: Path) -> None:
    calls = []

    class Counting(extractors.ZooExtractor):
        def features(self, images: Tensor, device: torch.device) -> Tensor:
            calls.append(len(images))
            return super().features(images, device)

    one, two = images(5), images(5, 1)
    extractor = Counting(of=str(judge))
    first = extractors.features_of(extractor, one, content_hash(one), CPU)
    again = extractors.features_of(extractor, one, content_hash(one), CPU)
    extractors.features_of(extractor, two, content_hash(two), CPU)
    assert torch.equal(first, again)
    assert calls == [5, 5]


def test_a_damaged_cache_is_made_anew(judge: Path) -> None:
    extractor, one = extractors.ZooExtractor(of=str(judge)), images(5)
    first = extractors.features_of(extractor, one, content_hash(one), CPU)
    (file,) = (store.data_folder() / "features").iterdir()
    file.write_bytes(b"cut off")
    assert torch.equal(extractors.features_of(extractor, one, content_hash(one), CPU), first)


def test_the_content_hash_knows_shape_and_pixels() -> None:
    one = images(4)
    assert content_hash(one) == content_hash(one.clone())
    assert len({content_hash(one), content_hash(one.flip(0)), content_hash(one.view(2, 6, 32, 32))}) == 3


# Inception


class Stand(nn.Module):
    """Stands in for the Inception file: 2,048 features of images of 299x299, in the form that clean-fid loads."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = Layers()

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Layers(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(x, 27).flatten(1)[:, :2048]


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "any-name.pt"
    torch.jit.script(Stand()).save(str(path))
    monkeypatch.setattr(extractors, "INCEPTION_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.delenv(extractors.INCEPTION_VARIABLE, raising=False)
    return path


def test_inception_gets_8_bit_images_resized_by_clean_fid(weights: Path) -> None:
    from cleanfid.resize import build_resizer

    one = images(3)
    found = extractors.Inception(weights=str(weights)).features(one, CPU)
    resized = [build_resizer("clean")(image.permute(1, 2, 0).numpy()) for image in one]
    expected = Layers()((torch.stack([torch.from_numpy(x) for x in resized]).permute(0, 3, 1, 2) - 128) / 128)
    assert torch.allclose(found, expected, atol=1e-5)


def test_inception_figures_are_called_by_their_names(weights: Path, builder: Builder) -> None:
    (kid, _) = bound(builder, "metric", {"kid": {"weights": str(weights), "samples": 6}})(
        evidence(images(6), images(6, 1))
    )
    assert (kid.name, kid.facts["extractor"], kid.facts["resize"]) == ("kid", "inception", "clean-fid bicubic 299x299")


def test_fid_wants_twice_as_many_images_as_features(weights: Path, builder: Builder) -> None:
    metric = bound(builder, "metric", {"fid": {"weights": str(weights), "samples": 6}})
    with pytest.raises(DataError, match="found 6 real images for features of 2,048 values"):
        metric(evidence(images(6), images(6, 1)))


def test_the_environment_names_the_weights(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(extractors.INCEPTION_VARIABLE, str(weights))
    assert extractors.inception_weights(None) == weights


def test_another_file_is_found_out_by_its_hash(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extractors, "INCEPTION_SHA256", "0" * 64)
    with pytest.raises(DataError, match=r"the spec names it, but its SHA-256 is .*it is another file or was cut off"):
        extractors.inception_weights(str(weights))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere.pt: the spec names it, and there is no such file"):
        extractors.inception_weights(str(tmp_path / "nowhere.pt"))


def test_without_weights_and_network_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError("no network")

    monkeypatch.delenv(extractors.INCEPTION_VARIABLE, raising=False)
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    with pytest.raises(DataError, match=r"cannot be downloaded .*no network.*ZOO_INCEPTION=PATH.*frechet_distance"):
        extractors.inception_weights(None)


def test_a_download_is_checked_before_it_is_kept(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", lambda *args, **kwargs: io.BytesIO(b"cut off"))
    with pytest.raises(DataError, match="it was downloaded, but its SHA-256"):
        extractors.inception_weights(None)
    assert not (store.data_folder() / "weights" / extractors.INCEPTION_FILE).exists()
    monkeypatch.setattr(urllib.request, "urlopen", lambda *args, **kwargs: io.BytesIO(weights.read_bytes()))
    assert extractors.inception_weights(None).read_bytes() == weights.read_bytes()


def test_without_clean_fid_the_extra_is_named(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanfid.inception_torchscript", None)
    monkeypatch.setitem(sys.modules, "cleanfid.resize", None)
    with pytest.raises(DataError, match=r"need the package clean-fid: pip install 'speczoo\[fid\]'"):
        extractors.Inception(weights=str(weights)).features(images(2), CPU)


# What is written down, and the calibration


@pytest.fixture
def gan(tmp_path: Path, judge: Path, builder: Builder) -> Run:
    spec = {
        "zoo": 1,
        "name": "tiny-gan",
        "task": {"gan": {"latent_size": 4}},
        "data": {"shapes": {"train_images": 100, "test_images": 100}},
        "networks": {
            "generator": {"architecture": {"dcgan_generator": {"widths": [8, 4]}}},
            "discriminator": {"architecture": {"dcgan_discriminator": {"widths": [4, 4]}}},
        },
        "train": {"steps": 2, "batch_size": 8, "device": "cpu"},
        "metrics": [{"frechet_distance": {"extractor": zoo(judge), "samples": 30, "seeds": 2}}],
    }
    return train(load_spec(spec, registry=builder.registry), builder, tmp_path / "gan")


def test_the_run_keeps_what_was_measured_and_of_what(gan: Run, builder: Builder) -> None:
    figures = evaluate_run(gan, builder)
    kept = gan.evaluation() or {}
    (measured,) = kept["measurements"]
    assert figures["test"][measured["name"]] == measured["mean"]
    assert measured["standard_deviation"] > 0
    assert (measured["generated_images"], measured["reference_images"]) == (30, 100)
    assert (measured["seeds"], measured["resize"], measured["dimensions"]) == ([0, 1], "none", 12)
    assert len(measured["reference_sha256"]) == len(measured["extractor_sha256"]) == 64
    weights = next((gan.folder / "checkpoints").glob("*.safetensors"))
    assert kept["checkpoint_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()


def test_other_metrics_can_be_asked_of_a_run(gan: Run, builder: Builder, judge: Path) -> None:
    chosen = f"metrics=[{{neighbourhood: {{extractor: {{zoo: '{judge}'}}, samples: 30}}}}]"
    figures = evaluate_run(gan, builder, overrides=[chosen])["test"]
    assert [name.partition("[")[0] for name in figures if "[" in name] == ["precision", "recall", "density", "coverage"]


def test_metrics_of_a_run_that_makes_no_images_are_refused(judge: Path, builder: Builder) -> None:
    with pytest.raises(SpecError, match="found a metric of images that a network makes; classify makes none"):
        evaluate_run(Run.open(judge), builder, overrides=["metrics=[fid]"])


def test_more_damage_is_more_distance(builder: Builder, judge: Path) -> None:
    metric = bound(builder, "metric", {"frechet_distance": {"extractor": zoo(judge), "samples": 200}})
    dataset = load(judge).dataset()
    rows = list(calibrate(metric, dataset, 200, CPU))
    values: dict[str, list[float]] = {}
    for row in rows:
        values.setdefault(row["damage"], []).append(next(iter(value for key, value in row.items() if "[" in key)))
    (floor,) = values.pop("none")
    assert list(values) == ["blur", "noise", "jpeg", "hue", "dropped classes", "duplicates"]
    for name in ("blur", "noise", "duplicates"):
        assert values[name][-1] == max(values[name]), name
        assert values[name][-1] > 2 * floor, name
