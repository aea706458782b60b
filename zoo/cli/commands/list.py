"""`zoo list`: what a spec can name, what ships (specs, trained networks, challenges), and the runs of a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import options, units
from zoo.cli.specs import shelf_entries, shipped_challenges, shipped_specs
from zoo.cli.terminal import Terminal
from zoo.errors import ZooError, closest
from zoo.plugins import installed
from zoo.registry import KINDS

if TYPE_CHECKING:
    from zoo.reports.account import Account

#: What ships, by the heading that it is listed under.
SHIPPED: dict[str, tuple[str, str, Callable[[], list[dict[str, str]]]]] = {
    "specs": ("spec", "what `zoo check` and `zoo train` know by name", shipped_specs),
    "shelf": (
        "published",
        "trained networks that `zoo evaluate`, `predict` and `sample` know by name",
        shelf_entries,
    ),
    "challenges": ("challenge", "what `zoo check --challenge` knows by name", shipped_challenges),
}

RUNS = "runs"


class Kind(click.ParamType[str]):
    """A kind of component, in singular or plural, or what ships."""

    name = "kind"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        for kind in (*KINDS, *SHIPPED, RUNS):
            if value.lower() in (kind, units.plural(kind), kind.removesuffix("s")):
                return kind
        names = [*KINDS, *SHIPPED, RUNS]
        hint = closest(value, names) or f"wanted one of {', '.join(names)}"
        raise click.UsageError(f"found {value!r}; {hint}", ctx)


@click.command("list", short_help="List what a spec can name, what ships, and runs.")
@click.argument("kind", type=Kind(), required=False)
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@options.as_json
def list_components(kind: str | None, folder: Path | None, as_json: bool) -> None:
    """List what a spec can name, what ships, and runs.

    KIND is a kind of component (layer, activation, optimizer, ...), `specs`, `shelf` for the trained networks that are
    published, or `challenges`; without it, all are listed. `runs` are the trainings in and below FOLDER (runs unless
    named), the newest first.
    """
    if kind == RUNS:
        _list_runs(folder or Path(RUNS), as_json)
        return
    if folder is not None:
        raise click.UsageError(f"found the folder {str(folder)!r} after {kind!r}; only `zoo list runs` takes one")
    components = [] if kind in SHIPPED else _components(kind)
    ships = {heading: SHIPPED[heading][2]() for heading in SHIPPED if kind in (None, heading)}
    if as_json:
        found = [{"kind": SHIPPED[heading][0], **one} for heading, part in ships.items() for one in part]
        options.print_json(components + found)
        return
    terminal = Terminal()
    for heading in KINDS:
        part = [one for one in components if one["kind"] == heading]
        if part or kind == heading:
            rows = [(one["name"], one["provider"]["plugin"], one["summary"]) for one in part]
            _section(terminal, heading, KINDS[heading], rows)
    for heading, shipped in ships.items():
        rows = [(one["name"], one["provider"], one["summary"]) for one in shipped]
        _section(terminal, heading, SHIPPED[heading][1], rows)


def _list_runs(folder: Path, as_json: bool) -> None:
    """Print the runs in a folder: how far each is, its figure, and what it took."""
    from zoo.builder import Builder
    from zoo.reports.account import Account, runs_in
    from zoo.training.run import Run

    builder = Builder(installed().registry)
    found, problems = [], {}
    for path in runs_in(folder):
        try:
            found.append(Account.of(Run(path), builder))
        except ZooError as error:
            problems[str(path)] = str(error)
    if as_json:
        damaged = [{"run": name, "state": "damaged", "problem": text} for name, text in problems.items()]
        options.print_json([*(one.to_data() for one in found), *damaged])
        return
    terminal = Terminal()
    if found:
        columns = ("run", "spec", "state", "figure", "seeds", "time", "begun")
        terminal.table(
            columns, map(_run, found), right=("time", "seeds"), drop=("begun", "time", "seeds", "spec"), fold=("state",)
        )
    elif not problems:
        terminal.line(f"{folder}: there is no run in it; `zoo train SPEC` makes one")
    for name, text in problems.items():
        terminal.line(f"{name}: damaged: {text}", style="yellow")


def _run(one: Account) -> tuple[str, ...]:
    headline = one.headline
    return (
        str(one.run.folder),
        one.spec.name,
        one.standing,
        f"{headline[0]} {units.spread(*headline[1:])}" if headline else "",
        str(len(one.runs)),
        units.duration(one.seconds),
        str(one.facts.get("started", ""))[:16].replace("T", " "),
    )


def _components(kind: str | None) -> list[dict[str, Any]]:
    registry = installed().registry
    return [
        {
            "kind": one.kind,
            "name": one.name,
            "summary": one.summary,
            "source": one.source,
            "provider": options.provider_data(registry.provider(one)),
        }
        for one in registry
        if kind in (None, one.kind)
    ]


def _section(terminal: Terminal, name: str, meaning: str, rows: list[tuple[str, str, str]]) -> None:
    terminal.line(f"{name}: {meaning}", style="bold")
    if rows:
        terminal.table(("name", "from", "summary"), rows, fold=("summary",), drop=("from",))
    else:
        terminal.line("none is installed")
    terminal.line()
