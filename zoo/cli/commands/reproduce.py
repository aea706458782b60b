"""`zoo reproduce`: a published entry trained again, and whether its figures came out again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.cli import options

if TYPE_CHECKING:
    from zoo.challenges.reproduction import Comparison, Reproduction
    from zoo.checking import Report
    from zoo.cli.progress import TrainingDisplay
    from zoo.cli.terminal import Terminal

VERDICTS = {True: "within", False: "outside", None: "not told"}


@click.command(short_help="Train a published entry again and compare its figures.")
@click.argument("name")
@click.option(
    "--run",
    "folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="The run's folder; of several seeds, it holds one for each.",
)
@click.option(
    "--seeds",
    "count",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many trainings, with the smallest seeds that were not published.",
)
@click.option(
    "--seed", "chosen", type=click.IntRange(min=0, max=2**32 - 1), multiple=True, help="This seed; can be repeated."
)
@click.option(
    "--challenge",
    "challenges",
    metavar="NAME",
    multiple=True,
    show_default="those that ship",
    help="A challenge whose figures are compared, by name or file; can be repeated.",
)
@options.overrides
@options.other_data
@options.as_json
@click.pass_context
def reproduce(
    context: click.Context,
    name: str,
    folder: Path | None,
    count: int,
    chosen: Sequence[int],
    challenges: Sequence[str],
    overrides: Sequence[str],
    other_data: bool,
    as_json: bool,
) -> None:
    """Train a published entry again and compare its figures.

    NAME is an entry of the shelf, or its folder. Ctrl-C saves the state and stops; the same command goes on from
    there. The exit code is 17 when a figure did not come within the spread that the entry states. --set changes only
    how it is computed (train.device, train.engine, train.precision) and the metrics of a generator.
    """
    from zoo.training.allocator import keep_memory

    keep_memory()
    from zoo import api
    from zoo.cli.progress import TrainingDisplay
    from zoo.cli.summary import show_report
    from zoo.cli.terminal import Terminal

    status = Terminal("status")

    def display(report: Report) -> TrainingDisplay:
        show_report(report, status)
        status.line()
        return TrainingDisplay(status, report)

    found = api.reproduce(
        name,
        seeds=tuple(dict.fromkeys(chosen)) or count,
        run=folder,
        challenges=challenges,
        overrides=overrides,
        other_data=other_data,
        reporter=display,
    )
    if as_json:
        options.print_json({"exit_code": found.exit_code, **found.to_data()})
    else:
        _show(found, Terminal())
    context.exit(found.exit_code)


def _show(found: Reproduction, terminal: Terminal) -> None:
    words = [VERDICTS[one.within] for one in found.comparisons]
    verdict = "did not come out again" if "outside" in words else "came out again" if "within" in words else "not told"
    seeds = ", ".join(map(str, found.seeds))
    terminal.line(
        f"{found.entry}: {verdict}, with seed{'s' if len(found.seeds) > 1 else ''} {seeds}",
        style="bold red" if "outside" in words else "bold green",
    )
    terminal.line()
    columns = ("figure", "published", "n", "again", "expected", "verdict")
    terminal.table(columns, map(_row, found.comparisons), right=columns[1:5], drop=("n",))
    terminal.line()
    for one in found.comparisons:
        terminal.line(f"{one.figure}: {one.basis}")
    for run in found.runs:
        terminal.line(f"run:  {run}")


def _row(one: Comparison) -> tuple[str, ...]:
    expected = "" if one.low is None else f"{one.low:.4f} to {one.high:.4f}"
    again = ", ".join(f"{value:.4f}" for value in one.again)
    if len(one.again) > 1:
        again = f"{one.again_mean:.4f} ({again})"
    published = f"{one.mean:.4f}"
    return (one.figure, published, str(len(one.published)), again, expected, VERDICTS[one.within])
