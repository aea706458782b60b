"""The certificate of a published entry: what was trained, what came out, and how to see that both are true."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from typing_extensions import TypedDict

from zoo.builder import Builder
from zoo.checking import Report, check
from zoo.data.dataset import DataInfo, Dataset, Target
from zoo.data.identity import Identity
from zoo.errors import ShelfError, ZooError, listing
from zoo.evaluation.spread import deviation
from zoo.files import json_text, read_text, write_text
from zoo.spec.load import load_spec
from zoo.spec.reader import read
from zoo.spec.schema import hash_of
from zoo.spec.shipped import CERTIFICATE, SPEC
from zoo.text import shortened

WEIGHTS = "weights.safetensors"
FORMAT = 1
CLOSE = 1e-9  # relative; a mean is read back as it was written

_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, config=_STRICT)
class FileRecord:
    """A file of the entry, by its content."""

    file: str
    sha256: Digest
    bytes: Count


@dataclass(frozen=True, config=_STRICT)
class LimitRecord:
    """A limit of the budget as it was counted; `network` is a role, or "" for the whole spec."""

    limit: str
    network: str
    figure: int
    bound: str
    kept: bool


@dataclass(frozen=True, config=_STRICT)
class Figure:
    """A figure over trainings: mean, sample standard deviation (null for a single one), count, value by seed."""

    mean: float
    std: float | None
    n: Count
    values: dict[str, float]

    @classmethod
    def of(cls, values: Mapping[str, float]) -> Figure:
        """Return the figure of these values by seed."""
        given = list(values.values())
        return cls(
            mean=statistics.fmean(given),
            std=deviation(given),
            n=len(given),
            values=dict(values),
        )


class Measured(TypedDict):
    """A metric of generated images: with what, of what, its values by drawing seed; more may stand there."""

    name: str
    split: NotRequired[str]
    mean: float | None
    values: list[float | None]
    seeds: NotRequired[list[int]]
    extractor: NotRequired[str]
    trained_with_seed: NotRequired[Count]


def _measured(given: dict[str, Any]) -> dict[str, Any]:
    """Return `given` as it is, in its order, if it has this form."""
    TypeAdapter(Measured).validate_python(given, strict=True)
    return given


@dataclass(frozen=True, config=_STRICT)
class SpotCheck:
    """Figures of the weights that ship on a fixed subset, which anyone can repeat in seconds.

    Of a classifier: the `images` of `split` whose SHA-256 of seed and pixels are smallest. Of a generator: its first
    `images` of the drawing seed; `split` is "".
    """

    split: str
    images: Count
    seed: Count
    figures: dict[str, float | list[float]]


@dataclass(frozen=True, config=_STRICT)
class InfoRecord:
    """What the networks know of their data, as `DataInfo` says it. All but the first five are absent from entries of
    earlier versions, whose data are images in classes.
    """

    image: list[Count]
    train_images: Count
    test_images: Count
    mean: list[float]
    std: list[float]
    tokens: Count = 0
    values: Literal["pixels", "numbers"] = "pixels"
    features: list[str] = Field(default_factory=list)
    target: Target = "class"
    target_shape: list[Count] = Field(default_factory=list)
    target_mean: list[float] = Field(default_factory=list)
    target_std: list[float] = Field(default_factory=list)


class Chosen(TypedDict):
    """Which weights of a training are judged, by a figure of held-out training images, and whether it ended early."""

    keep: Literal["last", "best"]
    figure: str
    value: float | None
    step: Count
    validations: Count
    enough: bool


class Origin(TypedDict):
    """Weights that a training began from: whose, of which file and spec, what they had seen, and which were taken.

    `began_from` is where those came from in their turn.
    """

    source: str
    role: str
    sha256: Digest
    spec_hash: Digest
    data: str
    fingerprint: NotRequired[str]
    taken: Count
    left: list[str]
    began_from: NotRequired[dict[str, Any]]


@dataclass(frozen=True, config=_STRICT)
class DataRecord:
    """The data set: the spec's component, the SHA-256 of the content, the names of its classes or of the numbers that
    are its target, and what may be done with it.

    `info` and `parts`, hashes by which a difference is explained, are absent from entries of earlier versions.
    """

    component: dict[str, Any]
    fingerprint: str
    classes: list[str]
    terms: str
    info: InfoRecord | None = None
    parts: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def of(cls, dataset: Dataset, component: dict[str, Any], terms: str) -> DataRecord:
        """Return what a certificate says of a data set."""
        identity, known = Identity.of(dataset), asdict(dataset.info)
        info: dict[str, Any] = {one.name: known[one.name] for one in fields(InfoRecord)}
        info = {key: list(one) if isinstance(one, tuple) else one for key, one in info.items()}
        return cls(
            component=component,
            fingerprint=identity.fingerprint,
            classes=list(identity.class_names),
            terms=terms,
            info=InfoRecord(**info),
            parts=dict(identity.parts),
        )

    def identity(self) -> Identity:
        """Return the data as they are held against others."""
        info = None
        if self.info is not None:
            known: dict[str, Any] = {
                key: tuple(one) if isinstance(one, list) else one for key, one in asdict(self.info).items()
            }
            classes = len(self.classes) if self.info.target in ("class", "classes") else 0
            info = DataInfo(**known, classes=classes)
        return Identity(
            fingerprint=self.fingerprint, class_names=tuple(self.classes), info=info, parts=dict(self.parts)
        )


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Certificate:
    """What a published entry says of itself. The fields stand in this order in certificate.json.

    Seeds are those of trainings, as text where they are keys.
    """

    format: Literal[1] = 1
    name: str
    summary: str
    task: str
    spec_hash: Digest  # of the content of spec.yaml as it stands there
    weights: FileRecord
    parameters: dict[str, Count]  # trainable: total, then by role
    macs: dict[str, Count]  # of one forward pass for one input: total, then by role
    budget: list[LimitRecord]
    steps: Count
    updates: dict[str, Count]  # of each network that was trained
    frozen: dict[str, dict[str, str]] = Field(default_factory=dict)  # used, not trained and not in the total: of what
    images_seen: Count  # training images, each as often as it was
    seeds: list[Count]
    shipped_seed: Count
    shipped_because: str
    figures: dict[str, dict[str, Figure]]  # by split, by name
    measurements: list[
        Annotated[dict[str, Any], AfterValidator(_measured)]
    ]  # of generated images: with what, of what, values by drawing seed
    per_class: dict[str, float]  # mean top-1 over the trainings; empty where there is none
    test_looks: dict[str, dict[str, Count]]  # by seed, by occasion: how often test images were measured on
    spot_check: SpotCheck
    seconds: dict[str, float]  # of training, by seed
    engine: str
    precision: str
    machine: dict[str, Any]
    versions: dict[str, str]
    git: dict[str, Any] | None
    data: DataRecord
    command: str
    published: str
    notes: list[str]
    chosen: dict[str, Chosen] = Field(default_factory=dict)  # by seed: what validations decided, where they did
    began_from: dict[str, Origin] = Field(default_factory=dict)  # by role: weights that were trained before

    @classmethod
    def read(cls, folder: Path) -> Certificate:
        """Return the certificate of an entry. Raises ShelfError when there is none, or it is not of this form."""
        path = folder / CERTIFICATE
        try:
            text = read_text(path)
            data = json.loads(text)
        except (OSError, ValueError, RecursionError) as error:
            raise ShelfError(f"{path}: it cannot be read ({error}); wanted the certificate of an entry") from error
        found = data.get("format") if isinstance(data, dict) else None
        if found != FORMAT:
            raise ShelfError(f"{path}: found format {found!r}; this version of Zoo reads {FORMAT}")
        try:
            return TypeAdapter(cls).validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            found = "nothing" if first["type"] == "missing" else shortened(repr(first["input"]))
            raise ShelfError(f"{path}: {place}: found {found}, which cannot stand there") from error

    def to_data(self) -> dict[str, Any]:
        """Return what stands in certificate.json."""
        data = asdict(self)
        # As certificates were before there was any.
        return {key: one for key, one in data.items() if one or key not in ("began_from", "chosen", "frozen")}

    def write(self, folder: Path) -> None:
        """Write certificate.json into an entry's folder."""
        write_text(folder / CERTIFICATE, json_text(self.to_data()) + "\n")

    def figure(self, split: str, name: str) -> Figure | None:
        """Return a figure, or None where it was not measured."""
        return self.figures.get(split, {}).get(name)

    def looks(self) -> dict[str, int]:
        """Return how often test images were measured on over all trainings, by occasion."""
        found: dict[str, int] = {}
        for looks in self.test_looks.values():
            for occasion, count in looks.items():
                found[occasion] = found.get(occasion, 0) + count
        return found


