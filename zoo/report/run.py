"""The report of a run or of a published entry: a page made of what its folder holds and of what its networks say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from zoo.builder import Builder
from zoo.checking import Report, check
from zoo.drawing import waterfall
from zoo.drawing.page import Block, Code, Details, Facts, Grid, Listing, Page, Picture, Section, Table, Text
from zoo.errors import ZooError
from zoo.evaluation.spread import deviation
from zoo.publishing.shelf import PICTURES, Entry
from zoo.report import curves, generated
from zoo.report.account import Account, mean
from zoo.spec.schema import Spec
from zoo.spec.writer import write_yaml
from zoo.training.run import Run
from zoo.training.task import GenerativeTask

FOOTER = "Made by Zoo from what the folder of the training holds. It needs no other file and asks no network."
FIGURES = ("validation", "train", "test")
TEST = "Figures of the test images are what was measured before; this report did not look at them."
MOST_LOOKED = 20_000  # held-out images that a report looks at
MOST_BYTES = 2**20  # of one picture of an entry


def run_page(source: Run | Entry, builder: Builder, *, look: bool = True) -> Page:
    """Return the report of a run or an entry.

    look: load the networks, and show what they say of the held-out images or make; else only what the folder holds.
    The test images are never looked at: what was measured on them before is shown as such. Raises RunError, ShelfError
    or SpecError where the folder is damaged.
    """
    spec = source.spec(builder.registry)
    identity = source.data
    report = check(spec, builder, identity.info if identity is not None else None)
    task = builder.bind(spec.task)
    sections: list[Section | None] = []
    head: list[Block] = [Text(spec.summary)] if spec.summary else []
    if isinstance(source, Entry):
        head.append(_entry_facts(source, report))
        sections += [_entry_figures(source), *_entry_pictures(source)]
    else:
        account = Account.of(source, builder)
        head += [_facts(account, report), *_told(account)]
        sections += [_figures(account), curves.section(account.runs)]
        if isinstance(task, GenerativeTask):
            one = next(iter(account.runs.values()))
            sections += generated.kept(one.samples, report.networks["generator"].output) if _has_images(report) else []
    sections += _looked(source, spec, builder, isinstance(task, GenerativeTask)) if look else [_not_looked(source)]
    sections += [waterfall.section(report), _spec(spec)]
    title = source.label if isinstance(source, Entry) else spec.name
    return Page(title, head, [one for one in sections if one is not None], FOOTER)


def _has_images(report: Report) -> bool:
    return "generator" in report.networks


def _facts(account: Account, report: Report) -> Facts:
    facts, spec = account.facts, account.spec
    machine = facts.get("machine") or {}
    headline = account.headline
    pairs = [
        ("state", account.standing),
        *([(headline[0], _spread(*headline[1:]))] if headline else []),
        ("parameters", f"{report.total.parameters:,}"),
        ("multiply-adds", f"{report.total.macs:,}"),
        ("seeds" if len(account.runs) > 1 else "seed", ", ".join(map(str, account.runs))),
        ("trained for", duration(account.seconds)),
        ("engine", str(facts.get("engine", ""))),
        ("machine", str(machine.get("processor", ""))),
        ("data", account.data),
        ("begun", str(facts.get("started", ""))[:16].replace("T", " ")),
        ("spec", spec.hash[:8]),
        ("looks at the test images", str(sum(account.run.looks().values()))),
    ]
    return Facts([(name, value) for name, value in pairs if value])


def _told(account: Account) -> Iterator[Block]:
    for one in account.runs.values():
        found = curves.remarks(one.metrics())
        if found:
            yield Details(f"Remarks of the training ({len(found)})", [Listing(found)], opened=len(found) <= 5)
            return


def _figures(account: Account) -> Section | None:
    """Return the single figures by split, as they stand in the folder."""
    if not account.figures:
        return None
    n = len(account.runs)
    blocks: list[Block] = []
    if n > 1:
        blocks.append(Text(f"Mean ± sample standard deviation over {n} seeds.", "faint"))
    if "test" in account.figures:
        blocks.append(Text(TEST, "faint"))
    shown = {
        split: {name: _spread(mean(values), deviation(list(values.values()))) for name, values in figures.items()}
        for split, figures in account.figures.items()
    }
    blocks.append(_figure_table(shown))
    if classes := _stored_classes(account.run):
        blocks.append(classes)
    return Section("Figures", blocks, name="figures")


def _figure_table(figures: Mapping[str, Mapping[str, str]]) -> Table:
    splits = [split for split in (*FIGURES, *figures) if split in figures]
    splits = list(dict.fromkeys(splits))
    names = dict.fromkeys(name for split in splits for name in figures[split])
    rows = [(name.replace("_", " "), *(figures[split].get(name, "") for split in splits)) for name in names]
    return Table(("figure", *splits), rows, right=splits)


def _stored_classes(run: Run) -> Details | None:
    """Return the top-1 of each class on the test images, where it was measured before."""
    measured = (run.evaluation() or {}).get("figures", {}).get("test") or (run.result() or {}).get("test") or {}
    per_class, data = measured.get("per_class"), run.data
    if not isinstance(per_class, list) or data is None or len(data.class_names) != len(per_class):
        return None
    return _class_table(dict(zip(data.class_names, per_class, strict=True)))


def _class_table(per_class: Mapping[str, float | None]) -> Details:
    known = sorted((value, name) for name, value in per_class.items() if value is not None)
    rows = [(name, f"{value:.1%}") for value, name in known]
    told = "Top-1 of each class on the test images, as it was measured before"
    return Details(told, [Table(("class", "test top1"), rows, right=("test top1",))])


def _looked(source: Run | Entry, spec: Spec, builder: Builder, generates: bool) -> Iterator[Section]:
    """Yield what the networks say or make; why not, where they cannot be asked."""
    from zoo.evaluation.trained import Trained

    try:
        trained = Trained.load(_one(source), builder)
        yield from [generated.drawn(trained)] if generates else _answered(trained)
    except ZooError as error:
        title = "Interpolation" if generates else "Single images"
        yield Section(title, [Text(f"Nothing is shown here: {error}", "faint")])


def _one(source: Run | Entry) -> Run | Entry:
    return next(iter(source.seeds().values()), source)


def _answered(trained: Any) -> Sequence[Section]:
    from zoo.report import answers

    spec = trained.spec
    if not spec.train.validation:
        told = (
            "No images were held out (train.validation is 0). Confusion, mistakes and calibration are shown of "
            "held-out images alone, and a report does not look at the test images."
        )
        return [Section("Single images", [Text(told, "faint")])]
    found = held_out(trained)
    whose = f"The answers of seed {spec.train.seed} to the held-out images (validation)."
    return answers.sections(found, whose)


def held_out(trained: Any) -> Any:
    """Return what a classifier says of the images that its training held out."""
    import numpy as np
    import torch

    from zoo.data.sampler import validation_split
    from zoo.report.answers import Answers

    dataset, train = trained.dataset(), trained.spec.train
    _, chosen = validation_split(dataset.train.labels, train.validation, train.seed)
    chosen = chosen[:: -(-len(chosen) // MOST_LOOKED)]
    images = np.array(dataset.train.images[chosen])
    probabilities = trained.probabilities(torch.from_numpy(images)).numpy()
    labels = np.array(dataset.train.labels[chosen])
    groups = dataset.info.superclass_of
    return Answers(images, labels, probabilities, dataset.class_names, dataset.superclasses, groups)


def _not_looked(source: Run | Entry) -> Section:
    told = (
        f"`zoo report {source.label}` adds what the network says of the held-out images, or makes. This page was made "
        "at the run's end, of what its folder holds."
    )
    return Section("Single images", [Text(told, "faint")])


def _spec(spec: Spec) -> Section:
    details = Details(f"With every default filled in ({spec.hash[:8]})", [Code(write_yaml(spec.to_data()))])
    return Section("Spec", [details], name="spec")


def _entry_facts(entry: Entry, report: Report) -> Facts:
    one = entry.certificate
    machine = one.machine.get("processor", "")
    pairs = [
        ("published", one.published[:10]),
        ("parameters", f"{report.total.parameters:,}"),
        ("multiply-adds", f"{report.total.macs:,}"),
        ("steps", f"{one.steps:,}"),
        ("seeds", f"{', '.join(map(str, one.seeds))}; {one.shipped_seed} ships ({one.shipped_because})"),
        ("trained for", duration(sum(one.seconds.values()))),
        ("engine", one.engine),
        ("machine", str(machine)),
        ("data", f"{next(iter(one.data.component))} ({one.data.fingerprint[:8]})"),
        ("looks at the test images", str(sum(entry.looks().values()))),
    ]
    return Facts([(name, value) for name, value in pairs if value])


def _entry_figures(entry: Entry) -> Section:
    certificate = entry.certificate
    figures = {
        split: {name: _spread(one.mean, one.std) for name, one in found.items()}
        for split, found in certificate.figures.items()
    }
    n = len(certificate.seeds)
    blocks: list[Block] = [
        Text(f"As the certificate states them, of {n} {'training' if n == 1 else 'trainings'}. {TEST}", "faint"),
        _figure_table(figures),
    ]
    if certificate.per_class:
        blocks.append(_class_table(certificate.per_class))
    return Section("Figures", blocks, name="figures")


def _entry_pictures(entry: Entry) -> Iterator[Section]:
    found = entry_pictures(entry)
    if found:
        yield Section("Pictures", [Grid(found)], name="pictures")


def entry_pictures(entry: Entry) -> list[Picture]:
    """Return the pictures of an entry's folder, with what its card says of them."""
    return [
        Picture("", said, path.read_bytes(), PICTURES[path.suffix.lower()], caption=said)
        for path, said in entry.pictures().items()
        if path.stat().st_size <= MOST_BYTES
    ]


def duration(seconds: float) -> str:
    """Return seconds as 42 s, 3:07 min or 2:05:09 h."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min" if minutes else f"{rest} s"


def _spread(value: float, std: float | None) -> str:
    return f"{value:.4g}" if std is None else f"{value:.4f} ± {std:.4f}"
