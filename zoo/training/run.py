"""A run folder: the resolved spec, facts about machine and data, metrics, checkpoints, results."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

import zoo
from zoo.data.dataset import Dataset
from zoo.data.identity import Identity
from zoo.errors import BusyError, RunError, ZooError, listing
from zoo.files import clear_leftovers, is_leftover, json_text, read_text, write_text
from zoo.registry import Registry
from zoo.spec.difference import MISSING, differences
from zoo.spec.document import kind
from zoo.spec.load import load_spec
from zoo.spec.reader import read
from zoo.spec.schema import Spec, hash_of
from zoo.spec.writer import write_yaml
from zoo.text import without_password
from zoo.training import checkpoint_files, records

FACTS = "run.json"
LOCK = ".lock"
VALIDATION = "validation_"  # before the names of figures of the held-out images, in the metrics
LOOKS = "test-looks.json"
UNCOUNTED = "uncounted"  # stands there where an earlier version began the run
EVALUATION = "evaluation.json"
BEGINNING = (LOCK, FACTS, LOOKS)  # all that a command leaves which is killed before the run has begun
PACKAGES = ("torch", "torchvision", "numpy", "pydantic", "safetensors")


class Run:
    """One training and what it left behind. Opening a folder reads nothing but its spec and facts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __repr__(self) -> str:
        return f"<Run in {self.folder}, {self._state()}>"

    def _repr_html_(self) -> str:
        from zoo.drawing.cells import of_run

        figures = (self.result() or {}).get("test", {}) if self.spec_path.exists() else {}
        return of_run("run", str(self.folder), self._state(), figures)

    def _state(self) -> str:
        result = self.result()
        return f"finished after {result['steps']:,} steps" if result else "not finished"

    @property
    def spec_path(self) -> Path:
        return self.folder / "spec.yaml"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def samples(self) -> Path:
        return self.folder / "samples"

    def seeds(self) -> dict[int, Run]:
        """Return the runs of single seeds that this one consists of, by seed; none where it is one itself."""
        facts = self.facts() if (self.folder / FACTS).exists() else {}
        return {seed: self.of_seed(seed) for seed in facts.get("seeds", ())}

    def of_seed(self, seed: int) -> Run:
        """Return the run of one seed inside this one."""
        return Run(self.folder / f"seed-{seed}")

    @property
    def metrics_path(self) -> Path:
        return self.folder / "metrics.jsonl"

    @property
    def label(self) -> str:
        """What the run is called: its folder."""
        return str(self.folder)

    @property
    def data(self) -> Identity | None:
        """The data that it was trained on; None where nothing of them is known."""
        facts = self.facts() if (self.folder / FACTS).exists() else {}
        if "dataset" not in facts:
            return Identity(fingerprint=facts["data"]) if "data" in facts else None
        if facts["dataset"]["fingerprint"] != facts.get("data"):
            raise RunError(f"{self.folder / FACTS}: data: it is not the fingerprint in dataset; put the old file back")
        try:
            return Identity.from_data(facts["dataset"])
        except (TypeError, ValueError) as error:
            raise RunError(f"{self.folder / FACTS}: dataset: it is no description of data ({error})") from error

    @property
    def frozen(self) -> Mapping[str, Mapping[str, str]]:
        """The networks that it uses and does not train: where each comes from, and the hash of its weights."""
        found: dict[str, dict[str, str]] = self.facts().get("frozen", {}) if (self.folder / FACTS).exists() else {}
        return found

    @property
    def began_from(self) -> dict[str, dict[str, Any]]:
        """Whose weights its networks began with, by role, where they were trained before."""
        found: dict[str, dict[str, Any]] = self.facts().get("began_from", {}) if (self.folder / FACTS).exists() else {}
        return found

    def go_on_with(self, dataset: Dataset, what: str, *, other: bool = False) -> None:
        """Raise DataError when this is not what the run was begun on; where `other` is wanted, it becomes that.

        what: the data set as a spec names it.
        """
        before = self.data
        if before is None or not before.differences(dataset):
            return
        if not other:
            before.require(dataset, self.label, what)
        facts = self.facts()
        earlier = [*facts.get("other_data", []), before.fingerprint]
        self.write_facts({**facts, **data_facts(dataset), "other_data": earlier})

    def weights(self) -> Path:
        """Return the newest checkpoint, or that which the finished run chose. Raises RunError when there is none."""
        chosen = (self.result() or {}).get("chosen", {})
        if chosen.get("keep") == "best" and chosen["value"] is not None:
            return checkpoint_files.best_of(self.checkpoints, chosen["step"])
        last = checkpoint_files.newest(self.checkpoints)
        if last is None and self.seeds():
            first = next(iter(self.seeds().values())).folder
            raise RunError(f"{self.folder}: it holds runs of several seeds; wanted one of them, such as {first}")
        if last is None:
            raise RunError(f"{self.folder}: it holds no checkpoint yet; train it first with `zoo train`")
        return last

    @classmethod
    def prepare(cls, folder: Path, spec: Spec, registry: Registry | None = None) -> Run:
        """Make the folder for `spec`, or open it again if it holds a run of the same spec.

        With a registry a spec is the same, too, that means the same today, whatever option came with a default since
        the run was begun. Raises RunError when the folder holds anything else.
        """
        run = cls(folder)
        if folder.exists() and not folder.is_dir():
            raise RunError(f"{folder}: it is a file; choose another folder with --run")
        if run.spec_path.exists():
            if run.spec_hash != spec.hash and not (registry and run._means(spec, registry)):
                raise RunError(
                    f"{folder}: it holds a run of another spec ({run.spec_hash[:8]}, this is {spec.hash[:8]})"
                    f"{run._changes(spec)}; choose another folder with --run, or delete this one"
                )
            return run
        if folder.is_dir() and not all(path.name in BEGINNING or is_leftover(path) for path in folder.iterdir()):
            raise RunError(f"{folder}: it exists and holds no run; choose an empty or new folder with --run")
        _writing(folder, lambda: folder.mkdir(parents=True, exist_ok=True))
        return run

    @property
    def spec_hash(self) -> str:
        """The hash of the spec that the run was begun with, which its checkpoints bear."""
        return str(self.facts().get("spec_hash", ""))

    def _means(self, spec: Spec, registry: Registry) -> bool:
        """Whether the spec of this run, as it was written then and untouched since, resolves to `spec` today."""
        try:
            return hash_of(read(self.spec_path).data()) == self.spec_hash and self.spec(registry).hash == spec.hash
        except ZooError:
            return False

    def _changes(self, spec: Spec) -> str:
        """Say what the spec of this run says otherwise than `spec`; nothing where it cannot be read."""
        try:
            changes = list(differences(read(self.spec_path).data(), spec.to_data()))
        except ZooError:
            return ""
        told = [
            f"{one.path}: {', not '.join('nothing' if value is MISSING else kind(value) for value in one[1:])}"
            for one in changes
        ]
        return f", with {listing(told, 4)}" if told else ""

    @classmethod
    def open(cls, folder: Path) -> Run:
        """Return the run in `folder`. Raises RunError when there is none."""
        run = cls(folder)
        if not run.spec_path.is_file():
            what = "there is no such folder" if not folder.exists() else "it holds no spec.yaml"
            raise RunError(f"{folder}: {what}; wanted the folder of a run, as `zoo train` names it at its end")
        return run

    def begin(self, spec: Spec, facts: dict[str, Any]) -> None:
        """Write the spec and the facts of a new run."""
        facts = {"spec_hash": spec.hash, "started": now(), **environment(), **facts, "git": git_state()}
        # The spec last: a folder that has one is a run.
        self.write_facts(facts)
        self._write_json(LOOKS, {})
        _writing(self.folder, lambda: write_text(self.spec_path, write_yaml(spec.to_data())))

    def spec(self, registry: Registry, overrides: Sequence[str] = ()) -> Spec:
        """Return the resolved spec of this run, changed by `overrides`."""
        return load_spec(self.spec_path, overrides=overrides, registry=registry)

    def facts(self) -> dict[str, Any]:
        """Return what run.json holds. Raises RunError when it is missing or damaged."""
        return self._read_json(FACTS, records.Facts)

    def write_facts(self, facts: dict[str, Any]) -> None:
        self._write_json(FACTS, facts)

    def result(self) -> dict[str, Any] | None:
        """Return the figures of the final evaluation, or None when the run is not finished."""
        return self._read_json("result.json", records.Result) if (self.folder / "result.json").exists() else None

    def write_result(self, result: dict[str, Any]) -> None:
        self._write_json("result.json", result)

    def evaluation(self) -> dict[str, Any] | None:
        """Return what `zoo evaluate` found last, or None when it found nothing yet."""
        return self._read_json(EVALUATION, records.Evaluation) if (self.folder / EVALUATION).exists() else None

    def write_evaluation(self, found: dict[str, Any]) -> None:
        self._write_json(EVALUATION, found)

    @property
    def counts_looks(self) -> bool:
        """Whether looks were counted from the beginning, as earlier versions did not."""
        return (self.folder / LOOKS).exists() and not self._read_json(LOOKS, dict[str, int | bool]).get(UNCOUNTED)

    def looks(self) -> dict[str, int]:
        """Return how often test images were measured on, by occasion: train, evaluate, publish; over all its seeds."""
        if parts := self.seeds():
            return dict(sum((Counter(one.looks()) for one in parts.values()), Counter()))
        if (self.folder / LOOKS).exists():
            return {
                name: count
                for name, count in self._read_json(LOOKS, dict[str, int | bool]).items()
                if name != UNCOUNTED
            }
        return {"train": 1} if "test" in (self.result() or {}) else {}

    def looked(self, occasion: str) -> None:
        """Count a look at the test images, before anything is seen, so that a crash cannot hide it."""
        with FileLock(self.folder / ".looks.lock"):
            found: dict[str, Any] = self.looks() | ({} if self.counts_looks else {UNCOUNTED: True})
            self._write_json(LOOKS, found | {occasion: found.get(occasion, 0) + 1})

    def log(self, record: dict[str, Any]) -> None:
        """Append one line to the metrics. Raises RunError when the disk is full."""

        def write() -> None:
            with self.metrics_path.open("a", encoding="utf-8") as file:
                file.write(json_text(record, indent=None) + "\n")

        _writing(self.metrics_path, write)

    def metrics(self) -> list[dict[str, Any]]:
        """Return all lines of the metrics; a last line that was cut off by a crash is left out."""
        try:
            lines = read_text(self.metrics_path).splitlines() if self.metrics_path.exists() else []
        except (OSError, ValueError) as error:
            raise RunError(f"{self.metrics_path}: it cannot be read ({error}); this run folder is damaged") from error
        found = []
        for number, line in enumerate(lines, 1):
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue
            records.require(record, records.Line, f"{self.metrics_path}:{number}")
            found.append(record)
        return found

    def validation(self) -> dict[str, Any]:
        """Return the figures of the held-out images, by name: those of the weights that the run ended with, or the last
        until now; none where there was no validation.
        """
        chosen = (self.result() or {}).get("chosen", {})
        kept = chosen["step"] if chosen.get("keep") == "best" else None
        found: dict[str, Any] = {}
        for record in self.metrics():
            named = [name for name in record if name.startswith(VALIDATION)]
            if named and kept in (None, record.get("step")):
                found = {name.removeprefix(VALIDATION): record[name] for name in named}
        return found

    def rewind(self, step: int) -> list[dict[str, Any]]:
        """Drop the metrics after `step`, which are about to be written again, and return those that stay."""
        if not self.metrics_path.exists():
            return []
        kept = [record for record in self.metrics() if record.get("step", 0) <= step]
        text = "".join(json_text(record, indent=None) + "\n" for record in kept)
        _writing(self.metrics_path, lambda: write_text(self.metrics_path, text))
        return kept

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process. Raises BusyError when another process trains in it."""
        lock = FileLock(self.folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise BusyError(
                f"{self.folder}: another process is training in it; wait for it, or choose another --run"
            ) from None
        try:
            clear_leftovers(self.folder, self.checkpoints, self.samples)
            yield
        finally:
            lock.release()

    def _read_json(self, name: str, shape: Any) -> dict[str, Any]:
        path = self.folder / name
        try:
            data: dict[str, Any] = json.loads(read_text(path))
            if not isinstance(data, dict):
                raise ValueError("it is no object")
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{path}: it cannot be read ({error}); this run folder is damaged") from error
        records.require(data, shape, path)
        return data

    def _write_json(self, name: str, data: dict[str, Any]) -> None:
        _writing(self.folder / name, lambda: write_text(self.folder / name, json_text(data) + "\n"))


def default_folder(spec: Spec) -> Path:
    """Return where a spec trains unless told otherwise: the same command finds the same folder again."""
    return Path("runs") / f"{spec.name}-{spec.hash[:8]}"


def data_facts(dataset: Dataset) -> dict[str, Any]:
    """Return what run.json says of the data: the fingerprint, and all by which they are known and used later."""
    return {"data": dataset.fingerprint, "dataset": Identity.of(dataset).to_data()}


def environment() -> dict[str, Any]:
    """Return versions and machine, for the record."""
    versions = {"zoo": zoo.__version__}  # what runs, whatever is installed
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "missing"
    return {
        "versions": versions,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "machine": machine(),
        "command": [Path(sys.argv[0]).name, *map(without_password, sys.argv[1:])],
    }


def machine() -> dict[str, Any]:
    """Return processor, cores and memory, and nothing that names the machine or its owner."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (OSError, ValueError, AttributeError):
        lines, memory = [], None
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = models[0] if models else platform.processor() or platform.machine()
    return {"processor": processor, "cores": os.cpu_count(), "memory_gib": memory, "system": platform.system()}


def git_state() -> dict[str, Any] | None:
    """Return commit and cleanliness of the working folder's repository, or None outside of one."""
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True)
        status = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit.stdout.strip(), "clean": not status.stdout.strip()}


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _writing(path: Path, write: Any) -> None:
    try:
        write()
    except OSError as error:
        raise RunError(
            f"{path}: it cannot be written ({error.strerror or error}); what was saved before is whole; "
            "make room or choose another folder with --run, and repeat the command"
        ) from error
