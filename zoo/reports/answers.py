"""What a classifier says of the held-out images: confusion, calibration, worst mistakes, and how each class fares."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from zoo.drawing import charts
from zoo.drawing.charts import Bin, Cell
from zoo.drawing.page import Block, Chart, Details, Grid, Picture, Section, Table, Text

BINS = 15  # of confidence, as in the source below
WORST = 18  # mistakes that are shown
LARGEST = 128  # pixels of a side of an image that is shown
PAIRS = 15  # of classes that are confused most
FEW_CLASSES = 20  # whose table is shown at once
MOST_CLASSES = 120  # of a matrix; of more, only pairs are listed


@dataclass(frozen=True)
class Answers:
    """Probabilities (N, classes) and labels (N,) of items (N, ...), of one seed's networks."""

    images: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray
    names: Sequence[str]
    groups: Sequence[str] = ()  # names of the superclasses
    group_of: Sequence[int] = ()  # by class

    @property
    def said(self) -> np.ndarray:
        return self.probabilities.argmax(1)

    @property
    def pictured(self) -> bool:
        """Whether the items are images that can be shown."""
        return self.images.dtype == np.uint8 and self.images.ndim == 4 and self.images.shape[1] in (1, 3)

    @property
    def right(self) -> np.ndarray:
        return self.said == self.labels

    @property
    def confidence(self) -> np.ndarray:
        return self.probabilities.max(1)


def confusion(truths: np.ndarray, said: np.ndarray, size: int) -> list[Cell]:
    """Return how often each truth was taken for each answer, as far as it happened."""
    counts = np.zeros((size, size), dtype=np.int64)
    np.add.at(counts, (truths, said), 1)
    totals = counts.sum(1)
    return [Cell(int(a), int(b), int(counts[a, b]), float(counts[a, b] / totals[a])) for a, b in np.argwhere(counts)]


