"""`zoo sweep`: many trainings of one spec whose free values differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import options

if TYPE_CHECKING:
    from zoo.cli.terminal import Terminal

SHOWN = 20  # trials in a table


@click.command(short_help="Train a spec for many values of what it leaves free.")
@click.argument("spec")
@options.overrides
@click.option("--workers", type=click.IntRange(1, 1024), default=1, show_default=True,
              help="Processes here, each with a thread.")  # fmt: skip
@click.option("--storage", envvar="ZOO_STORAGE", default="", metavar="URL",
              help="A database that workers on several machines meet in; unless named, a file.")  # fmt: skip
@click.option("--study", "folder", type=click.Path(path_type=Path), metavar="FOLDER",
              help="The study's folder; runs/<name>-sweep unless named.")  # fmt: skip
@click.option("--heartbeat", type=click.IntRange(1, 3600), default=60, show_default=True, metavar="SECONDS",
              help="Between signs of life; after twice as long, a trial is taken up by another.")  # fmt: skip
@options.as_json
def sweep(
    spec: str,
    overrides: Sequence[str],
    workers: int,
    storage: str,
    folder: Path | None,
    heartbeat: int,
    as_json: bool,
) -> None:
    """Train a spec for many values of what it leaves free.

    A value anywhere in SPEC is free when it is {free: {from: 16, to: 128, step: 4}}, {free: {from: 1e-4, to: 1e-1,
    log: true}} or {free: [relu, silu]}; the section `sweep` says by which figures trials are judged, how many there
    are and who chooses them. A point that breaks a limit is counted and not trained. Trials are judged on training
    images that are held out; test images are looked at for confirmed ones alone. Ctrl-C saves and stops, the same
    command goes on, and the same command elsewhere with the same --storage joins.
    """
    from zoo.training.allocator import keep_memory

    keep_memory()
    from zoo import api
    from zoo.cli.terminal import Terminal

    found = api.sweep(
        spec,
        folder=folder,
        overrides=overrides,
        workers=workers,
        storage=storage,
        heartbeat=heartbeat,
        say=Terminal("status").line,
    )
    if as_json:
        options.print_json(found)
    else:
        _show(found, Terminal())


def _show(found: Mapping[str, Any], terminal: Terminal) -> None:
    from zoo.cli import units
    from zoo.sweeps.plan import VALIDATION, number

    trials, figures = found["trials"], found["figures"]
    counts = [
        f"{len(trials):,} trained",
        f"{found['refused']:,} refused by their limits",
        *(f"{len(found[name]):,} {text}" for name, text in STATES.items() if found[name]),
    ]
    terminal.line(f"{found['study']}: {', '.join(counts)}", style="bold")
    terminal.line()
    if trials:
        first, direction = next(iter(figures.items()))
        sign = -1 if direction == "maximize" else 1
        ranked = sorted(trials, key=lambda one: (not one["pareto"], sign * one["figures"][first]))
        several = len(figures) > 1
        names = list(trials[0]["values"])
        rows = [
            [
                one["folder"],
                *(["*" if one["pareto"] else ""] if several else []),
                *(
                    number(value) if isinstance(value, float) else f"{value:,}"
                    for value in map(_whole, one["figures"].values())
                ),
                *(number(one["values"][name]) for name in names),
            ]
            for one in ranked[:SHOWN]
        ]
        columns = ["trial", *(["Pareto"] if several else []), *figures, *names]
        terminal.table(columns, rows, right=[*figures], drop=names[::-1])
        if len(ranked) > SHOWN:
            terminal.line(f"and {len(ranked) - SHOWN:,} more; zoo compare {found['folder']} shows all")
        terminal.line()
    judged = {name.removeprefix(VALIDATION) for name in figures}
    for folder, one in found["confirmed"].items():
        told = [
            f"{split} {name} {mean:.4f}" + ("" if (std := one["std"][split][name]) is None else f" ± {std:.4f}")
            for split, means in one["mean"].items()
            for name, mean in means.items()
            if name in judged
        ]
        terminal.line(f"{folder} confirmed from {one['n']} new {units.plural('seed', one['n'])}: {', '.join(told)}")
    looks = found["test_looks"]
    terminal.line(f"looks at the test images: {looks['trials']} of trials, {looks['confirmed']} of confirmed ones")
    terminal.line(f"study: {found['folder']}")
    terminal.line(f"next:  zoo compare {found['folder']}")
    terminal.line(f"       zoo report {found['folder']}")


STATES = {"pruned": "ended early", "diverged": "diverged", "given_up": "given up"}


def _whole(value: float) -> float | int:
    return int(value) if value == int(value) and abs(value) >= 10 else value
