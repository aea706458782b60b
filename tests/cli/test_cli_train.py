"""`zoo train` and `zoo evaluate`, end to end on a tiny spec."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from cli_support import TINY, Zoo

from zoo.training import allocator

torch.set_num_threads(1)
MAIN = "import sys; from zoo.cli.main import main; sys.exit(main())"


@pytest.fixture
def trained(zoo_command: Zoo, tiny: Path) -> Path:
    """The folder of a finished run."""
    assert zoo_command("train", tiny, "--run", "run").code == 0
    return Path("run")


def test_training_says_what_it_costs_does_and_gives(zoo_command: Zoo, tiny: Path) -> None:
    code, out, err = zoo_command("train", tiny, "--run", "run")
    assert code == 0
    figures, curve, ends = re.split(r"validation top1\n|\n\nrun:", out)
    assert re.sub(r"\d+\.\d+|\d+ s\b", "#", figures) == (
        "trained 6 steps in # on cpu, fp32, eager\n"
        "test loss: #, test acc: #±#\n\n"
        "split  images    loss    top1    top5  accuracy_mean  accuracy_std\n"
        "test      100  #  #  #         #        #\n\n"
    )
    assert len(curve.splitlines()) == 14 and curve.splitlines()[-1].split() == ["3", "step", "6"]
    assert ends == "  run\nnext: zoo report run\n      zoo evaluate run --split validation\n"
    lines = err.splitlines()
    assert lines[0] == "tiny: keeps 2 limits"
    assert "training tiny on cpu, fp32, eager: 6 steps of 16 images" in lines
    assert [line[:20] for line in lines if line.startswith("validation")] == [
        "validation at step 3",
        "validation at step 6",
    ]
    assert re.fullmatch(r"step 6 of 6: loss [\d.]+, accuracy [\d.]+, gradient_norm [\d.]+, [\d,]+ images/s", lines[-4])


def test_a_finished_run_gives_its_result_again(zoo_command: Zoo, tiny: Path, trained: Path) -> None:
    first, again = (zoo_command("train", tiny, "--run", trained) for _ in range(2))
    assert first == again
    assert "run is finished; its result stands. To train again, choose another --run.\n" in again.err


def test_the_folder_of_a_run_follows_from_its_spec(zoo_command: Zoo, tiny: Path) -> None:
    out = zoo_command("train", tiny, "--set", "train.steps=1", "--json").out
    assert re.fullmatch(r"runs/tiny-[0-9a-f]{8}", json.loads(out)["run"])


def test_training_as_json(zoo_command: Zoo, tiny: Path) -> None:
    found = json.loads(zoo_command("train", tiny, "--run", "run", "--json").out)
    assert found["run"] == "run"
    assert found["check"]["total"]["parameters"] == 2_264
    assert found["result"]["test"]["images"] == 100


def test_nothing_is_trained_that_breaks_a_limit(zoo_command: Zoo, tiny: Path) -> None:
    code, out, err = zoo_command("train", tiny, "--run", "run", "--set", "budget.parameters=10")
    assert (code, out) == (10, "")
    assert err.endswith(
        "error: tiny: parameters: 2,264 of 10, 2,254 too many\n"
        "    `zoo check --lint` says what could be saved, `zoo fit` finds widths that keep the limits\n"
    )
    assert not Path("run").exists()


def test_a_run_of_another_spec_is_not_overwritten(zoo_command: Zoo, tiny: Path, trained: Path) -> None:
    code, _, err = zoo_command("train", tiny, "--run", trained, "--set", "train.seed=1")
    assert code == 6
    assert "error: run: it holds a run of another spec" in err
    assert ", with train.seed: 0, not 1; choose another folder with --run" in err


def test_evaluation_gives_the_line_of_the_paper_and_a_table(zoo_command: Zoo, trained: Path) -> None:
    code, out, err = zoo_command("evaluate", trained)
    assert (code, err) == (0, "evaluating run/checkpoints/step-00000006.safetensors\n")
    assert re.sub(r"\d+\.\d+", "#", out) == (
        "train loss: #, train acc: #±#, test acc: #±#\n\n"
        "split  images    loss    top1    top5  accuracy_mean  accuracy_std\n"
        "train     100  #  #  #         #        #\n"
        "test      100  #  #  #         #        #\n\n"
        "looks at the test images: 2 (train 1, evaluate 1)\n"
    )


def test_one_split_can_be_evaluated(zoo_command: Zoo, trained: Path) -> None:
    out = zoo_command("evaluate", trained, "--split", "validation").out
    assert out.startswith("validation loss: ")
    assert [line.split()[0] for line in out.splitlines()[2:4]] == ["split", "validation"]
    assert out.endswith("\n\nlooks at the test images: 1 (train 1)\n")


def test_evaluation_as_json_agrees_with_the_training(zoo_command: Zoo, trained: Path) -> None:
    found = json.loads(zoo_command("evaluate", trained, "--json").out)
    assert found["checkpoint"] == "run/checkpoints/step-00000006.safetensors"
    assert found["figures"]["test"] == json.loads((trained / "result.json").read_text())["test"]
    assert found["test_looks"] == {"train": 1, "evaluate": 1}


def test_flips_stand_beside_the_plain_figures(zoo_command: Zoo, trained: Path) -> None:
    flipped = json.loads(zoo_command("evaluate", trained, "--set", "task.classify.test_flip=true", "--json").out)
    plain = json.loads(zoo_command("evaluate", trained, "--json").out)
    for split in ("train", "test"):
        assert flipped["figures"][split].items() > plain["figures"][split].items()
        assert flipped["figures"][split].keys() - plain["figures"][split].keys() == {"top1_flip", "top5_flip"}
    kept = json.loads((trained / "evaluation.json").read_text())["figures"]["test"]
    assert kept == flipped["figures"]["test"]


def test_a_folder_without_a_run_exits_6(zoo_command: Zoo) -> None:
    assert zoo_command("evaluate", "nowhere") == (
        6,
        "",
        "error: nowhere: there is no such folder and no published entry; "
        "wanted the folder of a run, or a name of `zoo list shelf`\n",
    )


def test_ctrl_c_saves_and_the_same_command_goes_on(
    python: Callable[..., subprocess.Popen[str]], zoo_command: Zoo, here: Path
) -> None:
    (here / "long.yaml").write_text(TINY.replace("steps: 6", "steps: 60").replace("batch_size: 16", "batch_size: 99"))
    process = python(MAIN, "train", "long.yaml", "--run", "run")
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("validation at step 3"):
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    last = err.splitlines()[-1]
    assert re.match(
        r"stopped by SIGINT at step \d+ of 60; saved as run/checkpoints/step-\d+.safetensors; the same", last
    )
    code, out, err = zoo_command("train", "long.yaml", "--run", "run")
    assert code == 0
    assert "\ngoing on at step " in err


def test_memory_is_kept_where_the_c_library_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_ALLOCATOR", "system")
    assert not allocator.keep_memory()
    monkeypatch.delenv("ZOO_ALLOCATOR")
    monkeypatch.setattr(allocator, "applies", lambda: False)
    assert not allocator.keep_memory()


@pytest.mark.skipif(not allocator.applies(), reason="needs glibc")
def test_the_setting_is_taken(python: Callable[..., subprocess.Popen[str]]) -> None:
    process = python("from zoo.training.allocator import keep_memory; print(keep_memory())")
    assert process.communicate()[0] == "True\n"


def test_several_seeds_end_with_mean_deviation_and_n(zoo_command: Zoo, tiny: Path) -> None:
    code, out, err = zoo_command("train", tiny, "--set", "train.seeds=2", "--run", "run")
    assert code == 0
    first, head, _, columns, *rows = out.splitlines()
    assert re.fullmatch(r"trained 6 steps from each of 2 seeds in .* on cpu, fp32, eager", first)
    assert head == "test, mean ± standard deviation over seeds, n = 2"
    assert columns.split() == ["test", "mean", "±", "std", "seed", "0", "seed", "1"]
    assert re.fullmatch(r"top1 +\d\.\d{4} ± \d\.\d{4}  \d\.\d{4}  \d\.\d{4}", rows[1])
    assert rows[-3:-1] == ["run:  run", "next: zoo report run"]
    assert "training tiny, seed 1 (2 of 2) on cpu, fp32, eager: 6 steps of 16 images" in err.splitlines()


def test_a_run_of_several_seeds_is_evaluated_seed_by_seed(zoo_command: Zoo, tiny: Path) -> None:
    assert zoo_command("train", tiny, "--set", "train.seeds=2", "--run", "run").code == 0
    found = json.loads(zoo_command("evaluate", "run", "--split", "test", "--json").out)["figures"]
    one = json.loads(zoo_command("evaluate", "run/seed-1", "--split", "test", "--json").out)["figures"]
    assert found["n"] == 2
    assert found["seeds"]["1"] == one
    both = [figures["test"]["top1"] for figures in found["seeds"].values()]
    assert found["mean"]["test"]["top1"] == pytest.approx(sum(both) / 2)
    out = zoo_command("evaluate", "run", "--split", "test").out
    assert out.startswith("test, mean ± standard deviation over seeds, n = 2\n")


def test_a_run_of_several_seeds_has_no_network_of_its_own(zoo_command: Zoo, tiny: Path) -> None:
    assert zoo_command("train", tiny, "--set", "train.seeds=2", "--run", "run").code == 0
    code, _, err = zoo_command("sample", "run")
    assert code == 6
    assert "run: it holds runs of several seeds; wanted one of them, such as run/seed-0" in err
