"""`zoo train`: check a spec, train it, and say what came out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import options

if TYPE_CHECKING:
    from zoo.cli.terminal import Terminal
    from zoo.training.run import Run
    from zoo.training.task import Task


@click.command(short_help="Train a spec; one that was stopped goes on.")
@click.argument("spec")
@options.overrides
@click.option(
    "--run",
    "folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="The run's folder; runs/<name>-<hash> unless named.",
)
@options.as_json
def train(spec: str, overrides: Sequence[str], folder: Path | None, as_json: bool) -> None:
    """Train a spec; one that was stopped goes on.

    SPEC is a file or the name of a shipped spec. Ctrl-C saves the state and stops; the same command goes on from
    there, bit for bit. A finished run prints its result again.
    """
    from zoo.training.allocator import keep_memory

    keep_memory()
    from zoo import api
    from zoo.cli.progress import TrainingDisplay
    from zoo.cli.summary import show_report
    from zoo.cli.terminal import Terminal

    status = Terminal("status")
    loaded = api.load_spec(spec, overrides=overrides)
    report = api.check(loaded)
    show_report(report, status)
    status.line()
    run = api.train(loaded, run=folder, reporter=TrainingDisplay(status, report))
    status.line()
    result = run.result() or {}
    if as_json:
        options.print_json({"run": str(run.folder), "check": report.to_data(), "result": result})
    else:
        task = api.Builder(_registry()).bind(loaded.task)
        _show(run, result, task, Terminal())


def _registry() -> Any:
    from zoo.plugins import installed

    return installed().registry


def _show(run: Run, result: dict[str, Any], task: Task, terminal: Terminal) -> None:
    from zoo.cli import units
    from zoo.cli.results import headline, show_figures
    from zoo.training.task import GenerativeTask

    steps, seconds = units.count(result["steps"]), units.duration(result["seconds"])
    terminal.line(f"trained {steps} steps in {seconds} on {result['engine']}")
    if "test" in result:
        line = headline(task, {"test": result["test"]})
        if line:
            terminal.line(line, style="bold")
            terminal.line()
        show_figures({"test": result["test"]}, terminal)
        terminal.line()
    terminal.line(f"run:  {run.folder}")
    terminal.line(f"next: zoo evaluate {run.folder}")
    if isinstance(task, GenerativeTask):
        terminal.line(f"      zoo sample {run.folder}")
