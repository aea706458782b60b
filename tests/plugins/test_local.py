"""Components of one process: registered by a decorator, or put into a spec as objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import zoo
from zoo.errors import PluginError
from zoo.registry import Registry

SPEC: dict[str, Any] = {
    "zoo": 1,
    "name": "own",
    "task": "classify",
    "data": {"noise": {"image": [3, 4, 4], "classes": 5, "train_images": 16, "test_images": 8}},
    "train": {"steps": 2, "batch_size": 4, "device": "cpu", "precision": "fp32", "test_at_end": False},
}


class TwoLayers(nn.Module):
    """As people write them in a notebook."""

    def __init__(self, width: int = 8, bias=True) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.first, self.last = nn.Linear(48, width), nn.Linear(width, 5, bias=bias)

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.last(self.first(images.flatten(1)).relu())
        return found


def half(logits: Tensor, labels: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits, labels) / 2


@pytest.fixture
def own(registry: Registry) -> Registry:
    return Registry.of(registry, "builtin")


def with_network(architecture: Any, **parts: Any) -> dict[str, Any]:
    return SPEC | {"networks": {"classifier": {"architecture": architecture, **parts}}}


def test_a_class_is_registered_by_a_decorator(own: Registry) -> None:
    assert zoo.register("architecture", registry=own)(TwoLayers) is TwoLayers
    report = zoo.check(with_network({"two_layers": {"width": 6}}), registry=own)
    assert report.total.parameters == 48 * 6 + 6 + 6 * 5 + 5
    assert own.get("architecture", "two_layers").summary == "As people write them in a notebook."
    assert str(own.provider(own.get("architecture", "two_layers"))) == "this process"


def test_a_cell_that_runs_again_replaces_what_it_registered(own: Registry) -> None:
    for width in (3, 4):

        def net(input: Any, output: Any, /) -> Any:
            return ["flatten", {"linear": width}, {"linear": output[0]}]  # noqa: B023

        zoo.register("architecture", registry=own)(net)
        assert zoo.check(with_network("net"), registry=own).total.parameters == 49 * width + (width + 1) * 5


def test_the_name_of_a_plugin_is_not_taken(own: Registry) -> None:
    with pytest.raises(
        PluginError, match=r"is already the architecture 'resnet' of plugin builtin; choose another: zoo"
    ):
        zoo.register("architecture", "resnet", registry=own)(TwoLayers)
    with pytest.raises(PluginError, match="found the kind 'net'; wanted one of layer, activation"):
        zoo.register("net", registry=own)


def test_classes_functions_and_data_stand_in_a_spec(own: Registry, tmp_path: Path) -> None:
    class Bend(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            return values.sin()

    images = np.random.default_rng(0).integers(0, 256, (16, 3, 4, 4), dtype=np.uint8)
    part = zoo.ImageSet(images, np.arange(16) % 5)
    data = zoo.make_dataset(part, part, ("a", "b", "c", "d", "e"))
    parts: dict[str, Any] = {"task": {"classify": {"loss": half}}, "data": data}
    layers = {"layers": ["flatten", {"linear": 7}, Bend, {TwoLayersOfSeven: {"width": 3}}]}
    spec = zoo.load_spec(with_network(layers, optimizer={torch.optim.SGD: {"lr": 0.1}}) | parts, registry=own)
    assert spec.networks["classifier"].optimizer.options["lr"] == 0.1
    assert spec.data.name == f"own_{data.fingerprint[:12]}"
    run = zoo.train(spec, run=tmp_path / "run", registry=own)
    assert run.result() is not None
    assert zoo.load(tmp_path / "run", registry=own).spec.hash == spec.hash


class TwoLayersOfSeven(TwoLayers):
    def __init__(self, width: int = 8) -> None:
        super().__init__(width)
        self.first = nn.Linear(7, width)


def test_a_network_that_is_made_already_is_refused(own: Registry) -> None:
    with pytest.raises(PluginError, match="found a TwoLayers that is made already; wanted its class, or a function"):
        zoo.check(with_network(TwoLayers()), registry=own)


def test_objects_are_shown_in_a_line_and_in_a_notebook(own: Registry, tmp_path: Path) -> None:
    report = zoo.check(
        with_network(
            TwoLayers,
        )
        | {"name": "own", "summary": "<b>"},
        registry=own,
    )
    assert repr(report.spec).startswith("<Spec of own: classify on noise, ")
    assert repr(report.networks["classifier"]) == "<NetworkReport of classifier: (3, 4, 4) to (5,), 437 parameters>"
    assert "<td style='text-align: right'>437</td>" in report._repr_html_()
    assert "two_layers" in report.networks["classifier"]._repr_html_()
    run = zoo.train(report.spec, run=tmp_path / "<run>", registry=own)
    assert repr(run) == f"<Run in {tmp_path / '<run>'}, finished after 2 steps>"
    assert "&lt;run&gt;" in run._repr_html_() and "<run>" not in run._repr_html_()
    assert repr(zoo.load(run.folder, registry=own)).startswith("<Trained classifier of ")


def test_a_prompt_lists_what_is_public() -> None:
    assert "register" in dir(zoo) and "TYPE_CHECKING" not in dir(zoo)
