"""What a person at a prompt sees of `zoo`."""

from __future__ import annotations

import zoo
from zoo import api
from zoo.registry import Registry


def test_the_public_names_are_listed() -> None:
    assert set(api.__all__) <= set(dir(zoo))


def test_a_name_is_looked_up_once() -> None:
    vars(zoo).pop("content_hash", None)
    assert zoo.content_hash is api.content_hash
    assert vars(zoo)["content_hash"] is api.content_hash


def test_a_report_is_shown_in_a_line(registry: Registry) -> None:
    kept = repr(zoo.check("quickstart", registry=registry))
    assert kept.startswith("<Report of quickstart: 83,892 parameters, ") and kept.endswith(", keeps its limits>")
    broken = zoo.check("quickstart", overrides=["budget.parameters=1"], registry=registry)
    assert repr(broken).endswith(", breaks parameters>")
