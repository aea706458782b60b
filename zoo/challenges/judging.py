"""Whether a submission keeps the rules of a challenge: each rule that can be checked is, the others are named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal

from zoo.budget import Verdict
from zoo.builder import Builder
from zoo.challenges.schema import Challenge, MetricRule
from zoo.challenges.submission import Finding, Submission
from zoo.checking import rows
from zoo.evaluation.metric import Measurement
from zoo.publishing.measured import HERE
from zoo.registry import LAYER_FAMILY
from zoo.spec.schema import ComponentSpec, Spec

BROKEN = 16  # the exit code for a rule that is no limit

State = Literal["kept", "broken", "not checked"]


@dataclass(frozen=True)
class Ruling:
    """What became of one rule: what was found, what is wanted, and a remark such as "635 to spare"."""

    rule: str
    state: State
    found: str = ""
    wanted: str = ""
    remark: str = ""
    exit_code: int = BROKEN


@dataclass(frozen=True)
class Judgement:
    """A submission under the rules of a challenge. `figure` is the one that counts, None where there is none."""

    challenge: Challenge
    submission: Submission
    rulings: tuple[Ruling, ...]
    figure: Measurement | None

    @property
    def kept(self) -> bool:
        """Whether no rule is broken; some may not have been checked."""
        return all(one.state != "broken" for one in self.rulings)

    @property
    def exit_code(self) -> int:
        """0, or the lowest exit code among the broken rules."""
        return min((one.exit_code for one in self.rulings if one.state == "broken"), default=0)

    def to_data(self) -> dict[str, Any]:
        """Return the judgement as plain data."""
        return {
            "challenge": self.challenge.name,
            "kind": self.submission.kind,
            "name": self.submission.report.spec.name,
            "hash": self.submission.report.spec.hash,
            "kept": self.kept,
            "rules": [vars(one) for one in self.rulings],
            "total": self.submission.report.total._asdict(),
            "figure": self.figure.to_data() if self.figure else None,
        }


def judge_submission(challenge: Challenge, submission: Submission, builder: Builder) -> Judgement:
    """Return what becomes of each rule of `challenge`."""
    report = submission.report
    rulings = [_task(challenge, report.spec), _data(challenge, report.spec)]
    rulings += [_limit(builder.verdict(limit, report.total)) for limit in challenge.budget.values()]
    rulings += [_forbidden(text, submission) for text in challenge.forbidden]
    rulings += [_integrity(finding) for finding in submission.findings]
    figure = counting(challenge.metric, submission.measurements or ())
    rulings.append(_metric(challenge.metric, submission, figure))
    if submission.kind == "entry" and figure is not None:
        rulings.append(_measured(figure))
    rulings += [Ruling("declaration", "not checked", wanted=text) for text in challenge.declarations]
    return Judgement(challenge, submission, tuple(rulings), figure)


def counting(metric: MetricRule, measurements: tuple[Measurement, ...]) -> Measurement | None:
    """Return the measurement that a challenge counts, on its split, or None."""
    for one in measurements:
        if one.name == metric.figure and one.facts.get("split") == metric.split:
            return one
    return None


def others_of(metric: MetricRule, measurements: tuple[Measurement, ...]) -> list[Measurement]:
    """Return the measurements beside the one that counts that are ranked too, on its split."""
    return [
        one
        for one in measurements
        if one.name.partition("[")[0] in metric.also
        and one.name.endswith("]")
        and one.facts.get("split") == metric.split
    ]


def _task(challenge: Challenge, spec: Spec) -> Ruling:
    state: State = "kept" if spec.task.name in challenge.tasks else "broken"
    return Ruling("task", state, spec.task.name, " or ".join(challenge.tasks))


def _data(challenge: Challenge, spec: Spec) -> Ruling:
    state: State = "kept" if spec.data == challenge.data else "broken"
    return Ruling("data", state, spec.data.written(), challenge.data.written())


def _limit(verdict: Verdict) -> Ruling:
    figure = f"{verdict.figure:,} {verdict.unit}".rstrip()
    state: State = "kept" if verdict.kept else "broken"
    return Ruling(verdict.limit, state, figure, verdict.bound, str(verdict).rpartition(", ")[2], verdict.exit_code)


def _forbidden(text: str, submission: Submission) -> Ruling:
    kind, _, name = text.partition("/")
    report = submission.report
    for path, one in components(report.spec):
        if (one.component.kind, one.name) == (kind, name):
            return Ruling("forbidden", "broken", f"{path}: {name}", f"no {text}")
    if kind in LAYER_FAMILY:
        for role, network in report.networks.items():
            if any(row.layer == name for row in rows(network.network, network.input)):
                return Ruling("forbidden", "broken", f"networks.{role}: {name}", f"no {text}")
    return Ruling("forbidden", "kept", "none", f"no {text}")


def components(value: Any, path: str = "") -> Iterator[tuple[str, ComponentSpec]]:
    """Yield each component that a resolved spec names, however deep, with its dotted path."""
    inner: Mapping[Any, Any] = {}
    if isinstance(value, ComponentSpec):
        yield path, value
        inner = value.options
    elif is_dataclass(value):
        inner = {one.name: getattr(value, one.name) for one in fields(value) if one.init}
    elif isinstance(value, Mapping):
        inner = value
    elif isinstance(value, (list, tuple)):
        inner = dict(enumerate(value))
    for key, item in inner.items():
        yield from components(item, f"{path}.{key}" if path else str(key))


def _integrity(finding: Finding) -> Ruling:
    state: State = "not checked" if finding.sound is None else "kept" if finding.sound else "broken"
    return Ruling(finding.what, state, finding.found, finding.wanted)


def _metric(metric: MetricRule, submission: Submission, figure: Measurement | None) -> Ruling:
    title, wanted = metric.title or metric.figure, conditions(metric)
    if submission.measurements is None:
        return Ruling(title, "not checked", "a spec has no figures", wanted)
    if figure is None:
        others = [one.name for one in others_of(metric, submission.measurements)]
        found = f"no {metric.figure}" + (f", but {', '.join(others)}" if others else "")
        return Ruling(title, "not checked", found, wanted)
    wrong = departures(metric, figure)
    found = ", ".join([stated(metric, figure), *wrong])
    return Ruling(title, "broken" if wrong else "kept", found, wanted)


def _measured(figure: Measurement) -> Ruling:
    """Return whether the weights gave this figure on this machine; where it differs, the entry itself is broken."""
    found = str(figure.facts.get("verified"))
    state: State = "kept" if found == HERE else "not checked"
    return Ruling("measured", state, found, f"{figure.name} of the weights, {HERE}")


def departures(metric: MetricRule, figure: Measurement) -> list[str]:
    """Say in what a figure was measured otherwise than a challenge asks; its extractor is its own beside the one that
    counts.
    """
    facts = figure.facts
    measured = {
        "images": facts.get("generated_images", facts.get("images")),
        "reference_images": facts.get("reference_images"),
    }
    if figure.name == metric.figure:
        measured["extractor"] = facts.get("extractor")
    asked = {name: getattr(metric, name) for name in measured if getattr(metric, name) is not None}
    return [f"{name.replace('_', ' ')}: {measured[name]}" for name in asked if measured[name] != asked[name]]


def stated(metric: MetricRule, figure: Measurement) -> str:
    """Return a figure as mean, standard deviation where there is one, and number of values."""
    return f"{shown(metric, figure.mean, figure.std)} (n = {len(figure.values)})"


def shown(metric: MetricRule, value: float, std: float | None = None) -> str:
    """Return a value with its standard deviation as people read it: 51.69 ± 0.48 %, or 30.65."""
    factor, unit = (100, " %") if metric.percent else (1, "")
    spread = "" if std is None else f" ± {std * factor:.2f}"
    return f"{value * factor:.2f}{spread}{unit}"


def conditions(metric: MetricRule, extractor: str | None = None) -> str:
    """Say in a line what a figure is measured on, and which way is better. `extractor`: in place of the metric's."""
    against = f" generated against {metric.reference_images:,}" if metric.reference_images is not None else ""
    parts = [f"{metric.images:,} images{against} of {metric.split}"]
    if extractor or metric.extractor:
        parts.append(f"in the features of {extractor or metric.extractor}")
    return ", ".join([*parts, f"{metric.better} is better"])
