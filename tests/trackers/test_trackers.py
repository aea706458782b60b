"""The trackers that ship, each held to what it wrote; and what is said where its package is missing."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from support import builtin_registry

import zoo
from zoo.training.reporter import Reporter
from zoo.training.run import Run

SPEC: dict[str, Any] = {
    "zoo": 1,
    "name": "tracked",
    "task": "classify",
    "data": {"noise": {"image": [3, 8, 8], "classes": 4, "train_images": 40, "test_images": 12}},
    "networks": {"classifier": {"architecture": {"layers": ["global_average_pool", {"linear": 4}]}}},
    "train": {"steps": 6, "batch_size": 8, "device": "cpu", "precision": "fp32", "log_every": 2, "checkpoint_every": 2},
}


def needs(*packages: str) -> None:
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed (an extra of its own)")


def train(folder: Path, tracker: Any, stop: int = -1) -> Run:
    class Stopping(Reporter):
        messages: list[str] = []

        def step(self, step: int) -> None:
            if step == stop:
                raise KeyboardInterrupt

        def message(self, text: str) -> None:
            assert "warning" not in text, text

    return zoo.train(SPEC | {"trackers": [tracker]}, run=folder, registry=builtin_registry(), reporter=Stopping())


def go_on(folder: Path, tracker: Any) -> Run:
    """Train, killed after step 5, and go on from step 4."""
    with pytest.raises(KeyboardInterrupt):
        train(folder, tracker, stop=5)
    return train(folder, tracker)


def losses(run: Run) -> dict[int, float]:
    return {line["step"]: line["loss"] for line in run.metrics() if "loss" in line}


def a_picture(folder: Path) -> Path:
    from PIL import Image

    Image.new("RGB", (4, 4), (255, 0, 0)).save(folder / "picture.png")
    return folder / "picture.png"


def shown(name: str, folder: Path) -> None:
    """Let a tracker take a picture by itself."""
    tracker = zoo.Builder(builtin_registry()).bind(
        zoo.load_spec(SPEC | {"trackers": [name]}, registry=builtin_registry()).trackers[0]
    )
    tracker.open(zoo.Tracked("drawn", "0123456789abcdef", folder, {"name": "drawn"}, 0, 6))
    tracker.picture(3, "samples", a_picture(folder))
    tracker.close(finished=True)


def test_tensorboard_holds_every_line_and_a_run_that_went_on_once(tmp_path: Path) -> None:
    needs("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = go_on(tmp_path / "run", "tensorboard")
    events = EventAccumulator(str(run.folder / "tensorboard")).Reload()
    found = {one.step: one.value for one in events.Scalars("loss")}
    assert found == pytest.approx(losses(run))
    assert [one.step for one in events.Scalars("lr/classifier")] == [2, 4, 6]
    assert [one.step for one in events.Scalars("test/top1")] == [6]
    shown("tensorboard", tmp_path)
    assert EventAccumulator(str(tmp_path / "tensorboard")).Reload().Images("samples")[0].width == 4


def test_mlflow_holds_every_line_in_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("mlflow", "sqlalchemy", "alembic")
    monkeypatch.chdir(tmp_path)
    from mlflow.tracking import MlflowClient

    store = f"sqlite:///{tmp_path / 'store.db'}"
    run = go_on(tmp_path / "run", {"mlflow": {"store": store}})
    client = MlflowClient(tracking_uri=store)
    experiment = client.get_experiment_by_name("zoo")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.status == "FINISHED"
    assert found.data.params["train.steps"] == "6"
    assert {one.step: one.value for one in client.get_metric_history(found.info.run_id, "loss")} == losses(run)
    assert found.data.metrics["test/top1"] == run.result()["test"]["top1"]  # type: ignore[index]
    shown("mlflow", tmp_path)
    drawn = MlflowClient(tracking_uri="sqlite:///mlflow.db")
    (one,) = drawn.search_runs([drawn.get_experiment_by_name("zoo").experiment_id])
    assert [file.path for file in drawn.list_artifacts(one.info.run_id, "samples")] == ["samples/picture.png"]


def test_trackio_holds_every_line_in_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("trackio")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # which is read on import
    from trackio.sqlite_storage import SQLiteStorage

    run = go_on(tmp_path / "run", "trackio")
    (name,) = SQLiteStorage.get_runs("zoo")
    logs = SQLiteStorage.get_logs("zoo", name)
    found = {one["step"]: one["loss"] for one in logs if "loss" in one}
    assert found == pytest.approx(losses(run))
    shown("trackio", tmp_path)
    assert len(SQLiteStorage.get_runs("zoo")) == 2


def test_wandb_keeps_a_run_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("wandb")
    monkeypatch.chdir(tmp_path)
    train(tmp_path / "run", "wandb")
    assert list((tmp_path / "wandb").glob("offline-run-*/*.wandb"))


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "trackio", "wandb"])
def test_a_missing_package_is_a_warning_that_says_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    packages = {"tensorboard", "mlflow", "sqlalchemy", "alembic", "trackio", "wandb"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda one, *rest: None if one in packages else find(one, *rest))
    report = zoo.check(SPEC | {"trackers": [name]}, registry=builtin_registry())
    (warning,) = report.warnings
    assert "not installed: nothing is tracked" in str(warning)
    assert f"pip install 'speczoo[{name}]'" in str(warning)


def test_a_missing_package_stops_no_training(tmp_path: Path) -> None:
    if importlib.util.find_spec("wandb") is not None:
        pytest.skip("wandb is installed")
    assert zoo.train(SPEC | {"trackers": ["wandb"]}, run=tmp_path / "run", registry=builtin_registry()).result()
