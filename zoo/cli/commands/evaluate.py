"""`zoo evaluate`: a run's newest checkpoint or a published entry over whole sets, and the paper's line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from zoo.cli import options

if TYPE_CHECKING:
    from zoo.builder import Builder
    from zoo.cli.terminal import Terminal
    from zoo.publishing.shelf import Entry

SPLITS = ("train", "validation", "test")


@click.command(short_help="Measure a run's newest checkpoint, or a published entry.")
@click.argument("name")
@click.option(
    "--split",
    "splits",
    type=click.Choice(SPLITS),
    multiple=True,
    show_default="train and test; test for a generator",
    help="Images to measure on; can be repeated.",
)
@options.overrides
@options.other_data
@options.as_json
@click.pass_context
def evaluate(
    context: click.Context,
    name: str,
    splits: Sequence[str],
    overrides: Sequence[str],
    other_data: bool,
    as_json: bool,
) -> None:
    """Measure a run's newest checkpoint, or a published entry.

    NAME is the folder that `zoo train` named at its end, or an entry of the shelf. Every image counts once, without
    augmentation. For a classifier, the first line is the paper's form: mean and standard deviation of the accuracy over
    batches of 64 images. For a generator, the metrics of the spec are measured; --set metrics=... chooses others. What
    was found of a run is written into its folder, and so is how often its test images were measured on. A run of
    several seeds gives each one's figures, their mean and deviation. What was found of an entry is kept for the
    leaderboard and held against its certificate; where it differs, the exit code is 8. The data must be those that it
    was trained on; with --other-data they need not be, and nothing is kept.
    """
    from zoo.training.allocator import keep_memory

    keep_memory()
    from zoo import api
    from zoo.cli.results import headline, show_figures, show_seeds
    from zoo.cli.terminal import Terminal
    from zoo.errors import ShelfError
    from zoo.plugins import installed
    from zoo.publishing.shelf import Entry

    registry = installed().registry
    splits = tuple(dict.fromkeys(splits))
    source = api.source(name)
    seeds = source.seeds()
    weights = [one.weights() for one in seeds.values() or [source]]
    for path in weights:
        Terminal("status").line(f"evaluating {path}")
    figures = api.evaluate(name, splits=splits or None, overrides=overrides, other_data=other_data)
    looks = source.looks()
    if seeds:
        if as_json:
            options.print_json({"run": source.label, "figures": figures, "test_looks": looks})
        else:
            show_seeds(figures, figures["seeds"], Terminal())
            _tell(looks, Terminal())
        return
    said = _problems(source, api.Builder(registry)) if isinstance(source, Entry) else None
    line = headline(api.Builder(registry).bind(source.spec(registry).task), figures)
    if as_json:
        found = {"run": source.label, "checkpoint": str(weights[0]), "headline": line, "figures": figures}
        told = {} if said is None else {"certificate": {"problems": said}}
        options.print_json({**found, "test_looks": looks, **told})
        context.exit(ShelfError.exit_code if said else 0)
    terminal = Terminal()
    if line:
        terminal.line(line, style="bold")
        terminal.line()
    show_figures(figures, terminal)
    if looks:
        terminal.line()
    _tell(looks, terminal)
    for problem in said or ():
        terminal.line(f"not as its certificate says: {problem}", style="bold red")
    context.exit(ShelfError.exit_code if said else 0)


def _problems(entry: Entry, builder: Builder) -> list[str]:
    """Return what of an entry is not as its certificate says, with what was measured of it on this machine."""
    from zoo.publishing.certificate import verify
    from zoo.publishing.measured import recall

    return [*verify(entry.folder, builder), *recall(entry.certificate).problems]


def _tell(looks: dict[str, int], terminal: Terminal) -> None:
    """Print how often test images were measured on."""
    if looks:
        told = ", ".join(f"{occasion} {count}" for occasion, count in looks.items())
        terminal.line(f"looks at the test images: {sum(looks.values())} ({told})")
