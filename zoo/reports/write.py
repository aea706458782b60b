"""Reports as files: which page stands for what was named, and the one that a run leaves at its end."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from zoo.builder import Builder
from zoo.drawing import vega
from zoo.drawing.html import html
from zoo.drawing.page import Page
from zoo.errors import ZooError
from zoo.files import write_text
from zoo.publishing.shelf import Entry, find
from zoo.reports.run import run_page
from zoo.training.reporter import Reporter
from zoo.training.run import Run

FILE = "report.html"
SWITCH = "ZOO_REPORT"  # "off": runs leave no report at their end


def report(
    sources: Sequence[str | Path], builder: Builder, folders: Sequence[Path] = (), *, to: Path | None = None
) -> Path:
    """Write the report of runs, entries or a study, and return its path: into the folder of a single run or study
    unless told where; several, and entries, have theirs in the working folder.

    Raises RunError where there is no such run, and ZooError where charts cannot be drawn.
    """
    need()
    page, folder = page_of(sources, builder, folders)
    path = to or (folder or Path()) / FILE
    write(page, path)
    return path


def page_of(sources: Sequence[str | Path], builder: Builder, folders: Sequence[Path] = ()) -> tuple[Page, Path | None]:
    """Return the page of what is named, and the folder that it belongs into, if there is one."""
    from zoo.reports.study import compared_page, is_study, study_page

    if len(sources) > 1:
        return compared_page(sources, builder, folders), None
    (only,) = sources
    if is_study(Path(only)):
        return study_page(Path(only), builder, folders), Path(only)
    found = find(only, builder.registry, folders)
    return run_page(found, builder), None if isinstance(found, Entry) else found.folder


def write(page: Page, path: Path) -> None:
    """Write a page as an HTML file."""
    write_text(path, html(page, vega.draw))


def need() -> None:
    """Raise ZooError where the package that draws charts is missing."""
    if not vega.available():
        raise ZooError(f"a report needs the package vl-convert-python: {vega.EXTRA}")


def leave_report(run: Run, builder: Builder, reporter: Reporter) -> None:
    """Write the report of a run that has ended into its folder, of what it holds there.

    Nothing of it stops anything: where it cannot be made, `reporter` is told why.
    """
    path = run.folder / FILE
    if os.environ.get(SWITCH) == "off" or _newer(path, run.folder / "result.json"):
        return
    if not vega.available():
        reporter.message(f"no {FILE}: it needs the package vl-convert-python ({vega.EXTRA})")
        return
    try:
        write(run_page(run, builder, look=False), path)
    except Exception as error:  # a plugin's too: the run is finished, and stays so
        reporter.message(f"warning: {path} was not written ({type(error).__name__}: {error})")


def _newer(path: Path, than: Path) -> bool:
    try:
        return path.stat().st_mtime >= than.stat().st_mtime
    except OSError:
        return False
