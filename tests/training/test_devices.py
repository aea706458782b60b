"""Devices: what they are told is taken back, and what they lack is gone around."""

from __future__ import annotations

import builtins
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from zoo import api
from zoo.spec.load import load_spec
from zoo.training import devices, loop
from zoo.training.devices import precision
from zoo.training.run import Run

CUDA = torch.device("cuda")
KEYS = (("cuda", "all"), ("cuda", "matmul"), ("mkldnn", "matmul"), ("cuda", "conv"), ("cuda", "rnn"))


def flags() -> list[Any]:
    return [
        *(torch._C._get_fp32_precision_getter(*key) for key in KEYS),
        torch.backends.cudnn.allow_tf32,
        torch.backends.cuda.matmul.allow_tf32,
        torch.get_float32_matmul_precision(),
    ]


@pytest.fixture(autouse=True)
def _flags_stay() -> Iterator[None]:
    before = devices._flags()
    yield
    devices._set_flags(*before)


@pytest.mark.parametrize("mode", ["fp32", "tf32", "bf16"])
@pytest.mark.parametrize("products", ["highest", "high", "medium"])
@pytest.mark.parametrize("cudnn", [True, False])
def test_flags_are_of_one_mind_and_come_back(mode: str, products: str, cudnn: bool) -> None:
    torch.set_float32_matmul_precision(products)
    torch.backends.cudnn.allow_tf32 = cudnn
    before = flags()
    with precision(CUDA, mode):
        wanted = "tf32" if mode == "tf32" else "ieee"
        assert torch.backends.cuda.matmul.fp32_precision == wanted
        assert torch.backends.cudnn.fp32_precision == wanted  # what Inductor reads
        assert torch.backends.cudnn.conv.fp32_precision == wanted
        # Neither raises, as each does where the old names and the new disagree.
        assert torch.backends.cudnn.allow_tf32 == torch.backends.cuda.matmul.allow_tf32 == (mode == "tf32")
        with torch.backends.cudnn.flags(enabled=True):
            pass
    assert flags() == before


def test_flags_that_a_program_set_by_their_new_names_alone_come_back() -> None:
    torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
    with precision(CUDA, "tf32"):
        assert torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.conv.fp32_precision == "ieee"  # type: ignore[attr-defined]
    assert torch.backends.cudnn.rnn.fp32_precision == "tf32"  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError):
        _ = torch.backends.cudnn.allow_tf32


def test_other_devices_have_no_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    touched: list[object] = []
    with monkeypatch.context() as patched:
        patched.setattr(devices, "_set_flags", touched.append)
        for name in ("cpu", "mps"):
            with precision(torch.device(name), "fp32"):
                pass
    assert not touched


def test_training_and_loading_leave_the_flags_of_the_program(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    real = devices.precision
    # The networks stay on the CPU; the flags are set as for a GPU.
    monkeypatch.setattr(devices, "precision", lambda device, mode: real(CUDA, "tf32"))
    take = loop.Stepper.take

    def watched(*given: Any) -> Any:
        seen.append(torch.backends.cudnn.allow_tf32 and torch.backends.cuda.matmul.allow_tf32)
        return take(*given)

    monkeypatch.setattr(loop.Stepper, "take", watched)
    before = flags()
    trained = run(train__steps=2)
    assert seen == [True, True]
    assert flags() == before
    api.load(trained.folder)
    assert flags() == before


def test_building_and_loading_leave_the_random_state_of_the_program(run: Callable[..., Run]) -> None:
    folder = run(train__steps=1).folder

    def state() -> tuple[Any, ...]:
        return torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()

    torch.manual_seed(3)
    before = state()
    api.build("cifar100-resnet8", overrides=["data=shapes"])
    assert state() == before
    api.load(folder)
    assert state() == before


@pytest.mark.parametrize("task", ["classify", "diffuse"])
def test_figures_are_added_up_where_there_is_float64(
    task: str, builder: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """On the meta device, which has no values, as on Apple's, which has no float64: nothing is made double there."""
    network = torch.nn.Conv2d(3, 2, 1)
    double = torch.Tensor.double

    def refusing(values: torch.Tensor) -> torch.Tensor:
        assert not hasattr(values, "on_device")
        return double(values)

    class OnDevice(torch.Tensor):
        on_device = True

        def cpu(self) -> torch.Tensor:  # type: ignore[override]
            return self.as_subclass(torch.Tensor)

    monkeypatch.setattr(torch.Tensor, "double", refusing)
    data = builder.bind(load_spec("cifar100-resnet8", overrides=["data=shapes"], registry=builder.registry).data)
    info = data.info()
    from zoo.api import Batch

    images = torch.rand(4, *info.image).as_subclass(OnDevice)
    labels = torch.zeros(4, dtype=torch.int64)
    if task == "classify":
        from zoo_classifier.task import Classify

        torch.manual_seed(0)
        network = torch.nn.Sequential(
            torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, info.classes)
        )
        made: Any = Classify(loss=torch.nn.functional.cross_entropy)
        with torch.no_grad():
            figures = made.evaluate({"classifier": network}, [Batch(images, labels)], info)
    else:
        spec = load_spec("cifar100-diffusion", overrides=["data=shapes"], registry=builder.registry)
        made = builder.bind(spec.task)
        monkeypatch.setattr(type(made), "loss", lambda *given: images.flatten(1).mean(1))
        figures = made.evaluate({"denoiser": network}, [Batch(images, labels)], info)
    assert figures["images"] == 4
    assert figures["loss"] > 0


def test_a_torch_without_onednn_computes_no_bf16_on_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices.platform, "machine", lambda: "arm64")

    class Missing:
        def __getattr__(self, name: str) -> Any:
            raise AttributeError(name)

    monkeypatch.setattr(torch.ops, "mkldnn", Missing())
    assert devices.bf16_units(torch.device("cpu")) == ""


def test_where_no_page_faults_are_counted_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def lacking(name: str, *given: Any, **more: Any) -> Any:
        if name == "resource":
            raise ImportError(name)
        return real(name, *given, **more)

    assert devices.page_faults() > 0
    monkeypatch.setattr(builtins, "__import__", lacking)
    assert devices.page_faults() == 0
