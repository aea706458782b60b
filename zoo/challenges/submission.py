"""What can be submitted: a spec, the folder of a run, a published entry."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from zoo.builder import Builder
from zoo.checking import Report, check
from zoo.errors import RunError
from zoo.evaluation.metric import Measurement
from zoo.publishing import shelf
from zoo.publishing.certificate import Certificate, sha256_of, verify
from zoo.spec import shipped
from zoo.spec.load import load_spec
from zoo.training.run import Run

CERTIFICATE = "certificate.json"  # of a run, beside the checkpoint that it is about


class Finding(NamedTuple):
    """Whether something that goes with a spec belongs to it: a spec's hash, weights, a finished training.

    `sound` is None where that could not be told.
    """

    what: str
    sound: bool | None
    found: str
    wanted: str


@dataclass(frozen=True)
class Submission:
    """A spec that was checked, and what a training of it left: figures (None for a spec alone) and findings."""

    kind: Literal["spec", "run", "entry"]
    report: Report
    measurements: tuple[Measurement, ...] | None = None
    findings: tuple[Finding, ...] = ()


def read_submission(
    source: str | Path, builder: Builder, *, folders: Sequence[Path] = (), overrides: Sequence[str] = ()
) -> Submission:
    """Return what `source` is: a spec by file or name, or the folder of a run or of a published entry.

    Raises SpecError when the spec cannot work, RunError when a folder is damaged or `overrides` would change what
    was trained already.
    """
    folder = Path(source)
    entries = shelf.entries(folders)
    if not folder.is_dir() and (overrides or str(source) not in entries):
        spec = load_spec(source, overrides=overrides, registry=builder.registry, folders=folders)
        return Submission("spec", check(spec, builder))
    if overrides:
        raise RunError(f"{folder}: it holds what was trained already; --set is for specs")
    if not folder.is_dir():
        return from_entry(entries[str(source)], builder)
    return (
        from_entry(shelf.Entry(folder), builder) if shipped.is_entry(folder) else _from_run(Run.open(folder), builder)
    )


def is_submission(folder: Path) -> bool:
    """Whether a folder is the folder of a run or of an entry, and not one of specs."""
    return shipped.is_entry(folder) or (folder / shipped.RUN).is_file()


def from_entry(entry: shelf.Entry, builder: Builder) -> Submission:
    """Return a published entry as a submission, verified. Raises ShelfError when its certificate cannot be read."""
    certificate = entry.certificate
    report = check(entry.spec(builder.registry), builder)
    agree = "spec, weights, counts and figures as its certificate says"
    problems = verify(entry.folder, builder)
    findings = [Finding("entry", False, problem, agree) for problem in problems]
    return Submission(
        "entry",
        report,
        tuple(_certified(certificate, report, builder)),
        tuple(findings) or (Finding("entry", True, "verified", agree),),
    )


def _certified(certificate: Certificate, report: Report, builder: Builder) -> Iterator[Measurement]:
    """Yield the figures over trainings, those about generated images with what they were measured with."""
    about = {one["name"]: measurement(one).facts for one in certificate.measurements}
    images = {"test": builder.bind(report.spec.data).info().test_images}
    for split, figures in certificate.figures.items():
        for name, one in figures.items():
            facts = {"images": images.get(split), **about.get(name, {}), "split": split}
            yield Measurement(name, tuple(one.values.values()), tuple(map(int, one.values)), facts)


def _from_run(run: Run, builder: Builder) -> Submission:
    spec = run.spec(builder.registry)
    report, result = check(spec, builder), run.result()
    recorded = str(run.facts().get("spec_hash", ""))
    findings = [Finding("spec", recorded == spec.hash, spec.hash[:8], recorded[:8])]
    wanted = f"{spec.train.steps:,} steps"
    if result is None:
        findings.append(Finding("training", None, "not finished", wanted))
    else:
        findings.append(Finding("training", result["steps"] == spec.train.steps, f"{result['steps']:,} steps", wanted))
    measured = list(_last_evaluation(result or {}, spec.train.seed))
    path = run.folder / CERTIFICATE
    if path.exists():
        certificate = read_json(path)
        findings.append(_checkpoint(run, certificate))
        measured += [measurement(one) for one in certificate["measurements"]]
    return Submission("run", report, tuple(measured), tuple(findings))


def _last_evaluation(result: dict[str, Any], seed: int) -> Iterator[Measurement]:
    test = result.get("test", {})
    facts = {"split": "test", "images": test.get("images")}
    for name, value in test.items():
        if isinstance(value, float):
            yield Measurement(name, (value,), (seed,), facts)


def _checkpoint(run: Run, certificate: dict[str, Any]) -> Finding:
    """Return whether the checkpoint that was measured is the one that is there."""
    path, wanted = run.checkpoints / certificate["checkpoint"], certificate["checkpoint_sha256"]
    if not path.is_file():
        return Finding("weights", None, f"no {path.name}", wanted[:8])
    found = sha256_of(path)
    return Finding("weights", found == wanted, found[:8], wanted[:8])


def measurement(data: dict[str, Any]) -> Measurement:
    """Return the measurement that `Measurement.to_data` wrote down as `data`."""
    facts = {key: value for key, value in data.items() if key not in ("name", "mean", "standard_deviation")}
    return Measurement(data["name"], tuple(facts.pop("values")), tuple(facts.pop("seeds")), facts)


def read_json(path: Path) -> Any:
    """Return what the file at `path` holds. Raises RunError when it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: it cannot be read ({error}); this folder is damaged") from error
