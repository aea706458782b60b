"""`zoo fit`: values of free variables that use a budget best."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import options
from zoo.errors import Interrupted

if TYPE_CHECKING:
    from zoo.fitting import Candidate, Fit, Progress

FIGURES = ("parameters", "macs", "memory", "file_size")


@click.command(short_help="Find values of free variables that use a budget best.")
@click.argument("spec")
@options.overrides
@click.option("--use", "figure", type=click.Choice(FIGURES), default="parameters", show_default=True,
              help="The figure to use most of.")  # fmt: skip
@click.option("--top", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many to show.")
@click.option("--candidates", "most", type=click.IntRange(1), default=200_000, show_default=True,
              help="The most to count; of more, the promising are looked for.")  # fmt: skip
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=60.0, show_default=True,
              help="The most time to take.")  # fmt: skip
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="PATH",
              help="A new .yaml or .json: the spec with the best values.")  # fmt: skip
@options.as_json
@click.pass_context
def fit(
    context: click.Context,
    spec: str,
    overrides: Sequence[str],
    figure: str,
    top: int,
    most: int,
    seconds: float,
    out: Path | None,
    as_json: bool,
) -> None:
    """Find values of free variables that use a budget best.

    A variable of `let` is free when it is {free: {from: 16, to: 128, step: 4}} or {free: [relu, silu]}. Candidates are
    counted, not trained; those that keep every limit and use most of the budget come first. A limit such as
    "=99364" asks for an exact count. The exit code is 10 to 15 when no candidate keeps the limits.
    """
    from zoo import api
    from zoo.plugins import installed
    from zoo.spec.load import load_document

    if out is not None and out.suffix.lower() not in (".yaml", ".yml", ".json"):
        raise click.UsageError(f"--out {out}: wanted the name of a .yaml or .json")
    if out is not None and out.exists():
        raise click.UsageError(f"--out {out} is there already; choose another name, or remove it")
    with _progress() as progress:
        found = api.fit(
            spec, overrides=overrides, figure=figure, top=top, most=most, seconds=seconds, progress=progress
        )
    best = found.best[0]

    def document() -> Any:
        return load_document(spec, overrides=overrides, folders=installed().spec_folders())

    if out is not None and best.kept:
        _write(out, document(), best)
    if as_json:
        options.print_json(_data(found))
    else:
        _show(found, figure, spec, overrides, out, document)
    if found.stopped:
        raise Interrupted(f"stopped by {found.stopped}; the above is of the candidates until then", found.stopped)
    context.exit(0 if best.kept else min(one.exit_code for one in best.verdicts if not one.kept))


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Yield what draws a bar on a terminal, and is None elsewhere."""
    from zoo.cli.terminal import Terminal

    terminal = Terminal("status")
    if not terminal.is_terminal:
        yield None
        return
    with terminal.area() as area:
        yield lambda tried, of: area.draw("candidates", tried / of, f"{tried:,} of {of:,}")


def _write(path: Path, document: Any, best: Candidate) -> None:
    from zoo.files import write_text
    from zoo.spec.free import free_domains, settled
    from zoo.spec.writer import write_json, write_yaml

    write = write_json if path.suffix.lower() == ".json" else write_yaml
    write_text(path, write(settled(document, free_domains(document), best.values).data()))


def _data(found: Fit) -> dict[str, Any]:
    return {
        "tried": found.tried,
        "possible": found.possible,
        "kept": found.kept,
        "unbuildable": found.unbuildable,
        "in_time": found.in_time,
        **({"stopped": found.stopped} if found.stopped else {}),
        "seconds": found.seconds,
        "best": [
            {
                "values": one.values,
                "kept": one.kept,
                **one.total._asdict(),
                "limits": [vars(verdict) for verdict in one.verdicts],
            }
            for one in found.best
        ],
    }


def _show(
    found: Fit, figure: str, spec: str, overrides: Sequence[str], out: Path | None, document: Callable[[], Any]
) -> None:
    from zoo.cli import units
    from zoo.cli.terminal import Terminal

    terminal = Terminal()
    best = found.best[0]
    rate = found.tried / max(found.seconds, 1e-9)
    tried = (
        f"{found.tried:,} of {found.possible:,} candidates in {units.duration(found.seconds)} ({rate:,.0f} a second)"
    )
    terminal.line(f"{found.kept:,} of them keep the limits" if found.kept else "none keeps the limits", style="bold")
    terminal.line(f"counted {tried}" + ("" if found.in_time else "; stopped by --seconds, so the next time may differ"))
    if found.unbuildable:
        terminal.line(f"{found.unbuildable:,} cannot be built, the first of them because: {found.reason}")
    terminal.line()
    names = list(best.values)
    limits = [f"{one.network} {one.limit}".strip() for one in best.verdicts]
    shown = {"parameters", *(one.limit for one in best.verdicts), "macs"}
    figures = [name for name in ("parameters", "macs", "memory", "file_size", "steps") if name in shown]
    rows = [
        [
            str(index + 1),
            *map(str, one.values.values()),
            *(f"{getattr(one.total, name):,}" for name in figures),
            *(f"{verdict.spare:+,}" for verdict in one.verdicts),
        ]
        for index, one in enumerate(found.best)
    ]
    columns = ["rank", *names, *figures, *(f"{limit} to spare" for limit in limits)]
    # What the limits leave is told by the figures and the limits; the figure that was to be used stays.
    drop = [*(one for one in reversed(figures) if one != figure), *reversed(columns[1 + len(names) + len(figures) :])]
    terminal.table(columns, rows, right=columns, drop=drop)
    terminal.line()
    if not best.kept:
        terminal.line("these come nearest; widen a range of the free variables, or a limit")
    elif out is not None:
        terminal.line(f"the first is in {out}")
    else:
        import shlex

        from zoo.spec.free import place_of

        read = document()
        chosen = [*overrides, *(f"{place_of(read, name)}={value}" for name, value in best.values.items())]
        words = ["zoo", "check", spec, *(word for text in chosen for word in ("--set", text))]
        terminal.line(f"the first: {shlex.join(words)}")
