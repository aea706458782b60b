"""How long a network takes to answer. No test compares a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from delivery_support import needs_onnx

from zoo.delivery.export import Delivery, delivery
from zoo.delivery.latency import measure
from zoo.errors import DeliveryError
from zoo.evaluation.trained import Trained

Load = Callable[[str], Trained]


@pytest.fixture(scope="module")
def made(trained: Load) -> Delivery:
    return delivery(trained("classifier"))


def test_each_form_is_timed_at_each_batch(made: Delivery) -> None:
    found = measure(made, forms=("eager", "pt2"), batches=(1, 3), rounds=2)
    threads = sorted({1, torch.get_num_threads()})
    rows = [(one["form"], one["batch"], one["threads"]) for one in found["timings"]]
    assert rows == [(form, batch, count) for count in threads for batch in (1, 3) for form in ("eager", "pt2")]
    for one in found["timings"]:
        assert 0 < one["low"] <= one["median"] <= one["high"]
        assert one["per_second"] == pytest.approx(1000 / one["median"])
    assert found["machine"]["processor"] and found["warm_up"] >= 1


def test_the_baseline_is_the_measure_of_the_others(made: Delivery) -> None:
    found = measure(made, forms=("eager",), batches=(1,), rounds=2, baseline="pt2")
    assert [one["ratio"] for one in found["timings"] if one["form"] == "pt2"] == [1.0] * len(found["timings"][::2])


def test_files_are_timed_too(made: Delivery) -> None:
    needs_onnx()
    found = measure(made, batches=(1,), rounds=1)
    assert {one["form"] for one in found["timings"]} == {"eager", "pt2", "onnx", "onnx-int8"}


def test_threads_are_given_back(made: Delivery) -> None:
    before = torch.get_num_threads()
    measure(made, forms=("eager",), batches=(1,), rounds=1)
    assert torch.get_num_threads() == before


def test_an_unknown_form_names_the_known(made: Delivery, trained: Load) -> None:
    with pytest.raises(DeliveryError, match="found the form 'onx'; did you mean 'onnx'"):
        measure(made, forms=("onx",))
    with pytest.raises(DeliveryError, match="found the form 'onnx-int8'; "):
        measure(delivery(trained("gan")), forms=("onnx-int8",))
