"""`zoo leaderboard`: published entries, verified and ranked, as tables or as a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.cli import options

if TYPE_CHECKING:
    from zoo.challenges.leaderboard import Board, Ranking, Row
    from zoo.cli.terminal import Terminal

COLUMNS = ("rank", "name", "parameters", "MACs", "steps", "n", "seeds", "verified")


@click.command(short_help="Rank the published entries within their budgets.")
@click.option(
    "--challenge",
    "challenges",
    metavar="NAME",
    multiple=True,
    show_default="those that ship",
    help="A challenge by name or file; can be repeated.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a page with charts and pictures that needs no other file.",
)
@click.option("--measure", is_flag=True, help="Measure first what was not measured on this machine yet.")
@options.as_json
@click.pass_context
def leaderboard(
    context: click.Context, challenges: Sequence[str], html: Path | None, measure: bool, as_json: bool
) -> None:
    """Rank the published entries within their budgets.

    Each entry stands in every challenge whose rules it keeps, beside the results of others that the challenge names.
    Spec, weights and counts are held against the certificate; whether the weights give the figures is known where
    `zoo evaluate NAME` or --measure measured them on this machine. An entry that is not as its certificate says, or
    whose weights give other figures, is marked, has no rank, and the command exits with 8. Figures that were measured
    in other features are ranked apart.
    """
    from zoo import api
    from zoo.cli.terminal import Terminal
    from zoo.errors import ShelfError

    status = Terminal("status")
    board = api.leaderboard(challenges, measure=status.line if measure else None)
    if html is not None:
        from zoo.challenges.page import page
        from zoo.files import write_text

        write_text(html, page(board))
    if as_json:
        options.print_json(board.to_data())
    elif html is not None:
        Terminal().line(str(html))
    else:
        _show(board, Terminal())
    context.exit(0 if board.sound else ShelfError.exit_code)


def _show(board: Board, terminal: Terminal) -> None:
    told = ""
    for ranking in board.rankings:
        challenge = ranking.challenge
        if told:
            terminal.line()
        if told != challenge.name:
            terminal.line(f"{challenge.name}: {challenge.title}", style="bold")
        told = challenge.name
        _show_ranking(ranking, terminal)
    if board.outside:
        terminal.line()
        terminal.line("in no challenge", style="bold")
        for name, reason in board.reasons.items():
            terminal.line(f"{name}: {reason}")


def _show_ranking(ranking: Ranking, terminal: Terminal) -> None:
    terminal.line(f"{ranking.short}: {ranking.conditions}")
    columns = (*COLUMNS[:2], ranking.short, *COLUMNS[2:])
    right = ("rank", ranking.short, "parameters", "MACs", "steps", "n")
    terminal.table(
        columns,
        [_row(ranking, row) for row in ranking.rows],
        right=right,
        fold=("verified",),
        drop=("seeds", "n", "steps", "MACs", "parameters"),
        shorten=("name",),
    )
    for row in ranking.rows:
        if row.source:
            terminal.line(f"{row.name}: {row.source}. {row.remark}".rstrip())


def _row(ranking: Ranking, row: Row) -> tuple[str, ...]:
    from zoo.challenges.judging import shown

    def counted(number: int | None) -> str:
        return "" if number is None else f"{number:,}"

    return (
        str(row.rank or ""),
        row.name,
        shown(ranking.challenge.metric, row.value, row.std),
        counted(row.parameters),
        counted(row.macs),
        counted(row.steps),
        counted(len(row.seeds) or None),
        ", ".join(map(str, row.seeds)),
        row.verified,
    )
