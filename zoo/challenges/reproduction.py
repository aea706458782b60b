"""An entry trained again, and whether its figures came within the spread that it states."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.builder import Builder
from zoo.challenges.judging import counting, others_of
from zoo.challenges.schema import Challenge, MetricRule
from zoo.challenges.submission import Submission, from_entry, from_run
from zoo.checking import Report, check
from zoo.data.identity import PURPOSE
from zoo.errors import RunError, ShelfError, ZooError
from zoo.evaluation.metric import Measurement
from zoo.publishing.shelf import Entry
from zoo.training.run import Run, default_folder

if TYPE_CHECKING:
    from zoo.training.reporter import Reporter

OUTSIDE = 17  # the exit code when a figure did not come within its spread
CONFIDENCE = 0.95
NORMAL = 1.959963984540054  # of the normal distribution, the quantile that Student's t tends to
#: What `--set` may change: how it is computed, and with which metrics, but not what is trained.
FREE = (
    "metrics",
    "trackers",
    "train.device",
    "train.engine",
    "train.precision",
    "train.checkpoint_every",
    "train.log_every",
)


@dataclass(frozen=True)
class Comparison:
    """A published figure and the mean of the same over new trainings. `low` and `high` are the ends within which it is
    expected, None where the entry states no spread; `basis` says where they come from.
    """

    figure: str
    published: tuple[float, ...]
    again: tuple[float, ...]
    mean: float
    again_mean: float
    low: float | None
    high: float | None
    basis: str

    @property
    def within(self) -> bool | None:
        """Whether it came within; None where that cannot be told."""
        if self.low is None or self.high is None:
            return None
        return self.low <= self.again_mean <= self.high


@dataclass(frozen=True)
class Reproduction:
    """What came of training an entry again with `seeds`, in the folders `runs`."""

    entry: str
    seeds: tuple[int, ...]
    runs: tuple[Path, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def exit_code(self) -> int:
        return OUTSIDE if any(one.within is False for one in self.comparisons) else 0

    def to_data(self) -> dict[str, Any]:
        """Return the reproduction as plain data."""
        return {
            "entry": self.entry,
            "seeds": list(self.seeds),
            "runs": list(map(str, self.runs)),
            "figures": [{**asdict(one), "within": one.within} for one in self.comparisons],
        }


def reproduce(
    entry: Entry,
    builder: Builder,
    challenges: Sequence[Challenge],
    *,
    seeds: Sequence[int],
    folder: Path | None = None,
    overrides: Sequence[str] = (),
    other_data: bool = False,
    reporter: Callable[[Report], Reporter] | None = None,
) -> Reproduction:
    """Train an entry's spec with each of `seeds` and compare the figures that `challenges` rank.

    The runs are `folder`, of several seeds its folders seed-N; else where each spec trains by itself. One that is
    there already is gone on with, or taken as it is. other_data: also where the data are not the entry's. Raises
    ShelfError when the entry is not as its certificate says, also as far as its weights were measured on this machine,
    or states no such figure, DataError for other data, ZooError when its figures could not be measured again, and what
    training raises.
    """
    from zoo.evaluation.run import evaluate_run
    from zoo.training.loop import train

    _require_free(overrides)
    published = from_entry(entry, builder)
    unsound = [one.found for one in published.findings if not one.sound]
    if unsound:
        raise ShelfError(f"{entry.label}: it is not as its certificate says: {'; '.join(unsound)}")
    wanted = _ranked(published, challenges)
    if not wanted:
        raise ShelfError(
            f"{entry.label}: it states no figure that a challenge of its task ranks; name one with --challenge"
        )
    metrics = [one for one in overrides if one.startswith("metrics")]
    _require_metrics(entry, builder, wanted, overrides)
    spec = entry.spec(builder.registry)
    if not other_data:
        entry.certificate.data.identity().require(builder.bind(spec.data).load(), entry.label, spec.data.written())
    again: list[Submission] = []
    runs = []
    for seed in seeds:
        spec = entry.spec(builder.registry, [*overrides, f"train.seed={seed}"])
        place = default_folder(spec) if folder is None else folder / f"seed-{seed}" if len(seeds) > 1 else folder
        watcher = reporter(check(spec, builder)) if reporter else None
        run = train(spec, builder, place, watcher, other_data=other_data)
        _require_same_data(entry, run, other_data=other_data)
        found = from_run(run, builder)
        if any(_named(found, one) is None for _, one in wanted):
            evaluate_run(run, builder, ("test",), metrics, other_data=other_data)
            found = from_run(run, builder)
        again.append(found)
        runs.append(run)
    comparisons = [_compared(metric, figure, again, runs) for metric, figure in wanted]
    return Reproduction(entry.label, tuple(seeds), tuple(run.folder for run in runs), tuple(comparisons))


def _require_same_data(entry: Entry, run: Run, *, other_data: bool) -> None:
    """Raise RunError when a run that was there already was trained on other data than the entry."""
    found = run.data
    if found is not None and found.fingerprint != entry.certificate.data.fingerprint and not other_data:
        raise RunError(
            f"{run.folder}: it was trained on other data than {entry.label}; train in another folder with --run, or "
            f"compare on purpose: {PURPOSE}"
        )


def unused(seeds: Sequence[int], count: int) -> list[int]:
    """Return the `count` smallest seeds that are none of `seeds`."""
    return [seed for seed in range(len(seeds) + count) if seed not in seeds][:count]


def interval(values: Sequence[float], again: int, images: int | None) -> tuple[float | None, float | None, str]:
    """Return within which ends the mean of `again` new values is expected beside `values`, and where they come from.

    Of two or more values, the prediction interval of Student's t: mean ± t s sqrt(1/n + 1/m). Of one share of `images`,
    which has no spread, the binomial error of two measurements: p ± 1.96 sqrt(p (1 - p) / images) sqrt(1 + 1/m), from
    0 to 1. Of any other single value, nothing.
    """
    count, mean = len(values), math.fsum(values) / len(values)
    share = math.sqrt(1 / count + 1 / again)
    if count > 1:
        spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
        away = student(count - 1) * spread * share
        return mean - away, mean + away, f"{CONFIDENCE:.0%} prediction interval of {count} published trainings"
    if images is None:
        return None, None, "one published training has no spread to hold it against"
    away = NORMAL * math.sqrt(max(0.0, mean * (1 - mean)) / images) * share
    basis = f"one published training has no spread; {CONFIDENCE:.0%} binomial error of {images:,} images instead"
    return max(0.0, mean - away), min(1.0, mean + away), basis


@lru_cache
def student(freedom: int, confidence: float = CONFIDENCE) -> float:
    """Return the value that |t| of `freedom` degrees stays below with this probability.

    With t = sqrt(freedom) tan(a), the probability is an integral of cos(a)^(freedom - 1), here by Simpson's rule.
    """
    log_scale = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)
    scale = 2 * math.exp(log_scale) / math.sqrt(math.pi)

    def probability(angle: float, parts: int = 400) -> float:
        heights = [math.cos(angle * index / parts) ** (freedom - 1) for index in range(parts + 1)]
        inner = 4 * math.fsum(heights[1:-1:2]) + 2 * math.fsum(heights[2:-1:2])
        return scale * angle / parts / 3 * (heights[0] + inner + heights[-1])

    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if probability(middle) < confidence else (low, middle)
    return math.sqrt(freedom) * math.tan(low)


def _require_free(overrides: Sequence[str]) -> None:
    for text in overrides:
        path = text.partition("=")[0].strip()
        if not any(path == one or path.startswith(f"{one}.") for one in FREE):
            raise ZooError(
                f"--set {text}: an entry is trained again as it was; wanted only {', '.join(FREE)}, or `zoo train`"
            )


def _ranked(published: Submission, challenges: Sequence[Challenge]) -> list[tuple[MetricRule, Measurement]]:
    """Return the figures of an entry that challenges of its task rank, each once, with the metric that does."""
    found: dict[str, tuple[MetricRule, Measurement]] = {}
    for challenge in challenges:
        if published.report.spec.task.name not in challenge.tasks:
            continue
        counted = counting(challenge.metric, published.measurements or ())
        others = others_of(challenge.metric, published.measurements or ())
        for one in [*([counted] if counted else []), *others]:
            found.setdefault(one.name, (challenge.metric, one))
    return list(found.values())


def _require_metrics(
    entry: Entry, builder: Builder, wanted: Sequence[tuple[MetricRule, Measurement]], overrides: Sequence[str]
) -> None:
    """Raise ZooError before hours of training when no metric would measure a figure of generated images."""
    there = {one.name for one in entry.spec(builder.registry, overrides).metrics}
    for _, one in wanted:
        base, _, extractor = one.name.partition("[")
        if "generated_images" in one.facts and base not in there:
            named = f"{{extractor: {{{extractor.partition(':')[0]}: RUN}}}}" if extractor else "{}"
            raise ZooError(
                f"{entry.label}: its spec does not measure {one.name}; say with what, such as "
                f"--set 'metrics=[{{{base}: {named}}}]'"
            )


def _named(submission: Submission, wanted: Measurement) -> Measurement | None:
    for one in submission.measurements or ():
        if one.name == wanted.name and one.facts.get("split") == wanted.facts.get("split"):
            return one
    return None


def _compared(
    metric: MetricRule, published: Measurement, again: Sequence[Submission], runs: Sequence[Run]
) -> Comparison:
    values: list[float] = []
    for run, submission in zip(runs, again, strict=True):
        one = _named(submission, published)
        if one is None:
            raise RunError(
                f"{run.folder}: {published.name} was not measured there; wanted it on the {metric.split} images"
            )
        drawn = "generated_images" in published.facts
        for name in ("generated_images", "reference_images") if drawn else ("images",):
            was, now = published.facts.get(name), one.facts.get(name)
            if was != now:
                what = f"{published.name} was measured with {name.replace('_', ' ')}: {now}"
                raise RunError(f"{run.folder}: {what}; wanted {was}, as the entry's was")
        values.append(one.mean)
    low, high, basis = interval(
        published.values, len(values), published.facts.get("images") if metric.percent else None
    )
    mean = math.fsum(values) / len(values)
    return Comparison(published.name, published.values, tuple(values), published.mean, mean, low, high, basis)
