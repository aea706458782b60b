"""What the report of a published entry says from its folder: certificate, figures, pictures."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.checking import Report
from zoo.drawing.page import Block, Facts, Grid, Picture, Section, Text
from zoo.publishing.shelf import PICTURES, Entry
from zoo.reports.tables import TEST, class_table, duration, figure_table, spread

MOST_BYTES = 2**20  # of one picture; a larger one would make the page slow to open


def facts(entry: Entry, report: Report) -> Facts:
    """Return what was trained, and on what."""
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


def figures(entry: Entry) -> Section:
    """Return the figures of the certificate."""
    certificate = entry.certificate
    by_split = {
        split: {name: spread(one.mean, one.std) for name, one in found.items()}
        for split, found in certificate.figures.items()
    }
    n = len(certificate.seeds)
    blocks: list[Block] = [
        Text(f"As the certificate states them, of {n} {'training' if n == 1 else 'trainings'}. {TEST}", "faint"),
        figure_table(by_split),
    ]
    if certificate.per_class:
        blocks.append(class_table(certificate.per_class))
    return Section("Figures", blocks, name="figures")


def shown(entry: Entry) -> Iterator[Section]:
    """Yield the pictures that ship, where there are some."""
    found = pictures(entry)
    if found:
        yield Section("Pictures", [Grid(found)], name="pictures")


def pictures(entry: Entry) -> list[Picture]:
    """Return the pictures of an entry's folder, with what its card says of them."""
    return [
        Picture("", said, path.read_bytes(), PICTURES[path.suffix.lower()], caption=said)
        for path, said in entry.pictures().items()
        if path.stat().st_size <= MOST_BYTES
    ]
