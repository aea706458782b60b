"""Reports of several trainings: a comparison, and a study with its space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zoo.builder import Builder
from zoo.drawing.page import Page


def is_study(folder: Path) -> bool:
    return (folder / "study.db").exists() or (folder / "sweep.json").exists()


def study_page(folder: Path, builder: Builder, folders: Sequence[Path] = ()) -> Page:
    raise NotImplementedError


def compared_page(sources: Sequence[str | Path], builder: Builder, folders: Sequence[Path] = ()) -> Page:
    raise NotImplementedError
