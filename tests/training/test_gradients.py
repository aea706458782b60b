"""A property: random small networks have the gradients of float64 in the contiguous layout, as Zoo places them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support import ROOT

#: Reads examples from its input, and tells each before and after it is computed: a library may take the process along.
PROGRAM = """
import json, sys
from support import builtin_registry
from zoo.builder import Builder
from zoo.training.selfcheck import Operation, error_of
import torch
builder = Builder(builtin_registry())
for number, (threads, batch, input, items) in enumerate(json.load(sys.stdin)):
    print(json.dumps([number, None]), flush=True)
    torch.set_num_threads(threads)
    layer = builder.layer(items)
    print(json.dumps([number, error_of(Operation(str(items), layer, tuple(input)), batch=batch)]), flush=True)
"""

SIZES = st.integers(1, 3)


@st.composite
def convolutions(draw: st.DrawFn) -> Any:
    kernel = draw(st.one_of(SIZES, st.tuples(SIZES, SIZES).map(list)))
    largest = max(kernel) if isinstance(kernel, list) else kernel
    options: dict[str, Any] = {
        "channels": draw(st.integers(1, 12)),
        "kernel": kernel,
        "stride": draw(st.one_of(SIZES, st.tuples(SIZES, SIZES).map(list))),
        "padding": draw(st.integers(0, (largest + 1) // 2)),
        "bias": draw(st.booleans()),
    }
    kind = draw(st.sampled_from(["conv", "conv", "conv", "conv_transpose"]))
    if kind == "conv_transpose":
        options["padding"] = 0
    return {kind: options}


PARTS = st.one_of(
    convolutions(), convolutions(), st.sampled_from(["batch_norm", "silu", "tanh", {"group_norm": {"groups": 1}}])
)
EXAMPLES = st.tuples(
    st.sampled_from([1, 2]),
    st.integers(1, 8),
    st.tuples(st.integers(1, 12), st.integers(6, 12), st.integers(6, 12)).map(list),
    st.lists(PARTS, min_size=1, max_size=4),
)


def fits(example: Any) -> bool:
    from support import builtin_registry

    from zoo.builder import Builder
    from zoo.errors import ZooError

    _, batch, shape, items = example
    try:
        builder = Builder(builtin_registry())
        inside = tuple(shape)
        for item in items:
            # A norm over few values divides by next to nothing, and float32 has no gradient to speak of.
            if item in ("batch_norm", {"group_norm": {"groups": 1}}) and batch * inside[1] * inside[2] < 32:
                return False
            inside = builder.layer(item).shape(inside)
    except ZooError:
        return False
    return max(inside[1:]) <= 40


def computed(examples: list[Any]) -> list[str]:
    """Return what is wrong with each example; the last is the one that a process died in."""
    path = [str(ROOT), str(ROOT / "plugins"), str(ROOT / "tests"), *sys.path]
    code = f"import sys; sys.path[:0] = {[one for one in path if one]!r}\n{PROGRAM}"
    from zoo.training.selfcheck import environment

    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(examples),
        capture_output=True,
        text=True,
        timeout=300,
        env=environment(),
    )
    found = [text for _, text in map(json.loads, done.stdout.splitlines()) if text is not None]
    return found if done.returncode == 0 else [*found, f"it ends with {done.returncode}: {done.stderr[-500:]}"]


@settings(max_examples=1, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.lists(EXAMPLES.filter(fits), min_size=60, max_size=60))
def test_random_networks_have_the_gradients_of_float64(examples: list[Any]) -> None:
    found = computed(examples)
    assert [(example, text) for example, text in zip(examples, found, strict=False) if text] == []
    assert len(found) == len(examples)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_networks_that_died_have_them(threads: int) -> None:
    strided = {"conv": {"channels": 8, "kernel": 1, "stride": 2, "padding": 0}}
    spread = {"conv_transpose": {"channels": 6, "kernel": 1, "stride": 2, "output_padding": 1}}
    examples = [[threads, 4, [channels, 16, 16], [item]] for channels in (1, 3, 6, 7, 8) for item in (strided, spread)]
    assert computed(examples) == [""] * len(examples)
