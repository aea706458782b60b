"""From finished runs of one spec to an entry of the shelf: weights, certificate, card and pictures."""

from __future__ import annotations

import re
import shlex
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock
from safetensors.torch import save_file

from zoo.builder import Builder
from zoo.data.dataset import Dataset
from zoo.errors import DataError, RunError, ShelfError
from zoo.evaluation.trained import Trained
from zoo.files import PART, clear_leftovers, json_text, sync_folder, write_atomically, write_text
from zoo.publishing.card import card
from zoo.publishing.certificate import (
    WEIGHTS,
    Certificate,
    DataRecord,
    Figure,
    FileRecord,
    SpotCheck,
    by_role,
    limits,
    sha256_of,
    verify,
)
from zoo.publishing.finished import Finished, members, require_alike
from zoo.publishing.pictures import draw_pictures
from zoo.publishing.shelf import Entry
from zoo.publishing.spot_check import spot_check
from zoo.spec import shipped
from zoo.spec.schema import SPEC_NAME
from zoo.training.run import LOCK, now
from zoo.training.task import GenerativeTask

CARD = "README.md"
ONLY = "there is no other"
LOWEST = "it is the lowest of the seeds; no figure was asked"
OLD_RUN = (
    "The run of seed {seed} was begun by a version that did not count looks at the test images; evaluations by that "
    "version are not in the count."
)


def publish(
    folders: Sequence[Path],
    builder: Builder,
    *,
    name: str | None = None,
    to: Path = shipped.OWN_SHELF,
    notes: Sequence[str] = (),
    known: Sequence[Path] = (),
) -> Entry:
    """Publish finished runs as the entry `name` in the folder `to`, whole or not at all, and return it.

    The weights of the lowest seed ship. `known` are folders whose entries have their names already. Raises RunError,
    BudgetError, ShelfError when the name is taken, and DataError when the data are not on this machine.
    """
    runs = sorted((Finished.open(folder, builder) for folder in members(folders)), key=lambda one: one.seed)
    if not runs:
        raise RunError("there is nothing to publish; name the folder of a run")
    require_alike(runs)
    name = name or runs[0].spec.name
    _require_free(name, to, known)
    try:
        to.mkdir(parents=True, exist_ok=True)
        with FileLock(to / LOCK), tempfile.TemporaryDirectory(dir=to, prefix=".", suffix=PART) as temporary:
            clear_leftovers(to, but=Path(temporary))
            made = Path(temporary) / name
            made.mkdir()
            _fill(made, runs, builder, name, notes)
            _require_free(name, to, known)
            made.rename(to / name)
            sync_folder(to)
    except OSError as error:
        raise ShelfError(
            f"{to / name}: it cannot be written ({error.strerror or error}); name another folder with --to"
        ) from error
    return Entry(to / name)


def _require_free(name: str, to: Path, known: Sequence[Path]) -> None:
    if not re.match(SPEC_NAME, name):
        raise ShelfError(f"found the name {name!r}; wanted one of lower-case letters, digits, '-', '_' and '.'")
    taken = shipped.entries(known).get(name) or (to / name if (to / name).exists() else None)
    if taken is not None:
        raise ShelfError(
            f"{taken}: there is an entry of this name, and none is overwritten; choose another with --name, or remove "
            "that one"
        )


def _fill(folder: Path, runs: Sequence[Finished], builder: Builder, name: str, notes: Sequence[str]) -> None:
    """Write all files of an entry into an empty folder."""
    first = runs[0]
    shutil.copyfile(first.run.spec_path, folder / shipped.SPEC)
    held = {"zoo": json_text(first.held, indent=None)}
    write_atomically(folder / WEIGHTS, lambda path: save_file(first.weights(), path, held))
    trained = Trained.load(Entry(folder), builder)
    dataset = trained.dataset()
    if different := first.data.differences(dataset):
        raise DataError(
            f"{first.run.folder}: it was trained on other data than {first.spec.data.written()} is here now; "
            f"{'; '.join(different)}; publish it where its data are, since what an entry states is measured on them"
        )
    if not isinstance(trained.task, GenerativeTask):
        first.run.looked("publish")
    checked = spot_check(trained, dataset.test)
    certificate = _certificate(folder, runs, name, dataset, checked, builder, notes)
    certificate.write(folder)
    pictures = draw_pictures(trained, dataset, checked, folder)
    write_text(folder / CARD, card(certificate, trained.task.predicts or "images", trained.info, pictures))
    if problems := verify(folder, builder):
        raise RunError(f"{first.run.folder}: it cannot be published: {'; '.join(problems)}")


