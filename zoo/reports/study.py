"""Reports of several trainings: a comparison, and a study with its space."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from zoo.builder import Builder
from zoo.distribution import install_command
from zoo.drawing import charts
from zoo.drawing.charts import Axis, Mark, Thread
from zoo.drawing.page import Block, Chart, Facts, Grid, Listing, Page, Section, Table, Text
from zoo.errors import ZooError
from zoo.reports import curves
from zoo.sweeps.comparison import CONFIRMED, STUDY, Comparison, Row, compare, value_text
from zoo.sweeps.plan import number, short_names
from zoo.sweeps.storage import FILE
from zoo.training.run import Run

FOOTER = "Made by Zoo from what the folders of the trainings hold. It needs no other file and asks no network."
MOST_LINES = 6  # rows whose curves are drawn over each other
FEWEST_THREADS = 3  # trials of which parallel coordinates say something
BY_MAGNITUDE = 30.0  # a quotient of largest and smallest from which an axis is one of magnitudes
BEST = "Joined: those that no other beats in figure, parameters and multiply-adds together."
UNITS = {"parameters": "parameters", "macs": "multiply-adds"}


def is_study(folder: Path) -> bool:
    """Return whether a folder holds a study."""
    return (folder / FILE).exists() or (folder / STUDY).exists()


def study_page(folder: Path, builder: Builder, folders: Sequence[Path] = ()) -> Page:
    """Return the report of a study: its space, what counts in it, which trials are best, and what was confirmed.

    Raises RunError where no trial has begun.
    """
    found = compare([folder], builder, folders)
    told = _told(folder)
    trials = Comparison([row for row in found.rows if row.group != CONFIRMED], found.shown, found.directions)
    confirmed = [row for row in found.rows if row.group == CONFIRMED]
    by = found.by
    head: list[Block] = [_study_facts(told, trials, confirmed)]
    space: list[Block] = []
    if by:
        space += [*_importance(folder, by), *_parallel(trials, by)]
        space += _costs(trials, by)
    blocks: list[Block] = [Grid(space)] if space else [Text("There are too few trials to say anything of the space.")]
    sections = [Section("Space", blocks, name="space"), _table_section("Trials", trials, by)]
    if confirmed:
        again = Comparison(confirmed, found.shown, found.directions)
        section = _table_section("Confirmed", again, by)
        note = Text("Trained again from seeds that no trial had; test figures are of these alone.", "faint")
        sections.insert(1, Section(section.title, [note, *section.blocks], name="confirmed"))
    sections += _lost(told)
    sections += _overlaid(sorted(trials.rows, key=lambda row: _rank(row, by, found.directions)), "the best trials")
    return Page(str(told.get("study") or folder.name), head, sections, FOOTER)


def compared_page(sources: Sequence[str | Path], builder: Builder, folders: Sequence[Path] = ()) -> Page:
    """Return runs, entries and studies side by side. Raises RunError where there is no such run."""
    return comparison_page(compare(sources, builder, folders))


def comparison_page(found: Comparison) -> Page:
    """Return a comparison as a page: its table, figures against costs, and curves over each other."""
    by = found.by
    blocks = [Grid(costs)] if by and (costs := _costs(found, by)) else []
    names = {row.spec.name for row in found.rows}
    title = names.pop() if len(names) == 1 else f"{len(found.rows)} trainings compared"
    table = _table_section("Table", found, by)
    sections = [Section(table.title, [*table.blocks, *blocks], name="table"), *_overlaid(found.rows, "them")]
    return Page(title, [], sections, FOOTER)


def _told(folder: Path) -> dict[str, Any]:
    """Return the study's summary, empty where it has not come to an end yet."""
    try:
        found = json.loads((folder / STUDY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _study_facts(told: Mapping[str, Any], trials: Comparison, confirmed: Sequence[Row]) -> Facts:
    looks = sum(row.looks for row in trials.rows), sum(row.looks for row in confirmed)
    judged = told.get("figures") or dict([*trials.directions.items()][:1])
    pairs = [
        ("judged by", ", ".join(f"{name} ({way})" for name, way in judged.items())),
        ("trials", f"{len(trials.rows):,}"),
        *([("refused by their limits", f"{told['refused']:,}")] if told.get("refused") else []),
        *([("confirmed", f"{len(confirmed):,}")] if confirmed else []),
        ("looks at the test images", f"{looks[0]} of trials, {looks[1]} of confirmed ones"),
        *([] if told else [("state", "not at its end")]),
    ]
    return Facts(pairs)


def _lost(told: Mapping[str, Any]) -> list[Section]:
    """Return which trials came to no figure, and why."""
    items = [f"{one}: ended early" for one in told.get("pruned", ())]
    items += [f"{one}: diverged: {why}" for one, why in told.get("diverged", {}).items()]
    items += [f"{one}: given up: {why}" for one, why in told.get("given_up", {}).items()]
    return [Section("Without a figure", [Listing(items)])] if items else []


def _rank(row: Row, by: str, directions: Mapping[str, str]) -> float:
    value = row.mean(by) if by else None
    return math.inf if value is None else -value if directions.get(by) == "maximize" else value


def _table_section(title: str, found: Comparison, by: str) -> Section:
    """Return the rows of a comparison as the command shows them, the best first."""
    short = short_names(found.keys)
    shown = [one for one in found.shown if any(row.figures.get(one) for row in found.rows)]
    columns = ["run", *shown, "n", "parameters", "multiply-adds", *(short[key] for key in found.keys)]
    rows = [
        [
            _label(row) + ("\N{NO-BREAK SPACE}*" if row.pareto else "") + ("" if row.finished else " (unfinished)"),
            *(_spread(row, one) for one in shown),
            str(row.seeds),
            *(f"{row.costs[name]:,}" for name in UNITS),
            *(value_text(row.changes.get(key)) for key in found.keys),
        ]
        for row in sorted(found.rows, key=lambda row: _rank(row, by, found.directions))
    ]
    right = (*shown, "n", "parameters", "multiply-adds")
    note = f"* marks what no other beats in {by}, parameters and multiply-adds together."
    minor = ("n", "parameters", "multiply-adds")
    return Section(title, [Text(note, "faint"), Table(columns, rows, right, minor)], name=title.lower())


def _label(row: Row) -> str:
    return Path(row.label).name


def _spread(row: Row, figure: str) -> str:
    mean, std = row.mean(figure), row.std(figure)
    return "" if mean is None else f"{mean:.4f}" if std is None else f"{mean:.4f} ± {std:.4f}"


def _costs(found: Comparison, by: str) -> list[Block]:
    """Return the first figure against each cost in which the rows differ."""
    rated = [(row, value) for row in found.rows if (value := row.mean(by)) is not None]
    charted: list[Block] = []
    for cost, unit in UNITS.items():
        if len({row.costs[cost] for row, _ in rated}) < 2:
            continue
        marks = [Mark(_label(row), row.costs[cost], value, row.pareto) for row, value in rated]
        best = ", ".join(one.name for one in marks if one.best)
        alt = f"{by} against {unit} of {len(marks)} trainings. Not beaten by any other: {best}."
        title = f"{by.replace('_', ' ')} against {unit}".capitalize()
        charted.append(Chart(title, alt, charts.scatter(marks, x=unit, y=by), caption=BEST))
    return charted


class _Scale(NamedTuple):
    """Values to places in 0..1: by magnitude, evenly, or, of what is no number, one place each."""

    values: Sequence[Any]

    def places(self) -> tuple[list[float | None], str, str]:
        known = [one for one in self.values if one is not None]
        if all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in known):
            low, high = min(known), max(known)
            by_magnitude = low > 0 and high / low > BY_MAGNITUDE
            measure = math.log if by_magnitude else float
            span = measure(high) - measure(low) or 1.0
            found = [None if one is None else (measure(one) - measure(low)) / span for one in self.values]
            return found, number(low), number(high)
        texts = sorted({value_text(one) for one in known})
        place = {text: index / max(1, len(texts) - 1) for index, text in enumerate(texts)}
        return [None if one is None else place[value_text(one)] for one in self.values], texts[0], texts[-1]


def _parallel(found: Comparison, by: str) -> list[Block]:
    """Return the trials as lines through their values and the figure."""
    rated = [(row, value) for row in found.rows if (value := row.mean(by)) is not None]
    if len(rated) < FEWEST_THREADS or not found.keys:
        return []
    short = short_names(found.keys)
    columns = {short[key]: [row.changes.get(key) for row, _ in rated] for key in found.keys} | {
        by: [value for _, value in rated]
    }
    scaled = {name: _Scale(values).places() for name, values in columns.items()}
    axes = [Axis(name, low, high) for name, (_, low, high) in scaled.items()]
    sign = 1.0 if found.directions.get(by) == "maximize" else -1.0
    last = [place or 0.0 for place in scaled[by][0]]
    quality = [place if sign > 0 else 1 - place for place in last]
    threads = [
        Thread(_label(row), [places[index] for places, _, _ in scaled.values()], quality[index])
        for index, (row, _) in enumerate(rated)
    ]
    best = max(threads, key=lambda one: one.quality).name
    alt = f"A line for each of {len(threads)} trials through its values to {by}; the best is {best}."
    caption = "A line for each trial; the stronger, the better it was."
    narrow, wide = (charts.parallel(axes, threads, upright=upright) for upright in (False, True))
    return [Chart("Values of the trials", alt, narrow, caption=caption, wide=wide, span=True)]


def _importance(folder: Path, by: str) -> list[Block]:
    """Return how much of the figure's spread each free value explains, as Optuna measures it."""
    try:
        shares = importance(folder)
    except ZooError as error:
        return [Text(str(error), "faint")]
    if not shares:
        return []
    told = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    caption = f"How much each value decides about {by}, by Optuna's PED-ANOVA."
    return [Chart("Importance", f"{caption} {told}.", charts.bars(shares, x="share"), caption=caption)]


def importance(folder: Path) -> dict[str, float]:
    """Return the importance of each free value of the study in `folder` for its first figure, the largest first.

    Empty where there are too few trials. Raises ZooError where Optuna or the study's own file is missing.
    """
    if not (folder / FILE).exists():
        raise ZooError("Importance is left out: the study lies in a database elsewhere.")
    try:
        import optuna
    except ImportError as error:
        raise ZooError(f"Importance is left out: it needs optuna; {install_command('sweep')}") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            study = optuna.load_study(study_name=None, storage=f"sqlite:///{(folder / FILE).resolve()}")
            found = optuna.importance.get_param_importances(
                study,
                evaluator=optuna.importance.PedAnovaImportanceEvaluator(),
                target=lambda trial: trial.values[0],
            )
        except Exception:  # of few or equal trials it says nothing, each version in its own way
            return {}
    short = short_names(found)
    return {short[name]: share for name, share in found.items() if math.isfinite(share)}


def _overlaid(rows: Sequence[Row], which: str) -> list[Section]:
    """Return the curves of the first rows over each other, a line for each row."""
    found: dict[str, list[curves.Series]] = {}
    drawn = 0
    for row in rows:
        folder = Path(row.label)
        if drawn == MOST_LINES or not (folder / "run.json").exists():
            continue
        run = Run(folder)
        trainings = {seed: one.metrics() for seed, one in (run.seeds() or {0: run}).items()}
        drawn += 1
        for one in curves.series_of(trainings):
            if one.panel not in (curves.RATE, curves.THROUGHPUT, "gradient_norm"):
                found.setdefault(one.name, []).append(one._replace(name=_label(row)))
    if drawn < 2:
        return []
    charted = [curves.panel_chart(name.capitalize(), series) for name, series in found.items()]
    told = f"Of {drawn} of {which}." if drawn < len(rows) else f"Of all {drawn}."
    return [Section("Curves", [Text(told, "faint"), Grid(charted)], name="curves")]
