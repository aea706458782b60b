"""What can be submitted: a spec, the folder of a run, a published entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from zoo.builder import Builder
from zoo.checking import Report, check
from zoo.errors import RunError
from zoo.evaluation.metric import Measurement
from zoo.publishing import shelf
from zoo.publishing.certificate import sha256_of, verify
from zoo.publishing.measured import recall
from zoo.spec import shipped
from zoo.spec.load import load_spec
from zoo.spec.reader import read
from zoo.spec.schema import hash_of
from zoo.training.run import Run

DIFFERS = "differs: "  # before what was measured otherwise


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
    """A spec that was checked, and what a training of it left: figures (None for a spec alone) and findings.

    `label`: the name of a spec or an entry, the folder of a run.
    """

    kind: Literal["spec", "run", "entry"]
    label: str
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
        return Submission("spec", spec.name, check(spec, builder))
    if overrides:
        raise RunError(f"{folder}: it holds what was trained already; --set is for specs")
    if folder.is_dir() and not shipped.is_entry(folder):
        return from_run(Run.open(folder), builder)
    return from_entry(shelf.Entry(folder) if folder.is_dir() else entries[str(source)], builder)


def is_submission(folder: Path) -> bool:
    """Whether a folder is the folder of a run or of an entry, and not one of specs."""
    return shipped.is_entry(folder) or (folder / shipped.RUN).is_file()


def from_entry(entry: shelf.Entry, builder: Builder) -> Submission:
    """Return a published entry as a submission, verified, with what was measured of it on this machine.

    Each figure has the fact `verified`. Raises ShelfError when its certificate cannot be read.
    """
    certificate = entry.certificate
    data = certificate.data.info
    report = check(entry.spec(builder.registry), builder, certificate.data.identity().info)
    wanted = "spec, weights, counts and figures as its certificate says"
    findings = [Finding("entry", False, problem, wanted) for problem in verify(entry.folder, builder)]
    here = recall(certificate)
    findings += [Finding("entry", False, f"{DIFFERS}{problem}", wanted) for problem in here.problems]
    about = _facts(certificate.measurements)
    images = {"test": (data or builder.bind(report.spec.data).info()).test_images}
    measured = [
        Measurement(
            name,
            tuple(one.values.values()),
            tuple(map(int, one.values)),
            {
                "split": split,
                "images": images.get(split),
                **about.get((split, name), {}),
                "verified": here.says(split, name),
            },
        )
        for split, figures in certificate.figures.items()
        for name, one in figures.items()
    ]
    findings = findings or [Finding("entry", True, "as its certificate says", wanted)]
    return Submission("entry", entry.label, report, tuple(measured), tuple(findings))


def from_run(run: Run, builder: Builder) -> Submission:
    """Return a run as a submission, with the figures that were measured in it. Raises RunError when it is damaged."""
    spec = run.spec(builder.registry)
    data, result = run.data, run.result()
    report = check(spec, builder, data.info if data else None)
    recorded, written = str(run.facts().get("spec_hash", "")), hash_of(read(run.spec_path).data())
    findings = [Finding("spec", recorded == written, written[:8], recorded[:8])]
    wanted = f"{spec.train.steps:,} steps"
    if result is None:
        findings.append(Finding("training", None, "not finished", wanted))
    else:
        whole = result["steps"] == spec.train.steps or result.get("chosen", {}).get("enough", False)
        findings.append(Finding("training", whole, f"{result['steps']:,} steps", wanted))
    figures = {"test": (result or {}).get("test", {})}
    evaluation = run.evaluation()
    if evaluation is not None:
        if data is not None:
            measured_on = str(evaluation.get("data"))
            findings.append(Finding("data", measured_on == data.fingerprint, measured_on[:8], data.fingerprint[:8]))
        findings.append(_checkpoint(run, evaluation))
        figures |= evaluation["figures"]
    about = _facts((evaluation or {}).get("measurements", []))
    measured = [
        Measurement(
            name,
            (value,),
            (spec.train.seed,),
            {"split": split, "images": one.get("images"), **about.get((split, name), {})},
        )
        for split, one in figures.items()
        for name, value in one.items()
        if isinstance(value, float)
    ]
    return Submission("run", run.label, report, tuple(measured), tuple(findings))


def _facts(measurements: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return with what each figure of generated images was measured, by split and name.

    Of several trainings, what all were measured with.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in measurements:
        facts = found.setdefault((one.get("split", "test"), one["name"]), dict(one))
        for key in [key for key, value in facts.items() if one.get(key) != value]:
            del facts[key]
    return found


def _checkpoint(run: Run, evaluation: Mapping[str, Any]) -> Finding:
    """Return whether the checkpoint that was measured is the one that is there."""
    path, wanted = run.checkpoints / evaluation["checkpoint"], evaluation["checkpoint_sha256"]
    if not path.is_file():
        return Finding("weights", None, f"no {path.name}", wanted[:8])
    found = sha256_of(path)
    return Finding("weights", found == wanted, found[:8], wanted[:8])
