"""A small adversarial training on the embedded data, and a registry that has the tasks of these tests too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from gan_support import SPEC
from support import builtin_registry, changed

from zoo.builder import Builder
from zoo.registry import Component, Provider, Registry
from zoo.spec.load import load_spec
from zoo.spec.schema import Spec
from zoo.training.loop import train
from zoo.training.reporter import Reporter
from zoo.training.run import Run

torch.set_num_threads(1)

TASKS = {
    "only_discriminator": "OnlyDiscriminator",
    "only_generator": "OnlyGenerator",
    "greedy": "Greedy",
    "scripted": "Scripted",
}


@pytest.fixture(scope="session")
def gan_builder() -> Builder:
    """Build what is built in, and the tasks of these tests."""
    registry = Registry()
    known = builtin_registry()
    for component in known:
        registry.add(component, known.provider(component))
    for name, target in TASKS.items():
        registry.add(Component("task", name, f"gan_support:{target}"), Provider("tests"))
    return Builder(registry)


@pytest.fixture
def spec(gan_builder: Builder) -> Callable[..., Spec]:
    """Make the small spec, changed where asked."""
    return lambda **parts: load_spec(changed(SPEC, **parts), registry=gan_builder.registry)


@pytest.fixture
def run(spec: Callable[..., Spec], gan_builder: Builder, tmp_path: Path) -> Callable[..., Run]:
    """Train the small spec in a folder of its own and return the run."""

    def go(folder: str = "run", reporter: Reporter | None = None, **parts: Any) -> Run:
        return train(spec(**parts), gan_builder, tmp_path / folder, reporter)

    return go