def calibration(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> tuple[list[Bin], float]:
    """Return bins of equal width and the expected calibration error: the mean distance of accuracy and confidence.

    Source: Guo et al. 2017, arXiv:1706.04599, equation 3; bins are open below and closed above.
    """
    places = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    found = []
    for index in range(bins):
        inside = places == index
        count = int(inside.sum())
        accuracy, sure = (float(right[inside].mean()), float(confidence[inside].mean())) if count else (0.0, 0.0)
        found.append(Bin(index / bins, (index + 1) / bins, count, accuracy, sure))
    error = sum(one.answers * abs(one.accuracy - one.confidence) for one in found) / max(1, len(right))
    return found, error


def sections(answers: Answers, whose: str) -> list[Section]:
    """Return what stands in a report of these answers. whose: a sentence that says of which images."""
    right = answers.right.mean()
    said = f"{whose} {right:.1%} of the {len(answers.labels):,} are right."
    return [
        Section("Confusion", [Text(said, "faint"), *_confusion(answers)], name="confusion"),
        Section("Worst mistakes", _worst(answers), name="mistakes"),
        Section("Calibration", _calibration(answers), name="calibration"),
        Section("Classes", _classes(answers), name="classes"),
    ]


def _confusion(answers: Answers) -> list[Block]:
    size = len(answers.names)
    order = np.argsort(np.array(answers.group_of), kind="stable") if len(answers.group_of) else np.arange(size)
    place = np.argsort(order)
    shown: list[Block] = []
    if len(answers.group_of):
        member = np.array(answers.group_of)
        names = answers.groups or [f"superclass {index}" for index in range(int(member.max()) + 1)]
        cells = confusion(member[answers.labels], member[answers.said], len(names))
        kept = sum(one.times for one in cells if one.row == one.column) / len(answers.labels)
        alt = (
            f"Matrix of {len(names)} superclasses; {kept:.1%} of the images are taken for one of their own superclass."
        )
        shown.append(Chart("By superclass", alt, charts.matrix(cells, names), caption=alt))
    if size <= MOST_CLASSES:
        cells = confusion(place[answers.labels], place[answers.said], size)
        names = [answers.names[index] for index in order]
        beside = ", those of a superclass side by side" if len(answers.group_of) else ""
        caption = f"Rows are the truth, columns the answer{beside}; the stronger, the larger its share of the row."
        alt = f"Matrix of {size} classes; {answers.right.mean():.1%} lie on the diagonal."
        shown.append(Chart("By class", alt, charts.matrix(cells, names, tips=size <= 30), caption=caption))
    mistakes = [one for one in confusion(answers.labels, answers.said, size) if one.row != one.column]
    most = sorted(mistakes, key=lambda one: (-one.times, -one.share))[:PAIRS]
    rows = [(answers.names[one.row], answers.names[one.column], str(one.times), f"{one.share:.0%}") for one in most]
    columns = ("is", "taken for", "images", "share")
    pairs = Details("The classes that are confused most", [Table(columns, rows, right=columns[2:])], opened=size > 30)
    return [Grid(shown), *([pairs] if rows else [])]


def _worst(answers: Answers) -> list[Block]:
    wrong = np.flatnonzero(~answers.right)
    if not len(wrong):
        return [Text("There is no mistake.")]
    worst = wrong[np.argsort(-answers.confidence[wrong], kind="stable")][:WORST]
    if not answers.pictured:
        columns = ("is", "taken for", "how surely")
        rows = [
            (answers.names[answers.labels[one]], answers.names[answers.said[one]], f"{answers.confidence[one]:.0%}")
            for one in worst
        ]
        return [Table(columns, rows, right=columns[2:])]
    blocks = []
    for index in worst:
        truth, said = answers.names[answers.labels[index]], answers.names[answers.said[index]]
        sure, real = answers.confidence[index], answers.probabilities[index, answers.labels[index]]
        alt = f"An image of {truth}, taken for {said}"
        caption = f"{said} {sure:.0%}; {truth} {real:.0%}"
        blocks.append(Picture(truth, alt, png(answers.images[index]), caption=caption, small=True))
    told = "Wrong and most certain: over each image what it is, then the answer and how sure, and the truth's share."
    return [Text(told, "faint"), Grid(blocks, small=True)]


def _calibration(answers: Answers) -> list[Block]:
    bins, error = calibration(answers.confidence, answers.right)
    sure, right = float(answers.confidence.mean()), float(answers.right.mean())
    word = "surer than it may be" if sure > right else "less sure than it may be"
    told = (
        f"Expected calibration error {error:.4f} ({BINS} bins of equal width): on average the answers are {sure:.1%} "
        f"sure and {right:.1%} right, so the network is {word}."
    )
    first = Chart(
        "Reliability", told, charts.reliability(bins), caption="How often answers of each confidence are right."
    )
    spread = f"Answers by confidence; the mean is {sure:.1%}."
    return [Text(told), Grid([first, Chart("Confidence", spread, charts.histogram(bins), caption=spread)])]


def _classes(answers: Answers) -> list[Block]:
    rows = []
    for label, name in enumerate(answers.names):
        own = answers.labels == label
        count = int(own.sum())
        if not count:
            continue
        accuracy = float(answers.right[own].mean())
        others = np.bincount(answers.said[own & ~answers.right], minlength=len(answers.names))
        most = f"{answers.names[int(others.argmax())]} ({int(others.max())})" if others.any() else ""
        group = [answers.groups[answers.group_of[label]]] if answers.groups and len(answers.group_of) else []
        rows.append((accuracy, [name, *group, f"{count:,}", f"{accuracy:.1%}", most]))
    has_groups = bool(answers.groups and len(answers.group_of))
    columns = ["class", *(["superclass"] if has_groups else []), "images", "right", "most often taken for"]
    ordered = [row for _, row in sorted(rows, key=lambda one: one[0])]
    table = Table(columns, ordered, right=("images", "right"), minor=("superclass",))
    if len(rows) <= FEW_CLASSES:
        return [table]
    worst, best = ordered[:5], ordered[-5:][::-1]
    told = f"Worst: {_shares(worst, columns)}. Best: {_shares(best, columns)}."
    return [Text(told), Details(f"All {len(rows)} classes, the worst first", [table])]


def _shares(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> str:
    return ", ".join(f"{row[0]} {row[columns.index('right')]}" for row in rows)


def png(image: np.ndarray) -> bytes:
    """Return an image (C, H, W) uint8, of one or three channels, as the bytes of a PNG of some hundred pixels."""
    pixels = np.ascontiguousarray(image.transpose(1, 2, 0) if len(image) > 1 else image[0])
    file = io.BytesIO()
    picture = Image.fromarray(pixels)
    picture.thumbnail((LARGEST, LARGEST))
    picture.save(file, format="png", optimize=True)
    return file.getvalue()
