"""The leaderboard as one HTML file, in the style of all pages."""

from __future__ import annotations

from zoo.challenges.chart import svg
from zoo.challenges.judging import shown
from zoo.challenges.leaderboard import Board, Ranking, Row
from zoo.challenges.schema import Challenge
from zoo.drawing.html import html
from zoo.drawing.page import Block, Code, Details, Drawing, Grid, Listing, Page, Section, Table, Text
from zoo.publishing import shelf
from zoo.reports.entry import pictures

FOOTER = (
    "Spec, weights, counts, limits and figures of every entry were held against its certificate when this page was "
    "made; an entry that is not as its certificate says is marked and has no rank. “Measured here”: where this page "
    "was made, the weights that ship gave the figure again; of several seeds one has weights that ship. That a network "
    "was trained within its steps, and on nothing else, is a declaration of who published it. ± is the standard "
    "deviation over trainings from different seeds. `zoo reproduce NAME` trains an entry again."
)
INTRODUCTION = (
    "Trained networks within a budget. Each is ranked among those that keep the rules of one challenge, and among "
    "figures that were measured alike."
)
NUMBERS = ("", "parameters", "multiply-adds", "steps", "n")
MINOR = ("multiply-adds", "steps", "n", "seeds")


def page(board: Board) -> str:
    """Return the board as the text of an HTML file."""
    sections = [section for one in _challenges(board) for section in _challenge(board, one)]
    if board.reasons:
        outside = [f"{name}: {why}" for name, why in board.reasons.items()]
        sections.append(Section("In no challenge", [Listing(outside)]))
    return html(Page("Leaderboard", [Text(INTRODUCTION)], sections, FOOTER))


def _challenges(board: Board) -> list[Challenge]:
    return list({ranking.challenge.name: ranking.challenge for ranking in board.rankings}.values())


def _challenge(board: Board, challenge: Challenge) -> list[Section]:
    rankings = [one for one in board.rankings if one.challenge.name == challenge.name]
    limits = "; ".join(
        f"{name} {limit.options['bound']}" if "bound" in limit.options else name
        for name, limit in challenge.budget.items()
    )
    source = f" Source: {challenge.source}." if challenge.source else ""
    blocks: list[Block] = [Text(challenge.summary), Text(f"Limits: {limits}.{source}", "faint")]
    units = [f"{name}: {text}" for name, text in challenge.units.items()]
    rules = [*units, *(f"forbidden: {one}" for one in challenge.forbidden), *challenge.declarations]
    if rules:
        blocks.append(Details("The rules", [Listing(rules)]))
    entries = {row.name: row.entry for one in rankings for row in one.rows if row.entry and not row.problems}
    return [
        Section(challenge.title, blocks, name=challenge.name),
        *map(_ranking, rankings),
        Section("", [_entry(entry) for entry in entries.values()], level=3),
    ]


def _ranking(ranking: Ranking) -> Section:
    columns = ("", "name", ranking.short, "parameters", "multiply-adds", "steps", "n", "seeds", "verified")
    blocks: list[Block] = [Text(ranking.conditions, "faint")]
    if not ranking.counts:
        blocks.append(Text("Compared with one another alone: no other figure has this scale.", "faint"))
    if drawn := svg(ranking):
        blocks.append(Drawing(drawn))
    rows, tones = [], []
    for row in ranking.rows:
        rows.append(_row(ranking, row))
        tones.append("reference" if row.source else "unsound" if row.problems else "")
    blocks.append(Table(columns, rows, (*NUMBERS, ranking.short), MINOR, tones=tones))
    unsound = [f"{row.name}, not verified: {'; '.join(row.problems)}" for row in ranking.rows if row.problems]
    remarks = [f"{row.name}: {row.source}. {row.remark}" for row in ranking.rows if row.source]
    blocks += [Listing(found, tone) for found, tone in ((unsound, "warning"), (remarks, "faint")) if found]
    return Section(ranking.title, blocks, level=3)


def _row(ranking: Ranking, row: Row) -> tuple[str, ...]:
    def counted(number: int | None) -> str:
        return "" if number is None else f"{number:,}"

    return (
        str(row.rank or ""),
        f"◇ {row.name}" if row.source else row.name,
        shown(ranking.challenge.metric, row.value, row.std),
        counted(row.parameters),
        counted(row.macs),
        counted(row.steps),
        counted(len(row.seeds) or None),
        ", ".join(map(str, row.seeds)),
        "not verified" if row.problems else row.verified,
    )


def _entry(entry: shelf.Entry) -> Details:
    certificate = entry.certificate
    found = pictures(entry)
    weights, looks = certificate.weights, sum(certificate.looks().values())
    facts = (
        f"Weights {weights.sha256[:16]}, {weights.bytes:,} bytes, of seed {certificate.shipped_seed} "
        f"({certificate.shipped_because}). Looks at the test images, of all trainings: {looks}."
    )
    blocks: list[Block] = [Text(certificate.summary), Text(facts, "faint"), Code(certificate.command)]
    return Details(entry.label, [*blocks, *([Grid(found)] if found else [])], opened=bool(found))
