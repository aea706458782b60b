"""Published entries ranked within challenges: each verified first, and each only among figures of its own kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo.builder import Builder
from zoo.challenges.judging import conditions, counting, departures, judge_submission, others_of
from zoo.challenges.schema import Challenge
from zoo.challenges.submission import DIFFERS, Submission, from_entry
from zoo.errors import ZooError
from zoo.evaluation.metric import Measurement
from zoo.publishing import shelf
from zoo.publishing.certificate import verify
from zoo.publishing.measured import HERE, measure


@dataclass(frozen=True)
class Row:
    """An entry with one figure, or a result of others.

    `rank` is None for what is not ranked: a result of others, which has a `source`, and an entry with `problems`.
    """

    name: str
    parameters: int
    value: float
    std: float | None = None
    macs: int | None = None
    steps: int | None = None
    seeds: tuple[int, ...] = ()
    rank: int | None = None
    problems: tuple[str, ...] = ()
    source: str = ""
    remark: str = ""
    entry: shelf.Entry | None = None
    measured: str = ""

    @property
    def verified(self) -> str:
        """Whether the weights gave the figure on this machine, or what is wrong with the entry; "" of others' results.

        Of several trainings one has weights that can be measured.
        """
        differs = [one for one in self.problems if one.startswith(DIFFERS)]
        if self.problems:
            return "; ".join(differs) or f"no: {'; '.join(self.problems)}"
        more = self.entry is not None and self.measured == HERE and len(self.seeds) > 1
        return f"{self.measured}, 1 of {len(self.seeds)}" if more else self.measured


@dataclass(frozen=True)
class Ranking:
    """The rows of one challenge that have one figure, the best first, those with problems last."""

    challenge: Challenge
    figure: str
    rows: tuple[Row, ...]

    @property
    def counts(self) -> bool:
        """Whether this is the figure that the challenge counts, and not one that is shown beside it."""
        return self.figure == self.challenge.metric.figure

    @property
    def title(self) -> str:
        """What the figure is called, with the name of its extractor where it is not the one that counts."""
        return (self.challenge.metric.title or self.figure) if self.counts else self.figure

    @property
    def short(self) -> str:
        """The same for the head of a column."""
        return self.title if self.counts else self.figure.partition("[")[0].replace("_", " ")

    @property
    def conditions(self) -> str:
        """What the figure is measured on and with, and which way is better."""
        return conditions(self.challenge.metric, None if self.counts else self.figure.partition("[")[2].rstrip("]"))

    @property
    def frontier(self) -> list[Row]:
        """The ranked rows than which none is better with as few parameters, the smallest first."""
        found: list[Row] = []
        for row in sorted((row for row in self.rows if row.rank), key=lambda row: (row.parameters, row.rank)):
            if not found or self.before(row) < self.before(found[-1]):
                found.append(row)
        return found

    def before(self, row: Row) -> float:
        """Return what rows are sorted by: less is better."""
        return -row.value if self.challenge.metric.better == "higher" else row.value


@dataclass(frozen=True)
class Board:
    """All rankings, and why an entry stands in none of them."""

    rankings: tuple[Ranking, ...]
    outside: dict[str, tuple[str, ...]]

    @property
    def sound(self) -> bool:
        """Whether every entry is what its certificate says."""
        return not any(self.outside.values()) and not any(row.problems for one in self.rankings for row in one.rows)

    @property
    def reasons(self) -> dict[str, str]:
        """Why each entry outside stands there."""
        none = "it keeps the rules of no challenge, or lacks the figure that counts"
        return {name: "; ".join(problems) or none for name, problems in self.outside.items()}

    def to_data(self) -> dict[str, Any]:
        """Return the board as plain data."""
        return {
            "rankings": [
                {
                    "challenge": one.challenge.name,
                    "title": one.challenge.title,
                    "figure": one.figure,
                    "counts": one.counts,
                    "better": one.challenge.metric.better,
                    "rows": [
                        {
                            "rank": row.rank,
                            "name": row.name,
                            "kind": "entry" if row.entry else "reference",
                            "parameters": row.parameters,
                            "macs": row.macs,
                            "steps": row.steps,
                            "mean": row.value,
                            "standard_deviation": row.std,
                            "n": len(row.seeds) or None,
                            "seeds": list(row.seeds),
                            "verified": row.verified if row.entry else None,
                            "problems": list(row.problems),
                            "source": row.source,
                            "remark": row.remark,
                        }
                        for row in one.rows
                    ],
                }
                for one in self.rankings
            ],
            "outside": {name: list(problems) for name, problems in self.outside.items()},
        }


def board(
    challenges: Sequence[Challenge], builder: Builder, folders: Sequence[Path] = (), *, chosen: bool = False
) -> Board:
    """Return every entry of the shelf within each of `challenges` whose rules it keeps, and the results of others.

    An entry that is not what its certificate says stands there without a rank. One that keeps the rules of no
    challenge, or cannot be read, stands outside; where the challenges were `chosen`, only if it is not sound.
    """
    submissions: dict[str, tuple[shelf.Entry, Submission]] = {}
    outside: dict[str, tuple[str, ...]] = {}
    for name, entry in shelf.entries(folders).items():
        try:
            submissions[name] = entry, from_entry(entry, builder)
        except ZooError as error:
            outside[name] = (str(error),)
    placed: set[str] = set()
    rankings: list[Ranking] = []
    for challenge in challenges:
        tables: dict[str, list[Row]] = {challenge.metric.figure: _references(challenge)}
        for name, (entry, submission) in submissions.items():
            if not _takes_part(challenge, submission, builder):
                continue
            for figure in _figures(challenge, submission):
                placed.add(name)
                row = _row(name, entry, submission, figure, departures(challenge.metric, figure))
                tables.setdefault(figure.name, []).append(row)
        rankings += [_ranked(Ranking(challenge, figure, tuple(rows))) for figure, rows in tables.items()]
    for name, (_, submission) in submissions.items():
        if name not in placed and (_unsound(submission) or not chosen):
            outside[name] = _unsound(submission)
    return Board(tuple(rankings), outside)


def measure_entries(
    challenges: Sequence[Challenge], builder: Builder, folders: Sequence[Path], tell: Callable[[str], object]
) -> None:
    """Measure every entry that is of the task and the data of one of `challenges` and as its certificate says.

    `tell` is called with what is being measured, and why something cannot be.
    """
    for name, entry in shelf.entries(folders).items():
        try:
            certificate = entry.certificate
            wanted = any(
                certificate.task in one.tasks and certificate.data.component == one.data.data() for one in challenges
            )
            if not wanted or verify(entry.folder, builder):
                continue
            tell(f"measuring {name}")
            measure(entry, builder)
        except ZooError as error:
            tell(f"{name} cannot be measured here: {error}")


def _takes_part(challenge: Challenge, submission: Submission, builder: Builder) -> bool:
    """Return whether an entry keeps all rules but those about its figure and its certificate, which mark its row."""
    marked = ("entry", challenge.metric.title or challenge.metric.figure)
    rulings = judge_submission(challenge, submission, builder).rulings
    return all(one.rule in marked for one in rulings if one.state == "broken")


def _unsound(submission: Submission) -> tuple[str, ...]:
    return tuple(one.found for one in submission.findings if not one.sound)


def _figures(challenge: Challenge, submission: Submission) -> list[Measurement]:
    measurements = submission.measurements or ()
    counted = counting(challenge.metric, measurements)
    return ([counted] if counted else []) + others_of(challenge.metric, measurements)


def _row(name: str, entry: shelf.Entry, submission: Submission, figure: Measurement, departures: list[str]) -> Row:
    total = submission.report.total
    return Row(
        name=name,
        parameters=total.parameters,
        value=figure.mean,
        std=figure.std,
        macs=total.macs,
        steps=total.steps,
        seeds=figure.seeds,
        problems=(*_unsound(submission), *(f"measured with {one}" for one in departures)),
        entry=entry,
        measured=str(figure.facts.get("verified", "")),
    )


def _references(challenge: Challenge) -> list[Row]:
    return [
        Row(name.replace("_", " "), one.parameters, one.value, steps=one.steps, source=one.source, remark=one.remark)
        for name, one in challenge.references.items()
    ]


def _ranked(ranking: Ranking) -> Ranking:
    """Return the ranking in its order, with ranks; of equal figures the smaller network comes first."""
    rows, rank = [], 0
    for row in sorted(ranking.rows, key=lambda row: (bool(row.problems), ranking.before(row), row.parameters)):
        if row.entry and not row.problems:
            rank += 1
            row = replace(row, rank=rank)
        rows.append(row)
    return replace(ranking, rows=tuple(rows))