def _certificate(
    folder: Path,
    runs: Sequence[Finished],
    name: str,
    dataset: Dataset,
    checked: SpotCheck,
    builder: Builder,
    notes: Sequence[str],
) -> Certificate:
    first = runs[0]
    spec, report, facts = first.spec, first.report, first.facts
    weights = folder / WEIGHTS
    engine = str(first.result["engine"])
    return Certificate(
        name=name,
        summary=spec.summary,
        task=spec.task.name,
        spec_hash=facts["spec_hash"],
        weights=FileRecord(file=WEIGHTS, sha256=sha256_of(weights), bytes=weights.stat().st_size),
        parameters=by_role(report, "parameters"),
        macs=by_role(report, "macs"),
        budget=limits(report),
        steps=first.result["steps"],
        updates=first.held["updates"],
        frozen=facts.get("frozen", {}),
        images_seen=first.result["images"],
        seeds=[one.seed for one in runs],
        shipped_seed=first.seed,
        shipped_because=LOWEST if len(runs) > 1 else ONLY,
        figures=_figures(runs),
        measurements=[
            {"trained_with_seed": one.seed, **measured}
            for one in runs
            for measured in one.evaluation.get("measurements", [])
        ],
        per_class=_per_class(runs, dataset.class_names),
        test_looks={str(one.seed): one.run.looks() for one in runs},
        spot_check=checked,
        seconds={str(one.seed): float(one.result["seconds"]) for one in runs},
        engine=engine,
        precision=engine.split(", ")[1],
        machine=facts.get("machine") or {"cores": facts.get("cores"), "processor": "not recorded"},
        versions={"python": facts["python"], **facts["versions"]},
        git=facts.get("git"),
        data=DataRecord.of(dataset, spec.data.data(), builder.bind(spec.data).terms),
        command=_command(facts["command"]),
        published=now(),
        began_from=facts.get("began_from", {}),
        chosen={str(one.seed): one.result["chosen"] for one in runs if "chosen" in one.result},
        notes=[*notes, *(OLD_RUN.format(seed=one.seed) for one in runs if not one.run.counts_looks)],
    )


def _figures(runs: Sequence[Finished]) -> dict[str, dict[str, Figure]]:
    """Return every figure with its values by seed, of as many runs as know it."""
    values: dict[str, dict[str, dict[str, float]]] = {}
    for one in runs:
        for split, figures in one.figures().items():
            for name, value in figures.items():
                values.setdefault(split, {}).setdefault(name, {})[str(one.seed)] = value
    return {split: {name: Figure.of(one) for name, one in figures.items()} for split, figures in values.items()}


def _per_class(runs: Sequence[Finished], names: Sequence[str]) -> dict[str, float]:
    """Return the mean over the runs of each class's share that is right; nothing where a run does not say it."""
    found = [one.per_class() for one in runs]
    if not all(len(one) == len(names) for one in found):
        return {}
    columns = zip(names, *found, strict=True)
    return {name: statistics.fmean(shares) for name, *shares in columns if None not in shares}


def _command(words: Sequence[str]) -> str:
    """Return a command line without the folders of the machine that it ran on."""
    kept: list[str] = []
    given = iter(words)
    for word in given:
        if word == "--run":
            next(given, None)
        elif word != "--json" and not word.startswith("--run="):
            kept.append(Path(word).name if Path(word).is_absolute() or word.startswith("..") else word)
    return shlex.join(kept)
