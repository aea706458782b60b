"""What fuzzing found stays mended: each file of the corpus is read, and ends in a result or in an error of Zoo's own."""

from __future__ import annotations

import random
import resource
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from targets import TARGETS, changed, seeds, tried


def resident() -> int:
    """Return the most memory that this process had until now, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


FILES = [(name, path) for name in TARGETS for path in seeds(name)]


@pytest.mark.parametrize(("name", "path"), FILES, ids=[f"{name}-{path.name}" for name, path in FILES])
def test_the_corpus_is_read(name: str, path: Path) -> None:
    tried(name, seeds(name)[-1].read_bytes())  # what it imports
    began, memory = time.process_time(), resident()
    data = path.read_bytes()
    error = tried(name, data)
    assert time.process_time() - began < 1 + len(data) / 1e6
    assert resident() - memory < 512 * 1024
    assert (error is None) == path.name.startswith("good"), error
    if error is not None:
        assert len(str(error)) < 20_000


def test_every_target_has_seeds() -> None:
    assert {name for name, _ in FILES} == set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(draw=st.randoms(use_true_random=False), index=st.integers(0, 10**6))
def test_changed_files_are_read_or_refused(name: str, draw: random.Random, index: int) -> None:
    kept = seeds(name)
    tried(name, changed(kept[index % len(kept)].read_bytes(), draw))
