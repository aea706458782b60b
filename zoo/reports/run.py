"""The report of a run or of a published entry: a page made of what its folder holds and of what its networks say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from zoo.builder import Builder
from zoo.checking import Report, check
from zoo.drawing import waterfall
from zoo.drawing.page import Block, Code, Details, Facts, Grid, Listing, Page, Section, Text
from zoo.errors import ZooError
from zoo.evaluation.spread import deviation
from zoo.publishing.shelf import Entry
from zoo.reports import curves, entry, generated
from zoo.reports.account import Account, mean
from zoo.reports.tables import TEST, class_table, duration, figure_table, spread
from zoo.spec.schema import Spec
from zoo.spec.writer import write_yaml
from zoo.training.run import Run
from zoo.training.task import GenerativeTask

SINGLE = "Single images"
FOOTER = "Made by Zoo from what the folder of the training holds. It needs no other file and asks no network."
MOST_LOOKED = 20_000  # held-out images that a report looks at


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
    head: list[Block] = [Text(spec.summary)] if spec.summary else []
    if isinstance(source, Entry):
        head.append(entry.facts(source, report))
        parts = [entry.figures(source), *entry.shown(source)]
    else:
        account = Account.of(source, builder)
        head += [_facts(account, report), *_told(account)]
        parts = [part for part in (_figures(account), curves.section(account.runs)) if part is not None]
    if isinstance(task, GenerativeTask):
        parts += _images(source, report, builder, look=look)
    else:
        parts += _answers(source, spec, builder) if look else [Section(SINGLE, [_later(source)])]
    title = source.label if isinstance(source, Entry) else spec.name
    return Page(title, head, [*parts, waterfall.section(report), _spec(spec)], FOOTER)


def _facts(account: Account, report: Report) -> Facts:
    facts = account.facts
    machine = facts.get("machine") or {}
    headline = account.headline
    pairs = [
        ("state", account.standing),
        *([(headline[0], spread(*headline[1:]))] if headline else []),
        ("parameters", f"{report.total.parameters:,}"),
        ("multiply-adds", f"{report.total.macs:,}"),
        ("seeds" if len(account.runs) > 1 else "seed", ", ".join(map(str, account.runs))),
        ("trained for", duration(account.seconds)),
        ("engine", str(facts.get("engine", ""))),
        ("machine", str(machine.get("processor", ""))),
        ("data", account.data),
        ("begun", str(facts.get("started", ""))[:16].replace("T", " ")),
        ("spec", account.run.spec_hash[:8]),
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
        split: {name: spread(mean(values), deviation(list(values.values()))) for name, values in figures.items()}
        for split, figures in account.figures.items()
    }
    blocks.append(figure_table(shown))
    if classes := _stored_classes(account.run):
        blocks.append(classes)
    return Section("Figures", blocks, name="figures")


def _stored_classes(run: Run) -> Details | None:
    """Return the top-1 of each class on the test images, where it was measured before."""
    measured = (run.evaluation() or {}).get("figures", {}).get("test") or (run.result() or {}).get("test") or {}
    per_class, data = measured.get("per_class"), run.data
    if not isinstance(per_class, list) or data is None or len(data.class_names) != len(per_class):
        return None
    return class_table(dict(zip(data.class_names, per_class, strict=True)))


def _images(source: Run | Entry, report: Report, builder: Builder, *, look: bool) -> list[Section]:
    """Return what a generator has made, and ways between what it makes."""
    from zoo.evaluation.trained import Trained

    one = _one(source)
    shape = report.networks["generator"].output if "generator" in report.networks else ()
    shown: list[Block] = []
    if isinstance(one, Run):
        info = one.data.info if one.data is not None else None
        shown += generated.kept(one.samples, info.image if info is not None else shape)
    if look:
        try:
            shown.append(generated.drawn(Trained.load(one, builder)))
        except ZooError as error:
            shown.append(Text(f"No interpolation: {error}", "faint"))
    else:
        shown.append(_later(source))
    return [Section("Images", [Grid(shown)], name="images")]


def _answers(source: Run | Entry, spec: Spec, builder: Builder) -> Sequence[Section]:
    """Return what a classifier says of single images; why not, where it cannot be asked."""
    from zoo.evaluation.trained import Trained
    from zoo.reports import answers

    if builder.bind(spec.task).predicts != "class":
        told = f"The task {spec.task.name} names no single class; single items are shown of those that do."
        return [Section(SINGLE, [Text(told, "faint")])]
    if not spec.train.validation:
        told = (
            "No images were held out (train.validation is 0). Confusion, mistakes and calibration are shown of "
            "held-out images alone, and a report does not look at the test images."
        )
        return [Section(SINGLE, [Text(told, "faint")])]
    try:
        trained = Trained.load(_one(source), builder)
        found = held_out(trained)
    except ZooError as error:
        return [Section(SINGLE, [Text(f"Nothing is shown of single images: {error}", "faint")])]
    whose = f"The answers of seed {trained.spec.train.seed} to the held-out images (validation)."
    return answers.sections(found, whose)


def _one(source: Run | Entry) -> Run | Entry:
    return next(iter(source.seeds().values()), source)


def held_out(trained: Any) -> Any:
    """Return what a classifier says of the images that its training held out."""
    import numpy as np
    import torch

    from zoo.data.sampler import validation_split
    from zoo.reports.answers import Answers

    dataset, train = trained.dataset(), trained.spec.train
    _, chosen = validation_split(dataset.train.labels, train.validation, train.seed)
    chosen = chosen[:: -(-len(chosen) // MOST_LOOKED)]
    images = np.array(dataset.train.images[chosen])
    probabilities = trained.probabilities(torch.from_numpy(images)).numpy()
    labels = np.array(dataset.train.labels[chosen])
    groups = dataset.info.superclass_of
    return Answers(images, labels, probabilities, dataset.class_names, dataset.superclasses, groups)


def _later(source: Run | Entry) -> Text:
    told = (
        f"This page was made at the run's end, of what its folder holds; `zoo report {source.label}` asks the network "
        "as well, about the held-out images or for new ones."
    )
    return Text(told, "faint")


def _spec(spec: Spec) -> Section:
    details = Details(f"With every default filled in ({spec.hash[:8]})", [Code(write_yaml(spec.to_data()))])
    return Section("Spec", [details], name="spec")