def verify(folder: Path, builder: Builder) -> list[str]:
    """Return, a sentence each, what in an entry's folder is not as its certificate says; nothing when all holds.

    Content of the files, hash and count of the spec, limits, and arithmetic of the figures: without data and torch.
    Whether the weights give the figures is measured (`zoo.publishing.measured`); that they were trained as it says, and
    the figures of weights that did not ship, remain declarations.
    """
    try:
        certificate = Certificate.read(folder)
    except ShelfError as error:
        return [str(error)]
    problems = [*name_problems(folder, certificate), *_inconsistent(certificate)]
    problems += file_problems(folder, certificate.weights)
    try:
        found = hash_of(read(folder / SPEC).data())
        report = check(load_spec(folder / SPEC, registry=builder.registry), builder, certificate.data.identity().info)
    except (ZooError, OSError) as error:
        return [*problems, f"the spec cannot be checked: {error}"]
    if found != certificate.spec_hash:
        problems.append(f"the spec has the hash {found[:8]}; the certificate says {certificate.spec_hash[:8]}")
    problems += _count_problems(certificate, report)
    if not problems:
        problems += _size_problems(folder / certificate.weights.file, report)
    return problems


def limits(report: Report) -> list[LimitRecord]:
    """Return the verdicts of a report as they stand in a certificate."""
    return [
        LimitRecord(limit=one.limit, network=one.network, figure=one.figure, bound=one.bound, kept=one.kept)
        for one in report.verdicts
    ]


