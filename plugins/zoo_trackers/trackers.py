"""Trackers that others wrote: each package is imported when a run is opened, and comes with an extra of its name."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from zoo.api import Field, Finding, Setting, Tracked, Tracker, install_command

Project = Annotated[str, Field(min_length=1, description="What the runs are gathered under.")]


@dataclass(kw_only=True)
class Packaged(Tracker):
    """One that is written with a package which may not be here."""

    packages: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = ""

    def check(self, setting: Setting) -> Iterator[Finding]:
        """Say what to install; the training does without."""
        missing = [name for name in self.packages if importlib.util.find_spec(name) is None]
        if missing:
            found = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed: nothing is tracked"
            yield Finding(found, install_command(self.extra), warning=True)


@dataclass(kw_only=True)
class TensorBoard(Packaged):
    """Event files for TensorBoard."""

    packages = ("tensorboard",)
    extra = "tensorboard"

    folder: Annotated[
        str, Field(description="Where they are written; the folder `tensorboard` of the run unless named.")
    ] = ""

    def open(self, run: Tracked, /) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder = Path(self.folder) / f"{run.name}-{run.identity}" if self.folder else run.folder / "tensorboard"
        # What was written after the checkpoint from which the run goes on is written again.
        self._writer: Any = SummaryWriter(str(folder), purge_step=run.step + 1 if run.step else None)

    def log(self, step: int, figures: Mapping[str, float], /) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)

    def picture(self, step: int, name: str, path: Path, /) -> None:
        import numpy as np
        from PIL import Image

        with Image.open(path) as image:
            self._writer.add_image(name, np.asarray(image.convert("RGB")), step, dataformats="HWC")

    def close(self, *, finished: bool) -> None:
        self._writer.close()


@dataclass(kw_only=True)
class MLflow(Packaged):
    """A run in an MLflow store."""

    packages = ("mlflow", "sqlalchemy", "alembic")
    extra = "mlflow"

    store: Annotated[str, Field(min_length=1, description="URL of a server or a database; by itself, a file here.")] = (
        "sqlite:///mlflow.db"
    )
    experiment: Project = "zoo"

    def open(self, run: Tracked, /) -> None:
        from mlflow.tracking import MlflowClient

        self._client: Any = MlflowClient(tracking_uri=self.store)
        known = self._client.get_experiment_by_name(self.experiment)
        experiment = known.experiment_id if known else self._client.create_experiment(self.experiment)
        # A run that goes on is known by what no other has.
        found = self._client.search_runs([experiment], f"tags.`zoo.identity` = '{run.identity}'")
        if found:
            self._run = found[0].info.run_id
            self._client.set_terminated(self._run, "RUNNING")
            return
        tags = {"zoo.identity": run.identity, "zoo.folder": str(run.folder)}
        self._run = self._client.create_run(experiment, run_name=run.name, tags=tags).info.run_id
        for name, value in _flat(run.spec):
            self._client.log_param(self._run, name, value)

    def log(self, step: int, figures: Mapping[str, float], /) -> None:
        import time

        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._client.log_batch(self._run, [Metric(name, value, now, step) for name, value in figures.items()])

    def picture(self, step: int, name: str, path: Path, /) -> None:
        self._client.log_artifact(self._run, str(path), name)

    def close(self, *, finished: bool) -> None:
        self._client.set_terminated(self._run, "FINISHED" if finished else "KILLED")


@dataclass(kw_only=True)
class Trackio(Packaged):
    """A run in Trackio's database, which lies where TRACKIO_DIR says."""

    packages = ("trackio",)
    extra = "trackio"

    project: Project = "zoo"

    def open(self, run: Tracked, /) -> None:
        self._module: Any = importlib.import_module(self.packages[0])
        self._began(run)

    def _began(self, run: Tracked) -> None:
        name = f"{run.name}-{run.identity}"
        # Alone: neither a page is opened, nor the machine's own figures are logged.
        self._module.init(
            project=self.project,
            name=name,
            config=dict(run.spec),
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )

    def log(self, step: int, figures: Mapping[str, float], /) -> None:
        self._module.log(dict(figures), step=step)

    def picture(self, step: int, name: str, path: Path, /) -> None:
        self._module.log({name: self._module.Image(str(path))}, step=step)

    def close(self, *, finished: bool) -> None:
        self._module.finish()


@dataclass(kw_only=True)
class WandB(Trackio):
    """A run of Weights & Biases, whose interface Trackio has, too."""

    packages = ("wandb",)
    extra = "wandb"

    mode: Annotated[
        Literal["offline", "online"], Field(description="offline: kept here until `wandb sync` sends it.")
    ] = "offline"

    def _began(self, run: Tracked) -> None:
        name = f"{run.name}-{run.identity}"
        self._module.init(
            project=self.project, name=name, id=name, config=dict(run.spec), resume="allow", mode=self.mode
        )


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the values of a spec by their dotted paths, as text of the length that a store takes."""
    if isinstance(value, (dict, list)) and value:
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _flat(one, f"{path}.{key}" if path else str(key))
    else:
        yield path, str(value)[:500]
