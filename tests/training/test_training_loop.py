"""The loop: repeatable, resumable, and honest about when it stops."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from zoo.errors import BudgetError, Interrupted, RunError, TrainingError
from zoo.spec.reader import read
from zoo.spec.schema import hash_of
from zoo.spec.writer import write_yaml
from zoo.training import checkpoint, checkpoint_files
from zoo.training.reporter import Reporter
from zoo.training.run import Run


class SignalAt(Reporter):
    """Sends a signal to this process after a step, as a user or a scheduler would."""

    def __init__(self, step: int, number: int = signal.SIGINT) -> None:
        self.at, self.number = step, number
        self.messages: list[str] = []

    def step(self, step: int) -> None:
        if step == self.at:
            os.kill(os.getpid(), self.number)

    def message(self, text: str) -> None:
        self.messages.append(text)


def last_tensors(run: Run) -> dict[str, torch.Tensor]:
    path = checkpoint.newest(run.checkpoints)
    assert path is not None
    return load_file(path)


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def test_a_stopped_run_goes_on_bit_for_bit(run: Callable[..., Run], tmp_path: Path) -> None:
    straight = run("straight")
    with pytest.raises(Interrupted, match=r"stopped by SIGINT at step 5 of 12"):
        run("stopped", SignalAt(5))
    resumed = run("stopped")
    assert_equal(last_tensors(straight), last_tensors(resumed))
    assert straight.result()["test"] == resumed.result()["test"]
    lines = [[(line["step"], line["loss"]) for line in one.metrics()] for one in (straight, resumed)]
    assert lines[0] == lines[1]


def test_a_killed_run_goes_on_from_its_checkpoint_bit_for_bit(run: Callable[..., Run]) -> None:
    class Killed(Reporter):
        def step(self, step: int) -> None:
            if step == 7:
                raise MemoryError

    straight = run("straight")
    with pytest.raises(MemoryError):
        run("killed", Killed())
    assert_equal(last_tensors(straight), last_tensors(run("killed")))


def test_a_lost_terminal_saves_unless_hang_ups_are_ignored(run: Callable[..., Run]) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with pytest.raises(Interrupted, match="stopped by SIGHUP at step 3") as caught:
            run("lost", SignalAt(3, signal.SIGHUP))
        assert caught.value.exit_code == 129
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        assert run("lost", SignalAt(5, signal.SIGHUP)).result()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_run_of_before_an_option_came_goes_on(run: Callable[..., Run], tmp_path: Path) -> None:
    straight = run("straight")
    with pytest.raises(Interrupted):
        run("earlier", SignalAt(5))
    folder = tmp_path / "earlier"
    written = read(folder / "spec.yaml").data()
    del written["train"]["sample_every"]  # as if it were new, with its default
    (folder / "spec.yaml").write_text(write_yaml(written))
    facts = json.loads((folder / "run.json").read_text()) | {"spec_hash": hash_of(written)}
    (folder / "run.json").write_text(json.dumps(facts))
    (last,) = (folder / "checkpoints").glob("*5.safetensors")
    with safe_open(last, "pt") as file:
        held = json.loads(file.metadata()["zoo"]) | {"spec": hash_of(written)}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, last, {"zoo": json.dumps(held)})
    assert_equal(last_tensors(straight), last_tensors(run("earlier")))
    with pytest.raises(RunError, match="it holds a run of another spec"):
        run("earlier", train__steps=13)


def test_a_beginning_that_was_cut_off_is_begun_again(run: Callable[..., Run], tmp_path: Path) -> None:
    folder = tmp_path / "cut"
    folder.mkdir()
    for name in ("run.json", "test-looks.json", ".lock", ".spec.yaml.x1.part"):
        (folder / name).write_text("{")
    assert run("cut").result()["steps"] == 12
    assert_equal(last_tensors(run("straight")), last_tensors(run("cut")))
    assert not (folder / ".spec.yaml.x1.part").exists()


def test_sigterm_saves_and_exits_with_its_own_code(run: Callable[..., Run]) -> None:
    with pytest.raises(Interrupted) as caught:
        run(reporter=SignalAt(3, signal.SIGTERM))
    assert caught.value.exit_code == 143
    assert "step-00000003.safetensors; the same command goes on from there" in str(caught.value)


def test_one_seed_gives_one_result(run: Callable[..., Run]) -> None:
    assert_equal(last_tensors(run("one")), last_tensors(run("two")))


def test_another_seed_gives_another_result(run: Callable[..., Run]) -> None:
    one, other = last_tensors(run("one")), last_tensors(run("two", train__seed=1))
    assert not torch.equal(one["classifier.network.0.weight"], other["classifier.network.0.weight"])


def test_one_batch_is_overfitted(run: Callable[..., Run]) -> None:
    found = run(
        data={"shapes": {"train_images": 100, "test_images": 100}},
        augment=[],
        train__batch_size=100,
        train__steps=80,
        networks__classifier={
            "architecture": {"resnet": {"stem": 16, "widths": [16, 32], "depths": [1, 1]}},
            "optimizer": {"adam": {"lr": 0.01}},
        },
    )
    assert found.metrics()[-1]["accuracy"] > 0.95


def test_accumulated_parts_give_the_gradient_of_the_whole_batch(run: Callable[..., Run]) -> None:
    plain = {
        "architecture": {"resnet": {"stem": 8, "widths": [8], "depths": [1], "norm": "none"}},
        "optimizer": {"sgd": {"lr": 0.1}},
    }
    whole = last_tensors(run("whole", networks__classifier=plain, train__steps=3))
    parts = last_tensors(run("parts", networks__classifier=plain, train__steps=3, train__accumulate=3))
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, rtol=1e-4, atol=1e-5)


def test_a_loss_that_is_not_finite_stops_with_step_and_advice(run: Callable[..., Run], tmp_path: Path) -> None:
    wild = {"architecture": {"resnet": {"norm": "none"}}, "optimizer": {"sgd": {"lr": 1e6}}}
    with pytest.raises(TrainingError) as caught:
        run(networks__classifier=wild, train__checkpoint_every=1)
    text = str(caught.value)
    assert text.startswith("step ")
    assert "training is no longer finite" in text
    assert text.endswith("try a smaller lr, gradient_clip: 1.0, a warm-up, or precision: fp32")


def test_the_last_good_checkpoint_is_finite_after_a_blow_up(run: Callable[..., Run], tmp_path: Path) -> None:
    wild = {"architecture": {"resnet": {"norm": "none"}}, "optimizer": {"sgd": {"lr": 1e6}}}
    with pytest.raises(TrainingError) as caught:
        run(networks__classifier=wild, train__checkpoint_every=1, train__log_every=100)
    named = str(caught.value).split("the last good checkpoint is ")[1].split(";")[0]
    if named != "none":
        assert all(torch.isfinite(tensor).all() for tensor in load_file(named).values())


def test_metrics_hold_means_rates_and_seconds(run: Callable[..., Run]) -> None:
    lines = run().metrics()
    assert [line["step"] for line in lines] == [2, 4, 6, 8, 10, 12]
    assert set(lines[0]) == {"step", "loss", "accuracy", "gradient_norm", "lr", "updates", "images", "seconds"}
    assert (lines[0]["updates"], lines[0]["images"]) == ({"classifier": 2}, 32)
    assert lines[0]["lr"]["classifier"] == pytest.approx(0.01 * 2 / 3)


def test_validation_is_measured_when_asked(run: Callable[..., Run]) -> None:
    lines = run(train__validation=60, train__evaluate_every=6).metrics()
    measured = [line for line in lines if "validation_top1" in line]
    assert [line["step"] for line in measured] == [6, 12]
    assert all(line["validation_images"] == 60 for line in measured)


def test_the_test_set_is_left_alone_when_asked(run: Callable[..., Run]) -> None:
    assert "test" not in run(train__test_at_end=False).result()


def test_the_result_counts_updates_and_images(run: Callable[..., Run]) -> None:
    result = run().result()
    assert result["updates"] == {"classifier": 12}
    assert result["images"] == 12 * 16


def test_a_finished_run_is_not_trained_again(run: Callable[..., Run]) -> None:
    before = run().result()
    watcher = SignalAt(-1)
    assert run(reporter=watcher).result() == before
    assert "is finished; its result stands" in watcher.messages[0]


def test_a_folder_with_another_run_is_refused(run: Callable[..., Run], tmp_path: Path) -> None:
    run()
    with pytest.raises(
        RunError, match=r"it holds a run of another spec \(\w{8}, this is \w{8}\), with .*; choose another folder"
    ):
        run(train__seed=1)


def test_a_folder_with_other_files_is_refused_and_kept(run: Callable[..., Run], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("years")
    with pytest.raises(RunError, match="it exists and holds no run; choose an empty or new folder with --run"):
        run()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.txt"]


def test_a_file_in_place_of_the_folder_is_refused(run: Callable[..., Run], tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(RunError, match="it is a file; choose another folder with --run"):
        run()


def test_a_second_process_is_refused(run: Callable[..., Run], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with FileLock(tmp_path / "run" / ".lock"), pytest.raises(RunError):
        run()


def test_a_full_disk_keeps_the_checkpoints_before(
    run: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = checkpoint.save_file

    def full(tensors: Any, path: Any, metadata: Any) -> None:
        if json.loads(metadata["zoo"])["step"] >= 8:
            raise OSError(28, "No space left on device")
        original(tensors, path, metadata)

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(
        RunError, match=r"the last checkpoint is .*step-00000004.safetensors; make room and repeat the command"
    ):
        run()
    monkeypatch.undo()
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "zoo-data"))
    assert run().result() is not None
    assert not [path for path in (tmp_path / "run" / "checkpoints").iterdir() if path.name.startswith(".")]


def test_only_the_newest_checkpoints_stay(run: Callable[..., Run]) -> None:
    found = [path.name for path in checkpoint_files.checkpoints(run().checkpoints)]
    assert found == ["step-00000008.safetensors", "step-00000012.safetensors"]


def test_a_broken_limit_stops_before_anything_is_written(run: Callable[..., Run], tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match=r"tiny: parameters: [\d,]+ of 100, [\d,]+ too many") as caught:
        run(budget={"parameters": 100})
    assert caught.value.exit_code == 10
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("sharing", [True, "but_norms"])
def test_shared_weights_survive_a_checkpoint(sharing: bool | str, run: Callable[..., Run]) -> None:
    shared = {
        "architecture": {
            "layers": [
                {"conv": {"channels": 8}},
                {"repeat": {"times": 3, "shared": sharing, "layers": [{"conv": 8}, "batch_norm", "relu"]}},
                "global_average_pool",
                {"linear": 100},
            ]
        },
        "optimizer": "adam",
    }
    with pytest.raises(Interrupted):
        run("stopped", SignalAt(5), networks__classifier=shared)
    resumed, straight = run("stopped", networks__classifier=shared), run("straight", networks__classifier=shared)
    assert_equal(last_tensors(straight), last_tensors(resumed))


def test_muon_goes_on_bit_for_bit(run: Callable[..., Run]) -> None:
    muon = {"by_group": {"matrices": {"muon": {"lr": 0.02}}, "rest": "adamw", "last": "rest"}}
    with pytest.raises(Interrupted):
        run("stopped", SignalAt(5), networks__classifier__optimizer=muon)
    resumed, straight = (run(one, networks__classifier__optimizer=muon) for one in ("stopped", "straight"))
    assert_equal(last_tensors(straight), last_tensors(resumed))


def test_the_run_folder_tells_its_own_story(run: Callable[..., Run], spec: Callable[..., Any], builder: Any) -> None:
    found = run()
    facts = found.facts()
    assert facts["spec_hash"] == spec().hash == found.spec(builder.registry).hash
    assert {"torch", "numpy", "zoo"} <= set(facts["versions"])
    assert len(facts["data"]) == 64
    assert facts["engine"] == "cpu, fp32, eager"
    assert facts["engine_reasons"] == ["engine eager: compiling gains little in fp32 on cpu"]
