"""`zoo evaluate`: a run's newest checkpoint over whole sets, and the paper's line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from zoo.cli import options

SPLITS = ("train", "validation", "test")


@click.command(short_help="Measure a run's newest checkpoint.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--split",
    "splits",
    type=click.Choice(SPLITS),
    multiple=True,
    show_default="train and test; test for a generator",
    help="Images to measure on; can be repeated.",
)
@options.overrides
@options.as_json
def evaluate(run: Path, splits: Sequence[str], overrides: Sequence[str], as_json: bool) -> None:
    """Measure a run's newest checkpoint.

    RUN is the folder that `zoo train` named at its end. Every image counts once, without augmentation. For a
    classifier, the first line is the paper's form: mean and standard deviation of the accuracy over batches of 64
    images. For a generator, the metrics of the spec are measured and written to the run's certificate;
    --set metrics=... chooses others.
    """
    from zoo.training.allocator import keep_memory

    keep_memory()
    from zoo import api
    from zoo.cli.results import headline, show_figures
    from zoo.cli.terminal import Terminal
    from zoo.plugins import installed
    from zoo.training import checkpoint
    from zoo.training.run import Run

    opened = Run.open(run)
    last = checkpoint.newest(opened.checkpoints)
    registry = installed().registry
    splits = tuple(dict.fromkeys(splits))
    if last is not None:
        Terminal("status").line(f"evaluating {last}")
    figures = api.evaluate(run, splits=splits or None, overrides=overrides)
    line = headline(api.Builder(registry).bind(opened.spec(registry).task), figures)
    if as_json:
        options.print_json({"run": str(run), "checkpoint": str(last), "headline": line, "figures": figures})
        return
    terminal = Terminal()
    if line:
        terminal.line(line, style="bold")
        terminal.line()
    show_figures(figures, terminal)