def by_role(report: Report, figure: str) -> dict[str, int]:
    """Return a figure of the whole spec as `total`, then that of each network by role."""
    parts = {role: getattr(one.figures, figure) for role, one in report.networks.items()}
    return {"total": getattr(report.total, figure), **parts}


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def name_problems(folder: Path, certificate: Certificate) -> Iterator[str]:
    """Yield, a sentence, where a certificate is that of an entry of another name."""
    if (name := folder.absolute().name) != certificate.name:
        yield (
            f"its certificate is that of the entry {certificate.name!r}, of which this is a copy called {name!r}; "
            "give the folder its name back, or publish the runs under the new one"
        )


def file_problems(folder: Path, record: FileRecord) -> Iterator[str]:
    """Yield, a sentence, what is not as a record says of a file in `folder`."""
    path = folder / record.file
    if record.file != WEIGHTS:
        yield f"the certificate speaks of the weights {record.file!r}; those of an entry are loaded from {WEIGHTS}"
    elif not path.is_file():
        yield f"there is no {record.file}"
    elif path.stat().st_size != record.bytes:
        yield f"{record.file} has {path.stat().st_size:,} bytes; the certificate says {record.bytes:,}"
    elif (found := sha256_of(path)) != record.sha256:
        yield f"{record.file} has the SHA-256 {found[:8]}...; the certificate says {record.sha256[:8]}..."


