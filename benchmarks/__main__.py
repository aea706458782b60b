"""The command `python -m benchmarks`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from benchmarks.environment import describe, sentences
from benchmarks.runner import Failed
from benchmarks.table import Table

RESULTS = Path(__file__).parent / "results"
as_json = click.option("--json", "file", type=click.Path(path_type=Path), help="Also write everything measured here.")
on_device = click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
is_short = click.option("--short", is_flag=True, help="Fewer starts, rounds and variants: for a first look.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Measure Zoo against frozen baselines, by ratios inside one run."""


@cli.command()
@click.option("--model", type=click.Choice(["classifier", "dcgan"]), default="classifier", show_default=True)
@on_device
@is_short
@click.option("--starts", type=click.IntRange(1), help="Fresh starts of all processes.")
@click.option("--rounds", type=click.IntRange(1), help="Rounds in each start.")
@click.option("--steps", type=click.IntRange(1), help="Measured steps of a variant in a round.")
@click.option("--warm", type=click.IntRange(1), help="Unmeasured steps before them.")
@click.option("--seed", type=int, help="Of the order inside the rounds.")
@click.option("--alive", type=click.IntRange(3), default=7, show_default=True, help="Processes at once.")
@click.option("--only", help="Names of variants, with a semicolon between them; the first baseline always runs.")
@as_json
def train(
    model: str, device: str, short: bool, alive: int, only: str | None, file: Path | None, **changes: int | None
) -> None:
    """Training steps: Zoo's loop with each engine, against baselines."""
    from benchmarks import train as part

    device = _device(device)
    chosen = tuple(only.split(";")) if only else part.SHORT_VARIANTS if short else ()
    plan = part.plan_for(device, short=short, **changes)
    result = _measured(lambda: part.measure(model, device, plan, _tell, chosen, alive))
    _out({f"train {model}": result}, part.table(result), file, device)


@cli.command("data-path")
@is_short
@as_json
def data_path(short: bool, file: Path | None) -> None:
    """Augmented batches against torchvision's PIL transforms."""
    from benchmarks import data_path as part

    result = _measured(lambda: part.measure(part.SHORT_ROUNDS if short else part.ROUNDS, _tell))
    _out({"data path": result}, part.table(result), file)


@cli.command()
@is_short
@as_json
def overhead(short: bool, file: Path | None) -> None:
    """What Zoo's loop adds to a step."""
    from benchmarks import overhead as part

    result = _measured(lambda: part.measure(part.SHORT_PLAN if short else part.PLAN, _tell))
    _out({"overhead": result}, part.table(result), file)


@cli.command()
@is_short
@click.option("--runs", type=click.IntRange(1), help="Processes of each command.")
@as_json
def startup(short: bool, runs: int | None, file: Path | None) -> None:
    """How long commands take to start."""
    from benchmarks import startup as part

    result = _measured(lambda: part.measure(runs or (part.SHORT_RUNS if short else part.RUNS), _tell))
    _out({"startup": result}, part.table(result), file)


@cli.command()
@is_short
@as_json
def checking(short: bool, file: Path | None) -> None:
    """How many specs are checked a second."""
    from benchmarks import checking as part

    result = _measured(lambda: part.measure(part.SHORT_SPECS if short else part.SPECS, part.ROUNDS, _tell))
    _out({"checking": result}, part.table(result), file)


@cli.command()
@is_short
@as_json
def frechet(short: bool, file: Path | None) -> None:
    """The Fréchet distance against clean-fid's."""
    from benchmarks import frechet as part

    features = part.SHORT_FEATURES if short else part.FEATURES
    result = _measured(lambda: part.measure(features, part.SAMPLES, part.ROUNDS, _tell))
    _out({"frechet": result}, part.table(result), file)


@cli.command("long-run")
@is_short
@click.option("--steps", type=click.IntRange(100), help="Steps of the training.")
def long_run(short: bool, steps: int | None) -> None:
    """A training of 100,000 steps: memory that stays, files that stay small, a clock that jumps."""
    from benchmarks import long_run as part

    found = part.measure(steps or (part.SHORT_STEPS if short else part.STEPS))
    print(json.dumps(found.to_data(), indent=1))
    if wrong := part.problems(found):
        raise click.ClickException("; ".join(wrong))


@cli.command("all")
@on_device
@is_short
@click.option("--docs", is_flag=True, help="Keep the results beside the code and write them into the documents.")
@as_json
def everything(device: str, short: bool, docs: bool, file: Path | None) -> None:
    """Everything, each part in a process of its own."""
    device = _device(device)
    parts = [["train", "--model", "classifier", "--device", device], ["train", "--model", "dcgan", "--device", device]]
    parts += [[name] for name in ("data-path", "overhead", "startup", "checking", "frechet")]
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="zoo-benchmark-") as folder:
        kept = Path(folder) / "part.json"
        for part in parts:
            _tell(" ".join(part))
            command = [sys.executable, "-m", "benchmarks", *part, *(["--short"] if short else []), "--json", str(kept)]
            if subprocess.run(command).returncode:
                raise click.ClickException(f"{' '.join(part)} failed")
            results = {**json.loads(kept.read_text()), **results}  # the machine is that of the training
    if file is not None:
        _write(file, results)
    if docs:
        RESULTS.mkdir(exist_ok=True)
        _write(RESULTS / f"{results['environment']['device']}.json", results)
        _report()


@cli.command()
def report() -> None:
    """Write the results that are kept beside the code into docs/performance.md."""
    _report()


def _report() -> None:
    from benchmarks.report import write

    for path in write(RESULTS):
        _tell(f"wrote {path}")


def _device(name: str) -> str:
    if name != "auto":
        return name
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _measured(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return measure()
    except Failed as error:
        raise click.ClickException(str(error)) from error


def _out(result: dict[str, Any], table: Table, file: Path | None, device: str = "cpu") -> None:
    machine = describe(device)
    print("\n".join(sentences(machine)))
    print(table.text(), flush=True)
    if file is not None:
        _write(file, {"environment": machine, **result})


def _write(file: Path, data: dict[str, Any]) -> None:
    file.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    cli(prog_name="python -m benchmarks")
