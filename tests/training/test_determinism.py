"""`--verify-determinism`: the same steps give the same bits, and where they do not it is said."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from torch import Tensor

from zoo.builder import Builder
from zoo.spec.schema import Spec
from zoo.training.determinism import verify
from zoo.training.stepper import Stepper


def test_a_training_is_deterministic(spec: Callable[..., Spec], builder: Builder) -> None:
    found = verify(spec(), builder, steps=4)
    assert found.kept and found.steps == 4 and found.engine == "cpu, fp32, eager"
    assert [one.way for one in found.comparisons][:2] == ["the same steps again", "stopped after 2 and gone on"]
    assert [one.promised for one in found.comparisons] == [True, True, False]


def test_what_is_not_deterministic_is_named(
    spec: Callable[..., Spec], builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, counter = Stepper._batch, itertools.count()

    def batch(stepper: Stepper, fetch: Any) -> Any:
        found = whole(stepper, fetch)
        images: Tensor = found.images + next(counter) * 1e-3
        return found._replace(images=images)

    monkeypatch.setattr(Stepper, "_batch", batch)
    found = verify(spec(), builder, steps=2)
    again = found.comparisons[0]
    assert not found.kept and again.largest > 0
    assert any(name.startswith("classifier.network.") for name in again.different)