def _inconsistent(certificate: Certificate) -> Iterator[str]:
    if certificate.shipped_seed not in certificate.seeds:
        yield f"the weights of seed {certificate.shipped_seed} ship, which is none of the seeds {certificate.seeds}"
    known = {str(seed) for seed in certificate.seeds}
    for split, figures in certificate.figures.items():
        for name, one in figures.items():
            if not one.values or not one.values.keys() <= known:
                yield f"{split} {name}: its values are of the seeds {', '.join(one.values) or 'none'}"
                continue
            real = Figure.of(one.values)
            if one.n != real.n or not _close(one.mean, real.mean) or not _close(one.std, real.std):
                yield f"{split} {name}: mean, deviation and n are not those of its values"
    yield from _contradictions(certificate)
    for limit in certificate.budget:
        if not limit.kept:
            yield f"the limit {limit.limit} ({limit.bound}) is broken with {limit.figure:,}"
    if certificate.test_looks.keys() != known:
        yield "the looks at the test images are not counted for each seed"


def _contradictions(certificate: Certificate) -> Iterator[str]:
    """Yield where what a certificate says in one place is not what it says in another."""
    shares, top1 = certificate.per_class, certificate.figure("test", "top1")
    if strange := shares.keys() - set(certificate.data.classes):
        yield f"it has figures of classes that its data lack: {listing(strange, 3)}"
    elif shares and top1 is not None and not _between(min(shares.values()), top1.mean, max(shares.values())):
        yield f"test top1 is {top1.mean:.4f}, which lies beyond all of its classes"
    for one in certificate.measurements:
        figure = certificate.figure(str(one.get("split")), str(one.get("name")))
        value = figure.values.get(str(one.get("trained_with_seed"))) if figure else None
        mean = one.get("mean")
        if value is not None and not (isinstance(mean, (int, float)) and _close(mean, value)):
            yield f"{one.get('split')} {one.get('name')} is {value:.4f} as a figure and {mean} as a measurement"


def _between(low: float, value: float, high: float) -> bool:
    return low - CLOSE <= value <= high + CLOSE


def _close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= CLOSE * max(1.0, abs(other))


def _count_problems(certificate: Certificate, report: Report) -> Iterator[str]:
    for figure in ("parameters", "macs"):
        found, stated = by_role(report, figure), getattr(certificate, figure)
        for name in dict.fromkeys((*found, *stated)):
            if found.get(name) != stated.get(name):
                yield (
                    f"{figure} ({name}): the spec has {found.get(name, 'none')}; the certificate says "
                    f"{stated.get(name, 'none')}"
                )
    if limits(report) != certificate.budget:
        yield "the limits are not those of the spec, or their figures are others"
    early = any(one["enough"] for one in certificate.chosen.values()) and report.spec.train.stop is not None
    if certificate.steps != report.spec.train.steps and not (early and certificate.steps < report.spec.train.steps):
        yield f"the spec trains {report.spec.train.steps:,} steps; the certificate says {certificate.steps:,}"
    for role, one in report.networks.items():
        if certificate.updates.get(role, 0) > one.figures.steps:
            yield f"{role} was updated {certificate.updates[role]:,} times; the budget counts {one.figures.steps:,}"
    yield from (f"{one.limit} is broken now: {one}" for one in report.verdicts if not one.kept)


def _size_problems(path: Path, report: Report) -> Iterator[str]:
    """Yield where a network's weights have another number of values than its spec has parameters and buffers."""
    from safetensors import SafetensorError, safe_open

    sizes = dict.fromkeys(report.networks, 0)
    try:
        with safe_open(path, framework="np") as file:
            for name in file.keys():  # noqa: SIM118
                role = name.partition(".")[0]
                size = 1
                for length in file.get_slice(name).get_shape():
                    size *= length
                sizes[role] = sizes.get(role, 0) + size
    except (OSError, SafetensorError) as error:
        yield f"{path.name} cannot be read: {error}"
        return
    for role, size in sizes.items():
        known = report.networks.get(role)
        cost = known.cost if known and not known.frozen else None
        wanted = cost.parameters + cost.buffers if cost else 0
        if size != wanted:
            yield f"{path.name} holds {size:,} values of {role}; its parameters and buffers are {wanted:,}"
