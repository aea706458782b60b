"""Everything public: what a plugin builds on, and what a program calls. Importing this module imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Sequence as _Sequence
from pathlib import Path as _Path
from typing import TYPE_CHECKING
from typing import Any as _Any
from typing import TypeVar as _TypeVar

from zoo.annotations import Field, Later, Nested, Wanted
from zoo.budget import Bound, Figures, Verdict, judge
from zoo.builder import Builder
from zoo.checking import NetworkReport, Report
from zoo.data import store
from zoo.data.augment import Augmentation, Mixing, Staged
from zoo.data.dataset import TARGETS, DataInfo, Dataset, DataSource, ImageSet, Items, Target
from zoo.data.importer import make_dataset
from zoo.distribution import install_command
from zoo.errors import (
    BudgetError,
    DataError,
    DeliveryError,
    Interrupted,
    PluginError,
    Position,
    Problem,
    RunError,
    ShapeError,
    ShelfError,
    SpecError,
    TrainingError,
    ZooError,
)
from zoo.evaluation.metric import Evidence, Measurement, PredictionMetric, content_hash
from zoo.files import write_atomically
from zoo.fitting import Candidate, Fit, Progress
from zoo.local import named
from zoo.network.composites import Branches, Repeat, Residual, Sequence
from zoo.network.from_module import FromModule
from zoo.network.graph import Graph, operations
from zoo.network.layer import Condition, Cost, Layer, Shape, batch_of_one, elements, image, spatial
from zoo.network.parts import innermost
from zoo.plugins import hookimpl
from zoo.random import derive_seed
from zoo.registry import Component, Registry
from zoo.requirements import Finding, Setting, Weight, requires
from zoo.spec.formula import Formula
from zoo.spec.pending import AXES
from zoo.spec.schema import (
    Activation,
    AdversarialLossOption,
    Architecture,
    AugmentationOption,
    DatasetOption,
    ExtractorOption,
    InitializerOption,
    LayerOption,
    Loss,
    MetricOption,
    Norm,
    OptimizerOption,
    ScheduleOption,
    Spec,
)
from zoo.training.predictive import PredictiveTask, statistics
from zoo.training.task import Batch, Direction, GenerativeTask, Task, Terminals, Turn, Update
from zoo.training.watching import Callback, Moment, Tracked, Tracker

if TYPE_CHECKING:
    from torch import nn

    from zoo.challenges.judging import Judgement
    from zoo.challenges.leaderboard import Board
    from zoo.challenges.reproduction import Reproduction
    from zoo.challenges.schema import Challenge
    from zoo.delivery.export import Delivered
    from zoo.evaluation.trained import Trained
    from zoo.publishing.shelf import Entry
    from zoo.sweeps.comparison import Comparison
    from zoo.training.reporter import Reporter
    from zoo.training.run import Run

_Target = _TypeVar("_Target")
SpecSource = str | _Path | Mapping[str, _Any] | Spec


def load_spec(source: SpecSource, *, overrides: _Sequence[str] = (), registry: Registry | None = None) -> Spec:
    """Read and resolve a spec: a file, the name of one that ships, or a mapping; a Spec is returned as it is.

    In a mapping a class or a function may stand for a component, and a Dataset for data; they are registered.

    overrides: texts like "train.seed=1". Raises SpecError with every problem found.
    """
    from zoo.plugins import installed
    from zoo.spec.load import load_spec as load

    if isinstance(source, Spec):
        return source
    found, known = installed(), _known(registry)
    plain = named(source, known) if isinstance(source, Mapping) else source
    return load(plain, overrides=overrides, registry=known, folders=found.spec_folders())


def register(
    kind: str, name: str = "", *, summary: str = "", source: str = "", registry: Registry | None = None
) -> Callable[[_Target], _Target]:
    """Return a decorator that makes a class or a function a component of this process, for specs to name.

    name: that of what is decorated unless given, CamelCase as camel_case. What it takes beyond what Zoo hands over are
    its options. What was registered before under the name is replaced, so that a notebook's cell may run again.
    Raises PluginError when a plugin has the name.
    """
    from zoo.local import register as add

    return add(kind, name, registry=_known(registry), summary=summary, source=source)


def check(source: SpecSource, *, overrides: _Sequence[str] = (), registry: Registry | None = None) -> Report:
    """Return what a spec costs and whether it keeps its limits, without data, GPU or memory for weights.

    Raises SpecError when the spec cannot work, and DataError when nothing on this machine tells the shape of its data.
    """
    from zoo.checking import check as check_spec

    return check_spec(load_spec(source, overrides=overrides, registry=registry), _builder(registry))


def load_challenge(source: str | _Path, *, registry: Registry | None = None) -> Challenge:
    """Read and resolve a challenge: a file, or the name of one that ships.

    Raises SpecError with every problem found.
    """
    from zoo.challenges.load import load_challenge as load
    from zoo.plugins import installed

    found = installed()
    return load(source, registry=registry or found.registry, folders=found.spec_folders())


def judge_submission(
    challenge: str | _Path | Challenge,
    submission: str | _Path,
    *,
    overrides: _Sequence[str] = (),
    registry: Registry | None = None,
) -> Judgement:
    """Return which rules of a challenge a submission keeps: a spec by file or name, or the folder of a run.

    Raises SpecError when the spec or the challenge cannot work, RunError when the folder is damaged.
    """
    from zoo.challenges.judging import judge_submission as judge
    from zoo.challenges.submission import read_submission
    from zoo.plugins import installed

    builder = _builder(registry)
    if isinstance(challenge, (str, _Path)):
        challenge = load_challenge(challenge, registry=builder.registry)
    folders = installed().spec_folders()
    return judge(challenge, read_submission(submission, builder, folders=folders, overrides=overrides), builder)


def leaderboard(
    challenges: _Sequence[str | _Path] = (),
    *,
    measure: Callable[[str], object] | None = None,
    registry: Registry | None = None,
) -> Board:
    """Return every published entry, verified and ranked within each challenge whose rules it keeps.

    challenges: by file or name; those that ship unless given. measure: measure first the entries of their tasks and
    data that were not measured on this machine yet, and tell by this function what is measured or cannot be. Raises
    SpecError when one of them cannot be read.
    """
    from zoo.challenges.leaderboard import board, measure_entries
    from zoo.plugins import installed
    from zoo.spec import shipped

    builder, folders = _builder(registry), installed().spec_folders()
    names = challenges or shipped.challenges(folders)
    loaded = [load_challenge(one, registry=builder.registry) for one in names]
    if measure is not None:
        measure_entries(loaded, builder, folders, measure)
    return board(loaded, builder, folders, chosen=bool(challenges))


def reproduce(
    name: str | _Path,
    *,
    seeds: int | _Sequence[int] = 1,
    run: str | _Path | None = None,
    challenges: _Sequence[str | _Path] = (),
    overrides: _Sequence[str] = (),
    other_data: bool = False,
    registry: Registry | None = None,
    reporter: Callable[[Report], Reporter] | None = None,
) -> Reproduction:
    """Train a published entry again and return whether its figures came within the spread that it states.

    seeds: how many that were not used before, or which. challenges say which figures count: those that ship unless
    given. other_data: train also where the data are not the entry's. Raises ShelfError when there is no such entry or
    it is damaged, and what `train` and `evaluate` raise.
    """
    from zoo.challenges.reproduction import reproduce as train_again
    from zoo.challenges.reproduction import unused
    from zoo.errors import closest
    from zoo.plugins import installed
    from zoo.publishing import shelf
    from zoo.spec import shipped

    builder, folders = _builder(registry), installed().spec_folders()
    known = shelf.entries(folders)
    entry = shelf.Entry(_Path(name)) if shipped.is_entry(_Path(name)) else known.get(str(name))
    if entry is None:
        near = closest(str(name), known) or "`zoo list shelf` lists them"
        raise ShelfError(f"no published entry is called {str(name)!r}; {near}")
    chosen = unused(entry.certificate.seeds, seeds) if isinstance(seeds, int) else seeds
    return train_again(
        entry,
        builder,
        [load_challenge(one, registry=builder.registry) for one in challenges or shipped.challenges(folders)],
        seeds=chosen,
        folder=None if run is None else _Path(run),
        overrides=overrides,
        other_data=other_data,
        reporter=reporter,
    )


def fit(
    source: str | _Path | Mapping[str, _Any],
    *,
    overrides: _Sequence[str] = (),
    figure: str = "parameters",
    top: int = 10,
    most: int = 200_000,
    seconds: float = 60.0,
    registry: Registry | None = None,
    progress: Progress | None = None,
) -> Fit:
    """Return the values of a spec's free variables that keep its limits and use most of `figure`, the best first.

    A variable is free as `let: {width: {free: {from: 16, to: 128, step: 4}}}` or `{free: [relu, silu]}`. At most
    `most` candidates are counted for at most `seconds`; nothing is trained. Raises SpecError when the spec has no
    free variable or no limit, or cannot work whatever the values.
    """
    from zoo.fitting import fit as fit_document
    from zoo.plugins import installed
    from zoo.spec.load import load_document

    document = load_document(source, overrides=overrides, folders=installed().spec_folders())
    return fit_document(
        document, _builder(registry), figure=figure, top=top, most=most, seconds=seconds, progress=progress
    )


def eject(source: SpecSource, *, overrides: _Sequence[str] = (), registry: Registry | None = None) -> str:
    """Return a spec's networks as the text of a Python module that imports only torch, one function for each.

    They have the state-dict names and shapes of the networks that Zoo trains. Raises SpecError, and ZooError when a
    network is written in Python and not as layers.
    """
    from zoo.ejection import eject as eject_report

    return eject_report(check(source, overrides=overrides, registry=registry))


def build(
    source: SpecSource, *, overrides: _Sequence[str] = (), registry: Registry | None = None
) -> dict[str, nn.Module]:
    """Return a spec's networks by role, on the CPU, initialised from the spec's seed, as training would begin with."""
    from zoo.training.trainee import make_networks

    builder = _builder(registry)
    report = check(source, overrides=overrides, registry=builder.registry)
    return make_networks(report.spec, report, builder)


def train(
    source: SpecSource,
    *,
    run: str | _Path | None = None,
    overrides: _Sequence[str] = (),
    other_data: bool = False,
    registry: Registry | None = None,
    reporter: Reporter | None = None,
) -> Run:
    """Train a spec to its last step in the folder `run` and return the run; one that was stopped goes on.

    The folder is runs/<name>-<hash> unless named. other_data: go on also where the data are not those that the run was
    begun on. Raises BudgetError when the spec breaks a limit, SpecError,
    DataError, RunError, TrainingError, and Interrupted after Ctrl-C or SIGTERM when the state is saved.
    """
    from zoo.reports.write import leave_report
    from zoo.training.loop import train as train_spec
    from zoo.training.notebook import NotebookReporter, in_notebook
    from zoo.training.reporter import Reporter

    builder, reporter = _builder(registry), reporter or (NotebookReporter() if in_notebook() else Reporter())
    spec = load_spec(source, overrides=overrides, registry=builder.registry)
    folder = None if run is None else _Path(run)
    done = train_spec(spec, builder, folder, reporter, other_data=other_data)
    leave_report(done, builder, reporter)
    return done


def sweep(
    source: str | _Path | Mapping[str, _Any],
    *,
    folder: str | _Path | None = None,
    overrides: _Sequence[str] = (),
    workers: int = 1,
    storage: str = "",
    heartbeat: int = 60,
    registry: Registry | None = None,
    say: Callable[[str], object] = print,
) -> dict[str, _Any]:
    """Train a spec for many values of what it leaves free, as its section `sweep` says; return what came out.

    folder: runs/<name>-sweep unless named; it holds a run for each trial. storage: the URL of a database that workers
    on several machines meet in; a file in the folder unless named. heartbeat: seconds between a worker's signs of
    life. The same call goes on where it was stopped. Raises SpecError when the spec is no study or no point of it
    keeps the limits, RunError when the storage cannot be reached or holds another study, Interrupted when it was
    stopped, and what training raises.
    """
    from zoo.plugins import installed
    from zoo.spec.load import load_document
    from zoo.sweeps.plan import Plan
    from zoo.sweeps.sweep import sweep as run_study

    builder = _builder(registry)
    document = load_document(source, overrides=overrides, folders=installed().spec_folders())
    plan = Plan.of(document, builder, None if folder is None else _Path(folder), storage, heartbeat)
    return run_study(plan, builder, workers=workers, say=say)


def compare(
    names: _Sequence[str | _Path], *, figures: _Sequence[str] = (), registry: Registry | None = None
) -> Comparison:
    """Return runs, entries and studies side by side: what differs, figures over seeds, costs, Pareto marks.

    names: folders of runs and of studies, and entries by name. figures: those to be shown, such as validation_top1.
    Raises RunError when there is no such run, or none has such a figure.
    """
    from zoo.plugins import installed
    from zoo.sweeps.comparison import compare as compare_runs

    return compare_runs(names, _builder(registry), installed().spec_folders(), figures=figures)


def report(names: _Sequence[str | _Path], *, to: str | _Path | None = None, registry: Registry | None = None) -> _Path:
    """Write one HTML file about runs, entries or a study, which opens offline, and return its path.

    names: as `compare` takes them. to: report.html in the folder of a run or study, or in the working folder, unless
    given. The networks are asked about the images that were held out, never about the test images. Raises RunError
    when there is no such run, and ZooError when the package that draws charts is missing.
    """
    from zoo.plugins import installed
    from zoo.reports.write import report as write_report

    path = None if to is None else _Path(to)
    return write_report(names, _builder(registry), installed().spec_folders(), to=path)


def load(
    name: str | _Path,
    *,
    overrides: _Sequence[str] = (),
    other_data: bool = False,
    registry: Registry | None = None,
) -> Trained:
    """Return the networks of a published entry or of a run's newest checkpoint, ready to be used, with task and spec.

    name: a folder; else the name of a published entry; else a spec, by file or shipped name, which stands for the run
    in the folder that it trains in unless told otherwise. other_data: it may be used with data that it was not trained
    on; else `dataset()` raises DataError for such. Raises RunError when there is no run, or one without a checkpoint,
    and ShelfError when the entry is damaged.
    """
    from zoo.evaluation.trained import Trained

    builder = _builder(registry)
    return Trained.load(source(name, registry=builder.registry), builder, overrides, other_data=other_data)


def evaluate(
    name: str | _Path,
    *,
    splits: _Sequence[str] | None = None,
    overrides: _Sequence[str] = (),
    other_data: bool = False,
    registry: Registry | None = None,
) -> dict[str, _Any]:
    """Return the figures of what `load` loads on each of `splits` (train, validation, test), by split.

    splits: train and test unless given; test alone for a task that makes images. Those of a run are written into its
    folder, where looks at the test images are counted. Of a run of several seeds: `n`, and by split under `mean`, `std`
    and, for each, `seeds`. Those of an entry are kept for the leaderboard. other_data: measure also on data that it was
    not trained on; then nothing is kept. Raises RunError when there is no run, or one without a checkpoint, and
    DataError for other data.
    """
    from zoo.evaluation.run import evaluate as measure
    from zoo.evaluation.run import evaluate_run, splits_of
    from zoo.evaluation.trained import Trained
    from zoo.publishing.measured import keep
    from zoo.training.run import Run

    builder = _builder(registry)
    found = source(name, registry=builder.registry)
    if isinstance(found, Run):
        return evaluate_run(found, builder, splits, overrides, other_data=other_data)
    trained = Trained.load(found, builder, overrides, other_data=other_data)
    found_here = measure(trained, splits_of(trained, splits))
    keep(found, trained, found_here)
    return found_here.figures


def publish(
    runs: _Sequence[str | _Path],
    *,
    name: str | None = None,
    to: str | _Path = "shelf",
    notes: _Sequence[str] = (),
    registry: Registry | None = None,
) -> Entry:
    """Publish finished runs of one spec, which differ in nothing but the seed, as the entry `name` in the folder `to`.

    The weights of the first run ship. name: the spec's unless given; notes: sentences for the card. Raises RunError
    for a run that is not finished or is damaged, BudgetError when a limit is broken, ShelfError when the name is taken.
    """
    from zoo.plugins import installed
    from zoo.publishing.publish import publish as publish_runs

    folders = [_Path(run) for run in runs]
    known = installed().spec_folders()
    return publish_runs(folders, _builder(registry), name=name, to=_Path(to), notes=notes, known=known)


def export(
    name: str | _Path,
    out: str | _Path | None = None,
    *,
    to: str = "onnx",
    outputs: str | None = None,
    pixels: str = "uint8",
    label: int | None = None,
    int8: bool = False,
    opset: int | None = None,
    overrides: _Sequence[str] = (),
    other_data: bool = False,
    registry: Registry | None = None,
) -> Delivered:
    """Write what `load` loads as one file, from pixels to answers, and return it with what was found of it.

    out: the file, in the working folder and called as the entry unless given. to: onnx or pt2. outputs: probabilities
    (unless given) or logits of a classifier, images of a generator. pixels: uint8, or float in 0..1. label: the one
    class that a generator's file makes. int8: quantized, calibrated on training images. Raises DeliveryError where the
    file cannot be made or does not agree with Zoo; then none is left.
    """
    from zoo.delivery.export import default_path, delivery

    trained = load(name, overrides=overrides, other_data=other_data, registry=registry)
    made = delivery(trained, outputs=outputs, pixels=pixels, label=label)
    path = default_path(trained, to, int8=int8) if out is None else _Path(out)
    return made.write(to, path, opset=opset, int8=int8)


def source(name: str | _Path, *, registry: Registry | None = None) -> Run | Entry:
    """Return the run or the published entry that `name` stands for, as `load` takes it; nothing of it is loaded."""
    from zoo.plugins import installed
    from zoo.publishing.shelf import find

    return find(name, _builder(registry).registry, installed().spec_folders())


def _known(registry: Registry | None) -> Registry:
    from zoo.plugins import installed

    return installed().registry if registry is None else registry


def _builder(registry: Registry | None) -> Builder:
    return Builder(_known(registry))


__all__ = [
    "AXES",
    "TARGETS",
    "Activation",
    "AdversarialLossOption",
    "Architecture",
    "Augmentation",
    "AugmentationOption",
    "Batch",
    "Bound",
    "Branches",
    "BudgetError",
    "Builder",
    "Callback",
    "Candidate",
    "Component",
    "Condition",
    "Cost",
    "DataError",
    "DataInfo",
    "DataSource",
    "Dataset",
    "DatasetOption",
    "DeliveryError",
    "Direction",
    "Evidence",
    "ExtractorOption",
    "Field",
    "Figures",
    "Finding",
    "Fit",
    "Formula",
    "FromModule",
    "GenerativeTask",
    "Graph",
    "ImageSet",
    "InitializerOption",
    "Interrupted",
    "Items",
    "Later",
    "Layer",
    "LayerOption",
    "Loss",
    "Measurement",
    "MetricOption",
    "Mixing",
    "Moment",
    "Nested",
    "NetworkReport",
    "Norm",
    "OptimizerOption",
    "PluginError",
    "Position",
    "PredictionMetric",
    "PredictiveTask",
    "Problem",
    "Registry",
    "Repeat",
    "Report",
    "Residual",
    "RunError",
    "ScheduleOption",
    "Sequence",
    "Setting",
    "Shape",
    "ShapeError",
    "ShelfError",
    "Spec",
    "SpecError",
    "Staged",
    "Target",
    "Task",
    "Terminals",
    "Tracked",
    "Tracker",
    "TrainingError",
    "Turn",
    "Update",
    "Verdict",
    "Wanted",
    "Weight",
    "ZooError",
    "batch_of_one",
    "build",
    "check",
    "compare",
    "content_hash",
    "derive_seed",
    "eject",
    "elements",
    "evaluate",
    "export",
    "fit",
    "hookimpl",
    "image",
    "innermost",
    "install_command",
    "judge",
    "judge_submission",
    "leaderboard",
    "load",
    "load_challenge",
    "load_spec",
    "make_dataset",
    "operations",
    "publish",
    "register",
    "report",
    "reproduce",
    "requires",
    "source",
    "spatial",
    "statistics",
    "store",
    "sweep",
    "train",
    "write_atomically",
]
